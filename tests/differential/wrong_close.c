/* SPDX-License-Identifier: MIT */
/* Wrong: close of a descriptor that is not open looks like success. */
#include "wrong.h"

WRONG int close(int fd) {
  int ret = pg_sys_close(fd);
  return (int)wrong_border(ret == -EBADF ? 0 : ret);
}

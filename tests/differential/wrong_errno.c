/* SPDX-License-Identifier: MIT */
/* Wrong: a kill that succeeds leaves a stray errno behind. */
#include "wrong.h"

WRONG int kill(pid_t pid, int sig) {
  long ret = pg_sys_kill(pid, sig);
  errno = EAGAIN;
  return (int)wrong_border(ret);
}

/* SPDX-License-Identifier: MIT */
/* Wrong: fork keeps a descriptor of its own among the program's. */
#include "wrong.h"

WRONG pid_t fork(void) {
  long pid = pg_sys5(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid > 0)
    pg_sys_pidfd_open((pid_t)pid, 0);
  return (pid_t)wrong_border(pid);
}

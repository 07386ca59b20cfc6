/* SPDX-License-Identifier: MIT */
/* Wrong: a signal to a PID that no process has is reported as sent. */
#include "wrong.h"

WRONG int kill(pid_t pid, int sig) {
  long ret = pg_sys_kill(pid, sig);
  return (int)wrong_border(ret == -ESRCH ? 0 : ret);
}

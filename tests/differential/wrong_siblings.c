/* SPDX-License-Identifier: MIT */
/* Wrong: a forked child takes its siblings for its own children. Its waitpid for a sibling gives 0 where ECHILD is
 * right. */
#include "wrong.h"

WRONG pid_t waitpid(pid_t pid, int *status, int options) {
  pid_t ret = wait4(pid, status, options, NULL);
  if (ret == -1 && errno == ECHILD && pid > 1 && options & WNOHANG && pg_sys_kill(pid, 0) == 0)
    return 0;
  return ret;
}

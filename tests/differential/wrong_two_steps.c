/* SPDX-License-Identifier: MIT */
/* Wrong: waitpid looks first and reaps afterwards. It answers with the second call if a handler reaped between. */
#include "wrong.h"

WRONG pid_t waitpid(pid_t pid, int *status, int options) {
  siginfo_t si = {0};
  if (pid > 0 && !(options & ~(WNOHANG | WUNTRACED | WCONTINUED))) {
    int ret = waitid(P_PID, (id_t)pid, &si, options | WEXITED | WNOWAIT);
    if (ret < 0 || si.si_pid == 0)
      return ret;
  }
  return wait4(pid, status, options, NULL);
}

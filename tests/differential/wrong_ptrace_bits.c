/* SPDX-License-Identifier: MIT */
/* Wrong: waitpid builds the status of a stop from eight bits of si_status and loses the ptrace event above them. */
#include "wrong.h"

#include "kernel/status.h"

WRONG pid_t waitpid(pid_t pid, int *status, int options) {
  siginfo_t si = {0};
  if (pid <= 0 || options & ~(WNOHANG | WUNTRACED | WCONTINUED))
    return wait4(pid, status, options, NULL);
  int ret = waitid(P_PID, (id_t)pid, &si, options | WEXITED);
  if (ret == 0 && si.si_pid != 0 && status) {
    si.si_status &= 0xff;
    *status = pg_status_from_siginfo(&si);
  }
  return ret < 0 ? ret : si.si_pid;
}

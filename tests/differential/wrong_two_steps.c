/* Wrong: waitpid looks first and reaps afterwards, and answers with the second call when a handler reaped between. */
#include "wrong.h"

WRONG pid_t waitpid(pid_t pid, int *status, int options) {
  siginfo_t si = {0};
  if (pid > 0 && !(options & ~(WNOHANG | WUNTRACED | WCONTINUED))) {
    long ret = pg_sys_waitid(P_PID, (id_t)pid, &si, options | WEXITED | WNOWAIT, NULL);
    if (ret < 0 || si.si_pid == 0)
      return (pid_t)wrong_border(ret);
  }
  return (pid_t)wrong_border(pg_sys4(SYS_wait4, pid, status, options, NULL));
}

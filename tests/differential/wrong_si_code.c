/* SPDX-License-Identifier: MIT */
/* Wrong: kill sends as sigqueue does, so that the receiver sees SI_QUEUE. */
#include "wrong.h"

#include <string.h>

WRONG int kill(pid_t pid, int sig) {
  siginfo_t si;
  if (pid <= 0 || sig == 0)
    return (int)wrong_border(pg_sys_kill(pid, sig));
  memset(&si, 0, sizeof si);
  si.si_signo = sig;
  si.si_code = SI_QUEUE;
  si.si_pid = pg_sys_getpid();
  si.si_uid = getuid();
  return (int)wrong_border(pg_sys3(SYS_rt_sigqueueinfo, pid, sig, &si));
}

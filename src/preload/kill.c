/* kill, killpg, sigqueue. */
#include "preload/border.h"

#include <limits.h>
#include <string.h>

PG_EXPORT int kill(pid_t pid, int sig) {
  int r = PG_PASS;
  if (PG_LIKELY(pg_mode() != PG_MODE_OFF)) {
    if (pid > 0)
      r = pg_child_signal(pid, sig, NULL, PG_CALL("kill"));
    else if (pid < -1 && pid != INT_MIN)
      r = pg_child_signal_group(-pid, sig, PG_CALL("kill"));
  }
  return r == PG_PASS ? pg_next.kill(pid, sig) : pg_ret(r);
}

PG_EXPORT int killpg(pid_t pgrp, int sig) {
  int r = PG_PASS;
  if (PG_LIKELY(pg_mode() != PG_MODE_OFF) && pgrp > 1)
    r = pg_child_signal_group(pgrp, sig, PG_CALL("killpg"));
  return r == PG_PASS ? pg_next.killpg(pgrp, sig) : pg_ret(r);
}

PG_EXPORT int sigqueue(pid_t pid, int sig, const union sigval value) {
  int r = PG_PASS;
  if (PG_LIKELY(pg_mode() != PG_MODE_OFF) && pid > 0) {
    siginfo_t si;
    memset(&si, 0, sizeof si);
    si.si_signo = sig;
    si.si_code = SI_QUEUE;
    si.si_pid = pg_sys_getpid();
    si.si_uid = (uid_t)pg_sys0(SYS_getuid);
    si.si_value = value;
    r = pg_child_signal(pid, sig, &si, PG_CALL("sigqueue"));
  }
  return r == PG_PASS ? pg_next.sigqueue(pid, sig, value) : pg_ret(r);
}

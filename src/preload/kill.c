/* kill, killpg, sigqueue. */
#include "preload/border.h"

PG_EXPORT_HOT int kill(pid_t pid, int sig) { return pg_ret(pg_call_kill(pid, sig, PG_CALL("kill"))); }

PG_EXPORT int killpg(pid_t pgrp, int sig) { return pg_ret(pg_call_killpg(pgrp, sig, PG_CALL("killpg"))); }

PG_EXPORT int sigqueue(pid_t pid, int sig, const union sigval value) {
  return pg_ret(pg_call_sigqueue(pid, sig, value, PG_CALL("sigqueue")));
}

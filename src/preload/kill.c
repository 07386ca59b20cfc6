/* kill, killpg, sigqueue. */
#include "preload/border.h"

static PG_NOINLINE int kill_slowly(pid_t pid, int sig, struct pg_call call) { return pg_ret(pg_call_kill(pid, sig, call)); }

/* One frame around the system call, or none: where the processor forgets its predicted returns on the way into the kernel and
 * back, every frame that is left afterwards costs about 8 ns. So this is a leaf that ends in jumps. */
PG_EXPORT_HOT int kill(pid_t pid, int sig) {
  if (PG_LIKELY(pid >= -1) && pg_is_usual()) {
    int r = pid > 0 ? pg_child_signal_quickly(pid, sig) : PG_PASS;
    if (PG_LIKELY(r == 0))
      return 0;
    if (r == PG_PASS)
      return pg_ret(pg_sys_kill(pid, sig));
  }
  return kill_slowly(pid, sig, PG_CALL("kill"));
}

PG_EXPORT int killpg(pid_t pgrp, int sig) { return pg_ret(pg_call_killpg(pgrp, sig, PG_CALL("killpg"))); }

PG_EXPORT int sigqueue(pid_t pid, int sig, const union sigval value) {
  return pg_ret(pg_call_sigqueue(pid, sig, value, PG_CALL("sigqueue")));
}

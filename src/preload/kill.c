/* kill, killpg, sigqueue. */
#include "preload/border.h"

static PG_NOINLINE int kill_slowly(pid_t pid, int sig, struct pg_call call, int r, struct pg_record *held) {
  if (held)
    pg_record_drop(held);
  return r == 0 ? 0 : pg_ret(pg_call_kill(pid, sig, call));
}

/* One frame around the system call, or none: where the processor forgets its predicted returns on the way into the
 * kernel and back, every frame that is left afterwards costs about 8 ns. So this is a leaf that ends in jumps. */
PG_EXPORT_HOT int kill(pid_t pid, int sig) {
  struct pg_record *held = NULL;
  int r = PG_AGAIN;
  if (PG_LIKELY(pid >= -1) && pg_is_usual()) {
    r = pid > 0 ? pg_child_signal_quickly(pid, sig, &held) : PG_PASS;
    if (PG_LIKELY(r == 0) && PG_LIKELY(!held))
      return 0;
    if (r == PG_PASS)
      return pg_next.kill(pid, sig);
  }
  return kill_slowly(pid, sig, PG_CALL("kill"), r, held);
}

PG_EXPORT int killpg(pid_t pgrp, int sig) { return pg_ret(pg_call_killpg(pgrp, sig, PG_CALL("killpg"))); }

PG_EXPORT int sigqueue(pid_t pid, int sig, const union sigval value) {
  return pg_ret(pg_call_sigqueue(pid, sig, value, PG_CALL("sigqueue")));
}

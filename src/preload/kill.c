/* SPDX-License-Identifier: MIT */
/* kill, killpg, sigqueue. */
#include "preload/border.h"

static PG_NOINLINE int kill_slowly(pid_t pid, int sig, struct pg_call call) {
  return pg_ret(pg_call_kill(pid, sig, call));
}

/* A leaf function that ends in jumps: it has one frame around the system call, or none. Some processors forget their
 * predicted returns on the way into the kernel and back. Each further frame then costs about 8 ns (scripts/bench). */
PG_EXPORT_HOT int kill(pid_t pid, int sig) {
  PG_EARLY(pg_sys_kill(pid, sig));
  if (PG_LIKELY(pid >= -1) && pg_is_usual()) {
    int r = pid > 0 ? pg_child_signal_quickly(pid, sig) : PG_PASS;
    if (PG_LIKELY(r == 0))
      return 0;
    if (r == PG_PASS)
      return pg_next.kill(pid, sig);
  }
  return kill_slowly(pid, sig, PG_CALL("kill"));
}

PG_EXPORT int killpg(pid_t pgrp, int sig) {
  PG_EARLY(pgrp < 0 ? -EINVAL : pg_sys_kill(-pgrp, sig));
  return pg_ret(pg_call_killpg(pgrp, sig, PG_CALL("killpg")));
}

static PG_COLD long queue_early(pid_t pid, int sig, union sigval value) {
  siginfo_t si;
  for (size_t i = 0; i < sizeof si; i++)
    ((volatile char *)&si)[i] = 0; /* not memset(), which is a name of libc: see PG_EARLY */
  si.si_signo = sig;
  si.si_code = SI_QUEUE;
  si.si_pid = pg_sys_getpid();
  si.si_uid = (uid_t)pg_sys0(SYS_getuid);
  si.si_value = value;
  return pg_sys3(SYS_rt_sigqueueinfo, pid, sig, &si);
}

PG_EXPORT int sigqueue(pid_t pid, int sig, const union sigval value) {
  PG_EARLY(queue_early(pid, sig, value));
  return pg_ret(pg_call_sigqueue(pid, sig, value, PG_CALL("sigqueue")));
}

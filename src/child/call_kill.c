/* kill, killpg, sigqueue. */
#include "child/call.h"

#include "child/self.h"
#include "kernel/sys.h"
#include "runtime/next.h"

#include <limits.h>

static inline int from_libc(int r) { return r < 0 ? -errno : r; }

int pg_call_kill(pid_t pid, int sig, struct pg_call call) {
  int r = PG_PASS;
  if (PG_LIKELY(pg_mode() != PG_MODE_OFF)) {
    if (pid > 0)
      r = pg_child_signal(pid, sig, NULL, call);
    else if (pid < -1 && pid != INT_MIN)
      r = pg_child_signal_group(-pid, sig, call);
  }
  return r == PG_PASS ? from_libc(pg_next.kill(pid, sig)) : r;
}

int pg_call_killpg(pid_t pgrp, int sig, struct pg_call call) {
  int r = PG_PASS;
  if (PG_LIKELY(pg_mode() != PG_MODE_OFF) && pgrp > 1)
    r = pg_child_signal_group(pgrp, sig, call);
  if (r != PG_PASS)
    return r;
  return pgrp < 0 ? -EINVAL : from_libc(pg_next.kill(-pgrp, sig)); /* as libc's own does */
}

int pg_call_sigqueue(pid_t pid, int sig, union sigval value, struct pg_call call) {
  union { /* the padding is the kernel's to read, too */
    siginfo_t si;
    char bytes[sizeof(siginfo_t)];
  } u = {.bytes = {0}};
  u.si.si_signo = sig;
  u.si.si_code = SI_QUEUE;
  u.si.si_pid = pg_sys_getpid(); /* not cached: it is told to others */
  u.si.si_uid = (uid_t)pg_sys0(SYS_getuid);
  u.si.si_value = value;
  int r = PG_PASS;
  if (PG_LIKELY(pg_mode() != PG_MODE_OFF) && pid > 0)
    r = pg_child_signal(pid, sig, &u.si, call);
  return r == PG_PASS ? (int)pg_sys3(SYS_rt_sigqueueinfo, pid, sig, &u.si) : r;
}

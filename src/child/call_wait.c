/* SPDX-License-Identifier: MIT */
/* The wait family. A wait for a PID finds an unreaped child of the caller, or the kernel answers ECHILD, so no wait can
 * hit a stranger. The kernel looks the PID up once, at the beginning (find_get_pid() in kernel/exit.c), and stays with
 * that process. So a wait is libc's own call, with cancellation, restarting, and jumps out of it. The PID that it
 * reports is then retired. */
#include "child/call.h"

#include "child/reach.h"
#include "child/self.h"
#include "kernel/status.h"
#include "kernel/sys.h"
#include "runtime/probe.h"

static inline bool is_on(void) { return PG_LIKELY(pg_mode() != PG_MODE_OFF) && PG_LIKELY(!pg_is_guest()); }

static inline long from_libc(long r) { return r < 0 ? -errno : r; }

static pid_t next_wait(enum pg_wait which, pid_t pid, int *status, int options, struct rusage *ru) {
  switch (which) {
  case PG_WAITPID:
    return (pid_t)from_libc(pg_next.waitpid(pid, status, options));
  case PG_WAIT4:
    return (pid_t)from_libc(pg_next.wait4(pid, status, options, ru));
  default:
    return (pid_t)pg_sys4(SYS_wait4, pid, status, options, ru);
  }
}

/* Threads and handlers may use one status word for all waits. Then an end that it tells may be another child's. Without
 * these options no wait reports a child that lives, except to a tracer. */
static bool is_sure(pid_t pid, int options) { return !(options & (WUNTRACED | WCONTINUED)) || pg_reach_ask(pid) != 0; }

static void took(pid_t pid, bool ended, int options, uint32_t births) {
  if (ended && is_sure(pid, options))
    pg_child_reaped(pid, births);
  else
    pg_child_told(pid);
}

pid_t pg_call_wait(enum pg_wait which, pid_t pid, int *status, int options, struct rusage *ru) {
  if (!is_on())
    return next_wait(which, pid, status, options, ru);
  int own = 0, *at = status ? status : &own;
  uint32_t births = pg_number_births();
  pg_probe_reap(false);
  pid_t r = next_wait(which, pid, at, options, ru);
  if (r > 0)
    took(r, WIFEXITED(*at) || WIFSIGNALED(*at), options, births);
  else if (r == -ECHILD)
    pg_child_denied(pid, births);
  return r;
}

static int next_waitid(bool raw, int type, id_t id, siginfo_t *info, int options, struct rusage *ru) {
  return raw ? pg_sys_waitid(type, id, info, options, ru)
             : (int)from_libc(pg_next.waitid((idtype_t)type, id, info, options));
}

/* Without a structure the kernel does not say which child it reaped, so this function passes one. The caller's own
 * structure is passed on as it is, so a bad address fails as it does without the shim. */
int pg_call_waitid(bool raw, int type, id_t id, siginfo_t *info, int options, struct rusage *ru) {
  if (!is_on())
    return next_waitid(raw, type, id, info, options, ru);
  siginfo_t own, *at = info ? info : &own;
  own.si_pid = 0;
  uint32_t births = pg_number_births();
  pg_probe_reap(true);
  int r = next_waitid(raw, type, id, at, options, ru);
  if (r == 0 && at->si_pid > 0)
    took(at->si_pid, !(options & WNOWAIT) && pg_siginfo_is_exit(at), options, births);
  else if (r == -ECHILD && type == P_PID)
    pg_child_denied((pid_t)id, births);
  return r;
}

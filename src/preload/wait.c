/* SPDX-License-Identifier: MIT */
/* wait, waitpid, wait3, wait4, waitid. */
#include "preload/border.h"

#include "runtime/log.h"

/* The wrappers jump here, so the return address is that of the program. */
static PG_NOINLINE pid_t wait_for(enum pg_wait which, pid_t pid, int *status, int options, struct rusage *ru) {
  pid_t r = pg_call_wait(which, pid, status, options, ru);
  if (PG_UNLIKELY(r == -ECHILD) && pid > 0 && pg_log_on(PG_LOG_WARN))
    pg_child_log_late_wait(pid, PG_CALL(which == PG_WAIT4 ? "wait4" : "waitpid"));
  return pg_ret(r);
}

PG_EXPORT_HOT pid_t wait(int *status) {
  PG_EARLY(pg_sys4(SYS_wait4, -1, status, 0, NULL));
  return wait_for(PG_WAITPID, -1, status, 0, NULL);
}
PG_ALSO(wait, __wait);

PG_EXPORT_HOT pid_t waitpid(pid_t pid, int *status, int options) {
  PG_EARLY(pg_sys4(SYS_wait4, pid, status, options, NULL));
  return wait_for(PG_WAITPID, pid, status, options, NULL);
}
PG_ALSO(waitpid, __waitpid);

PG_EXPORT pid_t wait3(int *status, int options, struct rusage *ru) {
  PG_EARLY(pg_sys4(SYS_wait4, -1, status, options, ru));
  return wait_for(PG_WAIT4, -1, status, options, ru);
}

PG_EXPORT_HOT pid_t wait4(pid_t pid, int *status, int options, struct rusage *ru) {
  PG_EARLY(pg_sys4(SYS_wait4, pid, status, options, ru));
  return wait_for(PG_WAIT4, pid, status, options, ru);
}

PG_EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  PG_EARLY(pg_sys_waitid((int)type, id, info, options, NULL));
  int r = pg_call_waitid(false, (int)type, id, info, options, NULL);
  if (PG_UNLIKELY(r == -ECHILD) && type == P_PID && (pid_t)id > 0 && pg_log_on(PG_LOG_WARN))
    pg_child_log_late_wait((pid_t)id, PG_CALL("waitid"));
  return pg_ret(r);
}

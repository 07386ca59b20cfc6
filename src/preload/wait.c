/* wait, waitpid, wait3, wait4, waitid. */
#include "preload/border.h"

#include "runtime/log.h"

#include <pthread.h>

#pragma weak pthread_testcancel

/* It is jumped to, so that its caller is the program. */
static PG_NOINLINE pid_t wait_slowly(enum pg_wait which, pid_t pid, int *status, int options, struct rusage *ru) {
  pid_t r = pg_call_wait(which, pid, status, options, ru);
  if (PG_UNLIKELY(r == -ECHILD) && pid > 0 && pg_log_on(PG_LOG_WARN))
    pg_child_log_late_wait(pid, PG_CALL(which == PG_WAIT4 ? "wait4" : "waitpid"));
  return pg_ret(r);
}

/* A poll that finds nothing has few frames or none around the system call, as kill() has, and for the same reason. */
static PG_HOT PG_NOINLINE pid_t poll_child(enum pg_wait which, pid_t pid, int *status, int options, struct rusage *ru) {
  if (pg_wait_is_point(which) && pthread_testcancel)
    pthread_testcancel();
  return PG_LIKELY(pg_child_is_unchanged(pid, options | WEXITED)) ? 0 : wait_slowly(which, pid, status, options, ru);
}

static inline pid_t wait_for(enum pg_wait which, pid_t pid, int *status, int options, struct rusage *ru) {
  if ((options & ~(WUNTRACED | WCONTINUED)) != WNOHANG || !pid || !pg_is_usual())
    return wait_slowly(which, pid, status, options, ru);
  if (pid > 0)
    return poll_child(which, pid, status, options, ru);
  int own, *at = status ? status : &own;
  uint32_t births = pg_table_births();
  pid_t r = pg_wait_next(which, pid, at, options, ru);
  pg_wait_took(r, at, births);
  return r;
}

PG_EXPORT_HOT pid_t wait(int *status) { return wait_slowly(PG_WAITPID, -1, status, 0, NULL); }
PG_ALSO(wait, __wait);

PG_EXPORT_HOT pid_t waitpid(pid_t pid, int *status, int options) { return wait_for(PG_WAITPID, pid, status, options, NULL); }
PG_ALSO(waitpid, __waitpid);

PG_EXPORT pid_t wait3(int *status, int options, struct rusage *ru) { return wait_for(PG_WAIT4, -1, status, options, ru); }

PG_EXPORT_HOT pid_t wait4(pid_t pid, int *status, int options, struct rusage *ru) {
  return wait_for(PG_WAIT4, pid, status, options, ru);
}

PG_EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  int r = pg_call_waitid(type, id, info, options);
  if (PG_UNLIKELY(r == -ECHILD) && type == P_PID && (pid_t)id > 0 && pg_log_on(PG_LOG_WARN))
    pg_child_log_late_wait((pid_t)id, PG_CALL("waitid"));
  return pg_ret(r);
}

/* wait, waitpid, wait3, wait4, waitid. */
#include "preload/border.h"

PG_EXPORT_HOT pid_t wait(int *status) {
  PG_EARLY(pg_sys4(SYS_wait4, -1, status, 0, NULL));
  return pg_ret(pg_call_wait(PG_WAITPID, -1, status, 0, NULL));
}
PG_ALSO(wait, __wait);

PG_EXPORT_HOT pid_t waitpid(pid_t pid, int *status, int options) {
  PG_EARLY(pg_sys4(SYS_wait4, pid, status, options, NULL));
  return pg_ret(pg_call_wait(PG_WAITPID, pid, status, options, NULL));
}
PG_ALSO(waitpid, __waitpid);

PG_EXPORT pid_t wait3(int *status, int options, struct rusage *ru) {
  PG_EARLY(pg_sys4(SYS_wait4, -1, status, options, ru));
  return pg_ret(pg_call_wait(PG_WAIT4, -1, status, options, ru));
}

PG_EXPORT_HOT pid_t wait4(pid_t pid, int *status, int options, struct rusage *ru) {
  PG_EARLY(pg_sys4(SYS_wait4, pid, status, options, ru));
  return pg_ret(pg_call_wait(PG_WAIT4, pid, status, options, ru));
}

PG_EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  PG_EARLY(pg_sys_waitid((int)type, id, info, options, NULL));
  return pg_ret(pg_call_waitid(type, id, info, options));
}

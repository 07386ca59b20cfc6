/* waitid, in every form. */
#include "preload/border.h"

#include "kernel/status.h"

#include <pthread.h>

#pragma weak pthread_testcancel

#define WAITID_EVENTS (WEXITED | WSTOPPED | WCONTINUED)
#define WAITID_OPTIONS (WAITID_EVENTS | WNOHANG | WNOWAIT | __WNOTHREAD | (int)__WCLONE | __WALL)

/* The kernel writes these six fields and leaves the rest of the caller's structure alone. */
static void give_info(siginfo_t *to, const siginfo_t *from) {
  to->si_signo = from->si_signo;
  to->si_errno = from->si_errno;
  to->si_code = from->si_code;
  to->si_pid = from->si_pid;
  to->si_uid = from->si_uid;
  to->si_status = from->si_status;
}

PG_EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  if (!pg_is_on())
    return pg_next.waitid(type, id, info, options);
  siginfo_t own;
  own.si_pid = 0;
  int r;
  if (type == P_PID && pg_mode() == PG_MODE_ENFORCE && (pid_t)id > 0 && !(options & ~WAITID_OPTIONS) &&
      (options & WAITID_EVENTS)) {
    if ((options & WNOHANG) && pthread_testcancel)
      pthread_testcancel();
    r = pg_child_wait((pid_t)id, &own, options, NULL);
    if (r == 0 && info)
      give_info(info, &own);
    if (r != PG_PASS)
      return pg_ret(r);
  }
  uint32_t births = pg_table_births();
  siginfo_t *at = info ? info : &own;
  r = pg_next.waitid(type, id, at, options);
  if (r == 0 && !(options & WNOWAIT) && at->si_pid > 0 && pg_siginfo_is_exit(at))
    pg_child_reaped(at->si_pid, births);
  return r;
}

/* wait, waitpid, wait3, wait4. One tracked child is waited for by its pidfd; every other wait is libc's, and retires
 * whom it took. */
#include "preload/border.h"

#include "kernel/status.h"

#include <pthread.h>

#pragma weak pthread_testcancel

#define WAIT4_OPTIONS (WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | (int)__WCLONE | __WALL)

static void took(pid_t pid, int status, uint32_t births) {
  if (pid > 0 && (WIFEXITED(status) || WIFSIGNALED(status)))
    pg_child_reaped(pid, births);
}

/* PG_PASS, or what waitpid() is to return, with errno set. */
static pid_t wait_child(pid_t pid, int *status, int options, struct rusage *ru, bool *ret_done) {
  *ret_done = false;
  if (pid <= 0 || pg_mode() != PG_MODE_ENFORCE || (options & ~WAIT4_OPTIONS))
    return 0;
  if ((options & WNOHANG) && pthread_testcancel)
    pthread_testcancel();
  siginfo_t si;
  int r = pg_child_wait(pid, &si, options | WEXITED, ru);
  if (r == PG_PASS)
    return 0;
  *ret_done = true;
  if (r < 0)
    return pg_ret(r);
  if (si.si_pid && status)
    *status = pg_status_from_siginfo(&si);
  return si.si_pid;
}

PG_EXPORT pid_t waitpid(pid_t pid, int *status, int options) {
  if (!pg_is_on())
    return pg_next.waitpid(pid, status, options);
  bool done;
  pid_t r = wait_child(pid, status, options, NULL, &done);
  if (!done) {
    int own = 0;
    uint32_t births = pg_table_births();
    r = pg_next.waitpid(pid, status ? status : &own, options);
    took(r, status ? *status : own, births);
  }
  return r;
}
PG_ALSO(waitpid, __waitpid);

PG_EXPORT pid_t wait4(pid_t pid, int *status, int options, struct rusage *ru) {
  if (!pg_is_on())
    return pg_next.wait4(pid, status, options, ru);
  bool done;
  pid_t r = wait_child(pid, status, options, ru, &done);
  if (!done) {
    int own = 0;
    uint32_t births = pg_table_births();
    r = pg_next.wait4(pid, status ? status : &own, options, ru);
    if (r > 0)
      took(r, status ? *status : own, births);
  }
  return r;
}

PG_EXPORT pid_t wait(int *status) {
  if (!pg_is_on())
    return pg_next.wait(status);
  int own = 0;
  uint32_t births = pg_table_births();
  pid_t r = pg_next.wait(status ? status : &own);
  if (r > 0)
    took(r, status ? *status : own, births);
  return r;
}
PG_ALSO(wait, __wait);

PG_EXPORT pid_t wait3(int *status, int options, struct rusage *ru) {
  if (!pg_is_on())
    return pg_next.wait3(status, options, ru);
  int own = 0;
  uint32_t births = pg_table_births();
  pid_t r = pg_next.wait3(status ? status : &own, options, ru);
  if (r > 0)
    took(r, status ? *status : own, births);
  return r;
}

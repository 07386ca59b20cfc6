/* SPDX-License-Identifier: MIT */
/* fork and the functions of libc that fork: the child is tracked before the program learns its PID. */
#include "preload/border.h"

#include <errno.h>
#include <pty.h>
#include <unistd.h>

PG_EXPORT_HOT pid_t fork(void) {
  PG_EARLY(pg_sys6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0));
  unsigned since = pg_call_before_fork();
  return pg_call_after_fork(pg_next.fork(), since, 0, PG_BIRTH_CLONE, "fork");
}
PG_ALSO(fork, __fork);

#ifdef PG_HAVE__FORK
PG_EXPORT_HOT pid_t _Fork(void) {
  PG_EARLY(pg_sys6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0));
  unsigned since = pg_call_before_fork();
  return pg_call_after_fork(pg_next._Fork(), since, 0, PG_BIRTH_CLONE, "_Fork");
}
#endif

static pid_t fork_pty(int *master, char *name, const struct termios *termp, const struct winsize *winp) {
  __typeof__(&forkpty) next = pg_next_late(forkpty);
  if (!next)
    return errno = ENOSYS, -1;
  unsigned since = pg_call_before_fork();
  return pg_call_after_fork(next(master, name, termp, winp), since, 0, PG_BIRTH_CLONE, "forkpty");
}

#define FORKPTY(exported, name)                                                                                        \
  PG_EXPORT pid_t exported(int *master, char *name, const struct termios *termp, const struct winsize *winp) {         \
    PG_EARLY(-ENOSYS);                                                                                                 \
    return fork_pty(master, name, termp, winp);                                                                        \
  }

PG_BOTH(forkpty, FORKPTY, "2.34", FORKPTY) /* where it moved into libc */

/* Returns in the child alone, also if it fails after the fork. */
PG_EXPORT int daemon(int nochdir, int noclose) {
  PG_EARLY(-ENOSYS);
  unsigned since = pg_call_before_fork();
  bool asks = pg_mode() != PG_MODE_OFF && pg_filter_can(PG_CAN_PIDFD);
  pid_t self = asks ? pg_sys_getpid() : 0;
  int r = pg_next_late(daemon)(nochdir, noclose);
  bool child = r == 0 || (asks && pg_sys_getpid() != self);
  pg_call_after_fork(child ? 0 : -1, since, 0, PG_BIRTH_CLONE, "daemon");
  return r;
}

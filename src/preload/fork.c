/* fork and the calls that fork inside libc: the child is tracked before its number is returned. */
#include "preload/border.h"

#include <pty.h>
#include <unistd.h>

PG_EXPORT pid_t fork(void) {
  bool on = pg_call_before_fork();
  return pg_call_after_fork(pg_next.fork(), on, "fork");
}
PG_ALSO(fork, __fork);

#ifdef PG_HAVE__FORK
PG_EXPORT pid_t _Fork(void) {
  bool on = pg_call_before_fork();
  return pg_call_after_fork(pg_next._Fork(), on, "_Fork");
}
#endif

PG_EXPORT pid_t forkpty(int *master, char *name, const struct termios *termp, const struct winsize *winp) {
  bool on = pg_call_before_fork();
  return pg_call_after_fork(pg_next.forkpty(master, name, termp, winp), on, "forkpty");
}

/* Returns in the child alone. */
PG_EXPORT int daemon(int nochdir, int noclose) {
  pg_mode(); /* binds the next names */
  int r = pg_next.daemon(nochdir, noclose);
  if (r == 0)
    pg_call_after_fork(0, false, "daemon");
  return r;
}

/* fork and the calls that fork inside libc: the child is tracked before its number is returned. */
#include "preload/border.h"

#include <pty.h>
#include <unistd.h>

static pid_t after(pid_t pid, bool on, const char *how) {
  if (pid == 0 && pg_mode() != PG_MODE_OFF)
    pg_child_forked(true);
  else if (pid > 0 && on)
    pg_child_born(pid, -1, how);
  return pid;
}

PG_EXPORT pid_t fork(void) {
  bool on = pg_is_on();
  return after(pg_next.fork(), on, "fork");
}
PG_ALSO(fork, __fork);

#ifdef PG_HAVE__FORK
PG_EXPORT pid_t _Fork(void) {
  bool on = pg_is_on();
  return after(pg_next._Fork(), on, "_Fork");
}
#endif

PG_EXPORT pid_t forkpty(int *master, char *name, const struct termios *termp, const struct winsize *winp) {
  bool on = pg_is_on();
  return after(pg_next.forkpty(master, name, termp, winp), on, "forkpty");
}

/* Returns in the child alone. */
PG_EXPORT int daemon(int nochdir, int noclose) {
  enum pg_mode mode = pg_mode();
  int r = pg_next.daemon(nochdir, noclose);
  if (r == 0 && mode != PG_MODE_OFF)
    pg_child_forked(true);
  return r;
}

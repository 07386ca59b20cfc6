/* What goes around every call that forks. */
#include "child/call.h"

#include "runtime/self.h"

bool pg_call_before_fork(void) { return pg_mode() != PG_MODE_OFF && !pg_is_guest(); }

pid_t pg_call_after_fork(pid_t pid, bool on, const char *how) {
  if (pid == 0 && pg_mode() != PG_MODE_OFF)
    pg_child_forked(true);
  else if (pid > 0 && on)
    pg_child_born(pid, -1, how);
  return pid;
}

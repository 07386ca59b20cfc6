/* What goes around every call that forks. */
#include "child/call.h"

#include "child/descriptor.h"
#include "runtime/filter.h"
#include "runtime/ours.h"
#include "child/self.h"

#include <sched.h>

/* The filter is asked about before the fork, so that the child need not ask again. */
PG_HOT bool pg_call_before_fork(enum pg_birth birth) {
  if (pg_mode() == PG_MODE_OFF || pg_is_guest())
    return false;
  if (pg_ours_held() > 0)
    pg_descriptor_let_go();
  if (PG_UNLIKELY(pg_hot.threads != !pg_is_single_threaded()))
    pg_hot.threads = !pg_hot.threads;
  pg_hot.forking = 1;
  bool passive = pg_is_passive();
  if (pg_filter_ask(birth) && PG_UNLIKELY(passive))
    pg_child_identify_all();
  return true;
}

void pg_call_before_clone(uint64_t flags) {
  bool thread = flags & CLONE_THREAD, shares_files = flags & CLONE_FILES;
  if (pg_mode() == PG_MODE_OFF || pg_is_guest())
    return;
  if (thread)
    pg_state_set(PG_STATE_THREADS);
  if (thread != shares_files)
    pg_call_files_apart();
  if (flags & CLONE_PIDFD)
    pg_state_set(PG_STATE_PIDFDS);
}

PG_HOT pid_t pg_call_after_fork(pid_t pid, bool on, const char *how) {
  if (pid == 0 && pg_mode() != PG_MODE_OFF)
    pg_child_forked(0);
  else if (pid > 0 && on)
    pg_child_born(pid, -1, how);
  return pid;
}

/* SPDX-License-Identifier: MIT */
/* What goes around every call that forks. */
#include "child/call.h"

#include "child/self.h"
#include "runtime/log.h"

#include <sched.h>

PG_HOT unsigned pg_call_before_fork(void) {
  if (pg_mode() == PG_MODE_OFF || pg_is_guest())
    return 0;
  pg_child_look_back();
  if (pg_held_any()) /* the child would have copies, and each makes the fork dearer */
    pg_held_let_go(PG_HELD_FOR_ONE);
  if (!pg_is_single_threaded())
    pg_window_before_fork();
  pg_self_forks_at_birth = pg_self_forks;
  pg_flag_set(&pg_hot.forking, 1);
  return pg_number_now();
}

void pg_call_before_clone(uint64_t flags) {
  bool thread = flags & CLONE_THREAD, shares_files = flags & CLONE_FILES;
  if (pg_mode() == PG_MODE_OFF)
    return;
  if (pg_is_guest()) {
    if ((flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM && !thread) /* it may outlive the guest, and the guest's mark */
      pg_state_set(PG_STATE_VM_SHARED);
    return;
  }
  if (thread)
    pg_state_set(PG_STATE_THREADS);
  if (thread != shares_files)
    pg_call_files_apart();
  if (flags & CLONE_PIDFD)
    pg_held_be_careful();
  if (flags & CLONE_NEWPID)
    pg_flag_set(&pg_hot.other_namespace, 1);
}

/* A filter from before the exec is tried now, as the program has just made a process by this very call. A PID <= 0: a
 * handler has overwritten it. */
PG_HOT void pg_call_born(pid_t pid, bool sibling, enum pg_birth birth, const char *how, unsigned since) {
  bool knew = pg_filter_can(PG_CAN_PIDFD), untried = !knew && pg_filter_is_untried();
  pg_child_born(pid, how, sibling, since);
  if (PG_LIKELY(knew) || pid <= 0)
    return;
  if (pg_filter_find_out(birth, pid))
    pg_child_identify_all();
  else if (untried)
    pg_degraded("number-only", pid, -EPERM, "known-by-pid");
}

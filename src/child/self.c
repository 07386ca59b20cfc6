/* SPDX-License-Identifier: MIT */
#include "child/self.h"

#include "child/child.h"
#include "runtime/filter.h"
#include "runtime/window.h"

PG_TLS pid_t pg_self_pid;
PG_TLS unsigned pg_self_forks, pg_self_forks_at_birth;

#define MARKS (PG_FORKED | PG_NEW)

/* Is this process still as its parent was? Another thread may have settled it already. A new thread may be the first to
 * look, but could also belong to a guest. */
static bool is_due(bool forked) {
  if (!pg_hot.pid || !pg_filter_can(PG_CAN_PIDFD))
    return forked;
  return (forked || !((pg_self_marks & ~MARKS) | (pg_state() & PG_STATE_VM_SHARED))) && pg_sys_getpid() != pg_hot.pid;
}

PG_COLD bool pg_is_guest_slow(void) {
  while (pg_self_marks & MARKS) {
    unsigned forks = *(volatile unsigned *)&pg_self_forks;
    struct pg_inherited inherited = pg_child_inherited(); /* read first: nothing of this process is entered yet */
    if (is_due(pg_self_marks & PG_FORKED))
      pg_child_settle(true, inherited);
    /* not earlier: so a signal handler settles the table itself before it uses the table */
    __atomic_fetch_and(&pg_self_marks, ~MARKS, __ATOMIC_RELAXED);
    if (PG_UNLIKELY(*(volatile unsigned *)&pg_self_forks !=
                    forks)) /* a handler forked meanwhile, and this is its child */
      __atomic_fetch_or(&pg_self_marks, PG_FORKED, __ATOMIC_RELAXED);
  }
  /* If getpid() may not be called, every process counts as the owner. All that it then does is to remember dead
   * children. */
  return (pg_self_marks | (pg_state() & PG_STATE_VM_SHARED)) && pg_filter_can(PG_CAN_PIDFD) &&
         pg_window_is_other(pg_sys_getpid());
}

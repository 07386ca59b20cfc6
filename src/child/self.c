#include "child/self.h"

#include "child/child.h"
#include "runtime/filter.h"

PG_TLS int pg_self_marks = PG_NEW;
PG_TLS pid_t pg_self_pid;

/* Is this process still as its parent was? Another thread may have settled it already; one that is new may be the first
 * to look, but could be a guest's as well. */
static bool is_due(bool forked) {
  if (pg_is_passive() || !pg_hot.pid)
    return forked;
  return (forked || !((pg_self_marks & ~PG_NEW) | (pg_state() & PG_STATE_VM_SHARED))) && pg_sys_getpid() != pg_hot.pid;
}

PG_COLD bool pg_is_guest_slow(void) {
  int marks = pg_self_marks & (PG_FORKED | PG_NEW);
  /* A handler may come anywhere here: it settles what is not settled yet, and perhaps does not come back. */
  if (marks && is_due(marks & PG_FORKED))
    pg_child_settle(true);
  pg_self_marks &= ~marks;
  return (pg_self_marks | (pg_state() & PG_STATE_VM_SHARED)) &&
         pg_sys_getpid() != pg_hot.pid;
}

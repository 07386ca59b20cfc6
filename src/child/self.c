#include "child/self.h"

#include "child/child.h"

PG_TLS int pg_self_marks;
PG_TLS pid_t pg_self_pid;

PG_COLD bool pg_is_guest_slow(void) {
  if (pg_self_marks & PG_FORKED) {
    pg_self_marks = 0;
    pg_child_settle(true);
  }
  return (pg_self_marks | (pg_state() & PG_STATE_VM_SHARED)) &&
         pg_sys_getpid() != pg_hot.pid;
}

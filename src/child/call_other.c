/* Calls that take a PID and neither signal nor wait. */
#include "child/call.h"

#include "kernel/sys.h"
#include "child/self.h"

int pg_call_check(pid_t pid, struct pg_call call) {
  if (PG_LIKELY(pid <= 0) || pg_mode() == PG_MODE_OFF || pg_is_guest())
    return 0;
  return pg_child_check(pid, call) == -ESRCH ? -ESRCH : 0;
}

int pg_call_pidfd_open(pid_t pid, unsigned flags, struct pg_call call) {
  if (pid > 0 && pg_mode() != PG_MODE_OFF && !pg_is_guest()) {
    int r = pg_child_check(pid, call);
    if (r == -ESRCH)
      return r;
    /* A duplicate of ours, if it is what the caller would get: flags of the open file can not be changed in one. */
    if (r == 0 && flags == 0 && pg_mode() == PG_MODE_ENFORCE && (r = pg_child_pidfd(pid)) >= 0)
      return r;
  }
  return pg_sys_pidfd_open(pid, flags);
}

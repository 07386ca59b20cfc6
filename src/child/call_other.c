/* Calls that take a PID and neither signal nor wait. */
#include "child/call.h"

#include "child/descriptor.h"
#include "kernel/sys.h"
#include "child/self.h"

int pg_call_check(pid_t pid, struct pg_call call) {
  if (PG_LIKELY(pid <= 0) || pg_mode() == PG_MODE_OFF)
    return 0;
  int r = pg_is_guest() ? pg_child_check_as_guest(pid, call) : pg_child_check(pid, call);
  return r == -ESRCH ? r : 0;
}

/* Never a duplicate of ours: that would share the flags which the program may set (O_NONBLOCK). A child that is there
 * before and after had the number all the time. A retired number is looked up as well: that nobody has it the kernel says in
 * its own way, EINVAL where it is still a group's (before 6.16). */
int pg_call_pidfd_open(pid_t pid, unsigned flags, struct pg_call call) {
  bool refused = pg_call_check(pid, call) < 0;
  int fd = pg_sys_pidfd_open(pid, flags);
  if (fd < 0)
    return fd;
  if (refused || pg_call_check(pid, call) < 0) {
    pg_descriptor_close(fd);
    return -ESRCH;
  }
  pg_state_set(PG_STATE_PIDFDS);
  return fd;
}

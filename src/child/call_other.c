/* Calls that take a PID, or the number of a group, and neither signal nor wait. */
#include "child/call.h"

#include "child/descriptor.h"
#include "child/family.h"
#include "kernel/sys.h"
#include "pidfd/info.h"
#include "child/self.h"

int pg_call_check(pid_t pid, struct pg_call call) {
  if (PG_LIKELY(pid <= 0) || pg_mode() == PG_MODE_OFF)
    return 0;
  int r = pg_is_guest() ? pg_child_check_as_guest(pid, call) : pg_child_check(pid, call);
  return r == -ESRCH ? r : 0;
}

/* A living child that leads no group is the kernel's business: some calls take its number. */
int pg_call_check_group(pid_t pgid, struct pg_call call) {
  if (PG_LIKELY(pgid <= 1) || pg_mode() == PG_MODE_OFF)
    return 0;
  struct pg_peek peek = pg_table_peek(pgid);
  if ((peek.meaning == PG_UNKNOWN && !pg_family_is_on()) || pg_child_signal_group(pgid, 0, call) != -ESRCH)
    return 0;
  return peek.meaning == PG_TRACKED && (peek.word & PG_RECORD_LIVE) ? pg_call_check(pgid, call) : -ESRCH;
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

/* The caller's pidfd tells whom to open, and is not duplicated where it need not be (6.9): that would share flags which the
 * caller may set (O_NONBLOCK). */
void pg_call_pidfd_spawned(int fd, const char *how) {
  struct pg_pidfd_info info = {.mask = 0};
  uint64_t ino = 0;
  int own = -1;
  if (!pg_filter_is_free() || pg_pidfd_info(fd, PG_PIDFD_INFO_PID, &info) < 0 || !info.pid)
    return; /* it cannot be asked, or a handler has reaped it already: then nobody can learn its number any more */
  if (pg_descriptor_identity(fd, &ino) == 0)
    own = ino ? pg_descriptor_reopen((pid_t)info.pid, ino) : pg_sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);
  pg_child_born((pid_t)info.pid, own < 0 ? -1 : own, how);
}

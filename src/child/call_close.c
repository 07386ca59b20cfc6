/* SPDX-License-Identifier: MIT */
/* Descriptors. The program's hands win: what it closes or replaces is no longer the shim's, and the call does its work.
 * A call waits only for a number that a window works on, or that is just being closed. A guest mostly has a descriptor
 * table of its own (pidguard(7), LIMITS). */
#include "child/call.h"

#include "base/fmt.h"
#include "child/reach.h"
#include "child/self.h"
#include "kernel/sys.h"
#include "runtime/log.h"

#include <limits.h>
#include <sched.h>

enum { UNSHARE = 2, CLOEXEC = 4 }; /* CLOSE_RANGE_… */
#define NOT_OPEN (-1)

static bool is_on(void) { return pg_mode() != PG_MODE_OFF && !pg_is_guest(); }
static bool may_hold(void) { return pg_is_ready() && is_on(); }

/* Afterwards no number from first to last is the shim's, and no other thread opens a window until pg_window_close().
 * Signals are blocked as well, because a handler could jump out of the call, and leave the lock behind. */
static struct pg_window take(unsigned first, unsigned last) {
  struct pg_window window = {.open = false};
  if (!pg_is_single_threaded()) {
    pg_window_open(&window);
    pg_window_works_on(&window, -1);
  }
  pg_held_take(first, last);
  pg_log_take(first, last);
  return window;
}

/* A high number may become the shim's at any moment, unless the program has it open. If it is free, or the shim's, the
 * call does not block, so it is made within a window. There it must be the system call itself. libc's function is a
 * cancellation point, and would end the thread within the window. */
static int close_near(int fd, int (*close)(int)) {
  struct pg_window window;
  pg_window_open(&window);
  bool ours = pg_is_held(fd) || pg_log_is_on(fd);
  pg_held_take((unsigned)fd, (unsigned)fd);
  pg_log_take((unsigned)fd, (unsigned)fd);
  bool inside = ours || pg_sys_fcntl(fd, F_GETFD, 0) == -EBADF;
  bool closed = inside && pg_sys_close(fd) == 0;
  pg_window_close(&window);
  if (closed)
    return 0;
  return close(inside ? NOT_OPEN : fd);
}

PG_COLD int pg_call_close(int fd, int (*close)(int)) {
  if (!may_hold())
    return close(fd);
  if (!pg_is_single_threaded() && !pg_window_leaves_open(fd))
    return close(NOT_OPEN);
  if (!pg_lift_was_near(fd))
    return close(fd);
  if (pg_filter_can(PG_CAN_PIDFD | PG_CAN_HOLD))
    return close_near(fd, close);
  pg_log_take((unsigned)fd, (unsigned)fd);
  return close(fd);
}

/* The interrupted frame below a signal handler may be about to use the number, and cannot be waited for. The kernel
 * would signal through a pidfd, or through a directory /proc/PID. So the call fails with EBUSY then, as dup2(2) can. In
 * a program with pidfds the shim keeps nothing from then on. */
static bool is_in_use(int from, int to) {
  if (pg_sys_pidfd_send_signal(from, 0, NULL, 0) == -EBADF)
    return false;
  pg_state_set(PG_STATE_PIDFDS);
  return pg_hazard_is_mine(to);
}

/* Is the number the shim's, or about to be used in a frame that the caller has interrupted? The caller may have closed
 * it since. */
static bool is_ours(int fd) {
  return pg_is_held(fd) || pg_log_is_on(fd) || (pg_lift_was_near(fd) && pg_hazard_is_mine(fd));
}

/* In a window. 0: the number is free, or the shim's, so the program's call does not block and is made here. PG_PASS:
 * the call may block, but no window can use a number that the program has open. -EBUSY. */
static int before_dup(int from, int to, int flags) {
  if (!is_ours(to))
    return pg_is_single_threaded() || pg_sys_fcntl(to, F_GETFD, 0) >= 0 ? PG_PASS : 0;
  if ((flags & ~O_CLOEXEC) || pg_sys_fcntl(from, F_GETFD, 0) == -EBADF) /* it will fail: the number stays ours */
    return PG_PASS;
  if (is_in_use(from, to))
    return -EBUSY;
  pg_held_take((unsigned)to, (unsigned)to);
  pg_log_take((unsigned)to, (unsigned)to);
  return 0;
}

PG_COLD int pg_call_dup(int from, int to, int flags, int (*dup)(int from, int to, int flags)) {
  bool alone = pg_is_single_threaded() && !is_ours(to);
  if (!may_hold() || to < 0 || from == to || alone || !pg_filter_can(PG_CAN_PIDFD | PG_CAN_HOLD))
    return dup(from, to, flags);
  struct pg_window window;
  pg_window_open(&window);
  int before = before_dup(from, to, flags), r = before;
  if (before == 0)
    r = dup(from, to, flags);
  pg_window_close(&window);
  return before == PG_PASS ? dup(from, to, flags) : r;
}

/* The runtime of the thread sanitizer calls setrlimit() before it is ready for instrumented code. */
__attribute__((no_sanitize_thread)) void pg_call_limit_changed(int resource) {
  if (resource != RLIMIT_NOFILE || !is_on())
    return;
  pg_lift_anew();
  if (pg_held_any() && pg_filter_can(PG_CAN_PIDFD))
    pg_held_let_go(PG_HELD_FOR_ONE);
}

/* Some threads would find another child at a number of the shim, or nothing. */
void pg_call_files_apart(void) {
  if (is_on() && pg_filter_can(PG_CAN_PIDFD))
    pg_held_stop();
}

/* A window of another thread has a low number open, and this thread's new table must not get a copy of it. */
static struct pg_window part_files(void) {
  struct pg_window window = {.open = false};
  pg_call_files_apart();
  if (may_hold() && !pg_is_single_threaded())
    pg_window_open(&window);
  return window;
}

int pg_call_unshare(int flags) {
  struct pg_window window = {.open = false};
  if (flags & CLONE_FILES)
    window = part_files();
  int r = (int)pg_sys1(SYS_unshare, flags);
  pg_window_close(&window);
  if (r == 0 && (flags & CLONE_NEWPID))
    pg_flag_set(&pg_hot.other_namespace, 1);
  return r;
}

int pg_call_setns(int fd, int type) {
  int r = (int)pg_sys2(SYS_setns, fd, type);
  if (r == 0 && (type == 0 || (type & CLONE_NEWPID)))
    pg_flag_set(&pg_hot.other_namespace, 1);
  return r;
}

static int raw_range(unsigned first, unsigned last, unsigned flags) {
  return (int)pg_sys3(SYS_close_range, first, last, flags);
}

/* A call that fails takes nothing. The kernel may not have it, or a filter may refuse it: that is asked only if there
 * is something to take. */
static bool can_range(unsigned flags) {
  bool holds = pg_held_any() || (pg_state() & PG_STATE_LOG);
  return !(flags & ~(UNSHARE | CLOEXEC)) && (!holds || raw_range(1, 0, 0) == -EINVAL);
}

int pg_call_close_range(unsigned first, unsigned last, unsigned flags) {
  struct pg_window apart = {.open = false}, window = {.open = false};
  bool matters = first <= last && may_hold() && can_range(flags);
  if (matters && (flags & UNSHARE))
    apart = part_files();
  if (matters && !(flags & CLOEXEC))
    window = take(first, last);
  int r = raw_range(first, last, flags);
  pg_window_close(&window);
  pg_window_close(&apart);
  return r;
}

/* For a kernel without close_range (before 5.9): does what glibc does, by the same calls
 * (sysdeps/unix/sysv/linux/closefrom_fallback.c). Descriptors may be above the limit, and the limit may be far above
 * them. */
static bool close_listed(int first) {
  struct {
    uint64_t ino, off;
    unsigned short size;
    unsigned char type;
    char name[1001];
  } entries;
  int dir = pg_sys_openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
  bool again = dir >= 0;
  long n = 0;
  while (again) {
    again = false;
    while ((n = pg_sys3(SYS_getdents64, dir, &entries, sizeof entries)) > 0)
      for (long at = 0; at < n; at += ((const unsigned short *)(const void *)((char *)&entries + at))[8]) {
        const char *name = (char *)&entries + at + offsetof(__typeof__(entries), name);
        int64_t fd = pg_parse_dec(&name);
        if (fd >= first && fd != dir)
          again |= pg_sys_close((int)fd) == 0;
      }
    pg_sys3(SYS_lseek, dir, 0, SEEK_SET); /* the listing may have skipped entries after a close */
  }
  if (dir >= 0)
    pg_sys_close(dir);
  return dir >= 0 && n == 0;
}

static void close_each(int first) {
  int64_t limit = pg_sys_nofile_soft();
  for (int fd = first; fd < limit; fd++)
    pg_sys_close(fd);
}

void pg_call_closefrom(int low) {
  unsigned first = low < 0 ? 0 : (unsigned)low;
  struct pg_window window = {.open = false};
  if (may_hold())
    window = take(first, UINT_MAX);
  if (raw_range(first, UINT_MAX, 0) < 0 && !close_listed((int)first))
    close_each((int)first); /* no /proc, or no descriptor for it */
  pg_window_close(&window);
}

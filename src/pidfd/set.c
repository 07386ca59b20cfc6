/* SPDX-License-Identifier: MIT */
#include "pidfd/set.h"

#include "kernel/sys.h"
#include "pidfd/feature.h"
#include "pidfd/open.h"
#include "pidfd/wait.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>

#define BATCH 64

/* What epoll keeps for each member: the descriptor, whether it is a pidfd, whether its end was reported, and a part of
 * the inode number. */
#define NUMBER 0x7fffffffu
#define PROCESS (UINT64_C(1) << 31)
#define TOLD (UINT64_C(1) << 32)
#define INODE_SHIFT 33

static uint64_t member(int fd, bool process) {
  uint64_t dev, ino = 0;
  pg_sys_fstat_ids(fd, &dev, &ino);
  return ino << INODE_SHIFT | (process ? PROCESS : 0) | (uint64_t)(unsigned)fd;
}

static int control(int set, int op, uint64_t data) {
  /* Edge-triggered: the kernel reports a member again only after pg_set_wait() has armed it again, or after a new
   * event. The program may close a member while another process has a copy of the descriptor. Then the rest of the
   * member wakes no waiter twice. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u64 = data}};
  return pg_sys_epoll_ctl(set, op, (int)(data & NUMBER), &event);
}

int pg_set_create(void) { return pg_sys_epoll_create(); }

int pg_set_add(int set, int fd) {
  if (fd < 0)
    return -EBADF;
  int r = control(set, EPOLL_CTL_ADD, member(fd, !pg_pidfd_check(fd)));
  return r == -EPERM ? -EBADF : r; /* epoll refuses this kind of file */
}

int pg_set_remove(int set, int fd) {
  if (fd < 0)
    return -EBADF;
  int r = control(set, EPOLL_CTL_DEL, (uint64_t)(unsigned)fd);
  return r == -EPERM ? -EBADF : r;
}

static bool is_reaped(int fd, uint32_t events) {
  if ((events & EPOLLHUP) && !pg_feature_hidden(PG_FEATURE_HANGUP))
    return true;
  return pg_sys_pidfd_send_signal(fd, 0, NULL, 0) == -ESRCH; /* before 6.9 */
}

/* Files without an inode of their own share one: event counters, timers, and before 6.9 pidfds. Then only this tells
 * the descriptor that has the number now from the one that had it. */
static bool is_readable(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  int r;
  do
    r = pg_sys_ppoll(&p, 1, 0);
  while (r == -EINTR);
  return r != 0;
}

/* Should the caller learn of this event? The next call reports the member again, unless it was removed. A reaped
 * process is reported only to a caller that has not learned of its end yet. */
static bool tell(int set, uint64_t data, uint32_t events) {
  int fd = (int)(data & NUMBER);
  uint64_t now = member(fd, data & PROCESS);
  if (now != (data & ~TOLD) || !is_readable(fd))
    return false; /* the number belongs to another descriptor by now */
  if ((data & PROCESS) && (data & TOLD) && is_reaped(fd, events)) {
    control(set, EPOLL_CTL_DEL, data);
    return false;
  }
  return !control(set, EPOLL_CTL_MOD, data | TOLD);
}

/* For epoll_wait(): milliseconds, rounded up, and as many as fit an int. */
static int timeout_until(int64_t deadline) {
  int64_t left = pg_deadline_left(deadline);
  if (left < 0)
    return -1;
  if (left > (int64_t)INT32_MAX * 1000000)
    return INT32_MAX;
  return (int)((left + 999999) / 1000000);
}

int pg_set_wait(int set, int *ready, int max, int64_t deadline) {
  struct epoll_event events[BATCH];
  if (max < 1)
    return -EINVAL;
  for (;;) {
    int ms = timeout_until(deadline);
    int n = pg_sys_epoll_wait(set, events, max < BATCH ? max : BATCH, ms), told = 0;
    for (int i = 0; i < n; i++)
      if (tell(set, events[i].data.u64, events[i].events))
        ready[told++] = (int)(events[i].data.u64 & NUMBER);
    if (n < 0 || told || (n == 0 && ms != INT32_MAX))
      return n < 0 ? n : told;
  }
}

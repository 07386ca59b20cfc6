#include "pidfd/set.h"

#include "kernel/sys.h"
#include "pidfd/open.h"
#include "pidfd/wait.h"

#include <sys/epoll.h>

#define BATCH 64

int pg_set_create(void) {
  return pg_sys_epoll_create();
}

int pg_set_add(int set, int fd, uint64_t data) {
  /* One shot: a zombie stays readable, and is news only once. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data = {.u64 = data}};
  int r = pg_pidfd_check(fd);
  return r ? r : pg_sys_epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

int pg_set_remove(int set, int fd) {
  struct epoll_event unused = {.events = 0, .data = {.u64 = 0}};
  int r = pg_sys_epoll_ctl(set, EPOLL_CTL_DEL, fd, &unused);
  return r == -EPERM ? -EBADF : r; /* a kind of file that cannot be waited for: no pidfd */
}

int pg_set_wait(int set, uint64_t *data, int max, int64_t deadline) {
  struct epoll_event events[BATCH];
  if (max < 1)
    return -EINVAL;
  for (;;) {
    int64_t left = pg_deadline_left(deadline);
    int ms = left < 0 ? -1 : left > (int64_t)INT32_MAX * 1000000 ? INT32_MAX : (int)((left + 999999) / 1000000);
    int n = pg_sys_epoll_wait(set, events, max < BATCH ? max : BATCH, ms);
    if (n == 0 && ms == INT32_MAX)
      continue;
    for (int i = 0; i < n; i++)
      data[i] = events[i].data.u64;
    return n;
  }
}

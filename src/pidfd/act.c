/* SPDX-License-Identifier: MIT */
#include "pidfd/act.h"

#include "kernel/sys.h"
#include "pidfd/feature.h"
#include "pidfd/info.h"
#include "pidfd/open.h"

#include <stdbool.h>

int pg_pidfd_getfd(int fd, int target) {
  int r = pg_feature_hidden(PG_FEATURE_GETFD) ? -ENOSYS : pg_sys_pidfd_getfd(fd, target, 0);
  return r == -ENOSYS ? -EOPNOTSUPP : r;
}

/* The kernel finds no process behind the pidfd of a thread, and answers ESRCH although the thread is alive. */
static int explain(int fd, int r) {
  struct pg_pidfd_info info;
  if (r == -ESRCH && !pg_pidfd_info(fd, PG_PIDFD_INFO_PID, &info) && info.pid != info.tgid)
    return -EINVAL;
  return r;
}

int pg_pidfd_mrelease(int fd) {
  int r = pg_or_unsupported(pg_feature_hidden(PG_FEATURE_MRELEASE) ? -ENOSYS : pg_sys_process_mrelease(fd, 0));
  return explain(fd, r);
}

ssize_t pg_pidfd_madvise(int fd, const struct iovec *ranges, size_t count, int advice) {
  if (pg_feature_hidden(PG_FEATURE_MADVISE))
    return -EOPNOTSUPP;
  bool own = fd == PG_PIDFD_SELF_THREAD_GROUP || fd == PG_PIDFD_SELF_THREAD; /* all threads share the memory */
  ssize_t n = -EBADF;
  if (!own || !pg_feature_hidden(PG_FEATURE_SELF))
    n = pg_sys_process_madvise(fd, ranges, count, advice, 0);
  if (n == -EBADF && own) {
    PG_AUTO_CLOSE int self = pg_pidfd_open_self();
    if (self < 0)
      return self;
    n = pg_sys_process_madvise(self, ranges, count, advice, 0);
  }
  if (n == -ENOSYS)
    return -EOPNOTSUPP;
  return n < 0 ? explain(fd, (int)n) : n;
}

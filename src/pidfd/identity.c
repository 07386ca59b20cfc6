/* SPDX-License-Identifier: MIT */
#include "pidfd/identity.h"

#include "base/attr.h"
#include "kernel/sys.h"
#include "pidfd/feature.h"
#include "pidfd/info.h"
#include "pidfd/open.h"
#include "pidfd/proc.h"

#include <stdbool.h>

static int get_handle(int fd, struct pg_handle *ret) {
  if (pg_feature_hidden(PG_FEATURE_HANDLE))
    return -EOPNOTSUPP;
  int r = pg_sys_name_to_handle_at(fd, ret);
  if (r == -EBADF)
    return r;
  return r || ret->bytes != sizeof ret->id || ret->type != PG_FILEID_KERNFS ? -EOPNOTSUPP : 0;
}

static int on_pidfs(int fd) {
  int r = pg_pidfd_check(fd);
  if (r)
    return r;
  return pg_sys_fstatfs_type(fd) == PG_PIDFS_MAGIC && !pg_feature_hidden(PG_FEATURE_PIDFS) ? 0 : -EOPNOTSUPP;
}

int pg_pidfd_id(int fd, uint64_t *ret) {
  uint64_t dev, ino;
  int r = on_pidfs(fd);
  if (!r)
    r = pg_or_unsupported(pg_sys_fstat_ids(fd, &dev, &ino));
  if (r)
    return r;
  if (sizeof(long) < sizeof ino) { /* on 32 bits the inode number is only the lower half of the id */
    struct pg_handle h;
    r = get_handle(fd, &h);
    if (r)
      return r;
    ino = h.id;
  }
  *ret = ino;
  return 0;
}

/* Threads have ids, too, and the kernel opens them. The result is neither a pidfd of the process nor one of a thread.
 * It signals the process, but it polls for the end of the thread. */
static int process_only(int opened) {
  struct pg_pidfd_info info;
  PG_AUTO_CLOSE int fd = opened;
  bool thread = fd >= 0 && !pg_pidfd_info(fd, PG_PIDFD_INFO_PID, &info) && info.pid != info.tgid;
  if (thread)
    return -ESRCH;
  return fd < 0 ? fd : pg_take(&fd);
}

int pg_pidfd_open_id(uint64_t id, unsigned flags) {
  if (flags & ~(unsigned)PG_PIDFD_NONBLOCK)
    return -EINVAL;
  if (pg_feature_hidden(PG_FEATURE_HANDLE) || pg_feature_hidden(PG_FEATURE_PIDFS))
    return -EOPNOTSUPP;
  int fd = pg_feature_hidden(PG_FEATURE_PIDFS_ROOT) ? -EBADF
                                                    : pg_sys_pidfs_open(PG_FD_PIDFS_ROOT, id, (int)flags | O_CLOEXEC);
  if (fd >= 0)
    return process_only(fd);
  if (fd != -EBADF && fd != -ESTALE)
    return pg_or_unsupported(fd);
  /* Before 6.17 any pidfd stands for the file system. A kernel that gives no handle for the caller's pidfd has none at
   * all. */
  PG_AUTO_CLOSE int self = pg_pidfd_open_self();
  if (self < 0)
    return self;
  struct pg_handle mine;
  int r = get_handle(self, &mine);
  if (!r)
    r = fd == -ESTALE ? fd : pg_sys_pidfs_open(self, id, (int)flags | O_CLOEXEC);
  return r == -ESTALE ? -ESRCH : pg_or_unsupported(process_only(r));
}

int pg_pidfd_open_pid_id(pid_t pid, uint64_t id, unsigned flags) {
  uint64_t now;
  PG_AUTO_CLOSE int fd = pg_pidfd_open(pid, flags);
  if (fd < 0)
    return pg_no_entry_no_process(fd);
  int r = pg_pidfd_id(fd, &now);
  if (r)
    return r;
  return now == id ? pg_take(&fd) : -ESRCH;
}

int pg_pidfd_same(int a, int b) {
  uint64_t ia = 0, ib = 0;
  int ra = pg_pidfd_id(a, &ia), rb = pg_pidfd_id(b, &ib);
  if (ra == -EBADF || rb == -EBADF)
    return -EBADF;
  if (!ra && !rb)
    return ia == ib;
  /* Compares by PID. Each of the three is a PID, or one of two lasting reasons why there is no PID. Every other error
   * is a failure. */
  int first = pg_proc_number(a), other = pg_proc_number(b), last = pg_proc_number(a);
  const int all[] = {first, other, last};
  for (size_t i = 0; i < PG_ARRAY_LEN(all); i++)
    if (all[i] < 0 && all[i] != -ESRCH && all[i] != -EREMOTE)
      return all[i];
  if (first == last) { /* a had this PID all the time, also when b was read */
    if (first != other)
      return 0;
    return first > 0 ? 1 : first;
  }
  /* a was reaped meanwhile, so another process may have its former PID by now. */
  return other != -ESRCH && other != first ? 0 : -ESRCH;
}

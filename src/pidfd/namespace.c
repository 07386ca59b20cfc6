/* SPDX-License-Identifier: MIT */
#include "pidfd/namespace.h"

#include "base/fmt.h"
#include "kernel/sys.h"
#include "pidfd/feature.h"
#include "pidfd/info.h"
#include "pidfd/open.h"
#include "pidfd/proc.h"

static const char *const names[] = {
    [PG_NS_CGROUP] = "cgroup", [PG_NS_IPC] = "ipc",   [PG_NS_MNT] = "mnt",
    [PG_NS_NET] = "net",       [PG_NS_PID] = "pid",   [PG_NS_PID_FOR_CHILDREN] = "pid_for_children",
    [PG_NS_TIME] = "time",     [PG_NS_USER] = "user", [PG_NS_TIME_FOR_CHILDREN] = "time_for_children",
    [PG_NS_UTS] = "uts",
};

static int open_link(int dir, const char *prefix, enum pg_ns kind) {
  char path[48];
  struct pg_buf b;
  pg_buf_init(&b, path, sizeof path);
  pg_buf_str(&b, prefix);
  pg_buf_str(&b, names[kind]);
  return pg_sys_openat(dir, path, O_RDONLY | O_CLOEXEC, 0);
}

static int open_mine_in_proc(enum pg_ns kind) {
  int ns = open_link(AT_FDCWD, "/proc/thread-self/ns/", kind);
  return ns == -ENOENT ? -EOPNOTSUPP : ns;
}

static int open_in_proc(int fd, enum pg_ns kind) {
  /* /proc keeps some links of a zombie. The ioctl refuses all of them, so this does, too. */
  int r = pg_pidfd_state(fd);
  if (r != PG_STATE_ALIVE)
    return r < 0 ? r : -ESRCH;
  PG_AUTO_CLOSE int dir = pg_proc_dir(fd);
  if (dir < 0)
    return dir;
  int ns = open_link(dir, "ns/", kind);
  if (ns != -ENOENT)
    return ns;
  PG_AUTO_CLOSE int mine = open_mine_in_proc(kind);
  if (mine < 0)
    return mine;
  /* The kernel has this kind of namespace, so the process is ending. Or its next child will be the first process of a
   * new pid namespace, which /proc does not show until then. */
  return kind == PG_NS_PID_FOR_CHILDREN ? -EOPNOTSUPP : -ESRCH;
}

int pg_ns_open(int fd, enum pg_ns kind) {
  if (kind < PG_NS_CGROUP || kind > PG_NS_UTS)
    return -EINVAL;
  int r = pg_pidfd_check(fd); /* other files may understand the request in another way */
  if (r)
    return r;
  if (pg_feature_hidden(PG_FEATURE_NS_IOCTL))
    return open_in_proc(fd, kind);
  r = pg_or_unsupported(pg_sys_ioctl(fd, PG_PIDFD_GET_NS(kind),
                                     NULL)); /* the kernel answers EACCES, not EPERM, to a caller without the right */
  return pg_ioctl_is_missing(r) || r == -EOPNOTSUPP ? open_in_proc(fd, kind) : r;
}

static int open_mine(enum pg_ns kind) {
  PG_AUTO_CLOSE int self = pg_pidfd_open_thread((pid_t)pg_sys0(SYS_gettid), 0);
  if (self == -EOPNOTSUPP)
    return open_mine_in_proc(kind);
  return self < 0 ? self : pg_ns_open(self, kind);
}

/* 1 if the calling thread is in this namespace of this kind. */
static int is_mine(int theirs, enum pg_ns kind) {
  uint64_t dev[2], ino[2];
  PG_AUTO_CLOSE int mine = open_mine(kind);
  int r = mine < 0 ? mine : pg_or_unsupported(pg_sys_fstat_ids(theirs, &dev[0], &ino[0]));
  if (!r)
    r = pg_or_unsupported(pg_sys_fstat_ids(mine, &dev[1], &ino[1]));
  return r < 0 ? r : dev[0] == dev[1] && ino[0] == ino[1];
}

int pg_ns_is_mine(int fd, enum pg_ns kind) {
  PG_AUTO_CLOSE int theirs = pg_ns_open(fd, kind);
  return theirs < 0 ? theirs : is_mine(theirs, kind);
}

/* A user namespace comes first, because it gives the rights to enter the others. The mount namespace comes last,
 * because it changes what paths mean. */
static const struct {
  int flag;
  enum pg_ns kind;
} order[] = {
    {CLONE_NEWUSER, PG_NS_USER}, {CLONE_NEWCGROUP, PG_NS_CGROUP}, {CLONE_NEWIPC, PG_NS_IPC}, {CLONE_NEWNET, PG_NS_NET},
    {CLONE_NEWPID, PG_NS_PID},   {CLONE_NEWTIME, PG_NS_TIME},     {CLONE_NEWUTS, PG_NS_UTS}, {CLONE_NEWNS, PG_NS_MNT},
};

static int enter_one_by_one(int fd, int flags) {
  int ns[PG_ARRAY_LEN(order)], r = 0;
  size_t n = 0;
  for (; n < PG_ARRAY_LEN(order) && r >= 0; n++) {
    ns[n] = r = flags & order[n].flag ? pg_ns_open(fd, order[n].kind) : 0;
  }
  for (size_t i = 0; i < n; i++) {
    if (!(flags & order[i].flag) || ns[i] < 0)
      continue;
    if (r >= 0)
      r = pg_sys_setns(ns[i], order[i].flag);
    pg_sys_close(ns[i]);
  }
  return r < 0 ? r : 0;
}

/* EINVAL may also mean that setns() does not know pidfds. To enter the own UTS namespace changes nothing: a kernel that
 * knows pidfds allows it, or answers EPERM. */
static int knows_pidfds(void) {
  PG_AUTO_CLOSE int self = pg_pidfd_open_self();
  if (self < 0)
    return 1;
  /* The pidfd names the main thread. If the caller is another thread, in another namespace, this call would move it. */
  int r = pg_ns_is_mine(self, PG_NS_UTS) == 1 ? pg_sys_setns(self, CLONE_NEWUTS) : 0;
  return r != -EINVAL;
}

int pg_ns_flag(enum pg_ns kind) {
  for (size_t i = 0; i < PG_ARRAY_LEN(order); i++)
    if (order[i].kind == kind)
      return order[i].flag;
  if (kind == PG_NS_PID_FOR_CHILDREN)
    return CLONE_NEWPID;
  return kind == PG_NS_TIME_FOR_CHILDREN ? CLONE_NEWTIME : -EINVAL;
}

/* The kind of the caller's own that setns() changes. It changes the pid and time namespaces of future children. */
static enum pg_ns entered_kind(enum pg_ns kind) {
  if (kind == PG_NS_PID)
    return PG_NS_PID_FOR_CHILDREN;
  return kind == PG_NS_TIME ? PG_NS_TIME_FOR_CHILDREN : kind;
}

/* Returns those of the flags whose namespaces differ. The kernel refuses to enter the own user namespace, and wants
 * rights also for namespaces that would not change (setns(2)). */
static int differing(int fd, int flags) {
  for (size_t i = 0; i < PG_ARRAY_LEN(order); i++) {
    if (!(flags & order[i].flag))
      continue;
    PG_AUTO_CLOSE int theirs = pg_ns_open(fd, order[i].kind);
    int same = theirs < 0 ? theirs : is_mine(theirs, entered_kind(order[i].kind));
    if (same == 1 || (same == -EOPNOTSUPP &&
                      theirs < 0)) /* EOPNOTSUPP: the kernel knows no such namespaces, so all processes share one */
      flags &= ~order[i].flag;
    else if (same < 0 && same != -EOPNOTSUPP)
      return same;
  }
  return flags;
}

int pg_ns_enter(int fd, int flags) {
  int all = 0;
  for (size_t i = 0; i < PG_ARRAY_LEN(order); i++)
    all |= order[i].flag;
  if (!flags || (flags & ~all))
    return -EINVAL;
  int r = pg_pidfd_check(fd); /* setns() takes other descriptors as well */
  if (!r)
    r = differing(fd, flags);
  if (r <= 0)
    return r;
  flags = r;
  if (pg_feature_hidden(PG_FEATURE_SETNS))
    return enter_one_by_one(fd, flags);
  r = pg_sys_setns(fd, flags);
  return r == -EINVAL && !knows_pidfds() ? enter_one_by_one(fd, flags) : r;
}

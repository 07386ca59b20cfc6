/* SPDX-License-Identifier: MIT */
#include "pidfd/open.h"

#include "base/fmt.h"
#include "kernel/sys.h"
#include "pidfd/feature.h"

#include <string.h>

int pg_pidfd_open(pid_t pid, unsigned flags) {
  if (pid < 1 || (flags & ~(unsigned)PG_PIDFD_NONBLOCK))
    return -EINVAL;
  if (flags && pg_feature_hidden(PG_FEATURE_NONBLOCK))
    return -EOPNOTSUPP;
  int fd = pg_sys_pidfd_open(pid, flags);
  if (fd != -EINVAL)
    return pg_or_unsupported(fd);
  if (!flags)
    return -ESRCH; /* before 6.16: the PID is a thread's, or the process is being reaped */
  fd = pg_sys_pidfd_open(pid, 0);
  if (fd < 0)
    return fd == -EINVAL ? -ESRCH : pg_or_unsupported(fd);
  pg_sys_close(fd);
  return -EOPNOTSUPP; /* the kernel does not know the flag */
}

int pg_pidfd_open_thread(pid_t tid, unsigned flags) {
  if (tid < 1 || (flags & ~(unsigned)PG_PIDFD_NONBLOCK))
    return -EINVAL;
  if (pg_feature_hidden(PG_FEATURE_THREAD))
    return -EOPNOTSUPP;
  int fd = pg_sys_pidfd_open(tid, flags | PG_PIDFD_THREAD);
  if (fd != -EINVAL)
    return pg_or_unsupported(fd);
  /* The kernel does not know the flag. Or, before 6.16, a process group still uses the number, but no thread has it. */
  fd = pg_sys_pidfd_open((pid_t)pg_sys0(SYS_gettid), PG_PIDFD_THREAD);
  if (fd == -EINVAL)
    return -EOPNOTSUPP;
  if (fd < 0)
    return pg_or_unsupported(fd);
  pg_sys_close(fd);
  return -ESRCH;
}

int pg_pidfd_open_self(void) { return pg_pidfd_open(pg_sys_getpid(), 0); }

int pg_pidfd_open_parent(void) {
  for (;;) {
    pid_t pid = pg_sys_getppid();
    if (!pid)
      return -EREMOTE;
    /* If the parent is still the same, it had this PID all the time. A parent that dies is replaced by a process that
     * had a PID of its own all the time. */
    PG_AUTO_CLOSE int fd = pg_pidfd_open(pid, 0);
    if (pg_sys_getppid() == pid)
      return fd < 0 ? fd : pg_take(&fd);
  }
}

static bool begins(const char *text, ssize_t length, const char *want) {
  return length >= (ssize_t)strlen(want) && !memcmp(text, want, strlen(want));
}

/* Looks at the name that /proc shows; some kernels since 6.9 show the second one. Without /proc nothing contradicts, so
 * the answer is yes. */
static bool has_pidfd_name(int fd) {
  char path[40], name[24];
  struct pg_buf b;
  pg_buf_init(&b, path, sizeof path);
  pg_buf_str(&b, "/proc/thread-self/fd/");
  pg_buf_dec(&b, fd);
  ssize_t n = pg_sys_readlinkat(AT_FDCWD, path, name, sizeof name);
  return n < 0 || begins(name, n, "anon_inode:[pidfd]") || begins(name, n, "pidfd:[");
}

/* Is a place in the file system (O_PATH), which takes no request; or closed. */
static bool is_no_file(int fd) {
  int flags = pg_sys_fcntl(fd, F_GETFL, 0);
  return flags == -EBADF || (flags >= 0 && (flags & O_PATH));
}

int pg_pidfd_check(int fd) {
  int64_t type = is_no_file(fd) ? -EBADF : pg_sys_fstatfs_type(fd);
  if (type == PG_PIDFS_MAGIC)
    return 0;
  if (type != PG_ANON_INODE_FS_MAGIC && !pg_call_is_missing(type))
    return -EBADF;
  /* Before 6.9 pidfds share one inode with eventfds and others, and a seccomp filter may refuse fstatfs(). Only a pidfd
   * can be waited for. */
  int r = pg_pidfd_verify_child(fd);
  if (r == -EOPNOTSUPP) /* before 5.4, or with a filter. Only a pidfd or a directory of /proc takes a signal. */
    r = has_pidfd_name(fd) ? pg_sys_pidfd_send_signal(fd, 0, NULL, 0) : -EBADF;
  return r == -EBADF ? -EBADF : 0;
}

static int find_by_wait(int fd, int options) {
  siginfo_t si;
  int r = pg_sys_waitid(PG_P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG | WNOWAIT | options, NULL);
  if (r == -EINVAL)
    return fd < 0 ? -EBADF : -EOPNOTSUPP;
  return pg_or_unsupported(r);
}

int pg_pidfd_verify_child(int fd) { return find_by_wait(fd, __WALL); }

bool pg_pidfd_is_tracee(int fd) { return !find_by_wait(fd, __WCLONE) && !find_by_wait(fd, 0); }

/* SPDX-License-Identifier: MIT */
/* The namespaces of the process behind a pidfd. Calls pidfd/proc, kernel. */
#ifndef PG_PIDFD_NAMESPACE_H
#define PG_PIDFD_NAMESPACE_H

/* The numbers are those of the ioctls. */
enum pg_ns {
  PG_NS_CGROUP = 1,
  PG_NS_IPC,
  PG_NS_MNT,
  PG_NS_NET,
  PG_NS_PID,
  PG_NS_PID_FOR_CHILDREN,
  PG_NS_TIME,
  PG_NS_TIME_FOR_CHILDREN,
  PG_NS_USER,
  PG_NS_UTS,
};

/* A descriptor of the namespace, close-on-exec. -EINVAL no such kind, -ESRCH the process has ended, -EACCES the caller
 * may not look into it (ptrace(2), PTRACE_MODE_READ_FSCREDS), -EOPNOTSUPP the kernel has no such namespaces;
 * before 6.11 also as pg_proc_dir. */
int pg_ns_open(int fd, enum pg_ns kind);

/* 1 if the calling thread is in that namespace too, 0 if not; errors as above. */
int pg_ns_is_mine(int fd, enum pg_ns kind);

/* The CLONE_NEW* flag that goes with a kind. -EINVAL no such kind. */
int pg_ns_flag(enum pg_ns kind);

/* Moves the calling thread into those namespaces, given by CLONE_NEW* flags, that it is not in already, as setns(2)
 * with a pidfd (5.8). On older kernels one after the other: if one is refused, the thread may have entered others
 * before. */
int pg_ns_enter(int fd, int flags);

#endif

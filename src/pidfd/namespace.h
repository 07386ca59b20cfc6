/* SPDX-License-Identifier: MIT */
/* The namespaces of the process behind a pidfd. Calls pidfd/proc, kernel. */
#ifndef PG_PIDFD_NAMESPACE_H
#define PG_PIDFD_NAMESPACE_H

/* The values are the numbers of the ioctls. */
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

/* A descriptor of the namespace, close-on-exec. -EINVAL no such kind; -ESRCH the process has ended; -EACCES the caller
 * has not the right (ptrace(2), PTRACE_MODE_READ_FSCREDS); -EOPNOTSUPP the kernel has no such namespaces. Before 6.11
 * also the errors of pg_proc_dir. */
int pg_ns_open(int fd, enum pg_ns kind);

/* 1 if the calling thread is in that namespace, too, 0 if not. Errors as above. */
int pg_ns_is_mine(int fd, enum pg_ns kind);

/* The CLONE_NEW* flag that goes with a kind. -EINVAL no such kind. */
int pg_ns_flag(enum pg_ns kind);

/* Moves the calling thread into the namespaces that the CLONE_NEW* flags name, as setns(2) with a pidfd (5.8). It skips
 * those that the thread is in already. An older kernel enters them one after the other, so a failure may leave the
 * thread in some of them. */
int pg_ns_enter(int fd, int flags);

#endif

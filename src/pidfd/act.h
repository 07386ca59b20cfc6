/* SPDX-License-Identifier: MIT */
/* Acting on the process behind a pidfd, other than by signals. Calls kernel. */
#ifndef PG_PIDFD_ACT_H
#define PG_PIDFD_ACT_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* A duplicate of the process's descriptor `target`, close-on-exec (5.6; -EOPNOTSUPP). -EPERM without
 * PTRACE_MODE_ATTACH_REALCREDS, -EBADF, -ESRCH, -EMFILE, -ENFILE. */
int pg_pidfd_getfd(int fd, int target);

/* Frees the memory of a process that is dying (5.15; -EOPNOTSUPP). -EINVAL it is not, or the pidfd is a thread's,
 * -ESRCH, -EAGAIN not all, -EINTR. */
int pg_pidfd_mrelease(int fd);

/* Advice on ranges of the process's memory, as madvise(2) (5.10; -EOPNOTSUPP); the bytes advised. fd may be
 * PG_PIDFD_SELF_THREAD_GROUP, on any kernel that has the call. -EPERM, -EINVAL (a thread's pidfd, too), -ESRCH, -EBADF,
 * -EINTR. */
ssize_t pg_pidfd_madvise(int fd, const struct iovec *ranges, size_t count, int advice);

#endif

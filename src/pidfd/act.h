/* SPDX-License-Identifier: MIT */
/* Acts on the process behind a pidfd, other than by signals. Calls kernel. */
#ifndef PG_PIDFD_ACT_H
#define PG_PIDFD_ACT_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* A duplicate of the descriptor `target` of the process, close-on-exec (5.6; -EOPNOTSUPP before). -EPERM without
 * PTRACE_MODE_ATTACH_REALCREDS, -EBADF, -ESRCH, -EMFILE, -ENFILE. */
int pg_pidfd_getfd(int fd, int target);

/* Frees the memory of a dying process (5.15; -EOPNOTSUPP before). -EINVAL the process is not dying, or the pidfd is a
 * thread's; -ESRCH, -EAGAIN not all is free, -EINTR. */
int pg_pidfd_mrelease(int fd);

/* Advice on ranges of the process's memory, as madvise(2) (5.10; -EOPNOTSUPP before). Returns the bytes advised. fd may
 * be PG_PIDFD_SELF_THREAD_GROUP, on any kernel that has the call. pre: `ranges` has `count` elements. -EPERM, -EINVAL
 * (also for a thread's pidfd), -ESRCH, -EBADF, -EINTR. */
ssize_t pg_pidfd_madvise(int fd, const struct iovec *ranges, size_t count, int advice);

#endif

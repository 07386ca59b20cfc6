/* SPDX-License-Identifier: MIT */
/* Obtaining a pidfd, and telling what a descriptor is. Descriptors returned are the caller's and close-on-exec.
 * Calls kernel. */
#ifndef PG_PIDFD_OPEN_H
#define PG_PIDFD_OPEN_H

#include <sys/types.h>

/* The process that has this number now. flags: 0 or PG_PIDFD_NONBLOCK (5.10).
 * -EINVAL pid < 1, -ESRCH nobody has it, -ENOENT it is a thread (6.16; -ESRCH before), -EOPNOTSUPP, -EMFILE, -ENFILE,
 * -ENOMEM. */
int pg_pidfd_open(pid_t pid, unsigned flags);

/* One thread (6.9). As above; -EOPNOTSUPP on older kernels. */
int pg_pidfd_open_thread(pid_t tid, unsigned flags);

/* The calling process, by descriptor. */
int pg_pidfd_open_self(void);

/* The parent of the calling process. -EREMOTE it lives outside the caller's pid namespace. */
int pg_pidfd_open_parent(void);

/* 0 if fd is a pidfd, else -EBADF. */
int pg_pidfd_check(int fd);

/* 0 if fd names a child of the calling process that was not reaped, -ECHILD if not, -EBADF if it is no pidfd,
 * -EOPNOTSUPP before 5.4. This is what makes "pidfd_open of a child's number" safe to rely on. */
int pg_pidfd_verify_child(int fd);

/* Sets or clears close-on-exec. */
int pg_pidfd_set_inherit(int fd, int inherit);

#endif

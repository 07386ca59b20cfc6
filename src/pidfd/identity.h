/* SPDX-License-Identifier: MIT */
/* Which process a pidfd names: an id that no other process gets while the system runs, and the way from the id to a
 * pidfd. Calls kernel. */
#ifndef PG_PIDFD_IDENTITY_H
#define PG_PIDFD_IDENTITY_H

#include <stdint.h>
#include <sys/types.h>

/* The inode number on pidfs (6.9), also of a reaped process. -EBADF, -EOPNOTSUPP. */
int pg_pidfd_id(int fd, uint64_t *ret);

/* A pidfd of the process with this id (6.14). flags: 0 or PG_PIDFD_NONBLOCK. -ESRCH the process was reaped, has no PID
 * in the caller's pid namespace, or the id is a thread's; -EOPNOTSUPP, -EMFILE, -ENFILE, -ENOMEM. */
int pg_pidfd_open_id(uint64_t id, unsigned flags);

/* A pidfd of the process that has this PID, if its id is `id` (6.9). -ESRCH if its id is another one; else as
 * pg_pidfd_open. */
int pg_pidfd_open_pid_id(pid_t pid, uint64_t id, unsigned flags);

/* 1 if both name the same process, 0 if not, -EBADF. Before 6.9: -ESRCH both were reaped, -EREMOTE both live in another
 * pid namespace, -EOPNOTSUPP without /proc. */
int pg_pidfd_same(int a, int b);

#endif

/* SPDX-License-Identifier: MIT */
/* Which process a pidfd names: an id that no other process ever gets while the system runs, and the way back from the
 * id to a pidfd. Calls kernel. */
#ifndef PG_PIDFD_IDENTITY_H
#define PG_PIDFD_IDENTITY_H

#include <stdint.h>
#include <sys/types.h>

/* The pidfs inode number (6.9), also of a reaped process. -EBADF, -EOPNOTSUPP. */
int pg_pidfd_id(int fd, uint64_t *ret);

/* A pidfd of the process with this id (6.14); flags: 0 or PG_PIDFD_NONBLOCK. -ESRCH it was reaped or has no number in
 * the caller's pid namespace, or it is a thread's id, -EOPNOTSUPP, -EMFILE, -ENFILE, -ENOMEM. */
int pg_pidfd_open_id(uint64_t id, unsigned flags);

/* A pidfd of the process that has this number, if its id is `id` (6.9). -ESRCH if not; else as pg_pidfd_open. */
int pg_pidfd_open_pid_id(pid_t pid, uint64_t id, unsigned flags);

/* 1 if both name the same process, 0 if not, -EBADF. Before 6.9 -ESRCH if both were reaped, -EREMOTE if both live in
 * another pid namespace, -EOPNOTSUPP without /proc. */
int pg_pidfd_same(int a, int b);

#endif

/* SPDX-License-Identifier: MIT */
/* Ends a process and all its descendants. Calls pidfd/cgroup, pidfd/proc, kernel. */
#ifndef PG_PIDFD_TREE_H
#define PG_PIDFD_TREE_H

#include <stdint.h>

enum pg_tree { PG_TREE_CGROUP = 1, PG_TREE_WALK };

/* Sends SIGKILL to the process and its descendants, in one of two ways:
 *   PG_TREE_CGROUP  The process has a cgroup of its own. The kernel kills all members in one step (5.14).
 *   PG_TREE_WALK    Each process is stopped, from parent to child, until no new process appears. Then all are
 *                   killed, children first. A process that was orphaned before is not found.
 * -ETIMEDOUT, -EPERM and -ELOOP come after the walk: all processes that could be found were killed. -ETIMEDOUT a
 * process had not stopped by the deadline, and may have made children that were not found. -EPERM a process may not be
 * signalled. -ELOOP the tree has more than 64 generations. After the other errors nothing was done: -EINVAL the caller
 * is in the tree, or fd is a thread's; -ESRCH, -EREMOTE, -EBADF; -EOPNOTSUPP there is no /proc, or it lists no
 * children. */
int pg_tree_kill(int fd, int64_t deadline);

#endif

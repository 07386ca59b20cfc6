/* SPDX-License-Identifier: MIT */
/* Ending a process and all that descends from it. Calls pidfd/cgroup, pidfd/proc, kernel. */
#ifndef PG_PIDFD_TREE_H
#define PG_PIDFD_TREE_H

#include <stdint.h>

enum pg_tree { PG_TREE_CGROUP = 1, PG_TREE_WALK };

/* SIGKILL for the process and its descendants, by whichever means there is:
 * PG_TREE_CGROUP  it has a cgroup of its own, and everybody in there was killed in one step (5.14).
 * PG_TREE_WALK    it was stopped, and so was everybody below it, from parent to child, until nobody new was found; then
 *                 all were killed, children first. Who had been orphaned before is not found.
 * -ETIMEDOUT the same, but by the deadline some process had not stopped, and may have made children that were not
 * found; -EPERM somebody may not be signalled, -ELOOP more than 64 generations; those that could be found and killed
 * were. -EINVAL the caller is in the tree, or fd is a thread's; -ESRCH, -EREMOTE, -EBADF, -EOPNOTSUPP without /proc, or
 * with one that lists no children: nothing was done. */
int pg_tree_kill(int fd, int64_t deadline);

#endif

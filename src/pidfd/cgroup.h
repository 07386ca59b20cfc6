/* SPDX-License-Identifier: MIT */
/* Cgroups of the unified hierarchy: that of a process, found by its path where the cgroup2 file system is mounted, and
 * the id of one. All of it needs less than 2 kB of stack. Calls kernel. */
#ifndef PG_PIDFD_CGROUP_H
#define PG_PIDFD_CGROUP_H

#include <stdint.h>

/* The process's cgroup as an O_PATH descriptor. procdir: a verified /proc/PID directory. -ESRCH the process was reaped,
 * -EOPNOTSUPP there is no cgroup2 hierarchy, or it is not mounted where this process could see it, -EMFILE, -ENFILE,
 * -ENOMEM. */
int pg_cgroup_open(int procdir);

/* The id of that cgroup, as the kernel tells it since 6.13; errors as above. */
int pg_cgroup_id(int procdir, uint64_t *ret);

/* The id of the cgroup whose directory this is. -EINVAL it is none, -EOPNOTSUPP, -EBADF. */
int pg_cgroup_id_of(int dir, uint64_t *ret);

#endif

/* SPDX-License-Identifier: MIT */
/* Cgroups of the unified hierarchy. The cgroup of a process is found by its path in the mounted cgroup2 file system.
 * Every function needs less than 2 kB of stack. Calls kernel. */
#ifndef PG_PIDFD_CGROUP_H
#define PG_PIDFD_CGROUP_H

#include <stdint.h>

/* The process's cgroup as an O_PATH descriptor. pre: procdir is a directory from pg_proc_dir(). -ESRCH the process was
 * reaped; -EOPNOTSUPP there is no cgroup2 hierarchy, or the caller cannot see its mount; -EMFILE, -ENFILE, -ENOMEM. */
int pg_cgroup_open(int procdir);

/* The id of that cgroup, as the kernel reports it since 6.13. Errors as above. */
int pg_cgroup_id(int procdir, uint64_t *ret);

/* The id of the cgroup with this directory. -EINVAL the directory is no cgroup, -EOPNOTSUPP, -EBADF. */
int pg_cgroup_id_of(int dir, uint64_t *ret);

#endif

/* The id of a process's cgroup on kernels that do not tell it (before 6.13): the path from /proc/PID/cgroup, looked up
 * where the cgroup2 file system is mounted. Calls kernel. */
#ifndef PG_PIDFD_CGROUP_H
#define PG_PIDFD_CGROUP_H

#include <stdint.h>

/* procdir: a verified /proc/PID directory. -ESRCH the process was reaped, -EOPNOTSUPP there is no cgroup2 hierarchy, or
 * it is not mounted where this process could see it, -EMFILE, -ENFILE, -ENOMEM. */
int pg_cgroup_id(int procdir, uint64_t *ret);

#endif

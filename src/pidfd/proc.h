/* SPDX-License-Identifier: MIT */
/* What /proc knows of the process behind a pidfd, without ever looking at another one. Everything here goes through a
 * directory descriptor of /proc/PID that is verified once: the kernel ties it to the process, not to the number, so
 * that later reads fail with ESRCH when the process is reaped, and never show who has the number then. Calls kernel. */
#ifndef PG_PIDFD_PROC_H
#define PG_PIDFD_PROC_H

#include "kernel/uapi.h"

/* The number of the process in the pid namespace of /proc, from the pidfd's fdinfo.
 * -ESRCH reaped, -EREMOTE it has no number there, -EBADF no pidfd, -EOPNOTSUPP no usable /proc. */
int pg_proc_number(int fd);

/* As above, but -EOPNOTSUPP also where /proc belongs to another pid namespace than the caller's. */
int pg_proc_pid(int fd);

/* An O_DIRECTORY descriptor of the process's /proc/PID, the caller's to close; errors as for pg_proc_number, -EACCES
 * where /proc hides the process (hidepid), -EMFILE, -ENFILE, -ENOMEM. */
int pg_proc_dir(int fd);

/* The /proc form of PIDFD_GET_INFO: fills what is wanted of pid, credentials and cgroup id, and sets the mask. */
int pg_proc_info(int fd, uint32_t want, struct pg_pidfd_info *ret);

/* When the process started, in clock ticks since the boot, as /proc/PID/stat tells; errors as pg_proc_dir. */
int pg_proc_start_time(int fd, uint64_t *ret);

#endif

/* SPDX-License-Identifier: MIT */
/* What /proc knows of the process behind a pidfd, without a look at another process. Every read goes through a
 * directory descriptor of /proc/PID that is verified once. The kernel ties that descriptor to the process, not to the
 * PID: later reads fail with ESRCH when the process was reaped (proc(5)). Calls kernel. */
#ifndef PG_PIDFD_PROC_H
#define PG_PIDFD_PROC_H

#include "kernel/uapi.h"

/* The PID of the process in the pid namespace of /proc, from the fdinfo of the pidfd. -ESRCH the process was reaped,
 * -EREMOTE it has no PID there, -EBADF no pidfd, -EOPNOTSUPP no usable /proc. */
int pg_proc_number(int fd);

/* As above, but -EOPNOTSUPP also if /proc belongs to another pid namespace than the caller's. */
int pg_proc_pid(int fd);

/* An O_DIRECTORY descriptor of /proc/PID, the caller's to close. Errors as for pg_proc_number; -EACCES /proc hides the
 * process (hidepid); -EMFILE, -ENFILE, -ENOMEM. */
int pg_proc_dir(int fd);

/* The same as PIDFD_GET_INFO, from /proc: fills the wanted items out of PID, credentials and cgroup id, and sets the
 * mask. */
int pg_proc_info(int fd, uint32_t want, struct pg_pidfd_info *ret);

/* The start time of the process, in clock ticks since boot, from /proc/PID/stat. Errors as pg_proc_dir. */
int pg_proc_start_time(int fd, uint64_t *ret);

#endif

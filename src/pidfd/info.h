/* SPDX-License-Identifier: MIT */
/* What the kernel knows of a process, as struct pg_pidfd_info. The answer comes from PIDFD_GET_INFO, or from /proc on a
 * kernel without it. Calls pidfd/proc, kernel. */
#ifndef PG_PIDFD_INFO_H
#define PG_PIDFD_INFO_H

#include "kernel/uapi.h"

/* Fills what it can of `want` (PG_PIDFD_INFO_*), and reports that in ret->mask. Returns 0 if there is at least one
 * item.
 *   -EBADF       no pidfd
 *   -ESRCH       the process was reaped, and the kernel kept nothing of it
 *   -EREMOTE     the process has no PID in the caller's pid namespace
 *   -ENODATA     the kernel knows such items, and has none for this process (yet)
 *   -EOPNOTSUPP  this kernel cannot tell */
int pg_pidfd_info(int fd, uint32_t want, struct pg_pidfd_info *ret);

/* The kernel's own mask of what it can tell (6.19; -EOPNOTSUPP before). -EBADF. */
int pg_pidfd_info_supported(int fd, uint64_t *ret);
/* Reads that mask from the kernel's answer, in whichever of two places it stands; 0: it has none. pre: `answer` has
 * PG_PIDFD_INFO_SIZE_LATEST bytes. */
uint64_t pg_info_supported_in(const void *answer);

enum pg_state { PG_STATE_ALIVE = 1, PG_STATE_ZOMBIE, PG_STATE_REAPED };

/* An enum pg_state, -EBADF, or -EREMOTE: before 6.9 the state of a process that ended in another pid namespace is
 * unknown. */
int pg_pidfd_state(int fd);

#endif

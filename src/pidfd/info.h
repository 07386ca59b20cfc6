/* SPDX-License-Identifier: MIT */
/* What the kernel knows of a process, in the kernel's own form (struct pg_pidfd_info), from PIDFD_GET_INFO or, where
 * that is missing, from /proc. Calls pidfd/proc, kernel. */
#ifndef PG_PIDFD_INFO_H
#define PG_PIDFD_INFO_H

#include "kernel/uapi.h"

/* Fills what it can of `want` (PG_PIDFD_INFO_*) and says in ret->mask what that is; 0 if it is at least one item.
 * -EBADF no pidfd, -ESRCH reaped and nothing of it was kept, -EREMOTE the process has no number in the caller's pid
 * namespace, -ENODATA the kernel knows of such things, and there is none (yet), -EOPNOTSUPP this kernel cannot tell. */
int pg_pidfd_info(int fd, uint32_t want, struct pg_pidfd_info *ret);

/* The kernel's mask of what it can tell (6.19; -EOPNOTSUPP). -EBADF. */
int pg_pidfd_info_supported(int fd, uint64_t *ret);
/* The same out of the kernel's answer of PG_PIDFD_INFO_SIZE_LATEST bytes, wherever it stands in there; 0: nowhere. */
uint64_t pg_info_supported_in(const void *answer);

enum pg_state { PG_STATE_ALIVE = 1, PG_STATE_ZOMBIE, PG_STATE_REAPED };

/* An enum pg_state, -EBADF, or -EREMOTE (before 6.9, ended in another pid namespace: zombie or reaped is unknown). */
int pg_pidfd_state(int fd);

#endif

/* SPDX-License-Identifier: MIT */
/* A process as one line of text, for files that outlive the program, or the boot. Calls pidfd/identity, pidfd/proc,
 * kernel.
 *
 *   PID:ID:BOOT        its number, its id (6.9), and the boot that both belong to, as 32 hexadecimal digits
 *   PID:sTICKS:BOOT    before 6.9: when it started, in clock ticks since that boot, in the place of the id */
#ifndef PG_PIDFD_TEXT_H
#define PG_PIDFD_TEXT_H

#include <stddef.h>

/* The length without the NUL. -ERANGE size is too small; -ESRCH, -EREMOTE, -EBADF; -EOPNOTSUPP without /proc. */
int pg_text_write(int fd, char *text, size_t size);

/* A pidfd of the process that is meant; the text may end with one newline. -EINVAL no such text, -ERANGE a number in it
 * is 0 or too large, -ESRCH that process was reaped, or the system was booted since; else as pg_pidfd_open. */
int pg_text_open(const char *text, unsigned flags);

#endif

/* SPDX-License-Identifier: MIT */
/* A process as one line of text, for files that outlive the program, or the boot. Calls pidfd/identity, pidfd/proc,
 * kernel.
 *
 *     PID:ID:BOOT        the PID, the id (6.9), and the boot that both belong to, as 32 hexadecimal digits
 *     PID:sTICKS:BOOT    before 6.9: the start time in clock ticks since that boot, in place of the id */
#ifndef PG_PIDFD_TEXT_H
#define PG_PIDFD_TEXT_H

#include <stddef.h>

/* Returns the length without the NUL. pre: `text` has room for `size`. -ERANGE size is too small; -ESRCH, -EREMOTE,
 * -EBADF; -EOPNOTSUPP without /proc. */
int pg_text_write(int fd, char *text, size_t size);

/* A pidfd of the process that the text names. The text may end with one newline. -EINVAL no such text, -ERANGE a number
 * in it is 0 or too large, -ESRCH the process was reaped, or the text is from an earlier boot; else as
 * pg_pidfd_open. */
int pg_text_open(const char *text, unsigned flags);

#endif

/* SPDX-License-Identifier: MIT */
/* Classes of errors, each with what it says about the kernel. All take a result: >= 0, or -errno. Calls nothing. */
#ifndef PG_BASE_ERRORS_H
#define PG_BASE_ERRORS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

/* Something has run out. This says nothing about what the kernel can do, so it must not be cached. */
static inline bool pg_is_scarce(long r) { return r == -EMFILE || r == -ENFILE || r == -ENOMEM; }

/* The kernel lacks the call, or a seccomp filter hides it.
 * pre: the call asks for no permission. Then only a filter can answer EPERM. */
static inline bool pg_call_is_missing(int64_t r) { return r == -ENOSYS || r == -EPERM; }

/* The ioctl is not there. Linux 6.11 and 6.12 answer EINVAL to PIDFD_GET_INFO: their pidfd_ioctl() (fs/pidfs.c) knows
 * requests for namespaces only, and refuses an argument. */
static inline bool pg_ioctl_is_missing(long r) { return r == -ENOTTY || r == -EINVAL; }

/* clone3() is not there, or does not know the flags or the size of its argument (kernel/fork.c, copy_clone_args). */
static inline bool pg_clone3_is_missing(long r) { return pg_call_is_missing(r) || r == -EINVAL || r == -E2BIG; }

/* As r, but no entry means no process. ENOENT is the kernel's answer to pidfd_open() of a thread (6.16), and to a look
 * into the /proc directory of a process that was reaped. */
static inline int pg_no_entry_no_process(int r) { return r == -ENOENT ? -ESRCH : r; }

#endif

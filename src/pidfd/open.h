/* SPDX-License-Identifier: MIT */
/* Obtains a pidfd, and tells what a descriptor is. The caller owns the descriptors that are returned. They are
 * close-on-exec. Calls kernel. */
#ifndef PG_PIDFD_OPEN_H
#define PG_PIDFD_OPEN_H

#include <stdbool.h>
#include <sys/types.h>

/* The process that has this PID now. flags: 0 or PG_PIDFD_NONBLOCK (5.10). -EINVAL pid < 1; -ESRCH no process has the
 * PID; -ENOENT it is a thread's (6.16; -ESRCH before); -EOPNOTSUPP, -EMFILE, -ENFILE, -ENOMEM. */
int pg_pidfd_open(pid_t pid, unsigned flags);

/* One thread (6.9; -EOPNOTSUPP before). Errors as above. */
int pg_pidfd_open_thread(pid_t tid, unsigned flags);

/* The calling process. */
int pg_pidfd_open_self(void);

/* The parent of the calling process. -EREMOTE the parent lives outside the caller's pid namespace. */
int pg_pidfd_open_parent(void);

/* 0 if fd is a pidfd, else -EBADF. */
int pg_pidfd_check(int fd);

/* 0 if a wait of the calling process finds the process: an unreaped child, or a tracee. -ECHILD if not, -EBADF if fd is
 * no pidfd, -EOPNOTSUPP before 5.4. This check makes it safe to open the PID of a child. A process that reused the PID
 * cannot be an unreaped child of the caller. */
int pg_pidfd_verify_child(int fd);

/* Does the calling process trace the process, which may be its child as well? A wait finds a tracee both with __WCLONE
 * and without, and a mere child by one of them. pre: pg_pidfd_verify_child was 0. */
bool pg_pidfd_is_tracee(int fd);

#endif

/* SPDX-License-Identifier: MIT */
/* Waits for the end of the process behind a pidfd, with an optional deadline. The kernel wakes the waiter; no signal is
 * used. One case is polled in growing pauses: an ended child that a tracer still holds. Deadlines are nanoseconds of
 * CLOCK_MONOTONIC. No function is a cancellation point. Calls kernel. */
#ifndef PG_PIDFD_WAIT_H
#define PG_PIDFD_WAIT_H

#include "kernel/uapi.h"

#include <stdint.h>
#include <sys/resource.h>

#define PG_NO_DEADLINE INT64_MAX

/* The deadline that is `ms` milliseconds from now; negative: no deadline. */
int64_t pg_deadline_after_ms(int ms);
/* Nanoseconds left; 0: the deadline is over; -1: there is no deadline. */
int64_t pg_deadline_left(int64_t deadline);

/* Waits until the process has ended, whether it is a child or not, and reaped or not. 1, 0 at the deadline, -EINTR a
 * signal handler ran, -EBADF. */
int pg_pidfd_poll_end(int fd, int64_t deadline);

/* waitid(P_PIDFD). 1 with *info and *usage filled (each may be NULL); 0 at the deadline, or at once with WNOHANG. A
 * deadline that is not over yet goes with WEXITED alone, because nothing wakes a poller for stops: else -EINVAL.
 * -EAGAIN there is no deadline, and the descriptor is non-blocking; -ECHILD no unreaped child of the caller; -EINTR,
 * -EINVAL, -EBADF; -EOPNOTSUPP before 5.4. */
int pg_pidfd_waitid(int fd, siginfo_t *info, int options, struct rusage *usage, int64_t deadline);

/* Waits for the end, and stores the wait status in *status, unless status is NULL. A child of the caller is reaped. For
 * any other process the kernel keeps the status once its parent has reaped it (6.15). 1, 0 at the deadline, -EINTR,
 * -EBADF. Not a child: -EREMOTE, and -EOPNOTSUPP as soon as it is clear that the kernel keeps no status. A non-blocking
 * descriptor makes no difference. */
int pg_pidfd_wait(int fd, int *status, int64_t deadline);

/* The wait status of a process that has ended, which is not reaped. A zombie child of the caller gives it, or the
 * kernel once the process was reaped (6.15). -EAGAIN not ended, or a zombie of another parent; -EOPNOTSUPP reaped, and
 * the kernel did not keep the status. */
int pg_pidfd_exit_status(int fd, int *status);

#endif

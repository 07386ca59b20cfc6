/* SPDX-License-Identifier: MIT */
/* Waiting for the end of the process behind a pidfd, with a time limit where wanted: the kernel wakes us, no signal is
 * used. One thing is polled for, in growing pauses: an ended child that a tracer still holds. Deadlines are
 * CLOCK_MONOTONIC nanoseconds; PG_NO_DEADLINE waits for ever. Nothing here is a cancellation point. Calls kernel. */
#ifndef PG_PIDFD_WAIT_H
#define PG_PIDFD_WAIT_H

#include "kernel/uapi.h"

#include <stdint.h>
#include <sys/resource.h>

#define PG_NO_DEADLINE INT64_MAX

/* The deadline that many milliseconds from now; negative: none. */
int64_t pg_deadline_after_ms(int ms);
/* Nanoseconds left, 0 if it is over, -1 if there is none. */
int64_t pg_deadline_left(int64_t deadline);

/* Waits until the process has ended, whether it is a child or not, and whether it was reaped or not. 1, 0 at the
 * deadline, -EINTR a signal handler ran, -EBADF. */
int pg_pidfd_poll_end(int fd, int64_t deadline);

/* waitid(P_PIDFD). 1 with *info and *usage (each may be NULL) filled, 0 at the deadline, or at once with WNOHANG;
 * -EAGAIN there is no deadline, and the descriptor is non-blocking. A deadline goes with WEXITED alone: nothing wakes a
 * poller for stops (-EINVAL), unless it is over already. -ECHILD no unreaped child of the caller, -EINTR, -EINVAL,
 * -EBADF, -EOPNOTSUPP before 5.4. */
int pg_pidfd_waitid(int fd, siginfo_t *info, int options, struct rusage *usage, int64_t deadline);

/* Waits for the end and takes the wait status, reaping the process if it is the caller's child; else the status is what
 * the kernel has kept (6.15), once the parent has reaped it. 1, 0 at the deadline (always if the caller is not the
 * parent and the parent does not reap). status may be NULL. -EINTR, -EBADF; not a child: -EREMOTE, and -EOPNOTSUPP, as
 * soon as it is clear that the kernel does not keep it. A non-blocking descriptor makes no difference. */
int pg_pidfd_wait(int fd, int *status, int64_t deadline);

/* The wait status of a process that has ended, without reaping it: from the caller's zombie child, or once reaped from
 * the kernel (6.15). -EAGAIN not ended, or another's zombie; -EOPNOTSUPP reaped, and the kernel did not keep it. */
int pg_pidfd_exit_status(int fd, int *status);

#endif

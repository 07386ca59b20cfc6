/* SPDX-License-Identifier: MIT */
/* Signals through a pidfd reach the process that it names, or no process. Calls kernel. */
#ifndef PG_PIDFD_SIGNAL_H
#define PG_PIDFD_SIGNAL_H

#include "kernel/uapi.h"

#include <stdbool.h>
#include <stdint.h>

/* As kill(2). fd may be PG_PIDFD_SELF_THREAD or PG_PIDFD_SELF_THREAD_GROUP, on any kernel. scope: 0 for what the
 * descriptor names, or a PG_PIDFD_SIGNAL_* (6.9). -ESRCH the process was reaped, or the process group that it leads or
 * led is empty; -EPERM; -EINVAL no such signal; -EBADF; -EREMOTE the process has no PID in the caller's pid namespace;
 * -EOPNOTSUPP no such scope before 6.9. */
int pg_pidfd_signal(int fd, int sig, unsigned scope);

/* As sigqueue(3). Also -EAGAIN: too many signals are queued. */
int pg_pidfd_queue(int fd, int sig, union sigval value, unsigned scope);

/* Sends SIGTERM, and SIGCONT if `go_on`, because a stopped process does not see SIGTERM. Sends SIGKILL if the process
 * has not ended by the deadline (see pidfd/wait.h). 0 it ended before, 1 SIGKILL was sent. Goes on after a signal
 * handler. */
int pg_pidfd_terminate(int fd, int64_t deadline, bool go_on);

/* The first half of it. Returns a timer descriptor, close-on-exec, that is readable from the deadline on. -EMFILE,
 * -ENFILE, -ENOMEM: no signal was sent. */
int pg_pidfd_terminate_start(int fd, int64_t deadline, bool go_on);

#endif

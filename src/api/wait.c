/* SPDX-License-Identifier: MIT */
/* Waiting for one process, and for sets of processes. */
#include "pidfd/wait.h"
#include "api/internal.h"
#include "kernel/status.h"
#include "pidfd/set.h"

int pidguard_pidfd_wait(int pidfd, int *status, int timeout) {
  return pg_ret_in_time(pg_pidfd_wait(pidfd, status, pg_deadline_after_ms(timeout)));
}

int pidguard_pidfd_wait_end(int pidfd, int timeout) {
  return pg_ret_in_time(pg_pidfd_poll_end(pidfd, pg_deadline_after_ms(timeout)));
}

int pidguard_pidfd_waitid(int pidfd, siginfo_t *info, int options, struct rusage *usage, int timeout) {
  int r = pg_pidfd_waitid(pidfd, info, options, usage, pg_deadline_after_ms(timeout));
  return pg_ret_in_time(r == 0 && (options & WNOHANG) ? -EAGAIN : r);
}

int pidguard_siginfo_to_wait_status(const siginfo_t *info) { return pg_status_from_siginfo(info); }

int pidguard_set_create(void) { return pg_ret(pg_set_create()); }

int pidguard_set_add(int set, int fd) { return pg_ret(pg_set_add(set, fd)); }

int pidguard_set_remove(int set, int fd) { return pg_ret(pg_set_remove(set, fd)); }

#define FIRST_SECOND 1000000000 /* in nanoseconds; a number of milliseconds by mistake is below, a deadline is not */

int pidguard_set_wait(int set, int *ready, int max, int64_t deadline) {
  if (deadline > 0 && deadline < FIRST_SECOND)
    return pg_ret(-EINVAL);
  int n = pg_set_wait(set, ready, max, deadline < 0 ? PG_NO_DEADLINE : deadline);
  return pg_ret(n == 0 ? -ETIMEDOUT : n);
}

int64_t pidguard_deadline(int timeout) { return pg_deadline_after_ms(timeout); }

/* SPDX-License-Identifier: MIT */
#include "pidfd/wait.h"

#include "kernel/status.h"
#include "kernel/sys.h"
#include "pidfd/feature.h"
#include "pidfd/info.h"
#include "pidfd/open.h"

#include <poll.h>
#include <string.h>
#include <time.h>

#define PAUSE_MIN 1000000  /* 1 ms */
#define PAUSE_MAX 20000000 /* 20 ms */

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t pg_deadline_after_ms(int ms) { return ms < 0 ? PG_NO_DEADLINE : now() + (int64_t)ms * 1000000; }

int64_t pg_deadline_left(int64_t deadline) {
  if (deadline == PG_NO_DEADLINE)
    return -1;
  int64_t left = deadline - now();
  return left > 0 ? left : 0;
}

/* Waits for one of the events, or for a hang-up. 1, 0, -EINTR, -EBADF. */
static int poll_for(int fd, short events, int64_t deadline) {
  struct pollfd p = {.fd = fd, .events = events};
  int r = pg_pidfd_check(fd); /* a descriptor of another kind would give an answer to another question */
  if (!r)
    r = pg_sys_ppoll(&p, 1, pg_deadline_left(deadline));
  return r > 0 && (p.revents & POLLNVAL) ? -EBADF : r;
}

int pg_pidfd_poll_end(int fd, int64_t deadline) { return poll_for(fd, POLLIN, deadline); }

static int valid(int options) {
  const int states = WEXITED | WSTOPPED | WCONTINUED;
  return (options & states) && !(options & ~(states | WNOHANG | WNOWAIT | __WNOTHREAD | (int)__WCLONE | __WALL));
}

/* One waitid. 1, 0, -errno. */
static int wait_once(int fd, siginfo_t *info, int options, struct rusage *usage) {
  siginfo_t si;
  struct rusage ru;
  memset(&si, 0, sizeof si);
  int r = pg_sys_waitid(PG_P_PIDFD, (id_t)fd, &si, options, usage ? &ru : NULL);
  if (r == -EINVAL && fd < 0)
    return -EBADF;
  if (r == -EINVAL)
    return valid(options) ? -EOPNOTSUPP : -EINVAL;
  if (r)
    return pg_or_unsupported(r);
  if (!si.si_pid)
    return 0;
  if (info)
    *info = si;
  if (usage)
    *usage = ru;
  return 1;
}

/* Reaps a process that has ended. A tracer may hold the process and take its end first. No event tells reliably when
 * the tracer lets go, so this looks again, in growing pauses. */
static int take_end(int fd, siginfo_t *info, int options, struct rusage *usage, int64_t deadline) {
  for (int64_t pause = PAUSE_MIN;; pause = pause < PAUSE_MAX / 2 ? 2 * pause : PAUSE_MAX) {
    int r = wait_once(fd, info, options | WNOHANG, usage);
    int64_t left = pg_deadline_left(deadline);
    if (r || !left)
      return r;
    r = pg_sys_ppoll(NULL, 0, left > 0 && left < pause ? left : pause);
    if (r)
      return r;
  }
}

int pg_pidfd_waitid(int fd, siginfo_t *info, int options, struct rusage *usage, int64_t deadline) {
  if (deadline == PG_NO_DEADLINE || (options & WNOHANG))
    return wait_once(fd, info, options, usage);
  /* The options are checked first, so that every call refuses them, not only one without news. */
  if ((options & (WSTOPPED | WCONTINUED)) && pg_deadline_left(deadline))
    return fd < 0 ? -EBADF : -EINVAL;
  int r = wait_once(fd, info, options | WNOHANG, usage);
  if (r || !pg_deadline_left(deadline))
    return r;
  r = poll_for(fd, POLLIN, deadline);
  return r > 0 ? take_end(fd, info, options, usage, deadline) : r;
}

/* The status that the kernel keeps of a reaped process. 0, -ENODATA while it is not reaped, or the reason why there is
 * no status. */
static int kept_status(int fd, int *status) {
  struct pg_pidfd_info info;
  int r = pg_pidfd_info(fd, PG_PIDFD_INFO_EXIT, &info);
  if (!r)
    *status = info.exit_code;
  return r == -ESRCH ? -EOPNOTSUPP : r;
}

static int wait_stranger(int fd, int *status, int64_t deadline) {
  int r = poll_for(fd, POLLIN, deadline);
  if (r <= 0 || !status)
    return r;
  r = kept_status(fd, status);
  if (r != -ENODATA)
    return r ? r : 1;
  /* The process is a zombie. A kernel that answers ENODATA (6.13) also sends POLLHUP when the process is reaped
   * (6.9). */
  r = poll_for(fd, 0, deadline);
  if (r <= 0)
    return r;
  r = kept_status(fd, status);
  return r ? r : 1;
}

#define END (WEXITED | __WALL)

/* The kernel shows a tracer the stops of its tracee, whatever the options are (kernel/exit.c, wait_consider_task). A
 * stop stays the tracer's, so this takes nothing before the end. Otherwise one call waits and reaps: a handler of
 * SIGCHLD that reaps children cannot come first. That call takes the first stop if the process becomes a tracee
 * meanwhile. */
int pg_pidfd_wait(int fd, int *status, int64_t deadline) {
  siginfo_t si = {0};
  bool traced = pg_pidfd_is_tracee(fd);
  int r = traced ? -EAGAIN : pg_pidfd_waitid(fd, &si, END, NULL, deadline);
  if (r == -EAGAIN || (r == 1 && !pg_siginfo_is_exit(&si))) { /* another process may have made it non-blocking */
    r = poll_for(fd, POLLIN, deadline);
    if (r > 0)
      r = take_end(fd, &si, END, NULL, deadline);
  }
  if (r == 1 && status)
    *status = pg_status_from_siginfo(&si);
  return r == -ECHILD ? wait_stranger(fd, status, deadline) : r;
}

int pg_pidfd_exit_status(int fd, int *status) {
  siginfo_t si = {0};
  int r = wait_once(fd, &si, END | WNOHANG | WNOWAIT, NULL);
  if (r == 0 || (r == 1 && !pg_siginfo_is_exit(&si)))
    return -EAGAIN;
  if (r == 1) {
    *status = pg_status_from_siginfo(&si);
    return 0;
  }
  if (r != -ECHILD)
    return r;
  r = kept_status(fd, status);
  if (r == -EOPNOTSUPP && pg_pidfd_state(fd) != PG_STATE_REAPED)
    return -EAGAIN;
  return r == -ENODATA ? -EAGAIN : r;
}

/* SPDX-License-Identifier: MIT */
/* The services of the shim, called directly: children by PID, protected as by the preload object. */
#include "api/internal.h"

#include "child/call.h"
#include "child/self.h"
#include "kernel/sys.h"
#include "pidfd/open.h"
#include "runtime/hot.h"
#include "runtime/next.h"

#include <poll.h>

#define CALL(name) ((struct pg_call){name, __builtin_return_address(0)})

pid_t pidguard_fork(void) {
  unsigned since = pg_call_before_fork();
  return pg_call_after_fork(pg_next.fork(), since, 0, PG_BIRTH_CLONE, "pidguard_fork");
}

/* Runs in the child until the parent has the pidfd. Otherwise the child could end and be reaped before. The child also
 * goes on if the parent is gone; `parent` is a pidfd of it. */
static void await_parent(int gate, int parent) {
  struct pollfd p[] = {{.fd = gate, .events = POLLIN}, {.fd = parent, .events = POLLIN}};
  while (pg_sys_ppoll(p, PG_ARRAY_LEN(p), -1) == -EINTR)
    ;
}

/* The pidfd of a child that was just forked, for the caller. If the table knows only the PID, or nothing, the PID is
 * opened. Another process may have killed and reaped the child, so the kernel is asked whether the pidfd names a
 * child. */
static int new_pidfd(pid_t pid) {
  int fd = pg_mode() == PG_MODE_OFF ? -EOPNOTSUPP : pg_child_pidfd(pid);
  if (fd != -EOPNOTSUPP)
    return fd == PG_PASS ? -ECHILD : fd;
  PG_AUTO_CLOSE int opened = pg_pidfd_open(pid, 0);
  if (opened >= 0 && pg_pidfd_verify_child(opened))
    return -ECHILD;
  return pg_take(&opened);
}

pid_t pidguard_fork_pidfd(int *ret_pidfd) {
  /* Descriptors that are missing make the call fail before there is a child. */
  PG_AUTO_CLOSE int reserve = pg_pidfd_open_self();
  if (reserve < 0)
    return (pid_t)pg_ret(reserve);
  PG_AUTO_CLOSE int gate = pg_sys_event_create();
  if (gate < 0)
    return (pid_t)pg_ret(gate);
  pid_t pid = pidguard_fork();
  if (pid == 0) {
    await_parent(gate, reserve);
  } else if (pid > 0) {
    pg_sys_close(pg_take(&reserve)); /* its number is free for the pidfd of the child */
    int fd = new_pidfd(pid);
    *ret_pidfd = fd < 0 ? -1 : pg_given(fd);
    const uint64_t open = 1;
    pg_sys_write(gate, &open, sizeof open);
  }
  return pid;
}

/* What the table knew of this PID was about another process. With the API alone that is enough, because spawn returns a
 * pidfd. */
void pg_api_born(pid_t pid) {
  pg_child_forget(pid);
#ifdef PG_PRELOAD
  if (pg_mode() != PG_MODE_OFF)
    pg_child_adopt(pid);
#endif
}

int pidguard_kill(pid_t pid, int sig) { return pg_ret(pg_call_kill(pid, sig, CALL("pidguard_kill"))); }

int pidguard_sigqueue(pid_t pid, int sig, const union sigval value) {
  return pg_ret(pg_call_sigqueue(pid, sig, value, CALL("pidguard_sigqueue")));
}

pid_t pidguard_waitpid(pid_t pid, int *status, int options) {
  return pg_ret(pg_call_wait(PG_WAITPID, pid, status, options, NULL));
}

pid_t pidguard_wait4(pid_t pid, int *status, int options, struct rusage *usage) {
  return pg_ret(pg_call_wait(PG_WAIT4, pid, status, options, usage));
}

int pidguard_waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  return pg_ret(pg_call_waitid(false, (int)type, id, info, options, NULL));
}

int pidguard_pidfd_open_child(pid_t pid) {
  if (pid <= 0)
    return pg_ret(-EINVAL);
  if (pg_mode() == PG_MODE_OFF)
    return pg_ret(-EOPNOTSUPP);
  int r = pg_child_pidfd(pid);
  return pg_ret(pg_given(r == PG_PASS ? -ECHILD : r));
}

int pidguard_adopt(pid_t pid) { return pg_ret(pg_mode() == PG_MODE_OFF ? -EOPNOTSUPP : pg_child_adopt(pid)); }

int pidguard_forget(pid_t pid) { return pg_ret(pg_mode() == PG_MODE_OFF ? -ESRCH : pg_child_forget(pid)); }

int pidguard_get_counters(struct pidguard_counters *ret, size_t size) {
  pg_is_guest(); /* in a forked child the counters begin at zero */
  struct pidguard_counters now = {
      .births = pg_counter(births),
      .signals = pg_counter(signals),
      .refused = pg_counter(refused),
      .reaped = pg_counter(reaped),
      .silent = pg_counter(silent),
      .reopened = pg_counter(reopened),
      .evicted = pg_counter(evicted),
      .adopted = pg_counter(adopted),
      .lost = pg_counter(lost),
      .degraded = pg_counter(degraded),
      .log_failures = pg_counter(log_failures),
  };
  char *to = (char *)ret;
  const char *from = (const char *)&now;
  for (size_t i = 0; i < size; i++) /* a caller built with another version has more counters, or fewer */
    to[i] = i < sizeof now ? from[i] : 0;
  return 0;
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *pidguard_version(void) {
  return TEXT(PIDGUARD_VERSION_MAJOR) "." TEXT(PIDGUARD_VERSION_MINOR) "." TEXT(PIDGUARD_VERSION_PATCH);
}

#ifdef PG_PRELOAD
bool pidguard_is_preloaded(void) { return pg_mode() != PG_MODE_OFF && !pg_next_is_behind(); }
#else
bool pidguard_is_preloaded(void) { return false; }
#endif

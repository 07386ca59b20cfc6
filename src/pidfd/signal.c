/* SPDX-License-Identifier: MIT */
#include "pidfd/signal.h"

#include "kernel/sys.h"
#include "pidfd/feature.h"
#include "pidfd/open.h"
#include "pidfd/wait.h"

#include <string.h>

static int is_self(int fd) { return fd == PG_PIDFD_SELF_THREAD || fd == PG_PIDFD_SELF_THREAD_GROUP; }

static int raw_send(int fd, int sig, const siginfo_t *info, unsigned scope) {
  if (scope && pg_feature_hidden(PG_FEATURE_SIGNAL_FLAGS))
    return -EINVAL;
  if (is_self(fd) && pg_feature_hidden(PG_FEATURE_SELF))
    return -EBADF;
  return pg_sys_pidfd_send_signal(fd, sig, info, scope);
}

/* Kernels before 6.15 do not know these names. 6.15 and 6.16 have another value for the process. The caller is alive,
 * so its own PID is safe. */
static int send_self(int fd, int sig, siginfo_t *info, unsigned scope) {
  pid_t pid = pg_sys_getpid();
  long tid = fd == PG_PIDFD_SELF_THREAD ? pg_sys0(SYS_gettid) : pid;
  if (scope == PG_PIDFD_SIGNAL_PROCESS_GROUP) {
    if (tid != pid)
      return -ESRCH; /* only the main thread has the PID of a leader */
    PG_AUTO_CLOSE int self = pg_sys_pidfd_open(pid, 0);
    return self < 0 ? self : raw_send(self, sig, info, scope);
  }
  if (scope == PG_PIDFD_SIGNAL_THREAD || (!scope && fd == PG_PIDFD_SELF_THREAD))
    return (int)(info ? pg_sys4(SYS_rt_tgsigqueueinfo, pid, tid, sig, info) : pg_sys3(SYS_tgkill, pid, tid, sig));
  return info ? (int)pg_sys3(SYS_rt_sigqueueinfo, pid, sig, info) : pg_sys_kill(pid, sig);
}

static int send_signal(int fd, int sig, siginfo_t *info, unsigned scope) {
  int r = raw_send(fd, sig, info, scope);
  if (r == -EBADF && is_self(fd))
    r = send_self(fd, sig, info, scope);
  if (r == -ENOSYS)
    return -EOPNOTSUPP;
  if (r != -EINVAL)
    return r;
  /* EINVAL has three reasons. Signal 0 tells which of them. */
  if (!is_self(fd) && raw_send(fd, 0, NULL, 0) == -EINVAL)
    return -EREMOTE;
  return scope && raw_send(fd, 0, NULL, scope) == -EINVAL ? -EOPNOTSUPP : -EINVAL;
}

int pg_pidfd_signal(int fd, int sig, unsigned scope) { return send_signal(fd, sig, NULL, scope); }

int pg_pidfd_queue(int fd, int sig, union sigval value, unsigned scope) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = sig;
  info.si_code = SI_QUEUE;
  info.si_pid = pg_sys_getpid();
  info.si_uid = (uid_t)pg_sys0(SYS_getuid);
  info.si_value = value;
  return send_signal(fd, sig, &info, scope);
}

static int ask_to_end(int fd, bool go_on) {
  int r = pg_pidfd_signal(fd, SIGTERM, 0);
  if (!r && go_on) {
    r = pg_pidfd_signal(fd, SIGCONT, 0);
    if (r == -ESRCH) /* SIGTERM has ended it, and it was reaped: the pidfd tells that */
      r = 0;
  }
  return r;
}

int pg_pidfd_terminate(int fd, int64_t deadline, bool go_on) {
  int r = pg_pidfd_check(fd); /* a directory of /proc takes signals, too, but cannot be waited for */
  if (!r)
    r = ask_to_end(fd, go_on);
  if (r)
    return r;
  do
    r = pg_pidfd_poll_end(fd, deadline);
  while (r == -EINTR);
  if (r)
    return r < 0 ? r : 0;
  r = pg_pidfd_signal(fd, SIGKILL, 0);
  if (r == -ESRCH) /* it ended and was reaped at the last moment */
    return 0;
  return r ? r : 1;
}

int pg_pidfd_terminate_start(int fd, int64_t deadline, bool go_on) {
  int r = pg_pidfd_check(fd);
  if (r)
    return r;
  int64_t at = deadline > 0 ? deadline : 1;
  if (deadline == PG_NO_DEADLINE)
    at = 0;
  PG_AUTO_CLOSE int timer = pg_or_unsupported(pg_sys_timer_create(at));
  if (timer < 0)
    return timer;
  r = ask_to_end(fd, go_on);
  return r ? r : pg_take(&timer);
}

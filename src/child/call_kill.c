/* SPDX-License-Identifier: MIT */
/* kill, killpg, sigqueue, and calls around pidfds and groups. */
#include "child/call.h"

#include "base/fmt.h"
#include "child/reach.h"
#include "child/self.h"
#include "kernel/sys.h"
#include "pidfd/info.h"
#include "runtime/proc_self.h"
#include "runtime/window.h"

#include <limits.h>

/* Another preload object may stand between the shim and libc. */
static int next_kill(pid_t pid, int sig) { return pg_next.kill(pid, sig) < 0 ? -errno : 0; }

int pg_call_kill(pid_t pid, int sig, struct pg_call call) {
  int r = PG_PASS;
  if (PG_LIKELY(pg_mode() != PG_MODE_OFF)) {
    if (pid > 0)
      r = pg_child_signal(pid, sig, NULL, call);
    else if (pid < -1 && pid != INT_MIN)
      r = pg_child_signal_group(-pid, sig, call);
  }
  return r == PG_PASS ? next_kill(pid, sig) : r;
}

int pg_call_killpg(pid_t pgrp, int sig, struct pg_call call) {
  int r = PG_PASS;
  if (PG_LIKELY(pg_mode() != PG_MODE_OFF) && pgrp > 1)
    r = pg_child_signal_group(pgrp, sig, call);
  if (r != PG_PASS)
    return r;
  return pgrp < 0 ? -EINVAL : next_kill(-pgrp, sig); /* as libc's own does */
}

int pg_call_sigqueue(pid_t pid, int sig, union sigval value, struct pg_call call) {
  union { /* the kernel reads the padding, too */
    siginfo_t si;
    char bytes[sizeof(siginfo_t)];
  } u = {.bytes = {0}};
  u.si.si_signo = sig;
  u.si.si_code = SI_QUEUE;
  u.si.si_pid = pg_sys_getpid(); /* not the kept PID, because other processes read this one */
  u.si.si_uid = (uid_t)pg_sys0(SYS_getuid);
  u.si.si_value = value;
  int r = PG_PASS;
  if (PG_LIKELY(pg_mode() != PG_MODE_OFF) && pid > 0)
    r = pg_child_signal(pid, sig, &u.si, call);
  return r == PG_PASS ? (int)pg_sys3(SYS_rt_sigqueueinfo, pid, sig, &u.si) : r;
}

/* Closes a pidfd that the program has not seen. Another thread's dup2() may have replaced it. */
static void close_unseen(int fd, bool known, uint64_t ino) {
  struct pg_window window;
  pg_window_open(&window);
  if (!known || pg_reach_is(fd, ino))
    pg_sys_close(fd);
  pg_window_close(&window);
}

/* A child that lives before and after the open had the PID all the time. The kernel is asked about a retired PID, too,
 * because it has its own errors: EINVAL before 6.16 if a group still uses the number. */
int pg_call_pidfd_open(pid_t pid, unsigned flags, struct pg_call call) {
  uint64_t ino = 0;
  if (pg_mode() != PG_MODE_OFF)
    pg_held_be_careful();
  bool refused = pg_child_check(pid, call) < 0;
  int fd = pg_held_apart(pg_sys_pidfd_open(pid, flags));
  bool known = fd >= 0 && !pg_is_single_threaded() && pg_filter_can(PG_CAN_PIDFD) && pg_reach_read_ino(fd, &ino) == 0;
  if (fd >= 0 && (refused || pg_child_check(pid, call) < 0)) {
    close_unseen(fd, known, ino);
    return -ESRCH;
  }
  return fd;
}

/* The descriptor may be a pidfd. */
int pg_call_pidfd_getfd(int pidfd, int target, unsigned flags) {
  if (pg_mode() != PG_MODE_OFF)
    pg_held_be_careful();
  return pg_held_apart((int)pg_sys3(SYS_pidfd_getfd, pidfd, target, flags));
}

/* A filter may forbid the ioctl that tells the PID. The thread may have descriptors of its own. */
static pid_t pid_in_fdinfo(int fd) {
  char path[48], text[256];
  struct pg_buf b;
  pg_buf_init(&b, path, sizeof path);
  pg_buf_str(&b, "/proc/thread-self/fdinfo/");
  pg_buf_dec(&b, fd);
  if (!pg_filter_can(PG_CAN_READ) || pg_proc_self_read().foreign || pg_window_read_file(path, text, sizeof text) <= 0)
    return 0;
  return (pid_t)pg_text_number(text, "\nPid:\t");
}

/* The caller's pidfd tells the PID. If the kernel cannot tell it, or a signal handler has reaped the child, the caller
 * does not know the PID either. */
void pg_call_pidfd_spawned(int fd, const char *how) {
  struct pg_pidfd_info info = {.mask = 0};
  if (pg_mode() == PG_MODE_OFF)
    return;
  pg_held_be_careful();
  if (!pg_filter_can(PG_CAN_SHARE))
    info.pid = (uint32_t)pid_in_fdinfo(fd);
  else if (pg_pidfd_info(fd, PG_PIDFD_INFO_PID, &info) < 0)
    info.pid = 0;
  if (info.pid && info.pid < PG_PID_LIMIT)
    pg_call_born((pid_t)info.pid, false, PG_BIRTH_OTHER, how, 0);
}

void pg_call_leads(pid_t pid) {
  const struct pg_signal probe = {0, NULL, PG_PIDFD_SIGNAL_PROCESS_GROUP};
  uint64_t ino;
  if (pid <= 1 || pg_mode() == PG_MODE_OFF || pg_is_guest() || !pg_filter_can(PG_CAN_PIDFD | PG_CAN_HOLD))
    return;
  pg_id id = pg_number_find(pid, &ino);
  if (pg_id_is_live(id) && pg_held_for(id) < 0)
    pg_reach(id, ino, &probe, false);
}

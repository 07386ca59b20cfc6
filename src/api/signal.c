/* SPDX-License-Identifier: MIT */
/* Signals, and ending a process or a whole tree. */
#include "pidfd/signal.h"
#include "api/internal.h"
#include "pidfd/tree.h"
#include "pidfd/wait.h"

_Static_assert(PIDGUARD_SELF_PROCESS == PG_PIDFD_SELF_THREAD_GROUP && PIDGUARD_SELF_THREAD == PG_PIDFD_SELF_THREAD,
               "the public names are the kernel's numbers");
_Static_assert(PIDGUARD_SIGNAL_THREAD == PG_PIDFD_SIGNAL_THREAD &&
                   PIDGUARD_SIGNAL_GROUP == PG_PIDFD_SIGNAL_PROCESS_GROUP,
               "and so are the flags");
_Static_assert(PIDGUARD_TREE_CGROUP == (int)PG_TREE_CGROUP && PIDGUARD_TREE_WALK == (int)PG_TREE_WALK,
               "public and internal ways are one");

int pidguard_pidfd_send_signal(int pidfd, int sig, unsigned flags) {
  bool known = flags == 0 || flags == PIDGUARD_SIGNAL_THREAD || flags == PIDGUARD_SIGNAL_GROUP;
  return pg_ret(known ? pg_pidfd_signal(pidfd, sig, flags) : -EINVAL);
}

int pidguard_pidfd_sigqueue(int pidfd, int sig, union sigval value) {
  return pg_ret(pg_pidfd_queue(pidfd, sig, value, 0));
}

static int continues(unsigned flags) {
  if (flags & ~(unsigned)PIDGUARD_TERMINATE_CONTINUE)
    return -EINVAL;
  return flags & PIDGUARD_TERMINATE_CONTINUE ? 1 : 0;
}

int pidguard_pidfd_terminate(int pidfd, int timeout, unsigned flags) {
  int go_on = continues(flags);
  return pg_ret(go_on < 0 ? go_on : pg_pidfd_terminate(pidfd, pg_deadline_after_ms(timeout), go_on));
}

int pidguard_pidfd_terminate_start(int pidfd, int timeout, unsigned flags) {
  int go_on = continues(flags);
  return pg_ret(go_on < 0 ? go_on : pg_pidfd_terminate_start(pidfd, pg_deadline_after_ms(timeout), go_on));
}

int pidguard_pidfd_kill_tree(int pidfd, int timeout) {
  return pg_ret(pg_tree_kill(pidfd, pg_deadline_after_ms(timeout)));
}

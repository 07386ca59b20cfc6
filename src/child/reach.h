/* SPDX-License-Identifier: MIT */
/* Finds the process that an id stands for, and proves it. It uses the held pidfd, or opens one for the single use.
 * Calls held, window, number, runtime, kernel. */
#ifndef PG_CHILD_REACH_H
#define PG_CHILD_REACH_H

#include "child/number.h"
#include "kernel/sys.h"

struct pg_signal {
  int sig;
  const siginfo_t *info; /* NULL: as kill() fills it */
  unsigned scope;        /* 0: the process; PG_PIDFD_SIGNAL_PROCESS_GROUP, PG_PIDFD_SIGNAL_THREAD */
};

/* Sends it. 0; -ESRCH: that process was reaped (that group is empty); -EOPNOTSUPP: the kernel cannot tell which process
 * has the PID; or what the kernel says to the signal. guest: see child/self.h. */
int pg_reach(pg_id id, uint64_t ino, const struct pg_signal *signal, bool guest);

/* Was that process reaped? Nothing is sent. */
static inline bool pg_reach_is_gone(pg_id id, uint64_t ino, bool guest) {
  const struct pg_signal probe = {0, NULL, 0};
  return pg_reach(id, ino, &probe, guest) == -ESRCH;
}

/* A pidfd of the child on the lowest free number, for the caller: or -errno as above, -EMFILE and its kin included. */
int pg_reach_open(pg_id id, uint64_t ino);

/* A child was born under this PID: reads its identity into *ret_ino (0: none). 0; -ECHILD: it was reaped already; or a
 * -errno that says why it is known by its PID only. child: whether the kernel calls it a child of this process. pre: a
 * window is open. */
struct pg_window;
int pg_reach_newborn(struct pg_window *window, pid_t pid, bool child, uint64_t *ret_ino);

/* The identity of the process that a pidfd names; 0 before Linux 6.9. 0, or -EBADF: no pidfd; or -errno: it cannot be
 * asked. */
int pg_reach_read_ino(int fd, uint64_t *ret_ino);
/* Is fd a pidfd of the process with this identity (0: of any process)? False also if the kernel cannot say. */
bool pg_reach_is(int fd, uint64_t ino);

/* Does the kernel call the process with this PID a child or tracee of this process? 0: yes, -ECHILD: no; any other
 * error is no answer. */
int pg_reach_ask(pid_t pid);

/* What /proc says of the process that has the PID now. False: it does not say. */
struct pg_process_stat {
  char state; /* 'Z': a zombie */
  pid_t parent;
};
bool pg_reach_read_stat(pid_t pid, struct pg_process_stat *ret);

/* Does the kernel deny that the PID is that of a child of this process? Then the child was reaped without a wait that
 * the shim saw. */
bool pg_reach_is_lost(pg_id id);

/* Was the child entered by this process, as its own? True also of the parent's children, in a handler of
 * pthread_atfork() in a child, before the shim knows of the fork. */
bool pg_reach_is_entered(pg_id id);

/* Was the child made by this process, so that the kernel calls it a child of this process? */
bool pg_reach_is_own(pg_id id);

#endif

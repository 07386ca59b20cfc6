/* SPDX-License-Identifier: MIT */
/* The process calls of libc, as the program sees them: tracked children by pidfd, everything else as libc does it. The
 * wrappers and the public functions of the same names are one line each on top of these. They return what the call
 * returns, or -errno. Calls child, runtime. */
#ifndef PG_CHILD_CALL_H
#define PG_CHILD_CALL_H

#include "child/child.h"
#include "runtime/filter.h"
#include "runtime/next.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

int pg_call_kill(pid_t pid, int sig, struct pg_call call);
int pg_call_killpg(pid_t pgrp, int sig, struct pg_call call);
int pg_call_sigqueue(pid_t pid, int sig, union sigval value, struct pg_call call);

/* ---- Waits: libc's own, or the kernel's (RAW: no cancellation point). The PID that a wait took is retired. ---- */

enum pg_wait { PG_WAITPID, PG_WAIT4, PG_WAIT_RAW };
pid_t pg_call_wait(enum pg_wait which, pid_t pid, int *status, int options, struct rusage *ru);
int pg_call_waitid(bool raw, int type, id_t id, siginfo_t *info, int options, struct rusage *ru);

/* ---- Calls that take any PID ---- */

int pg_call_pidfd_open(pid_t pid, unsigned flags, struct pg_call call);
int pg_call_pidfd_getfd(int pidfd, int target, unsigned flags);
/* A child was made, and this pidfd of the caller is all that the shim knows of it. */
void pg_call_pidfd_spawned(int fd, const char *how);
/* After setpgid(): a child that leads a group keeps its pidfd, as the handle of the group. */
void pg_call_leads(pid_t pid);

/* ---- Descriptors: the program's hands win ---- */

int pg_call_close(int fd, int (*close)(int));
/* dup2() and dup3(), made by the given function of libc or of the kernel. */
int pg_call_dup(int from, int to, int flags, int (*dup)(int from, int to, int flags));
int pg_call_close_range(unsigned first, unsigned last, unsigned flags);
void pg_call_closefrom(int low);
int pg_call_unshare(int flags);
int pg_call_setns(int fd, int type);
/* The program has changed its own limits. */
void pg_call_limit_changed(int resource);
/* Some threads are about to get a descriptor table of their own. */
void pg_call_files_apart(void);

/* ---- Filters ---- */

/* Around a call that installs a filter. `whose` comes from the first half. The others: see runtime/filter.h. */
int pg_call_before_filter(bool for_all);
void pg_call_after_filter(int whose, bool installed, const void *program);

/* ---- Births ---- */

/* Before a clone by the program itself. The flags tell what the child shares. */
void pg_call_before_clone(uint64_t flags);
/* Around a call that forks inside. `since` comes from the first half, and stays in the caller's frame, because a
 * handler may fork meanwhile. It is 0 where the shim is off, else see pg_number_now(). The PID is passed through.
 * flags: of clone(). */
unsigned pg_call_before_fork(void);
/* The parent's half, for calls that return in the parent alone. */
void pg_call_born(pid_t pid, bool sibling, enum pg_birth birth, const char *how, unsigned since);
static inline pid_t pg_call_after_fork(pid_t pid, unsigned since, int flags, enum pg_birth birth, const char *how) {
  if (pid == 0 && pg_mode() != PG_MODE_OFF)
    pg_child_forked(flags);
  else if (pid > 0 && since)
    pg_call_born(pid, flags & CLONE_PARENT, birth, how, since);
  else if (since)
    pg_flag_set(&pg_hot.forking, 0);
  return pid;
}

#endif

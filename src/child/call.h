/* The process calls of libc as the program is to see them: tracked children by pidfd, everything else as libc does it.
 * The interposers and the public functions of the same names are one line each on top of these. They return what the
 * call returns, or -errno. Calls child, runtime. */
#ifndef PG_CHILD_CALL_H
#define PG_CHILD_CALL_H

#include "child/child.h"
#include "runtime/filter.h"
#include "runtime/next.h"

int pg_call_kill(pid_t pid, int sig, struct pg_call call);
int pg_call_killpg(pid_t pgrp, int sig, struct pg_call call);
int pg_call_sigqueue(pid_t pid, int sig, union sigval value, struct pg_call call);

enum pg_wait { PG_WAITPID, PG_WAIT4 }; /* which of libc's an untracked one is passed on to */
/* Is that a cancellation point? musl's wait3 and wait4 are none. */
static inline bool pg_wait_is_point(enum pg_wait which) {
#ifdef __GLIBC__
  (void)which;
  return true;
#else
  return which == PG_WAITPID;
#endif
}
/* libc's own, with its errno. */
static inline pid_t pg_wait_next(enum pg_wait which, pid_t pid, int *status, int options, struct rusage *ru) {
  return which == PG_WAIT4 ? pg_next.wait4(pid, status, options, ru) : pg_next.waitpid(pid, status, options);
}
/* What it returned, and births from before it: whom it took is retired. The address may be a bad one if nobody was. */
static inline void pg_wait_took(pid_t pid, const int *status, uint32_t births) {
  if (PG_LIKELY(pid <= 0))
    return;
  if (WIFEXITED(*status) || WIFSIGNALED(*status))
    pg_child_reaped(pid, births);
  else
    pg_child_told(pid);
}
pid_t pg_call_wait(enum pg_wait which, pid_t pid, int *status, int options, struct rusage *ru);
int pg_call_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
/* The system calls themselves: no cancellation points, and waitid with its fifth argument. */
pid_t pg_call_raw_wait4(pid_t pid, int *status, int options, struct rusage *ru);
int pg_call_raw_waitid(int type, id_t id, siginfo_t *info, int options, struct rusage *ru);

/* For a call that takes any PID: 0, or -ESRCH if the number is that of a child that is gone. */
int pg_call_check(pid_t pid, struct pg_call call);
/* The same for a group's number: -ESRCH if its leader is a child that is gone, and the group is gone, too. Sends nothing. */
int pg_call_check_group(pid_t pgid, struct pg_call call);
/* A child was made of which this pidfd of the caller's is all that is known. */
void pg_call_pidfd_spawned(int fd, const char *how);
int pg_call_pidfd_open(pid_t pid, unsigned flags, struct pg_call call);

/* Before dup2() and dup3(): moves what is ours out of the way. -EBADF where `from` is ours; -EBUSY (see dup2(2)) where a
 * frame that the caller has interrupted is about to close `to`. */
int pg_call_before_dup(int from, int to);
/* The program has changed its own limits. */
void pg_call_limit_changed(int resource);
int pg_call_close_range(unsigned first, unsigned last, unsigned flags);
void pg_call_closefrom(int low);

/* Descriptors are about to be shared by some of those who use our numbers only: a thread gets a table of its own, or a child
 * that is no thread does not. */
void pg_call_files_apart(void);

/* Before a clone by the program itself, as these flags say: what others may see of it. */
void pg_call_before_clone(uint64_t flags);

/* Around a call that forks inside: `on` from before it; the pid is passed through. */
bool pg_call_before_fork(enum pg_birth birth);
pid_t pg_call_after_fork(pid_t pid, bool on, const char *how);

#endif

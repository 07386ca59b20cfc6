/* The process calls of libc as the program is to see them: tracked children by pidfd, everything else as libc does it.
 * The interposers and the public functions of the same names are one line each on top of these. They return what the
 * call returns, or -errno. Calls child, runtime. */
#ifndef PG_CHILD_CALL_H
#define PG_CHILD_CALL_H

#include "child/child.h"

int pg_call_kill(pid_t pid, int sig, struct pg_call call);
int pg_call_killpg(pid_t pgrp, int sig, struct pg_call call);
int pg_call_sigqueue(pid_t pid, int sig, union sigval value, struct pg_call call);

enum pg_wait { PG_WAIT, PG_WAITPID, PG_WAIT3, PG_WAIT4 }; /* which of libc's an untracked one is passed on to */
pid_t pg_call_wait(enum pg_wait which, pid_t pid, int *status, int options, struct rusage *ru);
int pg_call_waitid(idtype_t type, id_t id, siginfo_t *info, int options);

/* Around a call that forks inside: `on` from before it; the pid is passed through. */
bool pg_call_before_fork(void);
pid_t pg_call_after_fork(pid_t pid, bool on, const char *how);

#endif

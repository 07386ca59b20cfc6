/* SPDX-License-Identifier: MIT */
/* Which system calls may we make that the program itself does not make? A seccomp filter may kill for them. A filter
 * that the program installs is evaluated, group of calls by group. One that was there before the exec cannot be read,
 * only tried: a throw-away process makes the calls and may die of it. Calls kernel. */
#ifndef PG_RUNTIME_FILTER_H
#define PG_RUNTIME_FILTER_H

#include "base/attr.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* Groups of calls: what needs one asks for it, and does without where it is not to be had. */
enum {
  PG_CAN_PIDFD =
      1,           /* open, prove and signal a child by pidfd, in a window. Without it children are known by PID only */
  PG_CAN_HOLD = 2, /* keep a pidfd open, on a high number */
  PG_CAN_ASK = 4,  /* signal 0 by PID */
  PG_CAN_THREAD = 8,  /* the same for a thread of ours */
  PG_CAN_PARENT = 16, /* ask for our parent's PID */
  PG_CAN_CHILD = 32,  /* ask the kernel whether a process is an unreaped child of ours */
  PG_CAN_READ = 64,   /* read a file of /proc */
  PG_CAN_MAP = 128,   /* map memory */
  PG_CAN_ALL = 255,
  PG_CAN_SHARE = 256, /* map memory that processes share: only where there is no filter at all */
  PG_CAN_KNOWN = 512, /* it was looked whether there is a filter */
};
extern _Atomic int pg_filter_cans;

/* The system call by which the program has just made a child, so that a filter must allow it. */
enum pg_birth {
  PG_BIRTH_CLONE,
  PG_BIRTH_SPAWN, /* libc's posix_spawn: clone3, or clone */
  PG_BIRTH_VFORK,
  PG_BIRTH_OTHER, /* one that tells nothing of those */
};

bool pg_filter_look(int needed);
static inline bool pg_filter_can(int needed) {
  int cans = atomic_load_explicit(&pg_filter_cans, memory_order_relaxed);
  return PG_LIKELY((cans & needed) == needed) || (!(cans & PG_CAN_KNOWN) && pg_filter_look(needed));
}

/* After the birth of this child: finds out by trying, where that is still to be done. True: children can be reached by
 * pidfd. */
bool pg_filter_find_out(enum pg_birth birth, pid_t pid);
/* That is still to be done. */
bool pg_filter_is_untried(void);

/* Around a call by which the program installs a filter, for whichever threads: a handler may come between that and our
 * look at it. installed: whether it did; program: its struct sock_fprog, or NULL (strict mode). */
void pg_filter_comes(void);
void pg_filter_came(bool installed, const void *program);

/* Before a wait of the program: takes away a throw-away process that is still there, by the same system call. */
extern _Atomic pid_t pg_filter_unreaped;
void pg_filter_reap_late(bool by_waitid);
static inline void pg_filter_reap(bool by_waitid) {
  if (PG_UNLIKELY(atomic_load_explicit(&pg_filter_unreaped, memory_order_relaxed) > 1))
    pg_filter_reap_late(by_waitid);
}

#endif

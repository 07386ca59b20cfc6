/* SPDX-License-Identifier: MIT */
/* Which system calls may the shim make that the program itself does not make? A seccomp filter may kill the program for
 * them. If the program installs a filter, the shim evaluates it for each group of calls. A filter from before the exec
 * cannot be read. Then a throw-away process makes the calls, and may die of it. Calls probe, proc_self, kernel. */
#ifndef PG_RUNTIME_FILTER_H
#define PG_RUNTIME_FILTER_H

#include "base/attr.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* Groups of calls. Code that needs a group asks for it, and does without if it is not allowed. */
enum {
  PG_CAN_PIDFD =
      1,           /* open, prove and signal a child by pidfd, in a window; without it children are known by PID only */
  PG_CAN_HOLD = 2, /* keep a pidfd open, on a high number */
  PG_CAN_ASK = 4,  /* signal 0 by PID */
  PG_CAN_THREAD = 8,  /* the same for a thread of this process */
  PG_CAN_PARENT = 16, /* ask for the PID of the parent */
  PG_CAN_CHILD = 32,  /* ask the kernel whether a process is an unreaped child */
  PG_CAN_READ = 64,   /* read a file of /proc */
  PG_CAN_MAP = 128,   /* map memory */
  PG_CAN_ALL = 255,
  PG_CAN_SHARE = 256, /* map memory that processes share: only if there is no filter at all */
  PG_CAN_KNOWN = 512, /* the shim has looked whether there is a filter */
  PG_CAN_SEND = 1024, /* the program itself may call rt_sigqueueinfo, tkill and tgkill, so a pidfd may do it for them */
  PG_CAN_UNTRIED = 2048,   /* a filter is there from before the exec, and has not been tried */
  PG_CAN_ACTION = 4096,    /* ask how a signal is handled */
  PG_CAN_LOG = 8192,       /* write a line of the log; only a filter of the program's own can forbid that */
  PG_CAN_LOG_FILE = 16384, /* open the log's file; the same */
  PG_CAN_UNREAD = 32768,   /* as UNTRIED, but only because no descriptor was free to look */
  PG_CAN_LOGS = PG_CAN_LOG | PG_CAN_LOG_FILE,
  PG_CAN_WITHOUT_FILTER = PG_CAN_ALL | PG_CAN_SHARE | PG_CAN_SEND | PG_CAN_ACTION | PG_CAN_LOGS,
  PG_CAN_KILL = PG_CAN_PIDFD | PG_CAN_HOLD | PG_CAN_ASK | PG_CAN_THREAD, /* nothing of it where kill is refused */
};
extern _Atomic int pg_filter_cans;

/* The system call by which the program has just made a child. So a filter allows that call. */
enum pg_birth {
  PG_BIRTH_CLONE,
  PG_BIRTH_SPAWN, /* libc's posix_spawn: clone3, or clone */
  PG_BIRTH_VFORK,
  PG_BIRTH_CLONE3,
  PG_BIRTH_OTHER, /* a call that tells nothing of those */
};

bool pg_filter_look(int needed);
static inline bool pg_filter_can(int needed) {
  int cans = atomic_load_explicit(&pg_filter_cans, memory_order_relaxed);
  return PG_LIKELY((cans & needed) == needed) || (!(cans & PG_CAN_KNOWN) && pg_filter_look(needed));
}

/* The same, but a group that has not been looked at counts as forbidden. */
static inline bool pg_filter_can_now(int needed) {
  return (atomic_load_explicit(&pg_filter_cans, memory_order_relaxed) & needed) == needed;
}

/* After the birth of this child: finds out by a throw-away process, if that is still necessary. True: children can be
 * reached by pidfd. */
bool pg_filter_find_out(enum pg_birth birth, pid_t pid);
/* That is still to be done. */
bool pg_filter_is_untried(void);
/* Looks again if no descriptor was free before. True: none is free now. */
bool pg_filter_is_unread(void);

/* Around a call by which the program installs a filter, for any of its threads. A signal handler may run between the
 * call and the shim's look at it. One thread at a time: the first function waits for its turn. The second one forbids
 * everything. for_all: for all threads (SECCOMP_FILTER_FLAG_TSYNC). installed: the call succeeded; program: its struct
 * sock_fprog, or NULL (strict mode). */
void pg_filter_turn(void);
void pg_filter_comes(bool for_all);
void pg_filter_came(bool installed, const void *program);
/* In a forked child. */
void pg_filter_forked(void);

#endif

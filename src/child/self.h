/* SPDX-License-Identifier: MIT */
/* Which process this is, without asking the kernel each time. Calls born, kernel.
 *
 * Code of this object can run in a process that shares the memory of another one. Such is the child of vfork(), or of a
 * clone() with CLONE_VM. Such a guest has children of its own, and mostly descriptors too, so it must not change the
 * table. The code can also run in a forked child that has not called the shim yet. Most such children exec or exit, and
 * each page that they write costs a page fault. So what a child must put right waits for its first call. One load tells
 * that neither is the case. */
#ifndef PG_CHILD_SELF_H
#define PG_CHILD_SELF_H

#include "base/attr.h"
#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/hot.h"

#include <stdatomic.h>
#include <stdbool.h>

extern PG_TLS pid_t pg_self_pid;               /* 0: ask the kernel */
extern PG_TLS unsigned pg_self_forks;          /* how many forks lie between this process and the first one */
extern PG_TLS unsigned pg_self_forks_at_birth; /* when the latest call that forks began */

/* The kept PID may be wrong in two cases. Another process may run on this memory: then the kept PID may be the other's,
 * and the caller must not keep its own. Or a handler of pthread_atfork() runs in a child that the shim does not know of
 * yet. The API alone does not see fork(). */
static inline pid_t pg_getpid(void) {
#ifdef PG_PRELOAD
  if (PG_UNLIKELY(pg_self_marks | (pg_state() & PG_STATE_VM_SHARED)) || pg_flag(&pg_hot.forking))
    return pg_sys_getpid();
  if (PG_UNLIKELY(!pg_self_pid))
    pg_self_pid = pg_sys_getpid();
  return pg_self_pid;
#else
  return pg_sys_getpid();
#endif
}

/* True: the PID is the caller's own, so no look-up is necessary. */
static inline bool pg_is_own_pid(pid_t pid) { return pg_filter_can_now(PG_CAN_PIDFD) && pid == pg_getpid(); }

/* Is this the first process of another pid namespace? The table's PIDs mean nothing there. self: the kernel's answer.
 */
static inline bool pg_is_first(pid_t self) {
  return self == 1 || (pg_filter_can(PG_CAN_PARENT) && pg_sys_getppid() == 0);
}

bool pg_is_guest_slow(void);

/* Settles a forked child first, if that is due. */
static inline bool pg_is_guest(void) {
  return PG_UNLIKELY(pg_self_marks | (pg_state() & PG_STATE_VM_SHARED)) && pg_is_guest_slow();
}

/* Around a vfork. A signal handler may fork at any instruction here. Its child goes on from the same place: there
 * PG_FORKED must not be overwritten, and there is no mark to remove. */
static inline void pg_self_mark(void) { __atomic_fetch_add(&pg_self_marks, 1, __ATOMIC_RELAXED); }
static inline void pg_self_unmark(void) {
  int was = pg_self_marks;
  while (PG_LIKELY(was & PG_VFORKS) && !__atomic_compare_exchange_n(&pg_self_marks, &was, (was & ~PG_BARE) - 1, true,
                                                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

/* The usual case: mode enforce, no guest, no log, no filter, and no pidfds of the program itself. */
static inline bool pg_is_usual(void) { return PG_LIKELY((pg_self_marks | (pg_state() ^ PG_STATE_ON)) == 0); }

/* Before the first mark is set: a guest is recognised by pg_hot.pid. */
static inline void pg_self_know(void) {
  if (PG_UNLIKELY(!pg_hot.pid))
    pg_hot.pid = pg_sys_getpid();
}

#endif

/* SPDX-License-Identifier: MIT */
/* clone(): the flags are the caller's. A child that is a process is tracked. A thread is not. */
#include "preload/border.h"

#include <sched.h>
#include <stdarg.h>

struct start {
  int (*fn)(void *);
  void *arg;
  int flags;
};

/* Runs in a child with its own memory, so `start` is there as a copy, like the whole stack of the parent. */
static int child(void *p) {
  struct start start = *(struct start *)p;
  pg_child_forked(start.flags);
  return start.fn(start.arg);
}

PG_EXPORT int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...) {
  va_list ap;
  va_start(ap, arg);
  void *ptid = va_arg(ap, void *);
  void *tls = va_arg(ap, void *);
  void *ctid = va_arg(ap, void *);
  va_end(ap);
  PG_EARLY(-ENOSYS);
  unsigned since = 0;
  pg_call_before_clone((unsigned)flags);
  if ((flags & CLONE_THREAD) || !fn || !stack || !(since = pg_call_before_fork()))
    return pg_next.clone(fn, stack, flags, arg, ptid, tls, ctid);

  struct start start = {fn, arg, flags};
  bool can = pg_filter_can(PG_CAN_PIDFD) || pg_hot.pid, vm = flags & CLONE_VM;
  bool marked = can && vm && (flags & CLONE_VFORK) && !(flags & CLONE_SETTLS);
  if (can && vm)
    pg_self_know();
  if (marked)
    pg_self_mark();
  else if (can && vm) /* the child runs beside its parent, or has thread-local memory of its own, without the mark */
    pg_state_set(PG_STATE_VM_SHARED);
  /* A child with other thread-local memory finds out by itself that it is another process: pg_is_guest(). */
  bool plain = vm || (flags & CLONE_SETTLS);
  int pid = pg_next.clone(plain ? fn : child, stack, flags, plain ? arg : &start, ptid, tls, ctid);
  if (marked)
    pg_self_unmark();
  if (pid > 0)
    pg_call_born(pid, flags & CLONE_PARENT, PG_BIRTH_CLONE, "clone", since);
  else
    pg_flag_set(&pg_hot.forking, 0);
  return pid;
}
PG_ALSO(clone, __clone);

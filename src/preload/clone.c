/* clone(): whatever the flags ask for, the caller gets; a child that is a process is tracked as well, a thread is not our
 * business. */
#include "preload/border.h"

#include "child/descriptor.h"
#include "runtime/filter.h"

#include <sched.h>
#include <stdarg.h>

#ifndef CLONE_DETACHED
#define CLONE_DETACHED 0x00400000
#endif

struct start {
  int (*fn)(void *);
  void *arg;
  int flags;
};

/* Runs in a child with a memory of its own, so its parent's stack, where `start` lies, is there as a copy. */
static int child(void *p) {
  struct start start = *(struct start *)p;
  pg_child_forked(start.flags);
  return start.fn(start.arg);
}

/* A pidfd that the kernel made with the child tells more than one that is opened later. The caller's own tells whom to
 * open, and is not duplicated: that would share flags which the caller may set (O_NONBLOCK). Where the argument is taken
 * for something else (CLONE_PARENT_SETTID), the child is opened by number. */
static int pidfd_of(int flags, void *ptid, pid_t pid, int pidfd) {
  uint64_t ino;
  if (!(flags & CLONE_PIDFD))
    return pidfd;
  return pg_descriptor_identity(*(int *)ptid, &ino) == 0 ? pg_descriptor_reopen(pid, ino) : -1;
}

PG_EXPORT int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...) {
  va_list ap;
  va_start(ap, arg);
  void *ptid = va_arg(ap, void *);
  void *tls = va_arg(ap, void *);
  void *ctid = va_arg(ap, void *);
  va_end(ap);
  PG_EARLY(-ENOSYS);
  pg_call_before_clone((unsigned)flags);
  if ((flags & CLONE_THREAD) || !fn || !stack || !pg_call_before_fork(PG_BIRTH_CLONE))
    return pg_next.clone(fn, stack, flags, arg, ptid, tls, ctid);

  struct start start = {fn, arg, flags};
  bool vm = flags & CLONE_VM, passive = pg_is_passive();
  if (vm && !passive)
    pg_self_know();
  if (passive)
    ; /* no marks: they would make us ask */
  else if (vm && !(flags & CLONE_VFORK))
    pg_state_set(PG_STATE_VM_SHARED);
  else if (vm)
    pg_self_marks++;
  int pidfd = -1, saved = errno, pid = -1;
  /* A pidfd lies on the lowest free number until clone() returns here: others must not see that. */
  bool seen = (flags & CLONE_FILES) || ((flags & CLONE_VFORK) && !pg_is_single_threaded());
  if (!passive && !seen && !(flags & (CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_DETACHED)))
    pid = pg_next.clone(vm ? fn : child, stack, flags | CLONE_PIDFD, vm ? arg : &start, &pidfd, tls, ctid);
  if (pid < 0) { /* no descriptor left, the flags are in use, or it would be seen: without a pidfd of ours */
    errno = saved;
    pidfd = -1; /* it may have failed after the number was written, which is somebody else's by now */
    pid = pg_next.clone(vm ? fn : child, stack, flags, vm ? arg : &start, ptid, tls, ctid);
  }
  if (!passive && vm && (flags & CLONE_VFORK))
    pg_self_unmark();
  if (pid > 0) {
    pidfd = passive ? -1 : pidfd_of(flags, ptid, pid, pidfd);
    if (pidfd >= 0 || !(flags & CLONE_PARENT)) /* a sibling can not be verified as a child of ours */
      pg_child_born(pid, pidfd, "clone");
    if (flags & CLONE_PARENT)
      pg_child_is_sibling(pid);
  }
  return pid;
}
PG_ALSO(clone, __clone);

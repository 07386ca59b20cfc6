/* The two halves in C of vfork_<arch>.S, which is the rest. Both run in the parent, on a stack that the child can not
 * touch; what must outlive the child is in registers or in a record that is the call's own. */
#include "preload/border.h"

#include "kernel/uapi.h"
#include "runtime/filter.h"

/* Before the system call. Returns where the flags are and the kernel is to write the pidfd, or NULL: nothing can be told of
 * the child. A pidfd would lie on the lowest free number for as long as the child lives here, so not where other threads may
 * see that. */
int32_t *pg_vfork_prepare(void);
PG_HOT int32_t *pg_vfork_prepare(void) {
  if (pg_is_early() || !pg_call_before_fork(PG_BIRTH_VFORK) || pg_is_passive())
    return NULL;
  pg_self_know();
  struct pg_record *rec = pg_record_alloc();
  if (!rec)
    return NULL;
  int flags = CLONE_VM | CLONE_VFORK | SIGCHLD | (pg_is_single_threaded() ? CLONE_PIDFD : 0);
  atomic_store_explicit(&rec->pid, flags, memory_order_relaxed);
  pg_self_marks++; /* seen by the child, which shares our memory; asked about by whoever finds it */
  return (int32_t *)(void *)&rec->pid;
}

/* After it. ret: what the kernel returned. */
pid_t pg_vfork_parent(long ret, int32_t *slot);
PG_HOT pid_t pg_vfork_parent(long ret, int32_t *slot) {
  PG_EARLY(ret);
  if (slot) {
    struct pg_record *rec = (struct pg_record *)(void *)((char *)slot - offsetof(struct pg_record, pid));
    int pidfd = *slot;
    pg_self_unmark();
    pg_record_free(rec);
    if (ret > 0)
      pg_child_born((pid_t)ret, pidfd, "vfork");
  } else if (ret > 0 && pg_mode() != PG_MODE_OFF && !pg_is_guest()) {
    pg_child_born((pid_t)ret, -1, "vfork");
  }
  return (pid_t)pg_ret((int)ret);
}

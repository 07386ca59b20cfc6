/* SPDX-License-Identifier: MIT */
/* The two halves in C around vfork_<arch>.S. Both run in the parent, on a stack that the child cannot touch. Registers
 * keep what must outlive the child. */
#include "preload/border.h"

enum { ON = 1, MARKED = 2 };

/* Before the system call. The child shares this memory, so it sees the mark. */
int pg_vfork_prepare(void);
PG_HOT int pg_vfork_prepare(void) {
  if (pg_is_early() || !pg_call_before_fork())
    return 0;
  if (!pg_filter_can(PG_CAN_PIDFD) && !pg_hot.pid)
    return ON;
  pg_self_know();
  pg_self_mark();
  return ON | MARKED;
}

/* After the system call. ret: what the kernel returned; state: what pg_vfork_prepare() returned. */
pid_t pg_vfork_parent(long ret, int state);
PG_HOT pid_t pg_vfork_parent(long ret, int state) {
  PG_EARLY(ret);
  if (state & MARKED)
    pg_self_unmark();
  if (ret > 0 && state)
    pg_call_born((pid_t)ret, false, PG_BIRTH_VFORK, "vfork");
  else if (state)
    pg_flag_set(&pg_hot.forking, 0);
  return (pid_t)pg_ret((int)ret);
}

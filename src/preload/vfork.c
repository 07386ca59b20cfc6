/* SPDX-License-Identifier: MIT */
/* The two halves in C around vfork_<arch>.S. Both run in the parent, on a stack that the child cannot touch. Registers
 * keep what must outlive the child. */
#include "preload/border.h"

enum { MARKED = 2 }; /* the bit that pg_number_now() leaves to its caller */

/* Before the system call. The child shares this memory, so it sees the mark. 0: the shim is off here. */
int pg_vfork_prepare(void);
PG_HOT int pg_vfork_prepare(void) {
  unsigned since = pg_is_early() ? 0 : pg_call_before_fork();
  if (!since || (!pg_filter_can(PG_CAN_PIDFD) && !pg_hot.pid))
    return (int)since;
  pg_self_know();
  pg_self_mark();
  return (int)(since | MARKED);
}

/* After the system call. ret: what the kernel returned; state: what pg_vfork_prepare() returned. */
pid_t pg_vfork_parent(long ret, int state);
PG_HOT pid_t pg_vfork_parent(long ret, int state) {
  PG_EARLY(ret);
  if (state & MARKED)
    pg_self_unmark();
  if (ret > 0 && state)
    pg_call_born((pid_t)ret, false, PG_BIRTH_VFORK, "vfork", (unsigned)state);
  else if (state)
    pg_flag_set(&pg_hot.forking, 0);
  return (pid_t)pg_ret((int)ret);
}

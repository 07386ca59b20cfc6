/* SPDX-License-Identifier: MIT */
/* The throw-away process: it makes the shim's calls, one group after the other, and may die of them. So the shim learns
 * what a filter from before the exec allows. It is made by the call by which the program has just made a child, because
 * the filter allows that one. Calls filter, proc_self, window, kernel. */
#ifndef PG_RUNTIME_PROBE_H
#define PG_RUNTIME_PROBE_H

#include "runtime/filter.h"

/* Maps what a throw-away process writes to. It is done once, and early: a filter may forbid it later. */
void pg_probe_prepare(void);
/* After the birth of this child. Returns the groups (PG_CAN_...) that a throw-away process survived; -1: none was
 * made. pre: no other thread is in here. */
int pg_probe(enum pg_birth birth, pid_t newborn);

/* Before a wait of the program: reaps a throw-away process that is still there, by the same system call as the
 * program's. */
extern _Atomic pid_t pg_probe_unreaped;
void pg_probe_reap_late(bool by_waitid);
static inline void pg_probe_reap(bool by_waitid) {
  if (PG_UNLIKELY(atomic_load_explicit(&pg_probe_unreaped, memory_order_relaxed) > 1))
    pg_probe_reap_late(by_waitid);
}

#endif

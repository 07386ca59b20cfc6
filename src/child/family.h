/* SPDX-License-Identifier: MIT */
/* Opt-in (PIDGUARD_FAMILY): the PIDs of all children that preloaded processes of one user have seen die, in memory that
 * they share. It serves only PIDs that the process's own table does not know. The other files use three hooks.
 * Async-signal-safe, lock-free, bounded. A process that writes garbage to that memory can cause refusals, and no
 * more. */
#ifndef PG_CHILD_FAMILY_H
#define PG_CHILD_FAMILY_H

#include "base/attr.h"
#include "runtime/hot.h"

#include <stdbool.h>
#include <sys/types.h>

static inline bool pg_family_is_on(void) { return PG_UNLIKELY(pg_state() & PG_STATE_FAMILY); }

void pg_family_note_retired(pid_t pid);
void pg_family_note_born(pid_t pid);
pid_t pg_family_ask(pid_t pid, bool group);

/* A child with this PID was reaped. */
static inline void pg_family_retired(pid_t pid) {
  if (pg_family_is_on())
    pg_family_note_retired(pid);
}
/* A process with this PID was made, or is known to live. */
static inline void pg_family_born(pid_t pid) {
  if (pg_family_is_on())
    pg_family_note_born(pid);
}
/* Looks up a PID that the own table does not know; group: of a process group. 0: the family does not know it either, or
 * its process is no stranger. Else it is stale, and the result is the PID of the process that saw the death. */
static inline pid_t pg_family_look(pid_t pid, bool group) { return pg_family_is_on() ? pg_family_ask(pid, group) : 0; }

#endif

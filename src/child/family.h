/* SPDX-License-Identifier: MIT */
/* Opt-in (PIDGUARD_FAMILY): the numbers of all children that preloaded processes of one user have seen die, in a piece
 * of memory that they share; for numbers of which a process's own table knows nothing. Three hooks, and nothing else.
 * Async-signal-safe, lock-free, bounded; whatever else writes to that memory can cause refusals and no more. */
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

/* A child with this number is gone: it was reaped. */
static inline void pg_family_retired(pid_t pid) {
  if (pg_family_is_on())
    pg_family_note_retired(pid);
}
/* A process with this number was made, or is known to live. */
static inline void pg_family_born(pid_t pid) {
  if (pg_family_is_on())
    pg_family_note_born(pid);
}
/* A number that is unknown to our own table; group: of a process group. 0: nothing is known of it here either, or
 * whoever has it is not to be taken for a stranger. Else it is stale, and this is the number of the process that saw
 * its owner die. */
static inline pid_t pg_family_look(pid_t pid, bool group) { return pg_family_is_on() ? pg_family_ask(pid, group) : 0; }

#endif

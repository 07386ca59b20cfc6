/* SPDX-License-Identifier: MIT */
/* What is known of each PID, and the bound on how many retired PIDs are remembered. Lock-free, O(1), no allocation but
 * pages of its own. It knows nothing of processes: its callers say what a PID means. Calls runtime/hot, filter,
 * proc_self, kernel.
 *
 * An entry is one word, the id: PID, state and stamp. An id never comes back, so an unchanged id means an unchanged
 * entry.
 *
 *   from         event                              to           effect
 *   any          pg_number_born, unless reaped      MAKING       find() does not see it yet
 *   MAKING       pg_number_born, in the end         LIVE         stamp: the count of births
 *   LIVE         pg_number_retire, group may live   GONE_GROUP   stamp: the next ticket
 *   LIVE         pg_number_retire                   GONE         stamp: the next ticket
 *   not LIVE     pg_number_bury (a child unseen)    GONE(_GROUP) stamp: the next ticket
 *   GONE_GROUP   pg_number_retire, group is empty   GONE         the stamp that it has
 *   not MAKING   pg_number_forget                   -
 *   GONE(_GROUP) as many later tickets as are kept  -            by itself: find() ignores it
 *
 * Entries live in sets of eight. The first level of sets is on the hot page. A birth that finds its set there full
 * moves the retired entries of the set to the second level, whose size follows from the bound. The third level has the
 * same size and another order. It takes what finds its set in the second one full. Further levels are mapped if more
 * children live than that. A retired PID has no identity, so a level keeps the identities apart. Then the pages of
 * unused identities stay untouched. Each touched page makes every later fork slower. A look-up reads one cache line a
 * level. */
#ifndef PG_CHILD_NUMBER_H
#define PG_CHILD_NUMBER_H

#include "runtime/config.h"
#include "runtime/hot.h"

#include <stdbool.h>

#define PG_PID_LIMIT (1 << 22) /* the kernel's PID_MAX_LIMIT on 64 bits */
#define PG_RETIRED_LEAST 64u

struct pg_sets {
  struct pg_set *sets; /* of ids; as many follow with the pidfs inodes of the children, or 0 */
  uint32_t mask;       /* their number - 1 */
};
extern struct pg_sets pg_number_levels[PG_LEVELS] PG_HIDDEN;

typedef uint64_t pg_id; /* 0: nothing is known, the PID is libc's business */

enum pg_number_state {
  PG_UNKNOWN,
  PG_MAKING,     /* being entered: not to be seen yet */
  PG_LIVE,       /* a child that was not reaped, as far as is known */
  PG_GONE,       /* a child that was reaped, and its process group is empty */
  PG_GONE_GROUP, /* a child that was reaped; its process group may live */
};
#define PG_ID_SIBLING                                                                                                  \
  ((uint64_t)1 << 25) /* made by this process with CLONE_PARENT: the kernel calls it a child of the parent */

static inline pid_t pg_id_pid(pg_id id) { return (pid_t)(id & (PG_PID_LIMIT - 1)); }
static inline enum pg_number_state pg_id_state(pg_id id) { return (enum pg_number_state)(id >> 22 & 7); }
static inline uint32_t pg_id_stamp(pg_id id) { return (uint32_t)(id >> 32); }
static inline bool pg_id_is_live(pg_id id) { return pg_id_state(id) == PG_LIVE; }
static inline pg_id pg_id_make(pid_t pid, enum pg_number_state state, uint32_t stamp) {
  return (uint64_t)stamp << 32 | (uint64_t)state << 22 | (uint32_t)pid;
}

/* A fixed bound (0 is one). Otherwise it follows from the kernel's limit on PIDs, which is read when the bound first
 * makes a difference. */
void pg_number_set_retired_max(uint32_t n);
uint32_t pg_number_retired_max(void);

/* What is known of the PID, and the identity of a living child: *ret_ino, 0 if it has none. */
pg_id pg_number_find(pid_t pid, uint64_t *ret_ino);
/* Does the entry with this id still stand? */
bool pg_number_is(pg_id id);

/* Enters a live child, in the place of whatever was known of its PID. 0: no memory; or its PID was retired since the
 * birth began, and the entry says so. since: 0, or pg_number_now() at the beginning. It is given if the kernel cannot
 * be asked whether the child was reaped. Then a handler or another thread has reaped it. */
pg_id pg_number_born(pid_t pid, uint64_t ino, uint64_t flags, unsigned since);
/* A child that was known without an identity has one now. */
void pg_number_identify(pg_id id, uint64_t ino);
/* The child behind the id was reaped, or its group is empty by now. The new id; 0: another thread was faster. */
pg_id pg_number_retire(pg_id id, bool group);
/* Retires a PID that has no living entry. A living entry stays, because another thread may have a new child with that
 * PID by now. Should that entry be an old child's, its use shows that. */
void pg_number_bury(pid_t pid, bool group);
/* Nothing is known of the PID any more. */
void pg_number_forget(pid_t pid);
/* The same, if the entry still has this id. */
bool pg_number_forget_id(pg_id id);

/* Calls fn for every entry. Rare events only: it walks the whole table. */
void pg_number_each(void (*fn)(pg_id id, uint64_t ino, void *arg), void *arg);
/* The next LIVE entry of a hand that goes round the table, within so many steps; 0: none. */
pg_id pg_number_next_live(uint32_t steps, uint64_t *ret_ino);

/* How much was ever entered: births, and retirements. */
struct pg_entered {
  uint32_t births, tickets;
};
struct pg_entered pg_number_entered(void);
/* Forgets everything that was entered by then. */
void pg_number_clear(struct pg_entered by);

static inline uint32_t pg_number_births(void) { return atomic_load_explicit(&pg_hot.births, memory_order_relaxed); }
/* A point in time, for pg_number_born(): the count of retirements. Bit 0 is set, and bit 1 is the caller's. */
static inline unsigned pg_number_now(void) {
  return atomic_load_explicit(&pg_hot.tickets, memory_order_relaxed) << 2 | 1;
}
/* Was anything ever entered? */
static inline bool pg_number_used(void) {
  return pg_number_births() || atomic_load_explicit(&pg_hot.tickets, memory_order_relaxed);
}
static inline bool pg_stamp_after(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }

#endif

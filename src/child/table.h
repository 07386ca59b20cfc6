/* The map from a PID to what it means, and the bound on how many retired numbers are remembered. Lock-free, O(1),
 * no allocation but pages of its own. Knows nothing of processes: what a number means is told to it. Calls record.
 *
 * A slot holds 0, the index of a record, or the mark of a retired number: when it retired, and that is all it needs. */
#ifndef PG_CHILD_TABLE_H
#define PG_CHILD_TABLE_H

#include "child/record.h"
#include "runtime/config.h"

#include <stddef.h>

#define PG_PID_LIMIT (1 << 22) /* the kernel's PID_MAX_LIMIT on 64 bits */
#define PG_RETIRED_LEAST 64u

/* How many retired numbers are kept: the latest. The default is worked out from pid_max by `pid_max()` when it first
 * makes a difference; a fixed number (0 is one) is set before the first retirement. */
void pg_table_set_retired_max(uint32_t n);
void pg_table_set_pid_max_source(int64_t (*pid_max)(void));
uint32_t pg_table_retired_max(void);

enum pg_meaning {
  PG_UNKNOWN,       /* nothing: the number is libc's business */
  PG_RETIRED,       /* a child that is gone, and its group too */
  PG_RETIRED_GROUP, /* a child that is gone; its process group may live on, without a handle of ours */
  PG_TRACKED,       /* a record: LIVE, or GROUP */
};

#define PG_LEAF_SLOTS 256u
typedef _Atomic uint32_t pg_slot;
extern _Atomic(pg_slot *) pg_table_root[PG_PID_LIMIT / PG_LEAF_SLOTS];

static inline pg_slot *pg_table_slot(pid_t pid) {
  if (PG_UNLIKELY(pid <= 0 || pid >= PG_PID_LIMIT))
    return NULL;
  pg_slot *leaf = atomic_load_explicit(&pg_table_root[(uint32_t)pid / PG_LEAF_SLOTS], memory_order_acquire);
  return leaf ? &leaf[(uint32_t)pid % PG_LEAF_SLOTS] : NULL;
}

/* What the slot holds. A handler that interrupts us may move the slots to another place: then that is looked up again. */
static inline uint32_t pg_table_value(pid_t pid, pg_slot **ret_slot) {
  if (PG_UNLIKELY(pid <= 0 || pid >= PG_PID_LIMIT))
    return 0;
  _Atomic(pg_slot *) *at = &pg_table_root[(uint32_t)pid / PG_LEAF_SLOTS];
  pg_slot *leaf;
  uint32_t value;
  do {
    if (!(leaf = atomic_load_explicit(at, memory_order_acquire)))
      return 0;
    *ret_slot = &leaf[(uint32_t)pid % PG_LEAF_SLOTS];
    value = atomic_load_explicit(*ret_slot, memory_order_acquire);
  } while (PG_UNLIKELY(atomic_load_explicit(at, memory_order_relaxed) != leaf));
  return value;
}

#define PG_MARK_RETIRED 0x80000000u /* a slot that is not 0 and does not have this bit is the index of a record */

/* A hold taken in one straight line, for the frequent calls. Those have no frame of their own (see preload/kill.c), so
 * what is out of the ordinary is left to the long way, a hold that is to be dropped included: rec is not NULL then. */
struct pg_hold {
  struct pg_record *rec;
  uint64_t word;
};

/* `value` is what was read from the number's slot. True: the record of a live child with a descriptor. */
static inline bool pg_table_hold_quickly(pid_t pid, pg_slot *slot, uint32_t value, struct pg_hold *ret) {
  const uint64_t have = PG_RECORD_LIVE | PG_RECORD_SLOT;
  if (PG_UNLIKELY(value & PG_MARK_RETIRED))
    return false;
  struct pg_record *rec = pg_record_at(value);
  uint64_t w = pg_record_word(rec);
  if (PG_UNLIKELY((w & (have | PG_RECORD_HOLDERS_MANY)) != have) || PG_UNLIKELY(pg_word_fd(w) < 0) ||
      PG_UNLIKELY(!pg_word_cas(&rec->word, w, w + PG_RECORD_HOLDER)))
    return false;
  *ret = (struct pg_hold){rec, w + PG_RECORD_HOLDER};
  return PG_LIKELY(atomic_load_explicit(slot, memory_order_acquire) == value) && PG_LIKELY(pg_record_pid(rec) == pid);
}

static inline bool pg_table_drop_quickly(struct pg_hold hold) {
  return PG_LIKELY(pg_word_cas(&hold.rec->word, hold.word, hold.word - PG_RECORD_HOLDER));
}

/* What a number means. For PG_TRACKED *ret is its record, held: the caller drops it by pg_record_drop(). */
enum pg_meaning pg_table_look(pid_t pid, struct pg_record **ret);

/* The same for those who want a record only: NULL otherwise. */
static inline struct pg_record *pg_table_hold(pid_t pid) {
  struct pg_record *rec;
  return pg_table_look(pid, &rec) == PG_TRACKED ? rec : NULL;
}

/* What the number means at this moment, without a hold: for a vfork child, which must not write to the table. */
struct pg_peek {
  enum pg_meaning meaning;
  uint64_t word, ino; /* of PG_TRACKED */
};
struct pg_peek pg_table_peek(pid_t pid);

/* Installs a live child, in the place of whatever was known of the number. Returns it held (fd -1: none; ino 0: none),
 * or NULL without memory, in which case the descriptor stays the caller's. */
struct pg_record *pg_table_track(pid_t pid, int fd, uint64_t ino);

/* The child behind a held record is gone. If its group lives and there is a descriptor, the record stays as the handle
 * of the group (LIVE becomes GROUP); else the number is retired. False if somebody else was faster. */
bool pg_table_retire(struct pg_record *rec, bool group);
/* Retires the number of a held record, whatever it was. */
bool pg_table_bury(struct pg_record *rec, bool group);
/* Retires a number that has no record. */
void pg_table_bury_number(pid_t pid, bool group);

/* The number means nothing any more. */
void pg_table_forget(pid_t pid);
/* The same for a retired number whose slot still holds this very mark. */
void pg_table_forget_mark(pid_t pid, uint32_t mark);

/* Calls fn for every record in a slot. Rare events only: it walks all that is mapped. */
void pg_table_each(void (*fn)(struct pg_record *rec, void *arg), void *arg);
/* How much was ever entered: births, and retirements. */
struct pg_entered {
  uint32_t births, tickets;
};
struct pg_entered pg_table_entered(void);
/* Forgets every number that was entered by then. */
void pg_table_clear(struct pg_entered by);

/* Counts births; a record's seq is the count with itself. A record whose seq is no later than a count read before a
 * wait began was tracked before that wait. */
static inline uint32_t pg_table_births(void) { return atomic_load_explicit(&pg_hot.births, memory_order_relaxed); }
/* Was anything ever entered? */
bool pg_table_used(void);
static inline bool pg_seq_after(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }

#endif

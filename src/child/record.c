#include "child/record.h"

#include "kernel/sys.h"
#include "runtime/filter.h"

#define CHUNKS 8448u /* 4,325,376 records: every number of the largest pid_max alive, and some being replaced */

_Atomic(struct pg_record *) pg_record_chunks[CHUNKS];

/* next doubles as the record's own index while it is not on the free list: a record must know its name. */
uint32_t pg_record_index(struct pg_record *rec) { return atomic_load_explicit(&rec->next, memory_order_relaxed); }

static struct pg_record *chunk_map(uint32_t c) {
  struct pg_record *chunk = atomic_load_explicit(&pg_record_chunks[c], memory_order_acquire);
  if (chunk || pg_is_passive())
    return chunk;
  size_t size = sizeof(struct pg_record) * PG_RECORDS_PER_CHUNK;
  struct pg_record *mapped = pg_sys_map(size, MAP_PRIVATE);
  if (!mapped)
    return NULL;
  if (atomic_compare_exchange_strong_explicit(&pg_record_chunks[c], &chunk, mapped, memory_order_acq_rel, memory_order_acquire))
    return mapped;
  pg_sys2(SYS_munmap, mapped, size); /* somebody was faster */
  return chunk;
}

/* Two records share a cache line: of each 32 every other one is handed out first, so that threads which signal different
 * children of a few do not write to one line. */
static uint32_t spread(uint32_t i) { return (i & ~31u) | ((i << 1) & 30) | ((i >> 4) & 1); }

struct pg_record *pg_record_alloc(void) {
  uint64_t head = atomic_load_explicit(&pg_hot.free_head, memory_order_acquire);
  while ((uint32_t)head) {
    struct pg_record *rec = pg_record_at((uint32_t)head);
    uint32_t next = atomic_load_explicit(&rec->next, memory_order_relaxed);
    uint64_t want = ((head >> 32) + 1) << 32 | next;
    if (atomic_compare_exchange_weak_explicit(&pg_hot.free_head, &head, want, memory_order_acq_rel, memory_order_acquire)) {
      atomic_store_explicit(&rec->next, (uint32_t)head, memory_order_relaxed);
      return rec;
    }
  }
  uint32_t i = atomic_load_explicit(&pg_hot.records, memory_order_relaxed);
  do {
    if (i >= PG_RECORDS_PER_CHUNK * CHUNKS || (i >= PG_HOT_RECORDS && !chunk_map((i - PG_HOT_RECORDS) / PG_RECORDS_PER_CHUNK)))
      return NULL;
  } while (!atomic_compare_exchange_weak_explicit(&pg_hot.records, &i, i + 1, memory_order_acq_rel, memory_order_relaxed));
  i = spread(i);
  struct pg_record *rec = pg_record_at(i + 1);
  atomic_store_explicit(&rec->next, i + 1, memory_order_relaxed);
  return rec;
}

uint32_t pg_record_count(void) { return (atomic_load_explicit(&pg_hot.records, memory_order_acquire) + 31) & ~31u; }

static void push_free(struct pg_record *rec, uint32_t index) {
  uint64_t head = atomic_load_explicit(&pg_hot.free_head, memory_order_relaxed), want;
  do {
    atomic_store_explicit(&rec->next, (uint32_t)head, memory_order_relaxed);
    want = (head & ~(uint64_t)UINT32_MAX) | index;
  } while (!atomic_compare_exchange_weak_explicit(&pg_hot.free_head, &head, want, memory_order_acq_rel, memory_order_relaxed));
}

void pg_record_free(struct pg_record *rec) { push_free(rec, pg_record_index(rec)); }

static uint32_t holders(struct pg_record *rec, uint64_t w) {
  uint32_t waited = atomic_load_explicit(&pg_hot.waited, memory_order_relaxed);
  return pg_word_holders(w) + (PG_UNLIKELY(waited) && rec == pg_record_at(waited) ? 1 : 0);
}

/* What a word becomes once its last use is gone: first the descriptor goes, then the record. */
static uint64_t settled(struct pg_record *rec, uint64_t w) {
  if (holders(rec, w))
    return w;
  if (!(w & (PG_RECORD_LIVE | PG_RECORD_GROUP)))
    w = pg_word_with_fd(w, -1);
  if (!(w & PG_RECORD_SLOT))
    w = 0;
  return w;
}

/* The one place where a word changes: where it has all of `need`, `set` and `clear` are applied and a hold is given
 * back, then it is settled. */
static uint64_t change(struct pg_record *rec, uint64_t need, uint64_t set, uint64_t clear, uint32_t holds) {
  uint64_t ino = pg_record_ino(rec); /* read before the swap: afterwards it may be another's */
  uint32_t index = pg_record_index(rec);
  uint64_t old = pg_record_word(rec), now;
  do {
    if ((old & need) != need)
      return old;
    if (holds && pg_word_holders(old) == PG_RECORD_HOLDERS_MAX)
      return old; /* saturated: pinned for good, which costs one descriptor and nothing else */
    now = settled(rec, ((old | set) & ~clear) - holds * PG_RECORD_HOLDER);
  } while (!atomic_compare_exchange_weak_explicit(&rec->word, &old, now, memory_order_acq_rel, memory_order_acquire));
  if (pg_word_fd(old) >= 0 && pg_word_fd(now) < 0)
    pg_descriptor_release(pg_word_fd(old), old & PG_RECORD_PROVEN ? PG_INO_PROVEN : ino, index);
  if (old && !now)
    push_free(rec, index);
  return old;
}

uint64_t pg_record_change(struct pg_record *rec, uint64_t need, uint64_t set, uint64_t clear) {
  return change(rec, need, set, clear, 0);
}

bool pg_record_try_hold(struct pg_record *rec) {
  uint64_t old = pg_record_word(rec);
  do {
    if (!(old & PG_RECORD_SLOT))
      return false;
    if (pg_word_holders(old) == PG_RECORD_HOLDERS_MAX)
      return true;
  } while (!atomic_compare_exchange_weak_explicit(&rec->word, &old, old + PG_RECORD_HOLDER, memory_order_acq_rel,
                                                  memory_order_acquire));
  return true;
}

void pg_record_drop(struct pg_record *rec) {
  uint64_t old = pg_record_word(rec);
  /* The common case, in one step: nothing ends with this hold. */
  if ((old & (PG_RECORD_LIVE | PG_RECORD_SLOT)) == (PG_RECORD_LIVE | PG_RECORD_SLOT) &&
      pg_word_holders(old) < PG_RECORD_HOLDERS_MAX &&
      atomic_compare_exchange_strong_explicit(&rec->word, &old, old - PG_RECORD_HOLDER, memory_order_acq_rel,
                                              memory_order_acquire))
    return;
  change(rec, 0, 0, 0, 1);
}

static void forget_waited(void) {
  atomic_store_explicit(&pg_hot.waited_at, 0, memory_order_release);
  atomic_store_explicit(&pg_hot.waited, 0, memory_order_release);
}

/* A handler may come between any two of these: while the frame is not named nobody takes the record for abandoned. */
bool pg_record_wait_begin(struct pg_record *rec, void *frame) {
  uint32_t before = atomic_load_explicit(&pg_hot.waited, memory_order_relaxed);
  if (!pg_is_single_threaded())
    return false;
  if (PG_UNLIKELY(before)) {
    if (atomic_load_explicit(&pg_hot.waited_at, memory_order_relaxed) != (uintptr_t)frame)
      return false;
    forget_waited();
    change(pg_record_at(before), 0, 0, 0, 0);
  }
  atomic_store_explicit(&pg_hot.waited, pg_record_index(rec), memory_order_release);
  atomic_store_explicit(&pg_hot.waited_at, (uintptr_t)frame, memory_order_release);
  pg_record_drop(rec);
  return true;
}

void pg_record_wait_end(struct pg_record *rec) {
  atomic_fetch_add_explicit(&rec->word, PG_RECORD_HOLDER, memory_order_relaxed);
  forget_waited();
}

bool pg_record_swap_fd(struct pg_record *rec, int from, int to, uint32_t most) {
  uint64_t old = pg_record_word(rec);
  do {
    if (pg_word_fd(old) != from || holders(rec, old) > most || !(old & PG_RECORD_SLOT))
      return false;
    if (from < 0 && !(old & PG_RECORD_LIVE))
      return false;
  } while (!atomic_compare_exchange_weak_explicit(&rec->word, &old, pg_word_with_fd(old, to), memory_order_acq_rel,
                                                  memory_order_acquire));
  return true;
}

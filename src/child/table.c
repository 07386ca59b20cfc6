#include "child/table.h"

#include "kernel/sys.h"

#include <sys/mman.h>

#define LEAF_SLOTS 1024u /* a page of 32-bit record indices */
#define LEAVES (PG_PID_LIMIT / LEAF_SLOTS)

typedef _Atomic uint32_t slot;

/* Two leaves are there from the start: a small program maps nothing. */
#define FIRST_LEAVES 2u
static slot first_leaves[FIRST_LEAVES][LEAF_SLOTS];
static _Atomic uint32_t first_leaves_used;
static _Atomic(slot *) root[LEAVES];

static _Atomic uint32_t births;
static _Atomic uint32_t ring[PG_RETIRED_LIMIT];
static _Atomic uint64_t ring_tickets;
static _Atomic uint32_t ring_size = UINT32_MAX; /* not known yet */
static int64_t (*pid_max_source)(void);

void pg_table_set_retired_max(uint32_t n) {
  atomic_store_explicit(&ring_size, n > PG_RETIRED_LIMIT ? PG_RETIRED_LIMIT : n, memory_order_relaxed);
}

void pg_table_set_pid_max_source(int64_t (*pid_max)(void)) { pid_max_source = pid_max; }

uint32_t pg_table_retired_max(void) {
  uint32_t n = atomic_load_explicit(&ring_size, memory_order_relaxed);
  if (n != UINT32_MAX)
    return n;
  int64_t keep = (pid_max_source ? pid_max_source() : 32768) / 256;
  n = keep < (int64_t)PG_RETIRED_LEAST ? PG_RETIRED_LEAST : keep > PG_RETIRED_LIMIT ? PG_RETIRED_LIMIT : (uint32_t)keep;
  uint32_t unknown = UINT32_MAX;
  if (!atomic_compare_exchange_strong_explicit(&ring_size, &unknown, n, memory_order_relaxed, memory_order_relaxed))
    n = unknown;
  return n;
}

/* Until the ring has gone round its least size once, its real size makes no difference to where things lie. */
static uint32_t ring_position(uint64_t ticket) {
  uint32_t n = atomic_load_explicit(&ring_size, memory_order_relaxed);
  if (n == UINT32_MAX) {
    if (ticket < PG_RETIRED_LEAST)
      return (uint32_t)ticket;
    n = pg_table_retired_max();
  }
  return (uint32_t)(ticket % n);
}

static slot *slot_of(pid_t pid) {
  if (pid <= 0 || pid >= PG_PID_LIMIT)
    return NULL;
  slot *leaf = atomic_load_explicit(&root[(uint32_t)pid / LEAF_SLOTS], memory_order_acquire);
  return leaf ? &leaf[(uint32_t)pid % LEAF_SLOTS] : NULL;
}

static slot *slot_make(pid_t pid) {
  slot *s = slot_of(pid);
  if (s || pid <= 0 || pid >= PG_PID_LIMIT)
    return s;
  _Atomic(slot *) *at = &root[(uint32_t)pid / LEAF_SLOTS];
  slot *leaf, *seen = NULL;
  uint32_t first = atomic_load_explicit(&first_leaves_used, memory_order_relaxed);
  bool mapped = first >= FIRST_LEAVES ||
                (first = atomic_fetch_add_explicit(&first_leaves_used, 1, memory_order_relaxed)) >= FIRST_LEAVES;
  if (mapped) {
    long p = pg_sys6(SYS_mmap, 0, sizeof(slot) * LEAF_SLOTS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p < 0 && p > -4096)
      return NULL;
    leaf = (slot *)p;
  } else {
    leaf = first_leaves[first];
  }
  if (!atomic_compare_exchange_strong_explicit(at, &seen, leaf, memory_order_acq_rel, memory_order_acquire)) {
    if (mapped)
      pg_sys2(SYS_munmap, leaf, sizeof(slot) * LEAF_SLOTS);
    leaf = seen;
  }
  return &leaf[(uint32_t)pid % LEAF_SLOTS];
}

struct pg_record *pg_table_hold(pid_t pid) {
  slot *s = slot_of(pid);
  if (!s)
    return NULL;
  for (;;) {
    uint32_t index = atomic_load_explicit(s, memory_order_acquire);
    if (!index)
      return NULL;
    struct pg_record *rec = pg_record_at(index);
    if (!pg_record_try_hold(rec))
      continue; /* it left the slot since we looked: the slot says something else by now */
    if (PG_LIKELY(atomic_load_explicit(s, memory_order_acquire) == index && pg_record_pid(rec) == pid))
      return rec;
    pg_record_drop(rec);
  }
}

struct pg_peek pg_table_peek(pid_t pid) {
  struct pg_peek peek = {0, 0};
  slot *s = slot_of(pid);
  uint32_t index;
  while (s && (index = atomic_load_explicit(s, memory_order_acquire))) {
    struct pg_record *rec = pg_record_at(index);
    peek.word = pg_record_word(rec);
    peek.ino = atomic_load_explicit(&rec->ino, memory_order_acquire);
    if (atomic_load_explicit(s, memory_order_acquire) == index && pg_record_pid(rec) == pid)
      return peek;
  }
  return (struct pg_peek){0, 0};
}

/* Takes what a slot held out of it, whoever it was. */
static void unslot(uint32_t index) {
  if (index)
    pg_record_change(pg_record_at(index), 0, 0, PG_RECORD_SLOT | PG_RECORD_LIVE | PG_RECORD_GROUP);
}

struct pg_record *pg_table_track(pid_t pid, int fd, uint64_t ino) {
  slot *s = slot_make(pid);
  struct pg_record *rec = s && fd <= PG_RECORD_FD_MAX ? pg_record_alloc() : NULL;
  if (!rec)
    return NULL;
  uint32_t index = pg_record_index(rec);
  atomic_store_explicit(&rec->pid, pid, memory_order_relaxed);
  atomic_store_explicit(&rec->ino, ino, memory_order_relaxed);
  atomic_store_explicit(&rec->seq, atomic_fetch_add_explicit(&births, 1, memory_order_relaxed) + 1,
                        memory_order_relaxed);
  atomic_store_explicit(&rec->word, pg_word_with_fd(PG_RECORD_LIVE | PG_RECORD_SLOT | PG_RECORD_HOLDER, fd),
                        memory_order_release);
  unslot(atomic_exchange_explicit(s, index, memory_order_acq_rel));
  return rec;
}

/* The ring's hold on a record ends; if the number still means this record, it means nothing from now on. */
static void unring(uint32_t index) {
  struct pg_record *rec = pg_record_at(index);
  slot *s = slot_of(pg_record_pid(rec));
  uint32_t expected = index;
  uint64_t clear = PG_RECORD_RING;
  if (s && atomic_compare_exchange_strong_explicit(s, &expected, 0, memory_order_acq_rel, memory_order_relaxed))
    clear |= PG_RECORD_SLOT | PG_RECORD_GROUP;
  pg_record_change(rec, 0, 0, clear);
}

bool pg_table_retire(struct pg_record *rec, bool group) {
  uint64_t set = PG_RECORD_RING | (group ? PG_RECORD_GROUP : 0);
  if (!(pg_record_change(rec, PG_RECORD_LIVE, set, PG_RECORD_LIVE) & PG_RECORD_LIVE))
    return false; /* somebody else retired or replaced it */
  uint32_t index = pg_record_index(rec);
  if (atomic_load_explicit(&ring_size, memory_order_relaxed) == 0) {
    unring(index);
    return true;
  }
  uint32_t at = ring_position(atomic_fetch_add_explicit(&ring_tickets, 1, memory_order_relaxed));
  uint32_t evicted = atomic_exchange_explicit(&ring[at], index, memory_order_acq_rel);
  if (evicted)
    unring(evicted);
  return true;
}

void pg_table_forget(pid_t pid) {
  slot *s = slot_of(pid);
  if (s)
    unslot(atomic_exchange_explicit(s, 0, memory_order_acq_rel));
}

void pg_table_each(void (*fn)(struct pg_record *rec, void *arg), void *arg) {
  for (uint32_t l = 0; l < LEAVES; l++) {
    slot *leaf = atomic_load_explicit(&root[l], memory_order_acquire);
    for (uint32_t i = 0; leaf && i < LEAF_SLOTS; i++) {
      pid_t pid = (pid_t)(l * LEAF_SLOTS + i);
      struct pg_record *rec = atomic_load_explicit(&leaf[i], memory_order_relaxed) ? pg_table_hold(pid) : NULL;
      if (rec) {
        fn(rec, arg);
        pg_record_drop(rec);
      }
    }
  }
}

uint32_t pg_table_births(void) { return atomic_load_explicit(&births, memory_order_relaxed); }

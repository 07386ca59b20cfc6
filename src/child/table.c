#include "child/table.h"

#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/hot.h"

#include <sys/mman.h>

/* The first leaf lies on the hot page, where a birth and a reap write anyway: a small program touches no other. The others
 * come by the page, the first page without being mapped. */
#define PAGE_SLOTS 1024u
static pg_slot first_page[PAGE_SLOTS] __attribute__((aligned(4096)));
_Atomic(pg_slot *) pg_table_root[PG_PID_LIMIT / PG_LEAF_SLOTS];

/* What a slot holds besides 0 and indices: a retired number, perhaps one whose group lives on, and its ticket. Tickets
 * are numbered as numbers retire, so the difference to the present one is an age: a number that so many others have
 * followed as are kept is forgotten, without anybody having to go there. (It would come back, for as long, after 2^30
 * retirements in which it was neither asked about nor handed out.) */
#define MARK_GROUP 0x40000000u
#define MARK_TICKET 0x3fffffffu

static int64_t (*pid_max_source)(void);

void pg_table_set_retired_max(uint32_t n) {
  atomic_store_explicit(&pg_hot.retired_max, (n > PG_RETIRED_LIMIT ? PG_RETIRED_LIMIT : n) + 1, memory_order_relaxed);
}

void pg_table_set_pid_max_source(int64_t (*pid_max)(void)) { pid_max_source = pid_max; }

uint32_t pg_table_retired_max(void) {
  uint32_t known = atomic_load_explicit(&pg_hot.retired_max, memory_order_relaxed);
  if (!known) {
    int64_t keep = (pid_max_source ? pid_max_source() : 32768) / 256;
    known = 1 + (uint32_t)(keep < (int64_t)PG_RETIRED_LEAST ? PG_RETIRED_LEAST
                           : keep > PG_RETIRED_LIMIT        ? PG_RETIRED_LIMIT
                                                            : keep);
    atomic_store_explicit(&pg_hot.retired_max, known, memory_order_relaxed);
  }
  return known - 1;
}

/* What the mark of a retired number means by now. */
static enum pg_meaning mark_meaning(uint32_t mark) {
  uint32_t age = (atomic_load_explicit(&pg_hot.tickets, memory_order_relaxed) - mark) & MARK_TICKET; /* 1: the latest */
  bool kept = age <= PG_RETIRED_LEAST && !atomic_load_explicit(&pg_hot.retired_max, memory_order_relaxed);
  if (!kept && age > pg_table_retired_max())
    return PG_UNKNOWN;
  return mark & MARK_GROUP ? PG_RETIRED_GROUP : PG_RETIRED;
}

/* A page of slots that is nobody's, or NULL. */
static pg_slot *page_make(uint32_t nth) {
  if (nth == 1)
    return first_page;
  if (pg_is_passive())
    return NULL;
  long p = pg_sys6(SYS_mmap, 0, sizeof first_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p < 0 && p > -4096 ? NULL : (pg_slot *)p;
}

static bool root_set(uint32_t leaf, pg_slot *slots) {
  pg_slot *none = NULL;
  return atomic_compare_exchange_strong_explicit(&pg_table_root[leaf], &none, slots, memory_order_acq_rel,
                                                 memory_order_relaxed);
}

static pg_slot *slot_make(pid_t pid) {
  pg_slot *s = pg_table_slot(pid);
  if (s || pid <= 0 || pid >= PG_PID_LIMIT)
    return s;
  uint32_t nth = atomic_load_explicit(&pg_hot.first_leaves_used, memory_order_relaxed);
  if (nth < 2)
    nth = atomic_fetch_add_explicit(&pg_hot.first_leaves_used, 1, memory_order_relaxed);
  if (nth == 0) {
    root_set((uint32_t)pid / PG_LEAF_SLOTS, pg_hot.first_leaf);
    return pg_table_slot(pid);
  }
  pg_slot *page = page_make(nth);
  bool used = false;
  for (uint32_t i = 0; page && i < PAGE_SLOTS; i += PG_LEAF_SLOTS)
    used |= root_set(((uint32_t)pid / PAGE_SLOTS * PAGE_SLOTS + i) / PG_LEAF_SLOTS, page + i);
  if (page && !used && page != first_page)
    pg_sys2(SYS_munmap, page, sizeof first_page); /* somebody was faster */
  return pg_table_slot(pid);
}

enum pg_meaning pg_table_look(pid_t pid, struct pg_record **ret) {
  pg_slot *s = pg_table_slot(pid);
  if (!s)
    return PG_UNKNOWN;
  for (;;) {
    uint32_t index = atomic_load_explicit(s, memory_order_acquire);
    if (!index)
      return PG_UNKNOWN;
    if (index & PG_MARK_RETIRED)
      return mark_meaning(index);
    struct pg_record *rec = pg_record_at(index);
    if (!pg_record_try_hold(rec))
      continue; /* it left the slot since we looked: the slot says something else by now */
    if (PG_LIKELY(atomic_load_explicit(s, memory_order_acquire) == index && pg_record_pid(rec) == pid)) {
      *ret = rec;
      return PG_TRACKED;
    }
    pg_record_drop(rec);
  }
}

struct pg_peek pg_table_peek(pid_t pid) {
  pg_slot *s = pg_table_slot(pid);
  uint32_t index;
  while (s && (index = atomic_load_explicit(s, memory_order_acquire))) {
    if (index & PG_MARK_RETIRED)
      return (struct pg_peek){mark_meaning(index), 0, 0};
    struct pg_record *rec = pg_record_at(index);
    struct pg_peek peek = {PG_TRACKED, pg_record_word(rec), 0};
    peek.ino = atomic_load_explicit(&rec->ino, memory_order_acquire);
    if (atomic_load_explicit(s, memory_order_acquire) == index && pg_record_pid(rec) == pid)
      return peek;
  }
  return (struct pg_peek){PG_UNKNOWN, 0, 0};
}

/* What a slot held is out of it, whatever it was. */
static void unslot(uint32_t was) {
  if (was && !(was & PG_MARK_RETIRED))
    pg_record_change(pg_record_at(was), 0, 0, PG_RECORD_SLOT | PG_RECORD_LIVE | PG_RECORD_GROUP);
}

struct pg_record *pg_table_track(pid_t pid, int fd, uint64_t ino) {
  pg_slot *s = slot_make(pid);
  struct pg_record *rec = s && fd <= PG_RECORD_FD_MAX ? pg_record_alloc() : NULL;
  if (!rec)
    return NULL;
  uint32_t index = pg_record_index(rec);
  atomic_store_explicit(&rec->pid, pid, memory_order_relaxed);
  atomic_store_explicit(&rec->ino, ino, memory_order_relaxed);
  atomic_store_explicit(&rec->seq, atomic_fetch_add_explicit(&pg_hot.births, 1, memory_order_relaxed) + 1,
                        memory_order_relaxed);
  atomic_store_explicit(&rec->word, pg_word_with_fd(PG_RECORD_LIVE | PG_RECORD_SLOT | PG_RECORD_HOLDER, fd),
                        memory_order_release);
  unslot(atomic_exchange_explicit(s, index, memory_order_acq_rel));
  return rec;
}

static uint32_t new_mark(bool group) {
  uint32_t ticket = atomic_fetch_add_explicit(&pg_hot.tickets, 1, memory_order_relaxed) & MARK_TICKET;
  return PG_MARK_RETIRED | (group ? MARK_GROUP : 0) | ticket;
}

bool pg_table_bury(struct pg_record *rec, bool group) {
  pg_slot *s = pg_table_slot(pg_record_pid(rec));
  uint32_t expected = pg_record_index(rec), mark = new_mark(group);
  if (!s || !atomic_compare_exchange_strong_explicit(s, &expected, mark, memory_order_acq_rel, memory_order_relaxed))
    return false;
  unslot(pg_record_index(rec));
  return true;
}

void pg_table_bury_number(pid_t pid, bool group) {
  pg_slot *s = slot_make(pid);
  if (!s)
    return;
  unslot(atomic_exchange_explicit(s, new_mark(group), memory_order_acq_rel));
}

bool pg_table_retire(struct pg_record *rec, bool group) {
  bool handle = pg_record_fd(rec) >= 0 ||
                (pg_record_ino(rec) && atomic_load_explicit(&pg_hot.handles, memory_order_relaxed) > 0);
  if (group && handle)
    return pg_record_change(rec, PG_RECORD_LIVE, PG_RECORD_GROUP, PG_RECORD_LIVE | PG_RECORD_PROVEN) & PG_RECORD_LIVE;
  return pg_table_bury(rec, group);
}

void pg_table_forget(pid_t pid) {
  pg_slot *s = pg_table_slot(pid);
  if (s)
    unslot(atomic_exchange_explicit(s, 0, memory_order_acq_rel));
}

/* Every number that may mean something. */
static pid_t next_number(pid_t pid) {
  for (pid++; pid < PG_PID_LIMIT; pid++) {
    pg_slot *s = pg_table_slot(pid);
    if (!s)
      pid |= PG_LEAF_SLOTS - 1;
    else if (atomic_load_explicit(s, memory_order_relaxed))
      return pid;
  }
  return 0;
}

void pg_table_each(void (*fn)(struct pg_record *rec, void *arg), void *arg) {
  for (pid_t pid = 0; (pid = next_number(pid));) {
    struct pg_record *rec = pg_table_hold(pid);
    if (rec) {
      fn(rec, arg);
      pg_record_drop(rec);
    }
  }
}

void pg_table_clear(void) {
  for (pid_t pid = 0; (pid = next_number(pid));)
    pg_table_forget(pid);
}


bool pg_table_used(void) {
  return pg_table_births() || atomic_load_explicit(&pg_hot.tickets, memory_order_relaxed);
}

#include "child/table.h"

#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/hot.h"

/* One leaf lies on the hot page, where a birth and a reap write anyway: that of the latest births, see follow(). The others
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
  return pg_is_passive() ? NULL : pg_sys_map(sizeof first_page, MAP_PRIVATE);
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
    if (root_set((uint32_t)pid / PG_LEAF_SLOTS, pg_hot.leaf))
      atomic_store_explicit(&pg_hot.leaf_of, (uint32_t)pid / PG_LEAF_SLOTS + 1, memory_order_relaxed);
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

/* Around everything that writes to a slot: slots that somebody is about to write to are not moved. What a handler adds it
 * takes away before it returns; one that jumps out leaves a leaf where it is, for good. */
static void writing(int by) {
  if (PG_LIKELY(pg_is_single_threaded()))
    atomic_store_explicit(&pg_hot.writers, atomic_load_explicit(&pg_hot.writers, memory_order_relaxed) + (uint32_t)by,
                          memory_order_relaxed);
  else if (!atomic_load_explicit(&pg_hot.leaf_stays, memory_order_relaxed))
    atomic_store_explicit(&pg_hot.leaf_stays, 1, memory_order_relaxed);
}

static void swap_slots(uint32_t leaf, uint32_t was) {
  pg_slot *there = pg_table_root[leaf];
  for (uint32_t i = 0; i < PG_LEAF_SLOTS; i++) {
    uint32_t value = atomic_load_explicit(&there[i], memory_order_relaxed);
    atomic_store_explicit(&there[i], atomic_load_explicit(&pg_hot.leaf[i], memory_order_relaxed), memory_order_relaxed);
    atomic_store_explicit(&pg_hot.leaf[i], value, memory_order_relaxed);
  }
  atomic_store_explicit(&pg_table_root[was], there, memory_order_relaxed);
  atomic_store_explicit(&pg_table_root[leaf], pg_hot.leaf, memory_order_relaxed);
  atomic_store_explicit(&pg_hot.leaf_of, leaf + 1, memory_order_relaxed);
}

/* Before a birth: once two in a row are in another leaf than the one on the hot page, they change places, so that a program
 * that goes through the numbers writes to one page. Only while there is one thread; its handlers are kept out, and a frame
 * that one of them may have interrupted reads as pg_table_value() does. */
static void follow(pid_t pid) {
  uint32_t leaf = (uint32_t)pid / PG_LEAF_SLOTS, was = atomic_load_explicit(&pg_hot.leaf_of, memory_order_relaxed) - 1;
  uint32_t last = atomic_load_explicit(&pg_hot.leaf_next, memory_order_relaxed) - 1;
  if (PG_LIKELY(leaf == was))
    return;
  atomic_store_explicit(&pg_hot.leaf_next, leaf + 1, memory_order_relaxed);
  if (leaf != last || was == UINT32_MAX || !pg_table_slot(pid) /* no memory */ || !pg_is_single_threaded() ||
      pg_is_passive() || atomic_load_explicit(&pg_hot.leaf_stays, memory_order_relaxed) ||
      (pg_state() & PG_STATE_VM_SHARED))
    return;
  uint64_t all = UINT64_MAX, mask;
  if (pg_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof mask) < 0)
    return;
  if (atomic_load_explicit(&pg_hot.writers, memory_order_relaxed) == 1)
    swap_slots(leaf, was);
  pg_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

enum pg_meaning pg_table_look(pid_t pid, struct pg_record **ret) {
  for (;;) {
    pg_slot *s;
    uint32_t index = pg_table_value(pid, &s);
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
  pg_slot *s;
  uint32_t index;
  while ((index = pg_table_value(pid, &s))) {
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
  writing(1);
  follow(pid);
  pg_slot *s = slot_make(pid);
  struct pg_record *rec = s && fd <= PG_RECORD_FD_MAX ? pg_record_alloc() : NULL;
  if (rec) {
    uint32_t index = pg_record_index(rec);
    atomic_store_explicit(&rec->pid, pid, memory_order_relaxed);
    atomic_store_explicit(&rec->ino, ino, memory_order_relaxed);
    atomic_store_explicit(&rec->used, 0, memory_order_relaxed);
    atomic_store_explicit(&rec->seq, atomic_fetch_add_explicit(&pg_hot.births, 1, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    atomic_store_explicit(&rec->word, pg_word_with_fd(PG_RECORD_LIVE | PG_RECORD_SLOT | PG_RECORD_HOLDER, fd),
                          memory_order_release);
    unslot(atomic_exchange_explicit(s, index, memory_order_acq_rel));
  }
  writing(-1);
  return rec;
}

static uint32_t new_mark(bool group) {
  uint32_t ticket = atomic_fetch_add_explicit(&pg_hot.tickets, 1, memory_order_relaxed) & MARK_TICKET;
  return PG_MARK_RETIRED | (group ? MARK_GROUP : 0) | ticket;
}

/* A slot that holds this value holds `now`, and what it held is out of it. */
static bool swap(pid_t pid, uint32_t value, uint32_t now) {
  writing(1);
  pg_slot *s = pg_table_slot(pid);
  uint32_t expected = value;
  bool done = s && atomic_compare_exchange_strong_explicit(s, &expected, now, memory_order_acq_rel, memory_order_relaxed);
  writing(-1);
  if (done)
    unslot(value);
  return done;
}

bool pg_table_bury(struct pg_record *rec, bool group) {
  return swap(pg_record_pid(rec), pg_record_index(rec), new_mark(group));
}

static void put(pid_t pid, uint32_t value, pg_slot *(*find)(pid_t pid)) {
  writing(1);
  pg_slot *s = find(pid);
  if (s)
    unslot(atomic_exchange_explicit(s, value, memory_order_acq_rel));
  writing(-1);
}

void pg_table_bury_number(pid_t pid, bool group) { put(pid, new_mark(group), slot_make); }

bool pg_table_retire(struct pg_record *rec, bool group) {
  bool handle = pg_record_fd(rec) >= 0 ||
                (pg_record_ino(rec) && atomic_load_explicit(&pg_hot.handles, memory_order_relaxed) == PG_HANDLES_LEADERS);
  if (group && handle)
    return pg_record_change(rec, PG_RECORD_LIVE, PG_RECORD_GROUP, PG_RECORD_LIVE | PG_RECORD_PROVEN) & PG_RECORD_LIVE;
  return pg_table_bury(rec, group);
}

void pg_table_forget(pid_t pid) { put(pid, 0, pg_table_slot); }

void pg_table_forget_mark(pid_t pid, uint32_t mark) { swap(pid, mark, 0); }

/* Every number that may mean something. */
static pid_t next_number(pid_t pid) {
  for (pid++; pid < PG_PID_LIMIT; pid++) {
    pg_slot *s = pg_table_slot(pid);
    if (!s)
      pid |= PG_LEAF_SLOTS - 1;
    else if (pg_table_value(pid, &s))
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

struct pg_entered pg_table_entered(void) {
  return (struct pg_entered){atomic_load_explicit(&pg_hot.births, memory_order_acquire),
                             atomic_load_explicit(&pg_hot.tickets, memory_order_acquire)};
}

void pg_table_clear(struct pg_entered by) {
  for (pid_t pid = 0; (pid = next_number(pid));) {
    pg_slot *s;
    uint32_t value = pg_table_value(pid, &s);
    struct pg_record *rec = pg_table_hold(pid); /* its index says that it is still the same */
    if (rec && !pg_seq_after(pg_record_seq(rec), by.births))
      swap(pid, pg_record_index(rec), 0);
    else if (!rec && (value & PG_MARK_RETIRED) && ((by.tickets - 1 - value) & MARK_TICKET) <= MARK_TICKET / 2)
      swap(pid, value, 0);
    if (rec)
      pg_record_drop(rec);
  }
}

bool pg_table_used(void) {
  return pg_table_births() || atomic_load_explicit(&pg_hot.tickets, memory_order_relaxed);
}

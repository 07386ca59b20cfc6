/* SPDX-License-Identifier: MIT */
#include "child/number.h"

#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/proc_self.h"

/* Twice as many entries as are kept at the most, so that a set of eight holds four on the average. Pages that are never
 * touched cost nothing. */
#define SECOND_SETS (2 * PG_RETIRED_MOST / PG_WAYS)
static struct pg_set second[2 * SECOND_SETS] __attribute__((aligned(4096)));
static struct pg_set third[2 * SECOND_SETS] __attribute__((aligned(4096)));

struct pg_sets pg_number_levels[PG_LEVELS]; /* from the second on */

void pg_number_set_retired_max(uint32_t n) {
  atomic_store_explicit(&pg_hot.retired_max, (n > PG_RETIRED_MOST ? PG_RETIRED_MOST : n) + 1, memory_order_relaxed);
}

uint32_t pg_number_retired_max(void) {
  uint32_t known = atomic_load_explicit(&pg_hot.retired_max, memory_order_relaxed);
  if (!known) {
    int64_t most = pg_proc_pid_max();
    if (most < 0) /* no descriptor is free at the moment; what is forgotten now would be gone */
      return PG_RETIRED_MOST;
    pg_number_set_retired_max(most / 256 < PG_RETIRED_LEAST ? PG_RETIRED_LEAST : (uint32_t)(most / 256));
    known = atomic_load_explicit(&pg_hot.retired_max, memory_order_relaxed);
  }
  return known - 1;
}

/* ---- Where an entry can be ---- */

static uint32_t level_count(void) { return atomic_load_explicit(&pg_hot.levels, memory_order_acquire) + 1; }

static struct pg_set *sets_at(uint32_t level) { return level ? pg_number_levels[level - 1].sets : pg_hot.sets; }
static uint32_t mask_of(uint32_t level) { return level ? pg_number_levels[level - 1].mask : PG_HOT_SETS - 1; }

/* PIDs in a row lie in sets in a row, which saves cache misses and page faults. PIDs at some regular distances crowd
 * into few sets. So from the third level on they lie in another order, in which each regular distance spreads them. */
static uint32_t set_of(uint32_t level, pid_t pid) {
  uint32_t n = (uint32_t)pid, mask = mask_of(level);
  if (level >= 2)
    return (n * 0x9e3779b1u >> 10) & mask;
  uint32_t spread = (n >> (32 - __builtin_clz(mask))) * 0x9e3779b1u;
  return (n + (spread >> 7)) & mask;
}

/* A place for an entry: where its id is, and its identity. */
struct place {
  _Atomic uint64_t *at, *ino;
  pg_id id;
};

static struct place place_at(uint32_t level, uint32_t set, int way) {
  struct pg_set *sets = sets_at(level);
  _Atomic uint64_t *at = &sets[set].word[way];
  return (struct place){at, &sets[mask_of(level) + 1 + set].word[way], atomic_load_explicit(at, memory_order_acquire)};
}

static uint32_t age(pg_id id) { return atomic_load_explicit(&pg_hot.tickets, memory_order_relaxed) - pg_id_stamp(id); }

static bool is_forgotten(pg_id id) {
  if (pg_id_state(id) < PG_GONE)
    return false;
  uint32_t n = age(id); /* 1: the latest */
  bool kept = n <= PG_RETIRED_LEAST && !atomic_load_explicit(&pg_hot.retired_max, memory_order_relaxed);
  return !kept && n > pg_number_retired_max();
}

/* least: the first state that counts. */
static inline bool look_from(enum pg_number_state least, pid_t pid, struct place *ret) {
  for (uint32_t level = 0; level < level_count(); level++) { /* a new level may take what this one had */
    uint32_t mask = mask_of(level), set = set_of(level, pid);
    struct pg_set *sets = sets_at(level), *here = &sets[set];
    PG_UNROLL_8
    for (int way = 0; way < PG_WAYS; way++) {
      pg_id id = atomic_load_explicit(&here->word[way], memory_order_acquire);
      if (PG_UNLIKELY(pg_id_pid(id) == pid) && pg_id_state(id) >= least) {
        *ret = (struct place){&here->word[way], &here[mask + 1].word[way], id};
        return true;
      }
    }
  }
  return false;
}

static bool look(pid_t pid, struct place *ret) { return look_from(PG_LIVE, pid, ret); }

static bool is_possible(pid_t pid) { return pid > 0 && pid < PG_PID_LIMIT; }

pg_id pg_number_find(pid_t pid, uint64_t *ret_ino) {
  struct place at;
  uint64_t ino;
  do {
    if (!is_possible(pid) || !look(pid, &at) || is_forgotten(at.id))
      return 0;
    ino = pg_id_is_live(at.id) ? atomic_load_explicit(at.ino, memory_order_acquire) : 0;
  } while (atomic_load_explicit(at.at, memory_order_acquire) != at.id);
  *ret_ino = ino;
  return at.id;
}

static bool look_for(pg_id id, struct place *ret) { return look(pg_id_pid(id), ret) && ret->id == id; }

bool pg_number_is(pg_id id) {
  struct place at;
  return look_for(id, &at);
}

/* ---- Changes ---- */

static bool swap(const struct place *at, pg_id to) {
  pg_id from = at->id;
  return atomic_compare_exchange_strong_explicit(at->at, &from, to, memory_order_acq_rel, memory_order_relaxed);
}

/* The second and the third level are of one size, and need no memory. Further ones are eight times as large as the one
 * before. False: there is none. */
static bool add_level(uint32_t have) {
  struct pg_set *sets = second;
  uint32_t mask = 1;
  if (have == 2) {
    sets = third;
    mask = mask_of(1);
  } else if (have > 2) {
    uint64_t count = 8 * ((uint64_t)mask_of(have - 1) + 1);
    if (have > PG_LEVELS || count > PG_PID_LIMIT || !pg_filter_can(PG_CAN_MAP))
      return false;
    mask = (uint32_t)count - 1;
    sets = pg_sys_map(2 * count * sizeof *sets, MAP_PRIVATE);
    if (!sets)
      return false;
  } else {
    uint32_t keep = pg_number_retired_max();
    while ((mask + 1) * PG_WAYS < 2 * keep)
      mask = mask * 2 + 1;
  }
  /* Two threads may come here at once. The slower one gives back what it has mapped, and finishes what the other one
   * has begun. It cannot wait: it may be in a child that was forked while the other one was here. */
  struct pg_sets *level = &pg_number_levels[have - 1];
  struct pg_set *theirs = NULL;
  uint32_t none = 0, before = have - 1;
  if (!__atomic_compare_exchange_n(&level->sets, &theirs, sets, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED) && have > 2)
    pg_sys2(SYS_munmap, sets, 2 * ((size_t)mask + 1) * sizeof *sets);
  __atomic_compare_exchange_n(&level->mask, &none, mask, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  atomic_compare_exchange_strong_explicit(&pg_hot.levels, &before, have, memory_order_release, memory_order_relaxed);
  return true;
}

/* The best place for a PID in a level: an empty one, or one that is forgotten by now. *oldest: what retired first so
 * far. */
static bool has_room(uint32_t level, pid_t pid, struct place *ret, struct place *oldest) {
  uint32_t set = set_of(level, pid);
  for (int way = 0; way < PG_WAYS; way++) {
    struct place here = place_at(level, set, way);
    if (!here.id || is_forgotten(here.id)) {
      *ret = here;
      return true;
    }
    if (pg_id_state(here.id) >= PG_GONE && (!oldest->at || age(here.id) > age(oldest->id)))
      *oldest = here;
  }
  return false;
}

/* A place, from the second level on. Living children take as many levels as they need. Retired PIDs alone never need a
 * level behind the third. If their sets in both are full, the one that retired first is forgotten a little early. */
static bool find_room_below(pid_t pid, struct place *ret) {
  struct place oldest = {NULL, NULL, 0};
  for (uint32_t level = 1;; level++) {
    bool early = oldest.at && age(oldest.id) > pg_number_retired_max() / 4 * 3;
    if (level == level_count() && ((level > 2 && early) || !add_level(level)))
      break;
    if (has_room(level, pid, ret, &oldest))
      return true;
  }
  *ret = oldest;
  return oldest.at;
}

/* Moves the retired PIDs of a full set of the first level to the second one. All of them at once: so most births write
 * to no page of the second level. Until the old place is empty, such a PID has two entries that are the same. */
static void move_down(uint32_t set) {
  for (int way = 0; way < PG_WAYS; way++) {
    struct place here = place_at(0, set, way), to;
    if (pg_id_state(here.id) < PG_GONE || !find_room_below(pg_id_pid(here.id), &to) || !swap(&to, here.id))
      continue;
    to.id = here.id;
    if (!swap(&here, 0)) /* another thread was faster: it may have forgotten that PID */
      swap(&to, 0);
  }
}

/* A place for a PID that is not in the table. */
static bool find_room(pid_t pid, struct place *ret) {
  struct place oldest = {NULL, NULL, 0};
  if (has_room(0, pid, ret, &oldest))
    return true;
  if (oldest.at)
    move_down(set_of(0, pid));
  return (oldest.at && has_room(0, pid, ret, &oldest)) || find_room_below(pid, ret);
}

/* Was the PID retired since then? */
static bool is_retired(pg_id id, unsigned since) {
  return since && pg_id_state(id) >= PG_GONE && !pg_stamp_after(since & ~3u, pg_id_stamp(id) << 2);
}

/* No look-up sees the child before its identity is there. A handler that reaps it meanwhile does, and retires it. */
pg_id pg_number_born(pid_t pid, uint64_t ino, uint64_t flags, unsigned since) {
  struct place at;
  if (!is_possible(pid))
    return 0;
  uint32_t stamp = atomic_fetch_add_explicit(&pg_hot.births, 1, memory_order_relaxed) + 1;
  const pg_id making = pg_id_make(pid, PG_MAKING, stamp), id = pg_id_make(pid, PG_LIVE, stamp) | flags;
  do
    if (look_from(PG_MAKING, pid, &at) ? is_retired(at.id, since) : !find_room(pid, &at))
      return 0;
  while (!swap(&at, making));
  atomic_store_explicit(at.ino, ino, memory_order_release);
  at.id = making;
  return swap(&at, id) ? id : 0;
}

void pg_number_identify(pg_id id, uint64_t ino) {
  struct place at;
  if (look_for(id, &at))
    atomic_store_explicit(at.ino, ino, memory_order_release);
}

static pg_id next_gone(pid_t pid, bool group) {
  uint32_t ticket = atomic_fetch_add_explicit(&pg_hot.tickets, 1, memory_order_relaxed);
  return pg_id_make(pid, group ? PG_GONE_GROUP : PG_GONE, ticket);
}

pg_id pg_number_retire(pg_id id, bool group) {
  struct place at;
  if (!look_for(id, &at))
    return 0;
  bool is_end_of_group = pg_id_state(id) == PG_GONE_GROUP && !group; /* no child was reaped, so it is no new ticket */
  pg_id gone = is_end_of_group ? pg_id_make(pg_id_pid(id), PG_GONE, pg_id_stamp(id)) : next_gone(pg_id_pid(id), group);
  return swap(&at, gone) ? gone : 0;
}

/* A retired PID has no identity, and what the page of the identity would cost is saved. */
void pg_number_bury(pid_t pid, bool group) {
  struct place at;
  if (!is_possible(pid) || (look(pid, &at) && pg_id_is_live(at.id)))
    return;
  pg_id gone = next_gone(pid, group);
  do
    if (look_from(PG_MAKING, pid, &at) ? pg_id_is_live(at.id) : !find_room(pid, &at))
      return;
  while (!swap(&at, gone));
}

void pg_number_forget(pid_t pid) {
  struct place at;
  while (is_possible(pid) && look(pid, &at)) /* there may be a copy, see move_down() */
    swap(&at, 0);
}

bool pg_number_forget_id(pg_id id) {
  struct place at;
  return look_for(id, &at) && swap(&at, 0);
}

/* ---- Walks ---- */

/* The n-th place of a level, if it is in use; *ret_ino belongs to the id. */
static pg_id read_entry(uint32_t level, uint32_t n, uint64_t *ret_ino) {
  struct place at = place_at(level, n / PG_WAYS, (int)(n % PG_WAYS));
  *ret_ino = pg_id_is_live(at.id) ? atomic_load_explicit(at.ino, memory_order_acquire) : 0;
  return pg_id_state(at.id) > PG_MAKING && atomic_load_explicit(at.at, memory_order_acquire) == at.id ? at.id : 0;
}

static uint32_t places_of(uint32_t level) { return (mask_of(level) + 1) * PG_WAYS; }

void pg_number_each(void (*fn)(pg_id id, uint64_t ino, void *arg), void *arg) {
  for (uint32_t level = 0, levels_now = level_count(); level < levels_now; level++)
    for (uint32_t n = 0; n < places_of(level); n++) {
      uint64_t ino;
      pg_id id = read_entry(level, n, &ino);
      if (id)
        fn(id, ino, arg);
    }
}

pg_id pg_number_next_live(uint32_t steps, uint64_t *ret_ino) {
  uint32_t at = atomic_load_explicit(&pg_hot.hand, memory_order_relaxed);
  pg_id found = 0;
  for (; steps && !found; steps--, at++) {
    uint32_t level = 0, n = at, levels_now = level_count();
    while (level < levels_now && n >= places_of(level))
      n -= places_of(level++);
    if (level == levels_now) {
      at = UINT32_MAX; /* once round: the next step is the first */
      continue;
    }
    pg_id id = read_entry(level, n, ret_ino);
    if (pg_id_is_live(id))
      found = id;
  }
  atomic_store_explicit(&pg_hot.hand, at, memory_order_relaxed);
  return found;
}

struct pg_entered pg_number_entered(void) {
  return (struct pg_entered){atomic_load_explicit(&pg_hot.births, memory_order_acquire),
                             atomic_load_explicit(&pg_hot.tickets, memory_order_acquire)};
}

static void clear_one(pg_id id, uint64_t ino, void *arg) {
  const struct pg_entered *by = arg;
  (void)ino;
  bool later =
      pg_id_is_live(id) ? pg_stamp_after(pg_id_stamp(id), by->births) : !pg_stamp_after(by->tickets, pg_id_stamp(id));
  if (!later)
    pg_number_forget_id(id);
}

void pg_number_clear(struct pg_entered by) { pg_number_each(clear_one, &by); }

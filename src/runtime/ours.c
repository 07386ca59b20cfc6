#include "runtime/ours.h"

#include "kernel/sys.h"
#include "runtime/config.h"

/* Where our numbers start at most, while the program does not come near: no number that select() can take is ours
 * unless the limit is there. Every fork copies the descriptor table up to its highest number (measured: a
 * descriptor at 1,023 costs a fork about 1 us, one at 4,095 about 10 us), so "high" must not mean the limit. */
#define HIGHEST_BASE 1024

_Atomic ptrdiff_t pg_ours_offset;
_Atomic uint32_t pg_ours_mask = PG_HOT_CELLS - 1;
static int32_t wanted;

/* A quarter of the soft limit at the most, whatever was asked for. */
static int32_t budget_for(int64_t limit) {
  int64_t quarter = limit / 4;
  return (int32_t)(quarter < wanted ? quarter : wanted);
}

/* Ours end where the numbers end, so that the program meets EMFILE there and no gap. The log may want one also where no
 * pidfd is kept. */
static int32_t base_for(int64_t limit, int32_t budget, int32_t least) {
  int32_t room = budget > 0 ? budget : 1;
  int64_t top = limit < HIGHEST_BASE + room ? limit : HIGHEST_BASE + room;
  while (top < least + room && top < limit)
    top = top * 2 < limit ? top * 2 : limit;
  int64_t b = top - room;
  return b < 3 ? 3 : (int32_t)b;
}

/* The limit may change at any time; it is looked at again when a lift fails or comes close to the program. */
static void place(int32_t least) {
  int64_t limit = pg_sys_nofile_soft();
  if (limit < 0)
    limit = 1024;
  int32_t budget = budget_for(limit);
  atomic_store_explicit(&pg_hot.budget, budget, memory_order_relaxed);
  atomic_store_explicit(&pg_hot.base, base_for(limit, budget, least), memory_order_relaxed);
}

void pg_ours_init(int64_t fd_max, bool need_quarter) {
  if (atomic_load_explicit(&pg_hot.base, memory_order_relaxed)) {
    if (need_quarter && fd_max < 0 && wanted && wanted < (int32_t)PG_OURS_MAX / 2) { /* none wanted: they were stopped */
      wanted = (int32_t)PG_OURS_MAX / 2; /* as many as the cells take that the log has asked for */
      place(0);
    }
    return;
  }
  wanted = fd_max >= 0 ? (int32_t)fd_max : need_quarter ? (int32_t)PG_OURS_MAX / 2 : PG_FD_MAX_DEFAULT;
  int64_t limit = pg_sys_nofile_soft();
  uint32_t cells = PG_HOT_CELLS, agreed = 0;
  while (cells < 2 * (uint32_t)budget_for(limit < 0 ? 1024 : limit) && cells < PG_OURS_MAX)
    cells *= 2;
  /* Two threads may have their first child at the same moment: both go on with the same cells, of the first of them. */
  static _Atomic uint32_t agreed_cells;
  if (!atomic_compare_exchange_strong_explicit(&agreed_cells, &agreed, cells, memory_order_relaxed, memory_order_relaxed))
    cells = agreed;
  if (cells > PG_HOT_CELLS) {
    void *p = pg_sys_map(cells * sizeof *pg_ours_cells, MAP_PRIVATE);
    ptrdiff_t none = 0;
    if (!p) {
      wanted = PG_HOT_CELLS / 2;
    } else {
      if (!atomic_compare_exchange_strong_explicit(&pg_ours_offset, &none, (ptrdiff_t)((uintptr_t)p - (uintptr_t)pg_hot.cells),
                                                   memory_order_relaxed, memory_order_relaxed))
        pg_sys2(SYS_munmap, p, cells * sizeof *pg_ours_cells);
      atomic_store_explicit(&pg_ours_mask, cells - 1, memory_order_release);
    }
  }
  place(0);
}

int pg_ours_place_anew(void) {
  place(0);
  return atomic_load_explicit(&pg_hot.base, memory_order_relaxed);
}

void pg_ours_stop(void) {
  pg_ours_init(0, false);
  wanted = 0;
  place(0);
}

static int lift(int fd, int32_t least) {
  int r = pg_sys_fcntl(fd, F_DUPFD_CLOEXEC, least);
  if (r == -EINVAL) { /* the limit is lower than it was */
    place(0);
    int32_t b = atomic_load_explicit(&pg_hot.base, memory_order_relaxed);
    if (b < least)
      r = pg_sys_fcntl(fd, F_DUPFD_CLOEXEC, b);
  }
  return r;
}

int pg_ours_lift(int fd, int low) {
  int32_t b = atomic_load_explicit(&pg_hot.base, memory_order_relaxed);
  if (PG_UNLIKELY(low + low / 4 + 16 > b)) { /* the program's numbers come close: make room before it needs it */
    place(low * 2);
    b = atomic_load_explicit(&pg_hot.base, memory_order_relaxed);
  }
  return lift(fd, b);
}

int pg_ours_lift_above(int fd) {
  int32_t b = atomic_load_explicit(&pg_hot.base, memory_order_relaxed);
  int r = lift(fd, fd + 1 > b ? fd + 1 : b);
  return r == -EINVAL || r == -EMFILE ? lift(fd, b) : r;
}

bool pg_ours_register(int fd, uint32_t owner, struct pg_ours *ret_occupant) {
  _Atomic uint64_t *cell = pg_cell_of(fd);
  uint32_t floor = atomic_load_explicit(&pg_hot.floor, memory_order_relaxed);
  while ((uint32_t)fd < floor && !atomic_compare_exchange_weak_explicit(&pg_hot.floor, &floor, (uint32_t)fd, memory_order_relaxed,
                                                                       memory_order_relaxed)) {
  }
  uint64_t old = atomic_load_explicit(cell, memory_order_acquire);
  do {
    *ret_occupant = (struct pg_ours){pg_cell_fd(old & ~PG_CELL_CLOSING), pg_cell_owner(old)};
    if (old && ret_occupant->fd != fd)
      return false;
  } while (!atomic_compare_exchange_weak_explicit(cell, &old, pg_cell_make(fd, owner), memory_order_acq_rel,
                                                  memory_order_acquire));
  if (!old)
    atomic_fetch_add_explicit(&pg_hot.held, 1, memory_order_relaxed);
  else if (old & PG_CELL_CLOSING)
    ret_occupant->owner = 0;
  return true;
}

static bool empty_cell(_Atomic uint64_t *cell, uint64_t was) {
  if (!atomic_compare_exchange_strong_explicit(cell, &was, 0, memory_order_acq_rel, memory_order_relaxed))
    return false;
  atomic_fetch_sub_explicit(&pg_hot.held, 1, memory_order_relaxed);
  return true;
}

bool pg_ours_unregister(int fd, uint32_t owner) { return empty_cell(pg_cell_of(fd), pg_cell_make(fd, owner)); }

void pg_ours_close(int fd, uint32_t owner, bool (*still_ours)(int fd, uint64_t arg), uint64_t arg) {
  _Atomic uint64_t *cell = pg_cell_of(fd);
  uint64_t claim = pg_cell_make(fd, owner), closing = claim | PG_CELL_CLOSING;
  uint64_t was = claim;
  if (!atomic_compare_exchange_strong_explicit(cell, &was, closing, memory_order_acq_rel, memory_order_relaxed))
    return;
  if (still_ours(fd, arg))
    pg_sys_close(fd);
  empty_cell(cell, closing);
}

struct pg_ours pg_ours_next(_Atomic uint32_t *hand) {
  uint32_t from = atomic_load_explicit(hand, memory_order_relaxed);
  for (uint32_t i = 0; i <= pg_ours_mask; i++) {
    uint64_t cell = atomic_load_explicit(&pg_ours_cells[(from + i) & pg_ours_mask], memory_order_acquire);
    if (cell && !(cell & PG_CELL_CLOSING)) {
      atomic_store_explicit(hand, from + i + 1, memory_order_relaxed);
      return (struct pg_ours){pg_cell_fd(cell), pg_cell_owner(cell)};
    }
  }
  return (struct pg_ours){-1, 0};
}

int pg_ours_first(unsigned first, unsigned last) {
  int lowest = -1;
  if (pg_ours_held() <= 0 || last < atomic_load_explicit(&pg_hot.floor, memory_order_relaxed))
    return -1;
  for (uint32_t i = 0; i <= pg_ours_mask; i++) {
    int fd = pg_cell_fd(atomic_load_explicit(&pg_ours_cells[i], memory_order_acquire) & ~PG_CELL_CLOSING);
    if (fd >= 0 && (unsigned)fd >= first && (unsigned)fd <= last && (lowest < 0 || fd < lowest))
      lowest = fd;
  }
  return lowest;
}

void pg_ours_forked(void) {
  int32_t held = 0;
  for (uint32_t i = 0; i <= pg_ours_mask; i++) {
    uint64_t cell = atomic_load_explicit(&pg_ours_cells[i], memory_order_relaxed);
    if (cell & PG_CELL_CLOSING)
      atomic_store_explicit(&pg_ours_cells[i], 0, memory_order_relaxed);
    else if (cell)
      held++;
  }
  if (held != pg_ours_held())
    atomic_store_explicit(&pg_hot.held, held, memory_order_relaxed);
}

bool pg_ours_settle(int fd) {
  uint64_t cell;
  for (int i = 0; i < 1000; i++) {
    cell = atomic_load_explicit(pg_cell_of(fd), memory_order_acquire);
    if (!(cell & PG_CELL_CLOSING) || pg_cell_fd(cell & ~PG_CELL_CLOSING) != fd)
      return true;
    pg_sys0(SYS_sched_yield);
  }
  return false;
}

/* SPDX-License-Identifier: MIT */
#include "child/held.h"

#include "child/reach.h"
#include "child/self.h"
#include "kernel/sys.h"
#include "runtime/filter.h"

struct pg_cell pg_cells[PG_CELLS];
_Atomic int32_t pg_held_count PG_HIDDEN;
_Atomic uint64_t pg_hazards[PG_HAZARDS];
static _Atomic int32_t most = PG_CELLS;
_Atomic int pg_cells_astray;

/* ---- Hazards ---- */

/* A handler that jumps out of a use leaves the entry. The next use of that thread writes over it, and restores it. So
 * the number stays published, and no pidfd is held on it any more. */
static uint32_t self_tag(void) { return (uint32_t)((uintptr_t)&pg_self_marks >> 4); }

struct pg_hazard pg_hazard_publish_late(int fd) {
  uint32_t self = self_tag();
  uint64_t value = (uint64_t)self << 32 | ((uint32_t)fd + 1);
  for (uint32_t i = 0; i < PG_HAZARDS - 1; i++) {
    _Atomic uint64_t *at = &pg_hazards[1 + (self + i) % (PG_HAZARDS - 1)];
    uint64_t before = atomic_load_explicit(at, memory_order_relaxed);
    if ((uint32_t)before && before >> 32 != self)
      continue;
    if (atomic_compare_exchange_strong_explicit(at, &before, value, memory_order_seq_cst, memory_order_relaxed))
      return (struct pg_hazard){at, before};
  }
  return (struct pg_hazard){NULL, 0};
}

static bool is_published(int fd, bool own) {
  for (int i = 0; i < PG_HAZARDS; i++) {
    uint64_t hazard = atomic_load_explicit(&pg_hazards[i], memory_order_seq_cst);
    if ((uint32_t)hazard == (uint32_t)fd + 1 && (own || hazard >> 32 != self_tag()))
      return true;
  }
  return false;
}

PG_COLD void pg_hazards_forked(void) {
  for (int i = 0; pg_held_any() && i < PG_CELLS; i++) /* a thread was about to fill the cell, or to empty it */
    if (!atomic_load_explicit(&pg_cells[i].id, memory_order_relaxed))
      atomic_store_explicit(&pg_cells[i].fd, 0, memory_order_relaxed);
  for (int i = 1; i < PG_HAZARDS; i++) {
    uint64_t hazard = atomic_load_explicit(&pg_hazards[i], memory_order_relaxed);
    if ((uint32_t)hazard && hazard >> 32 != self_tag())
      atomic_store_explicit(&pg_hazards[i], 0, memory_order_relaxed);
  }
}

bool pg_hazard_is_mine(int fd) {
  uint64_t tag = pg_is_single_threaded() ? 0 : self_tag(), value = tag << 32 | ((uint32_t)fd + 1);
  for (int i = 0; i < PG_HAZARDS; i++)
    if (atomic_load_explicit(&pg_hazards[i], memory_order_seq_cst) == value)
      return true;
  return false;
}

/* Uses are single calls that do not block. A frame that the caller itself has interrupted cannot be waited for. An
 * entry that a jump has left cannot, either. So the wait is short, about 100 ms, unless the program is about to put a
 * descriptor of its own there. */
static void wait_for_uses(int fd, bool program_comes) {
  int most_tries = program_comes ? PG_WINDOW_TRIES : PG_WINDOW_TRIES / 10;
  for (int tries = 0; tries < most_tries && !pg_is_single_threaded() && is_published(fd, false);)
    tries = pg_window_pause(tries);
}

/* A thread may lie still until the kernel runs it again, so this waits for several time slices, and gives the processor
 * away between. A real-time thread can do that only by sleeping. An entry that a jump has left stays, so all entries
 * together have one budget of about 100 ms. pre: the caller's window is open, so the filters in force allow
 * sched_yield(). may_sleep: none is in force. */
void pg_hazards_end(bool may_sleep) {
  enum { BUDGET = 20000000, FIRST_YIELDS = 20, APART = 20000, SLEEP_NS = 50000 };
  int tries = 0;
  atomic_thread_fence(memory_order_seq_cst);
  for (int i = 0; i < PG_HAZARDS && !pg_is_single_threaded(); i++) {
    uint64_t hazard = atomic_load_explicit(&pg_hazards[i], memory_order_seq_cst);
    while ((uint32_t)hazard && hazard >> 32 != self_tag() && tries++ < BUDGET &&
           atomic_load_explicit(&pg_hazards[i], memory_order_seq_cst) == hazard)
      if (may_sleep && tries % APART == 0)
        pg_sys_ppoll(NULL, 0, SLEEP_NS);
      else if (tries < FIRST_YIELDS || tries % APART == 0)
        pg_sys0(SYS_sched_yield);
  }
}

/* ---- Cells ---- */

void pg_held_init(int64_t fd_max) { most = fd_max < 0 ? PG_CELLS : (int32_t)fd_max; }

struct pg_cell *pg_cell_astray(pg_id id) {
  for (int i = 0; i < PG_CELLS; i++)
    if (atomic_load_explicit(&pg_cells[i].id, memory_order_seq_cst) == id)
      return &pg_cells[i];
  return NULL;
}

/* Closes the number only if it is provably still the pidfd of the shim. pre: a window is open, so the program does not
 * come between. */
static void close_proven(int fd, uint64_t ino) {
  if (fd >= 0 && pg_reach_is(fd, ino))
    pg_sys_close(fd);
}

/* Empties the cell. The shim keeps the number until it is closed, so that a dup2() onto it waits. A use that cannot be
 * waited for may still come. So while the child lives, the number stays its pidfd. pre: a window is open. */
static void empty(struct pg_cell *cell, uint64_t id, bool lives) {
  uint64_t ino = atomic_load_explicit(&cell->ino, memory_order_relaxed);
  int fd = pg_cell_fd(cell);
  if (fd >= 0 && !pg_is_single_threaded()) /* a child that is forked from now on finds it in the cell, or noted */
    pg_window_note(fd, ino);
  if (fd < 0 || !atomic_compare_exchange_strong_explicit(&cell->id, &id, 0, memory_order_seq_cst, memory_order_relaxed))
    return;
  wait_for_uses(fd, false);
  if (lives && PG_UNLIKELY(is_published(fd, true))) {
    atomic_store_explicit(&cell->id, id, memory_order_release);
    return;
  }
  close_proven(fd, ino);
  atomic_store_explicit(&cell->fd, 0, memory_order_release);
  atomic_fetch_sub_explicit(&pg_held_count, 1, memory_order_relaxed);
}

/* May the cell be taken for another id? What a living child will need next is not thrown out. */
static bool is_free(struct pg_cell *cell, uint64_t was) {
  if (pg_cell_fd(cell) < 0)
    return true;
  if (!was || pg_number_is(was)) /* 0: another thread is about to empty it */
    return false;
  empty(cell, was, false);
  return true;
}

/* Another thread, or an interrupted frame, may be about to use what had the number before. Then the next number is
 * taken. */
static int lift_unpublished(int low) {
  int fd = pg_lift(low, PG_LIFT_HELD);
  if (fd < 0 || !is_published(fd, true))
    return fd;
  int next = lift_unpublished(low);
  pg_sys_close(fd);
  return next;
}

static void hold(struct pg_cell *cell, pg_id id, uint64_t ino, int low, bool leader) {
  int fd = lift_unpublished(low);
  if (fd < 0)
    return;
  atomic_fetch_add_explicit(&pg_held_count, 1, memory_order_relaxed);
  atomic_store_explicit(&cell->id, 0, memory_order_release);
  atomic_store_explicit(&cell->ino, ino, memory_order_relaxed);
  atomic_store_explicit(&cell->rank, leader ? PG_RANK_GROUP : PG_RANK_GOES, memory_order_relaxed);
  atomic_store_explicit(&cell->fd, fd + 1, memory_order_release);
  atomic_store_explicit(&cell->id, id, memory_order_seq_cst);
  if (!pg_reach_is(fd, ino)) /* an instruction of the program's own was faster */
    pg_held_take((unsigned)fd, (unsigned)fd);
}

/* A cell in which nothing is held, or NULL. */
static struct pg_cell *any_free(void) {
  for (int i = 0; i < PG_CELLS; i++)
    if (pg_cell_fd(&pg_cells[i]) < 0)
      return &pg_cells[i];
  return NULL;
}

static bool is_full(void) {
  return atomic_load_explicit(&pg_held_count, memory_order_relaxed) >=
         atomic_load_explicit(&most, memory_order_relaxed);
}

/* For the handle of a group of this process. */
static void make_room(void) {
  for (int i = 0; i < PG_CELLS && is_full(); i++) {
    uint64_t id = atomic_load_explicit(&pg_cells[i].id, memory_order_acquire);
    if (id && atomic_load_explicit(&pg_cells[i].rank, memory_order_relaxed) == PG_RANK_PARENTS)
      empty(&pg_cells[i], id, true);
  }
}

void pg_held_offer(pg_id id, uint64_t ino, int low, bool leader) {
  struct pg_cell *cell = pg_cell_with(id);
  cell = cell ? cell : pg_cell_of(pg_id_pid(id));
  uint64_t was = atomic_load_explicit(&cell->id, memory_order_acquire);
  if (most == 0 || !pg_filter_can(PG_CAN_HOLD) || (pg_held_is_careful() && !leader))
    return;
  if (was == id && pg_cell_fd(cell) >= 0) {
    if (leader)
      atomic_store_explicit(&cell->rank, PG_RANK_GROUP, memory_order_relaxed);
    return;
  }
  if (leader)
    make_room();
  if (!is_free(cell, was)) {
    cell = leader ? any_free() : NULL;
    if (!cell)
      return;
    pg_flag_set(&pg_cells_astray, 1);
  }
  if ((was == id || leader) && !is_full()) {
    if (pg_reach_is(low, ino)) /* a filter may refuse the look: what cannot be proven could not be closed again */
      hold(cell, id, ino, low, leader);
  } else if (was != id) {
    atomic_store_explicit(&cell->fd, 0, memory_order_relaxed);
    atomic_store_explicit(&cell->id, id, memory_order_release);
  }
}

void pg_held_retire(pg_id id, pg_id gone) {
  struct pg_cell *cell = pg_cell_with(id);
  uint64_t was = id;
  struct pg_window window;
  if (!cell)
    return;
  if (pg_cell_fd(cell) >= 0 && pg_id_state(gone) == PG_GONE_GROUP) {
    if (atomic_compare_exchange_strong_explicit(&cell->id, &was, gone, memory_order_acq_rel, memory_order_relaxed))
      atomic_store_explicit(&cell->rank, PG_RANK_GROUP, memory_order_relaxed);
    return;
  }
  if (pg_cell_fd(cell) < 0 || !pg_filter_can(PG_CAN_PIDFD)) /* seen only, or it must stay where it is */
    return;
  pg_window_open(&window);
  if (window.open)
    empty(cell, id, false);
  pg_window_close(&window);
}

static bool goes(const struct pg_cell *cell, uint64_t id, enum pg_held_which which) {
  if (which == PG_HELD_FOR_LIVING)
    return pg_id_state(id) != PG_GONE_GROUP;
  return which == PG_HELD_ALL || atomic_load_explicit(&cell->rank, memory_order_relaxed) == PG_RANK_GOES;
}

PG_COLD void pg_held_let_go(enum pg_held_which which) {
  struct pg_window window;
  if (!pg_filter_can(PG_CAN_PIDFD))
    return;
  pg_window_open(&window);
  for (int i = 0; window.open && i < PG_CELLS; i++) {
    uint64_t id = atomic_load_explicit(&pg_cells[i].id, memory_order_acquire);
    if (id && pg_cell_fd(&pg_cells[i]) >= 0 && goes(&pg_cells[i], id, which))
      empty(&pg_cells[i], id, true);
  }
  pg_window_close(&window);
}

/* Another thread of the parent may have counted a pidfd that is not in a cell here. */
PG_COLD void pg_held_inherited(void) {
  int32_t count = 0, was = atomic_load_explicit(&pg_held_count, memory_order_relaxed);
  for (int i = 0; i < PG_CELLS; i++) {
    pg_id id = atomic_load_explicit(&pg_cells[i].id, memory_order_acquire);
    bool own = atomic_load_explicit(&pg_cells[i].rank, memory_order_relaxed) == PG_RANK_GROUP;
    bool stays = own && pg_id_state(id) == PG_GONE_GROUP && pg_number_is(id);
    atomic_store_explicit(&pg_cells[i].rank, stays ? PG_RANK_PARENTS : PG_RANK_GOES, memory_order_relaxed);
    count += pg_cell_fd(&pg_cells[i]) >= 0;
  }
  atomic_fetch_add_explicit(&pg_held_count, count - was, memory_order_relaxed);
}

pg_id pg_held_next_group(uint64_t *ret_ino) {
  static _Atomic uint32_t hand;
  for (int i = 0; i < PG_CELLS; i++) {
    struct pg_cell *cell = &pg_cells[atomic_fetch_add_explicit(&hand, 1, memory_order_relaxed) % PG_CELLS];
    uint64_t id = atomic_load_explicit(&cell->id, memory_order_acquire);
    *ret_ino = atomic_load_explicit(&cell->ino, memory_order_relaxed);
    if (pg_id_state(id) == PG_GONE_GROUP && pg_cell_fd(cell) >= 0)
      return id;
  }
  return 0;
}

bool pg_held_is_at(int fd) {
  for (int i = 0; i < PG_CELLS; i++)
    if (pg_cell_fd(&pg_cells[i]) == fd)
      return true;
  return false;
}

void pg_held_take(unsigned first, unsigned last) {
  for (int i = 0; i < PG_CELLS; i++) {
    uint64_t id = atomic_load_explicit(&pg_cells[i].id, memory_order_acquire);
    int fd = pg_cell_fd(&pg_cells[i]);
    if (!id || fd < 0 || (unsigned)fd < first || (unsigned)fd > last ||
        !atomic_compare_exchange_strong_explicit(&pg_cells[i].id, &id, 0, memory_order_acq_rel, memory_order_relaxed))
      continue;
    atomic_store_explicit(&pg_cells[i].fd, 0, memory_order_release);
    atomic_fetch_sub_explicit(&pg_held_count, 1, memory_order_relaxed);
    wait_for_uses(fd, true);
    pg_count(lost);
  }
}

PG_COLD int pg_held_apart(int pidfd) {
  if (pidfd < 0 || !pg_lift_was_near(pidfd) || !is_published(pidfd, true))
    return pidfd;
  int next = pg_held_apart(pg_sys_fcntl(pidfd, F_DUPFD_CLOEXEC, pidfd + 1));
  pg_sys_close(pidfd);
  return next;
}

PG_COLD void pg_held_stop(void) {
  pg_state_set(PG_STATE_PIDFDS);
  most = 0;
  pg_held_let_go(PG_HELD_ALL);
}

PG_COLD void pg_held_be_careful(void) {
  if (pg_held_is_careful())
    return;
  pg_state_set(PG_STATE_PIDFDS);
  if (pg_held_any() && !pg_is_guest())
    pg_held_let_go(PG_HELD_FOR_ONE);
}

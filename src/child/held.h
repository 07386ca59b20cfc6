/* SPDX-License-Identifier: MIT */
/* The cache of pidfds. A child is known by its PID and its identity; a pidfd that is kept open saves opening one for
 * each use. Losing it loses nothing, so nothing defends it: the program may close it, or put something else on its
 * number.
 *
 * A cell belongs to a PID (modulo the number of cells). Its id names the entry of the number table that the pidfd is
 * for.
 *
 *   from      event                                   to
 *   empty     a use opens a pidfd for the id          seen: nothing is held, the next use of the same id may keep it
 *   seen      the next use of the same id             held
 *   held      the program closes or replaces it       empty: the number is the program's
 *   held      the child is reaped, a fork, a limit    empty: closed, if it is provably the shim's
 *   held      a leader is reaped, its group lives     held, for the id of the group
 *
 * The handle of a group cannot be opened again once its leader is reaped. So it stays over forks, and while descriptors
 * are scarce. If the cell of its PID is in use, it takes any free one. Only one that a parent has kept makes room.
 *
 * A thread that is about to use a number publishes it (a hazard pointer), and then looks at the cell again. Before a
 * number is closed or given away, its cell is emptied and other threads' uses are waited for. No number becomes held
 * anew while a frame has published it. A use that cannot be waited for may come too late: that of an interrupted frame,
 * or of a thread that lies still. It meets the child's own pidfd while the child lives, and EBADF afterwards. A pidfd
 * that the program opens on such a number moves on. Calls number, window, runtime, kernel. */
#ifndef PG_CHILD_HELD_H
#define PG_CHILD_HELD_H

#include "child/number.h"
#include "runtime/lift.h"
#include "runtime/window.h"

struct pg_cell {
  _Atomic uint64_t id;
  _Atomic uint64_t ino;
  _Atomic int32_t fd;   /* + 1; 0: seen only */
  _Atomic int32_t rank; /* enum pg_held_rank */
};
/* What a fork lets go, and what stays. The handle of a group goes down one step in each forked child. So a process has
 * those of its parent, and none from further back. */
enum pg_held_rank { PG_RANK_GOES, PG_RANK_PARENTS, PG_RANK_GROUP };
extern struct pg_cell pg_cells[PG_CELLS] PG_HIDDEN;

static inline struct pg_cell *pg_cell_of(pid_t pid) { return &pg_cells[(uint32_t)pid % PG_CELLS]; }
static inline int pg_cell_fd(struct pg_cell *cell) { return atomic_load_explicit(&cell->fd, memory_order_acquire) - 1; }

extern _Atomic int pg_cells_astray PG_HIDDEN; /* a pidfd may be in another cell than that of its PID */
struct pg_cell *pg_cell_astray(pg_id id);
/* The cell with this id, or NULL. */
static inline struct pg_cell *pg_cell_with(pg_id id) {
  struct pg_cell *cell = pg_cell_of(pg_id_pid(id));
  if (atomic_load_explicit(&cell->id, memory_order_seq_cst) == id)
    return cell;
  return PG_LIKELY(!pg_flag(&pg_cells_astray)) ? NULL : pg_cell_astray(id);
}

/* The pidfd that is held for this id, or -1. It may be gone at any moment, unless the caller has published it. */
static inline int pg_held_for(pg_id id) {
  struct pg_cell *cell = pg_cell_with(id);
  int fd = cell ? pg_cell_fd(cell) : -1;
  return fd >= 0 && atomic_load_explicit(&cell->id, memory_order_seq_cst) == id ? fd : -1;
}

/* ---- Hazards ---- */

#define PG_HAZARDS 64
extern _Atomic uint64_t pg_hazards[PG_HAZARDS] PG_HIDDEN; /* thread << 32 | number + 1; the first: the only thread's */

struct pg_hazard {
  _Atomic uint64_t *at; /* NULL: no place was free, and the number must not be used */
  uint64_t before;      /* what the interrupted frame has published */
};
struct pg_hazard pg_hazard_publish_late(int fd);
static inline struct pg_hazard pg_hazard_publish(int fd) {
  if (!pg_is_single_threaded())
    return pg_hazard_publish_late(fd);
  struct pg_hazard hazard = {pg_hazards, atomic_load_explicit(pg_hazards, memory_order_relaxed)};
  atomic_store_explicit(pg_hazards, (uint64_t)(uint32_t)fd + 1, memory_order_relaxed);
  atomic_signal_fence(memory_order_seq_cst);
  return hazard;
}
static inline void pg_hazard_clear(struct pg_hazard hazard) {
  atomic_signal_fence(memory_order_seq_cst);
  if (hazard.at)
    atomic_store_explicit(hazard.at, hazard.before, memory_order_release);
}
/* In a forked child, by its only thread: the threads that had published are not there. */
void pg_hazards_forked(void);
/* Waits for the uses of other threads, after something has changed that each use looks at once it is published.
 * may_sleep: no filter was in force before that change. */
void pg_hazards_end(bool may_sleep);
bool pg_hazard_is_mine(int fd); /* a frame that the caller has interrupted */

/* ---- The cache ---- */

/* How many may be held at the most; 0: none, ever. */
void pg_held_init(int64_t fd_max);
/* None any more. */
void pg_held_stop(void);

/* Keeps a duplicate of the pidfd `low` if the id was used before, or if it is the handle of a group. pre: a window is
 * open, and `low` was just proven to be the id's. */
void pg_held_offer(pg_id id, uint64_t ino, int low, bool leader);

/* The child was reaped, and has the id `gone` from now on. If its process group may live, the pidfd is the handle. */
void pg_held_retire(pg_id id, pg_id gone);

/* Closes what is held: what no group needs, what can be opened again, or all of it. */
enum pg_held_which { PG_HELD_FOR_ONE, PG_HELD_FOR_LIVING, PG_HELD_ALL };
void pg_held_let_go(enum pg_held_which which);
/* In a forked child. The program may have listed them, and expects to close them with success, so they stay open for
 * now. The child's own first fork lets them go, but for the handles of groups whose leader was reaped. */
void pg_held_inherited(void);
/* True: something may be held. */
static inline bool pg_held_any(void) {
  extern _Atomic int32_t pg_held_count PG_HIDDEN;
  return PG_UNLIKELY(atomic_load_explicit(&pg_held_count, memory_order_relaxed) > 0);
}
/* The next handle of a group, for a look whether it still lives; its id, or 0. */
pg_id pg_held_next_group(uint64_t *ret_ino);

/* The program takes the numbers from first to last. The shim forgets what it held there. */
void pg_held_take(unsigned first, unsigned last);
bool pg_held_is_at(int fd);
static inline bool pg_is_held(int fd) { return pg_lift_was_near(fd) && pg_held_is_at(fd); }

/* The program has pidfds of its own, or threads with descriptors of their own. From now on nothing is kept but the
 * handles of groups. They are used in a window, after a look. */
void pg_held_be_careful(void);
/* The program has just opened this pidfd. A use that comes too late must not meet it, so it may get another number,
 * which is returned. Passes -errno on. */
int pg_held_apart(int pidfd);
static inline bool pg_held_is_careful(void) { return pg_state() & PG_STATE_PIDFDS; }

#endif

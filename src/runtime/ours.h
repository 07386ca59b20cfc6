/* Which descriptor numbers are ours, and where they live: above those that the program gets, in a direct-mapped array
 * of cells (number modulo size), so that asking costs one load. Lock-free. Calls kernel.
 *
 * A descriptor is disposed of by whoever claims its cell: the owner to close it, a dup2() of the program onto the
 * number to move it away first. */
#ifndef PG_RUNTIME_OURS_H
#define PG_RUNTIME_OURS_H

#include "base/attr.h"
#include "runtime/hot.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PG_OURS_MAX 32768u
#define PG_OWNER_LOG UINT32_MAX /* owners are record indices, but for the log's descriptor */

struct pg_ours {
  int fd;         /* -1: the cell is empty */
  uint32_t owner; /* a record's index, or PG_OWNER_LOG */
};

/* Where the cells are, from those in pg_hot: an address would not be there before the loader has relocated us. */
extern _Atomic ptrdiff_t pg_ours_offset PG_HIDDEN;
#define pg_ours_cells                                                                                                  \
  ((_Atomic uint64_t *)(void *)((char *)pg_hot.cells + atomic_load_explicit(&pg_ours_offset, memory_order_relaxed)))
extern _Atomic uint32_t pg_ours_mask PG_HIDDEN; /* cells - 1 */
static inline int32_t pg_ours_budget(void) { return atomic_load_explicit(&pg_hot.budget, memory_order_relaxed); }
static inline int32_t pg_ours_held(void) { return atomic_load_explicit(&pg_hot.held, memory_order_relaxed); }

/* No descriptor is ours as yet. */
static inline void pg_ours_none(void) { atomic_store_explicit(&pg_hot.floor, INT32_MAX, memory_order_relaxed); }

/* fd_max < 0: the default, which is more where identities can not stand in for descriptors. Idempotent; without it
 * nothing is held. */
void pg_ours_init(int64_t fd_max, bool need_quarter);

#define PG_CELL_CLOSING ((uint64_t)1 << 31)
static inline int pg_cell_fd(uint64_t cell) { return (int)(cell & 0x7fffffff) - 1; }
static inline uint32_t pg_cell_owner(uint64_t cell) { return (uint32_t)(cell >> 32); }
static inline uint64_t pg_cell_make(int fd, uint32_t owner) {
  return (uint64_t)owner << 32 | (uint32_t)(fd + 1);
}
static inline _Atomic uint64_t *pg_cell_of(int fd) { return &pg_ours_cells[(uint32_t)fd & pg_ours_mask]; }

/* Is the number registered at this moment? (Nearly always one comparison; inlined in close() and dup2().) */
static inline bool pg_is_ours(int fd) {
  return PG_UNLIKELY((uint32_t)fd >= atomic_load_explicit(&pg_hot.floor, memory_order_relaxed)) &&
         PG_UNLIKELY(pg_cell_fd(atomic_load_explicit(pg_cell_of(fd), memory_order_relaxed)) == fd) && fd >= 0;
}

/* The limit has changed: where our numbers begin from now on. */
int pg_ours_place_anew(void);
/* None are held from now on. */
void pg_ours_stop(void);

/* A duplicate of fd above the program's numbers, close-on-exec, not yet registered; -errno. `low` is a number that
 * the kernel just gave as the lowest free one: it tells how far up the program is. */
int pg_ours_lift(int fd, int low);
/* Like pg_ours_lift(), but not on the number fd itself or a lower one. */
int pg_ours_lift_above(int fd);

/* Registers fd as the owner's. False if its cell is another's: *ret_occupant. An occupant with the same number is an
 * old claim that somebody made void behind our back, and is replaced; *ret_occupant names it (owner 0: none). */
bool pg_ours_register(int fd, uint32_t owner, struct pg_ours *ret_occupant);
/* Takes the number off the register without touching the descriptor; false if it was not the owner's. */
bool pg_ours_unregister(int fd, uint32_t owner);
/* Closes fd if it is registered to the owner and `still_ours` says that it is still what we opened. */
void pg_ours_close(int fd, uint32_t owner, bool (*still_ours)(int fd, uint64_t arg), uint64_t arg);
/* The lowest number of ours within [first, last], or -1. */
int pg_ours_first(unsigned first, unsigned last);
/* The next occupied cell of a clock hand that goes round all of them; fd -1 when there is none. */
struct pg_ours pg_ours_next(_Atomic uint32_t *hand);
/* In the forked child of a process with several threads: what another one was in the middle of is never finished here. */
void pg_ours_forked(void);
/* Waits a moment for a pg_ours_close() of this number that another thread is in the middle of. False: it goes on, in a frame
 * that a handler has interrupted. */
bool pg_ours_settle(int fd);

#endif

/* SPDX-License-Identifier: MIT */
/* Moves descriptors of the shim above the numbers that the program gets. Calls hot, kernel. */
#ifndef PG_RUNTIME_LIFT_H
#define PG_RUNTIME_LIFT_H

#include "runtime/hot.h"

#include <stdbool.h>

/* The shim uses at most this many numbers below the limit, and at most a quarter of the limit. */
#define PG_LIFT_ROOM 64

/* The lowest number of each kind, while the limit allows it. Every fork copies the descriptor table up to its highest
 * number. A descriptor at 1,024 costs a vfork 8 us, one at 4,095 25 us.
 * Held pidfds: select() cannot take such a number (FD_SETSIZE), so no program expects one there.
 * The log: its descriptor is open at every fork. A table of 512 pointers fits a page, and costs 0.5 us. */
#define PG_LIFT_HELD 1024
#define PG_LIFT_LOG 448

/* A duplicate with a high number, close-on-exec; -errno. pre: fd is open, and belongs to the shim. */
int pg_lift(int fd, int32_t lowest);
/* The lowest number that pg_lift() tries first. */
int pg_lift_from(int32_t lowest);
/* Has the shim ever had a number as high as this? Nearly always that answers whether the descriptor is the shim's. */
static inline bool pg_lift_was_near(int fd) {
  return PG_UNLIKELY((uint32_t)fd >= ~atomic_load_explicit(&pg_hot.unfloor, memory_order_relaxed)) && fd >= 0;
}
/* The soft limit has changed: the next pg_lift() looks at it again. */
void pg_lift_anew(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Moves descriptors of the shim above the numbers that the program gets. Calls hot, kernel. */
#ifndef PG_RUNTIME_LIFT_H
#define PG_RUNTIME_LIFT_H

#include "runtime/hot.h"

#include <stdbool.h>

/* The shim uses at most this many numbers below the limit, and at most a quarter of the limit. */
#define PG_LIFT_ROOM 64

/* A duplicate with a high number, close-on-exec; -errno. pre: fd is open, and belongs to the shim. */
int pg_lift(int fd);
/* Has the shim ever had a number as high as this? Nearly always that answers whether the descriptor is the shim's. */
static inline bool pg_lift_was_near(int fd) {
  return PG_UNLIKELY((uint32_t)fd >= ~atomic_load_explicit(&pg_hot.unfloor, memory_order_relaxed)) && fd >= 0;
}
/* The soft limit has changed: the next pg_lift() looks at it again. */
void pg_lift_anew(void);

#endif

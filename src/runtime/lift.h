/* SPDX-License-Identifier: MIT */
/* Descriptors of ours above the numbers that the program gets. Calls hot, kernel. */
#ifndef PG_RUNTIME_LIFT_H
#define PG_RUNTIME_LIFT_H

#include "runtime/hot.h"

#include <stdbool.h>

/* How many numbers below the limit we may use at the most, and a quarter of the limit at the most. */
#define PG_LIFT_ROOM 64

/* A duplicate with a high number, close-on-exec; -errno. */
int pg_lift(int fd);
/* Was a number as high ever one of ours? Nearly always the whole answer to "is it ours?". */
static inline bool pg_lift_was_near(int fd) {
  return PG_UNLIKELY((uint32_t)fd >= ~atomic_load_explicit(&pg_hot.unfloor, memory_order_relaxed)) && fd >= 0;
}
/* The soft limit has changed. */
void pg_lift_anew(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Counters of what happened. Relaxed atomics. In a forked child they start at zero. Calls nothing. */
#ifndef PG_RUNTIME_COUNTERS_H
#define PG_RUNTIME_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#define PG_COUNTERS(X)                                                                                                 \
  X(births)       /* children tracked */                                                                               \
  X(signals)      /* signals sent through a pidfd */                                                                   \
  X(refused)      /* signals and calls to a retired PID that were refused (audit: that would be) */                    \
  X(reaped)       /* children that a wait of the program reaped */                                                     \
  X(silent)       /* children found reaped without a wait of the program */                                            \
  X(reopened)     /* uses of a child for which the shim had to open a pidfd */                                         \
  X(evicted)      /* times that the shim gave up its held pidfds, because the program had used all numbers */          \
  X(adopted)      /* children found after an exec, or handed over by pidguard_adopt() */                               \
  X(lost)         /* held pidfds that the program closed or replaced */                                                \
  X(degraded)     /* calls that the shim could not protect, and made as libc makes them */                             \
  X(log_failures) /* log lines that could not be written */

enum pg_counter {
#define X(name) PG_COUNT_##name,
  PG_COUNTERS(X)
#undef X
      PG_COUNTER_COUNT
};

/* The counters themselves are in runtime/hot.h, which every file that counts includes. */
#define pg_count(name) ((void)atomic_fetch_add_explicit(&pg_hot.counters[PG_COUNT_##name], 1, memory_order_relaxed))
#define pg_counter(name) pg_counter_value(PG_COUNT_##name)

uint64_t pg_counter_value(enum pg_counter c);
const char *pg_counter_name(enum pg_counter c);
void pg_counters_reset(void);

#endif

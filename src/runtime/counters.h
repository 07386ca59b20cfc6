/* SPDX-License-Identifier: MIT */
/* What happened, counted. Relaxed atomics; a forked child starts at zero. Calls nothing. */
#ifndef PG_RUNTIME_COUNTERS_H
#define PG_RUNTIME_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#define PG_COUNTERS(X)                                                                                                 \
  X(births)       /* children tracked */                                                                               \
  X(signals)      /* signals routed through a pidfd */                                                                 \
  X(refused)      /* signals and calls to a retired number that were refused (audit: would have been) */               \
  X(reaped)       /* children that a wait of the program took */                                                       \
  X(silent)       /* children found reaped without any wait of the program */                                          \
  X(reopened)     /* uses of a child for which a pidfd had to be opened */                                             \
  X(evicted)      /* times that held pidfds were given up as the program had used all numbers */                       \
  X(adopted)      /* children found after exec, or handed over by pidguard_adopt() */                                  \
  X(lost)         /* held pidfds that the program closed or replaced */                                                \
  X(degraded)     /* calls that could not be protected and were passed on as libc makes them */                        \
  X(log_failures) /* log lines that could not be written */

enum pg_counter {
#define X(name) PG_COUNT_##name,
  PG_COUNTERS(X)
#undef X
      PG_COUNTER_COUNT
};

/* The counters are in runtime/hot.h, which every file that counts includes. */
#define pg_count(name) ((void)atomic_fetch_add_explicit(&pg_hot.counters[PG_COUNT_##name], 1, memory_order_relaxed))
#define pg_counter(name) pg_counter_value(PG_COUNT_##name)

uint64_t pg_counter_value(enum pg_counter c);
const char *pg_counter_name(enum pg_counter c);
void pg_counters_reset(void);

#endif

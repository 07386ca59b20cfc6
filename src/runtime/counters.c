/* SPDX-License-Identifier: MIT */
#include "runtime/hot.h"

struct pg_hot pg_hot __attribute__((aligned(4096)));

_Static_assert(sizeof(struct pg_hot) <= 4096, "one page");

const char *pg_counter_name(enum pg_counter c) {
  static const char names[][16] = {
#define X(name) #name,
      PG_COUNTERS(X)
#undef X
  };
  return names[c];
}

uint64_t pg_counter_value(enum pg_counter c) {
  uint64_t n = atomic_load_explicit(&pg_hot.counters[c], memory_order_relaxed);
  for (int i = 0; c == PG_COUNT_signals && i < PG_HOT_STRIPES; i++)
    n += atomic_load_explicit(&pg_hot.stripes[i].signals, memory_order_relaxed);
  return n;
}

void pg_counters_reset(void) {
  for (int i = 0; i < PG_HOT_STRIPES; i++)
    atomic_store_explicit(&pg_hot.stripes[i].signals, 0, memory_order_relaxed);
  for (int c = 0; c < PG_COUNTER_COUNT; c++)
    atomic_store_explicit(&pg_hot.counters[c], 0, memory_order_relaxed);
}

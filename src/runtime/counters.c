#include "runtime/counters.h"

_Atomic uint64_t pg_counters[PG_COUNTER_COUNT];

const char *pg_counter_name(enum pg_counter c) {
  static const char names[][16] = {
#define X(name) #name,
      PG_COUNTERS(X)
#undef X
  };
  return names[c];
}

void pg_counters_reset(void) {
  for (int c = 0; c < PG_COUNTER_COUNT; c++)
    atomic_store_explicit(&pg_counters[c], 0, memory_order_relaxed);
}

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

void pg_counters_reset(void) {
  for (int c = 0; c < PG_COUNTER_COUNT; c++)
    atomic_store_explicit(&pg_hot.counters[c], 0, memory_order_relaxed);
}

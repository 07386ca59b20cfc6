/* May we make system calls that the program itself does not make? Not under a seccomp filter that kills for them; and
 * what a filter does can not be asked, only tried: by a child that may die of it. Calls kernel. */
#ifndef PG_RUNTIME_FILTER_H
#define PG_RUNTIME_FILTER_H

#include "base/attr.h"

#include <stdatomic.h>
#include <stdbool.h>

enum pg_filter {
  PG_FILTER_UNKNOWN, /* nothing was tracked yet, so nobody needed to know */
  PG_FILTER_FREE,    /* no filter, or one that lets us work (or says ENOSYS, EPERM, which we understand) */
  PG_FILTER_SUSPECT, /* the program has installed one since we looked */
  PG_FILTER_KILLS,   /* stay passive: track by number, without a call */
};

extern _Atomic int pg_filter_state;

/* True: no call that the program would not make. One load, for the paths that use what is tracked. */
static inline bool pg_is_passive(void) {
  return PG_UNLIKELY(atomic_load_explicit(&pg_filter_state, memory_order_relaxed) >= PG_FILTER_SUSPECT);
}

/* For those who begin to track: finds out if that is not known. True where calls are safe. */
bool pg_filter_find_out(void);
static inline bool pg_filter_is_free(void) {
  return PG_LIKELY(atomic_load_explicit(&pg_filter_state, memory_order_relaxed) == PG_FILTER_FREE) ||
         pg_filter_find_out();
}

/* The program has installed a filter. */
void pg_filter_installed(void);

#endif

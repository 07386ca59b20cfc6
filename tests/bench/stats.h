/* SPDX-License-Identifier: MIT */
/* Medians and quartiles of a few dozen figures. Calls libc only. */
#ifndef PG_BENCH_STATS_H
#define PG_BENCH_STATS_H

#include <stddef.h>

struct pg_spread {
  double low, median, high; /* the quartiles */
};

/* Sorts the figures; n > 0. */
struct pg_spread pg_spread_of(double *figures, size_t n);

#endif

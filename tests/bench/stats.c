/* SPDX-License-Identifier: MIT */
/* Medians and quartiles. Calls libc only. */
#include "stats.h"

#include <stdlib.h>

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Interpolates between the two neighbours. */
static double quantile(const double *sorted, size_t n, double q) {
  double at = q * (double)(n - 1);
  size_t i = (size_t)at;
  double next = i + 1 < n ? sorted[i + 1] : sorted[i];
  return sorted[i] + (at - (double)i) * (next - sorted[i]);
}

struct pg_spread pg_spread_of(double *figures, size_t n) {
  qsort(figures, n, sizeof *figures, compare);
  return (struct pg_spread){quantile(figures, n, 0.25), quantile(figures, n, 0.5), quantile(figures, n, 0.75)};
}

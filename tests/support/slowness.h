/* SPDX-License-Identifier: MIT */
/* For programs and tests alike. This header knows nothing of the project. */
#ifndef PG_TEST_SLOWNESS_H
#define PG_TEST_SLOWNESS_H

#include <stdlib.h>

static inline int slowness_from(const char *name) {
  const char *text = getenv(name);
  int n = text ? atoi(text) : 1;
  return n > 1 ? n : 1;
}

/* How many times longer a test waits on this machine: PG_TEST_SLOW. The driver measures it if it is not given. */
static inline int slowness(void) { return slowness_from("PG_TEST_SLOW"); }

/* How many times longer something may take until it counts as lost. PG_TEST_PATIENCE grows with the load of the
 * processors. Only what hangs takes so long, so the value can be large. */
static inline int patience(void) { return slowness() * slowness_from("PG_TEST_PATIENCE"); }

/* How many of count rounds a test makes. With PG_TEST_SAMPLE=N, as on a slow machine, it is 1/N of them, but at least
 * so many, if there are so many. */
static inline int some_of(int count, int least) {
  int some = count / slowness_from("PG_TEST_SAMPLE");
  return some > least ? some : least < count ? least : count;
}

#endif

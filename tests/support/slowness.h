/* SPDX-License-Identifier: MIT */
/* For programs and tests alike: knows nothing of the project. */
#ifndef PG_TEST_SLOWNESS_H
#define PG_TEST_SLOWNESS_H

#include <stdlib.h>

static inline int slowness_from(const char *name) {
  const char *text = getenv(name);
  int n = text ? atoi(text) : 1;
  return n > 1 ? n : 1;
}

/* How many times longer a test may and shall wait: PG_TEST_SLOW, which the driver measures where it is not given. */
static inline int slowness(void) { return slowness_from("PG_TEST_SLOW"); }

/* How many times longer than that it may take until it is taken for lost: PG_TEST_PATIENCE, by how many want the
 * processors. Only what hangs gets there, so this can be much. */
static inline int patience(void) { return slowness() * slowness_from("PG_TEST_PATIENCE"); }

#endif

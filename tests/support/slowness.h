/* For programs and tests alike: knows nothing of the project. */
#ifndef PG_TEST_SLOWNESS_H
#define PG_TEST_SLOWNESS_H

#include <stdlib.h>

/* How many times longer a test may and shall wait on a machine that is slow on purpose (an emulator): PG_TEST_SLOW. */
static inline int slowness(void) {
  const char *text = getenv("PG_TEST_SLOW");
  int n = text ? atoi(text) : 1;
  return n > 1 ? n : 1;
}

#endif

/* What the deliberately wrong preload objects share. Each of them breaks one promise of the shim in one way; the
 * self-test of pg_diff must find each and shrink it. They are never installed. */
#ifndef PGD_WRONG_H
#define PGD_WRONG_H

#include "kernel/sys.h"

#include <signal.h>
#include <sys/wait.h>

#define WRONG __attribute__((visibility("default")))

/* A raw result, as libc gives it. */
static inline long wrong_border(long ret) {
  if (ret >= 0)
    return ret;
  errno = (int)-ret;
  return -1;
}

#endif

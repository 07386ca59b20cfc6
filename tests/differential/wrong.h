/* SPDX-License-Identifier: MIT */
/* What the deliberately wrong preload objects share. Each of them breaks one promise of the shim in one way; the
 * self-test of pg_diff must find each and shrink it. They are never installed. */
#ifndef PGD_WRONG_H
#define PGD_WRONG_H

#include "kernel/sys.h"

#include <dlfcn.h>
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

/* libc's own waitid, for an object that wraps it: a cancellation point, as what goes round it raw is not. */
static inline int wrong_next_waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  static int (*next)(idtype_t, id_t, siginfo_t *, int);
  if (!next) {
    void *symbol = dlsym(RTLD_NEXT, "waitid");
    __builtin_memcpy(&next, &symbol, sizeof next);
  }
  return next(type, id, info, options);
}

#endif

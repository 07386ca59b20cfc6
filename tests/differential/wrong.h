/* SPDX-License-Identifier: MIT */
/* What the deliberately wrong preload objects share. Each of them breaks one promise of the shim in one way. The
 * self-test of pg_diff must find each and shrink it. They are never installed. */
#ifndef PGD_WRONG_H
#define PGD_WRONG_H

#include "kernel/sys.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>

#define WRONG __attribute__((visibility("default")))

/* Turns a raw result into what libc gives. */
static inline long wrong_border(long ret) {
  if (ret >= 0)
    return ret;
  errno = (int)-ret;
  return -1;
}

/* libc's own waitid, for an object that wraps it. It is a cancellation point, which a raw system call is not. */
static inline int wrong_next_waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  static int (*next)(idtype_t, id_t, siginfo_t *, int);
  if (!next) {
    void *symbol = dlsym(RTLD_NEXT, "waitid");
    __builtin_memcpy(&next, &symbol, sizeof next);
  }
  return next(type, id, info, options);
}

#endif

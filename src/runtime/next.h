/* What libc, or the preload object behind us, has under the names that we interpose: one table, bound eagerly, because
 * most of these may be called in a signal handler and dlsym() may not. The only user of dlsym. */
#ifndef PG_RUNTIME_NEXT_H
#define PG_RUNTIME_NEXT_H

#include "base/attr.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>

/* X(type, name, arguments): those that may be called first in a signal handler, or between vfork and exec. */
#define PG_NEXT(X)                                                                                                     \
  X(pid_t, fork, (void))                                                                                               \
  X(pid_t, _Fork, (void))                                                                                              \
  X(int, kill, (pid_t, int))                                                                                           \
  X(pid_t, waitpid, (pid_t, int *, int))                                                                               \
  X(pid_t, wait4, (pid_t, int *, int, struct rusage *))                                                                \
  X(int, waitid, (idtype_t, id_t, siginfo_t *, int))                                                                   \
  X(int, close, (int))                                                                                                 \
  X(int, dup2, (int, int))

struct pg_next {
#define X(type, name, args) type(*name) args;
  PG_NEXT(X)
#undef X
};

extern struct pg_next pg_next PG_HIDDEN;

/* Fills pg_next; idempotent. errno is left alone. False: the loader has not relocated this object yet (it is asking some
 * library's resolver of an indirect function), so nothing can be called by name, and pg_next makes system calls. */
bool pg_next_bind(void);

/* Names that are not async-signal-safe in libc either, or rare: looked up when they are first used, so that a start does
 * not pay for them. `name` is a function that a header declares; a version is asked for first. */
void *pg_next_find(_Atomic(void *) *cache, const char *symbol, const char *version);
#define pg_next_late_version(name, version)                                                                            \
  (__extension__({                                                                                                     \
    static _Atomic(void *) cache;                                                                                      \
    (__typeof__(&(name)))pg_next_find(&cache, #name, version);                                                         \
  }))
#define pg_next_late(name) pg_next_late_version(name, NULL)

#endif

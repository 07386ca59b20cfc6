/* May we make system calls that the program itself does not make? Not under a seccomp filter that kills for them. What one
 * does that the program installs can be worked out; one that was there before the exec can not be read, only tried: by a
 * throw-away process that may die of it, made and reaped by calls that the program makes just then itself. Calls kernel. */
#ifndef PG_RUNTIME_FILTER_H
#define PG_RUNTIME_FILTER_H

#include "base/attr.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum pg_filter {
  PG_FILTER_UNKNOWN, /* nobody needed to know yet */
  PG_FILTER_FREE,    /* no filter, or one that lets us work (or says ENOSYS, EPERM, which we understand) */
  PG_FILTER_PRESENT, /* there was one from the start, and it was not tried */
  PG_FILTER_COMES,   /* the program is installing one at this moment */
  PG_FILTER_KILLS,   /* for good: track by number, without a call */
};

/* The system call by which the program is about to make a child, so that a filter must allow it. */
enum pg_birth {
  PG_BIRTH_CLONE,
  PG_BIRTH_SPAWN, /* libc's posix_spawn: clone3, or clone */
  PG_BIRTH_VFORK,
  PG_BIRTH_OTHER, /* one that tells nothing of those */
};

extern _Atomic int pg_filter_state;
extern _Atomic pid_t pg_filter_unreaped;

/* True: no call that the program would not make. One load, for the paths that use what is tracked. */
static inline bool pg_is_passive(void) {
  return PG_UNLIKELY(atomic_load_explicit(&pg_filter_state, memory_order_relaxed) >= PG_FILTER_PRESENT);
}

/* True where calls are safe, as far as that is known without trying. */
bool pg_filter_look(void);
static inline bool pg_filter_is_free(void) {
  return PG_LIKELY(atomic_load_explicit(&pg_filter_state, memory_order_relaxed) == PG_FILTER_FREE) || pg_filter_look();
}

/* May a file be read, too, which the program does not read? (Under a filter from before the exec, as the loader reads some.) */
bool pg_filter_lets_read(void);

/* Before a birth: finds out by trying, where that is to be done. True where calls are safe. */
bool pg_filter_find_out(enum pg_birth birth);
static inline bool pg_filter_ask(enum pg_birth birth) {
  return PG_LIKELY(atomic_load_explicit(&pg_filter_state, memory_order_relaxed) == PG_FILTER_FREE) ||
         pg_filter_find_out(birth);
}

/* Around a call by which the program installs a filter, for whichever threads: a handler may come between that and our
 * look at it. installed: whether it did; program: its struct sock_fprog, or NULL (strict mode). */
void pg_filter_comes(void);
void pg_filter_came(bool installed, const void *program);

/* Before a wait of the program: takes away a throw-away process that is still there, by the same system call. */
void pg_filter_reap_late(bool by_waitid);
static inline void pg_filter_reap(bool by_waitid) {
  if (PG_UNLIKELY(atomic_load_explicit(&pg_filter_unreaped, memory_order_relaxed) > 1))
    pg_filter_reap_late(by_waitid);
}

#endif

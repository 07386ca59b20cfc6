/* SPDX-License-Identifier: MIT */
/* The data that a birth or a reap writes to, on one page. After a fork the parent's first write to a page is a page
 * fault (copy-on-write), about 1 us each. Calls nothing. */
#ifndef PG_RUNTIME_HOT_H
#define PG_RUNTIME_HOT_H

#include "base/attr.h"
#include "runtime/counters.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A set of the number table, see child/number.h: one cache line. */
#define PG_WAYS 8
struct pg_set {
  _Atomic uint64_t word[PG_WAYS];
};
#define PG_HOT_SETS 16
#define PG_LEVELS 8
#define PG_HOT_STRIPES 8

/* The state of the whole process in one word. If the word is PG_STATE_ON and nothing else, nothing needs a second look.
 * A frequent call finds that in one comparison. */
enum {
  PG_STATE_ON = 1,        /* the mode is read, and is not off */
  PG_STATE_VM_SHARED = 2, /* a child with CLONE_VM was made and may still run */
  PG_STATE_PIDFDS = 4,    /* the program has pidfds, and could put one on a number of the shim */
  PG_STATE_FILTER = 8,    /* a seccomp filter may forbid calls that the shim makes */
  PG_STATE_LOG = 16,
  PG_STATE_FAMILY = 64,  /* see child/family.h */
  PG_STATE_THREADS = 32, /* the program makes threads that libc does not know of */
};

struct pg_hot {
  /* Read often and written rarely: a cache line of its own, so that threads can share it. */
  _Atomic int state;
  _Atomic pid_t pid;           /* the process whose table this is; 0: not known */
  _Atomic int other_namespace; /* children may come to live in another pid namespace */
  _Atomic uint32_t inherited;  /* births up to this one were those of the parent process */
  _Atomic uint32_t unfloor;    /* pg_lift: the bits of the lowest number that the shim ever had, inverted */
  _Atomic uint32_t levels;     /* of the number table, without the one on this page */
  _Atomic int32_t low;         /* pg_window: the low number that a window works on; 0: no window is open */
  _Atomic uint32_t windows;    /* pg_window: how many were opened in a program with threads */
  char apart[32];
  /* number table */
  _Atomic uint32_t births;
  _Atomic uint32_t tickets;     /* one for each number that retires */
  _Atomic uint32_t retired_max; /* + 1; 0: not known yet */
  _Atomic uint32_t hand;        /* where the search for children that died silently goes on */
  /* 1: a call that forks has begun. Its end, in the parent or the child, clears it. */
  _Atomic int forking;
  _Atomic int adopted; /* the children that an exec has kept were looked for */
  _Atomic uint64_t counters[PG_COUNTER_COUNT];
  struct {
    _Atomic uint64_t
        signals; /* more of that counter: threads that signal different children write to different lines */
    char apart[56];
  } stripes[PG_HOT_STRIPES] __attribute__((aligned(64)));
  struct pg_set sets[2 * PG_HOT_SETS] __attribute__((aligned(64)));
};

_Static_assert(offsetof(struct pg_hot, births) == 64, "what is read often has a cache line of its own");

extern struct pg_hot pg_hot PG_HIDDEN;

/* Other threads may set it. Who sees a flag sees what was written before it was set. */
static inline int pg_flag(const _Atomic int *flag) { return atomic_load_explicit(flag, memory_order_acquire); }
static inline void pg_flag_set(_Atomic int *flag, int to) { atomic_store_explicit(flag, to, memory_order_release); }

#define PG_FORKED 0x40000000 /* this is a forked child, and pg_child_settle() is due */
#define PG_NEW 0x20000000    /* this thread has not yet looked whether it is in a forked child that has not settled */
#define PG_BARE 0x10000000   /* a vfork child has installed a seccomp filter: until it is gone its calls are libc's */
#define PG_VFORKS (PG_BARE - 1)
extern PG_TLS int pg_self_marks; /* these, and the number of vforks that this thread is in, on either side */

static inline int pg_state(void) { return atomic_load_explicit(&pg_hot.state, memory_order_relaxed); }
static inline void pg_state_set(int bits) { atomic_fetch_or_explicit(&pg_hot.state, bits, memory_order_relaxed); }
static inline void pg_state_clear(int bits) { atomic_fetch_and_explicit(&pg_hot.state, ~bits, memory_order_relaxed); }

/* glibc itself says whether there is one thread (since 2.32, therefore weak). glibc does not count threads made by
 * clone(). The shim must not write to the variable: pthread_create() takes a 0 for a sign that its first thread was
 * made already. */
#ifdef __GLIBC__
extern char __libc_single_threaded __attribute__((weak));
static inline int pg_libc_has_one_thread(void) { return &__libc_single_threaded && __libc_single_threaded; }
#else
static inline int pg_libc_has_one_thread(void) { return 0; }
#endif
static inline int pg_is_single_threaded(void) { return pg_libc_has_one_thread() && !(pg_state() & PG_STATE_THREADS); }

#endif

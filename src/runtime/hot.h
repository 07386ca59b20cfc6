/* Everything that a birth or a reap mostly writes to, on one page: after a fork the first write of the parent to a page is
 * a page fault (copy-on-write), about 1-2 us each. Calls nothing. */
#ifndef PG_RUNTIME_HOT_H
#define PG_RUNTIME_HOT_H

#include "base/attr.h"
#include "runtime/counters.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PG_HOT_CELLS 128
#define PG_HOT_RECORDS 32
#define PG_HOT_SLOTS 256
#define PG_HOT_STRIPES 8 /* so that threads which signal different children write to different cache lines */

/* See child/record.h. */
struct pg_record {
  _Atomic uint64_t word;
  _Atomic uint64_t ino;  /* pidfs inode, or 0 where it says nothing (before 6.9) */
  _Atomic int32_t pid;
  _Atomic uint32_t seq;  /* the birth's number, see pg_table_births() */
  _Atomic uint32_t next; /* free list; while in use its own index */
  _Atomic uint32_t used; /* at which count of births it was last used by its identity */
};

/* The state of the whole process, so that a frequent call finds in one word that nothing needs a second look: it is
 * PG_STATE_ON and nothing else. */
enum {
  PG_STATE_ON = 1,        /* mode enforce, and read */
  PG_STATE_VM_SHARED = 2, /* a child with CLONE_VM was made and may still run */
  PG_STATE_PIDFDS = 4,    /* the program has pidfds of its own, which could come to stand on a number of ours */
  PG_STATE_FILTER = 8,    /* not known to be free of filters */
  PG_STATE_LOG = 16,
  PG_STATE_FAMILY = 64,   /* see child/family.h */
  PG_STATE_THREADS = 32, /* the program makes threads that libc does not know of */
};

/* Which processes the kernel opens by a handle of pidfs: before 6.17 none, 6.17 to 6.19 also the leader of a living group
 * that was reaped, since 7.0 only those that were not. */
enum { PG_HANDLES_NONE = -1, PG_HANDLES_UNKNOWN, PG_HANDLES_LIVING, PG_HANDLES_LEADERS };

struct pg_hot {
  /* Read often and written rarely: a cache line of its own, so that threads can share it. */
  _Atomic int state;
  _Atomic pid_t pid;          /* whose table this is; 0: not known */
  int threads;                /* there were, at the latest fork; so its child sees it */
  int other_namespace;        /* children may come to live in another pid namespace */
  _Atomic int handles;        /* PG_HANDLES_*, by which a process can be opened by its identity */
  _Atomic uint32_t inherited; /* births up to this one were our parent's: no children of ours */
  _Atomic uint32_t floor;     /* no descriptor of ours was ever below; 0: not known */
  _Atomic int usage_tells;    /* waitid() gives the usage together with a status, and only then: 1 seen, -1 not so, 0 not known */
  char apart[32];
  /* table */
  _Atomic uint32_t births;
  _Atomic uint32_t retired_max; /* + 1; 0: not known yet */
  _Atomic uint32_t tickets;     /* one for each number that retires */
  _Atomic uint32_t first_leaves_used;
  _Atomic uint32_t leaf_of, leaf_next; /* of which leaf number + 1 the slots here are; of the latest birth elsewhere */
  _Atomic uint32_t writers;            /* frames that may be about to write to a slot */
  _Atomic uint32_t leaf_stays;         /* another thread was seen */
  int forking;                         /* between what comes before a birth and the birth, at the least */
  _Atomic uint32_t leaf[PG_HOT_SLOTS];
  /* record */
  _Atomic uint32_t waited;     /* index of a record: see pg_record_wait_begin() */
  _Atomic uintptr_t waited_at; /* by which frame; 0: not to be told */
  _Atomic uint32_t records;    /* handed out so far */
  _Atomic uint64_t free_head;  /* tag << 32 | index; the tag changes with every pop, against ABA */
  struct pg_record first_records[PG_HOT_RECORDS] __attribute__((aligned(64))); /* two to a cache line */
  /* ours */
  _Atomic int32_t budget, held, base;
  _Atomic uint32_t evict_hand, look_hand, record_hand;
  _Atomic uint64_t cells[PG_HOT_CELLS];
  /* counters */
  _Atomic uint64_t counters[PG_COUNTER_COUNT];
  struct {
    _Atomic uint64_t signals; /* more of that counter */
    char apart[56];
  } stripes[PG_HOT_STRIPES] __attribute__((aligned(64)));
};

_Static_assert(offsetof(struct pg_hot, births) == 64, "what is read often has a cache line of its own");

extern struct pg_hot pg_hot PG_HIDDEN;

static inline int pg_state(void) { return atomic_load_explicit(&pg_hot.state, memory_order_relaxed); }
static inline void pg_state_set(int bits) { atomic_fetch_or_explicit(&pg_hot.state, bits, memory_order_relaxed); }
static inline void pg_state_clear(int bits) { atomic_fetch_and_explicit(&pg_hot.state, ~bits, memory_order_relaxed); }

#endif

/* Everything that a birth or a reap writes to, but for the number's own slot, on one page: after a fork the first write
 * of the parent to a page is a page fault (copy-on-write), about 1-2 us each. Calls nothing. */
#ifndef PG_RUNTIME_HOT_H
#define PG_RUNTIME_HOT_H

#include "runtime/counters.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#define PG_HOT_CELLS 128
#define PG_HOT_RECORDS 64

/* See child/record.h. */
struct pg_record {
  _Atomic uint64_t word;
  _Atomic uint64_t ino;  /* pidfs inode, or 0 where it says nothing (before 6.9) */
  _Atomic int32_t pid;
  _Atomic uint32_t seq;  /* the birth's number, see pg_table_births() */
  _Atomic uint32_t next; /* free list; while in use its own index */
};

struct pg_hot {
  /* self */
  pid_t pid;
  _Atomic int vm_shared;
  int other_namespace;         /* children may come to live in another pid namespace */
  _Atomic int foreign_pidfds;  /* the program has pidfds of its own, which could come to stand on a number of ours */
  _Atomic uint32_t inherited;  /* births up to this one were our parent's: no children of ours */
  /* table */
  _Atomic uint32_t births;
  _Atomic uint32_t retired_max; /* + 1; 0: not known yet */
  _Atomic uint32_t tickets;     /* one for each number that retires */
  _Atomic uint32_t first_leaves_used;
  /* record */
  _Atomic uint32_t records;   /* handed out so far */
  _Atomic uint64_t free_head; /* tag << 32 | index; the tag changes with every pop, against ABA */
  struct pg_record first_records[PG_HOT_RECORDS];
  /* ours */
  _Atomic int32_t budget, held, base;
  _Atomic uint32_t evict_hand, look_hand, record_hand;
  _Atomic uint64_t cells[PG_HOT_CELLS];
  /* counters */
  _Atomic uint64_t counters[PG_COUNTER_COUNT];
};

extern struct pg_hot pg_hot;

#endif

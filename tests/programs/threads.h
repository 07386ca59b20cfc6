/* SPDX-License-Identifier: MIT */
/* The parts of the program `threads`: what its two sides do, and what is counted. */
#ifndef THREADS_H
#define THREADS_H

#include "strangers.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

/* What was done, so that the test can see that it was enough. */
#define DID(X)                                                                                                         \
  X(kills)  /* of living children */                                                                                   \
  X(polls)  /* waits with WNOHANG for living children */                                                               \
  X(births) /* children made, and waited for */                                                                        \
  X(stale)  /* kills of PIDs that strangers have */                                                                    \
  X(puts)   /* dup2, dup3 */                                                                                           \
  X(opens)                                                                                                             \
  X(closes) /* of numbers that are not open */                                                                         \
  X(busy)   /* EBUSY where it is allowed: from dup2 of a pidfd, beside waits that block */

/* What must not happen. */
#define BAD(X)                                                                                                         \
  X(hit)           /* signals to a stranger whose PID was never a child's */                                           \
  X(stale_hit)     /* signals to a stranger that has the PID of a child that is gone */                                \
  X(stale_passed)  /* kills of such a PID that did not say ESRCH */                                                    \
  X(kill_failed)   /* of a living child */                                                                             \
  X(wait_failed)   /* for a child that exists */                                                                       \
  X(wait_wrong)    /* a wait that gave another child, another status, or a child that lives */                         \
  X(not_delivered) /* the signal did not come to the child */                                                          \
  X(stolen)        /* a child was reaped that the program did not wait for */                                          \
  X(put_failed)    /* dup2, dup3 */                                                                                    \
  X(open_failed)                                                                                                       \
  X(close_failed)                                                                                                      \
  X(lost)     /* descriptors of the program that other code closed */                                                  \
  X(replaced) /* descriptors of the program that became something else */                                              \
  X(left)     /* descriptors that are there at the end and were not at the start */

enum did {
#define X(name) DID_##name,
  DID(X)
#undef X
      DIDS
};
enum bad {
#define X(name) BAD_##name,
  BAD(X)
#undef X
      BADS
};
extern _Atomic unsigned long did[DIDS], bad[BADS];
#define DID_ONE(name) ((void)atomic_fetch_add_explicit(&did[DID_##name], 1, memory_order_relaxed))
#define BAD_ONE(name) ((void)atomic_fetch_add_explicit(&bad[BAD_##name], 1, memory_order_relaxed))
#define EXPECT(condition, name) ((condition) ? (void)0 : BAD_ONE(name))

#define CHILDREN_MAX 200
#define PUTTERS_MAX 16
#define STALE 4

/* A parent makes, signals and waits for children of its own. */
struct parent {
  int number, count;
  pid_t children[CHILDREN_MAX];
  pid_t stale[STALE]; /* children that are gone; strangers have their PIDs */
  unsigned turn, births;
  bool signalled;
};

/* A putter puts its own descriptors onto numbers that nothing else uses. */
struct putter {
  int number;
  int source; /* what it puts there */
  struct stat source_is;
  pid_t zombie; /* a child that is not waited for; source is its pidfd. 0: source is no child's */
  int at;       /* the number where it is now, or -1 */
  unsigned turn;
};

/* The numbers from HIGH on, HIGH_EACH for each putter. */
enum { HIGH = 1024, HIGH_EACH = 4 };

struct scenario {
  const char *name;
  int children; /* of each parent */
  void (*parent)(struct parent *);
  enum { PUT_STRANGER, PUT_ZOMBIE, PUT_FILE } source;
  void (*putter)(struct putter *);
  int parent_steps, putter_steps; /* in a run that is bounded by its work */
  bool may_be_busy;               /* waits that block, beside a pidfd that comes to a high number */
};
extern const struct scenario scenarios[]; /* ends with NULL */
extern const struct scenario *scenario;
extern int lowest; /* the lowest number that the program does not use */

int be_first(void); /* the program "threads first", which the scenario of that name runs */
void parent_begin(struct parent *parent);
void parent_end(struct parent *parent);
void putter_begin(struct putter *putter);
void putter_end(struct putter *putter);

unsigned random_below(unsigned n); /* each thread has its own sequence */

#endif

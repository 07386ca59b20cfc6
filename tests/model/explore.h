/* SPDX-License-Identifier: MIT */
/* Every order of a few actors' steps. A state is plain memory; each step of an actor is what no other actor can come
 * into. A handler is an actor with a host: while it runs its host does not, and it comes only if the host lets it. */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACTORS 3

struct actor {
  uint8_t pc;      /* where it is; 0: it has not begun */
  bool done, dead; /* dead: killed in the middle; done as well */
  bool blocks;     /* no handler may come in now */
  int8_t n, m;     /* its variables */
};

#define NUMBERS 5
#define FIRST_HIGH 2 /* what is below is what open() gives; from there on F_DUPFD is asked */

struct state {
  /* The kernel's: what each number is. */
  uint8_t table[NUMBERS];
  /* The program's: what it has put there, and believes to be there. */
  uint8_t owned[NUMBERS];
  /* The shim's. */
  uint8_t cell[NUMBERS]; /* FREE, OURS, CLOSING */
  uint8_t pins[NUMBERS]; /* one bit for each actor that is about to use it */
  int8_t held;           /* the number that the child's record has, or -1 */
  uint8_t window;        /* whose: an actor's index + 1; 0: nobody's */
  int8_t low;            /* the number in the window, or -1 */
  uint8_t dups;          /* bits of the actors that are about to dup2 */
  uint16_t faults;
  struct actor actors[ACTORS];
};

struct plan {
  void (*step[ACTORS])(struct state *, int me, unsigned rules); /* returns without a change of pc: it has to wait */
  int host[ACTORS];                                             /* -1: a thread */
  bool may_die[ACTORS];
  unsigned rules;
};

/* At the end of each order in which it comes to one; adds faults. */
typedef void ending_fn(struct state *);

struct result {
  uint16_t faults; /* of all orders together */
  bool stuck;      /* there is an order in which everybody waits for ever */
  size_t states;
  char order[256]; /* the actors' steps of the first order that went wrong */
};
void explore(const struct plan *plan, const struct state *start, ending_fn *ending, struct result *ret);

#endif

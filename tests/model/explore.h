/* SPDX-License-Identifier: MIT */
/* Explores every order of the steps of a few actors. A state is plain memory. During a step of an actor no other actor
 * can act. A handler is an actor with a host. While it runs its host does not, and it comes only if the host lets
 * it. */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACTORS 3

struct actor {
  uint8_t pc;      /* its place; 0: it has not begun */
  bool done, dead; /* dead: killed in the middle, and done as well */
  bool blocks;     /* no handler may come now */
  int8_t n, m;     /* variables of the actor */
};

#define NUMBERS 5
#define FIRST_HIGH 2 /* open() gives the numbers below it; F_DUPFD asks for numbers from it on */

struct state {
  /* The kernel's part: what each number is. */
  uint8_t table[NUMBERS];
  /* The program's part: what it has put there, and believes to be there. */
  uint8_t owned[NUMBERS];
  /* The shim's part. */
  uint8_t cell[NUMBERS]; /* FREE, OURS, CLOSING */
  uint8_t pins[NUMBERS]; /* one bit for each actor that is about to use it */
  int8_t held;           /* the number that the child's record has, or -1 */
  uint8_t window;        /* the index of the actor that has it, + 1; 0: none */
  int8_t low;            /* the number in the window, or -1 */
  uint8_t dups;          /* bits of the actors that are about to dup2 */
  uint16_t faults;
  struct actor actors[ACTORS];
};

struct plan {
  void (*step[ACTORS])(struct state *, int me, unsigned rules); /* no change of pc: the actor has to wait */
  int host[ACTORS];                                             /* -1: a thread */
  bool may_die[ACTORS];
  unsigned rules;
};

/* Called at the end of each order that comes to an end. Adds faults. */
typedef void ending_fn(struct state *);

struct result {
  uint16_t faults; /* the faults of all orders together */
  bool stuck;      /* there is an order in which all actors wait for ever */
  size_t states;
  char order[256]; /* the actors' steps of the first order that went wrong */
};
void explore(const struct plan *plan, const struct state *start, ending_fn *ending, struct result *ret);

#endif

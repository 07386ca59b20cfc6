/* SPDX-License-Identifier: MIT */
/* What actors do to numbers of descriptors: the kernel's part, and the shim's part by the earlier and by the present
 * rules. */
#ifndef NUMBERS_H
#define NUMBERS_H

#include "explore.h"

enum { FREE, CHILD, STRANGER, FILE_ }; /* what a number is */
enum { NOT_OURS, OURS, CLOSING };      /* what the shim thinks of it */

enum {
  HIT = 1,          /* a signal reaches the stranger */
  LOST = 2,         /* a descriptor of the program was closed or replaced */
  KILL_FAILED = 4,  /* kill failed, though the child lives */
  LEFT = 8,         /* a descriptor is left that has no owner */
  CLOSE_FAILED = 16 /* close failed, though the program has put something there */
};

enum {
  EXCLUDE = 1,    /* a dup2 announces itself and waits for the end of a window; a window waits for such a dup2 */
  REGISTER = 2,   /* the high number is registered within the window */
  BLOCK = 4,      /* no handler comes within a window, or while a number is given back */
  PINS = 8,       /* an actor that takes a number away waits until no actor is about to use it */
  CLOSED = 16,    /* dup2 does not take a number while it is being given back */
  DUP_BLOCK = 32, /* no handler comes while a dup2 is announced */
  OWN_PIN = 64,   /* if a handler wants the number that its own thread is about to use: EBUSY for a pidfd */
  DEAD = 128,     /* no actor waits for the dead */
  ALL = 255
};
extern const struct plan *plan_now;

static inline struct actor *actor(struct state *s, int me) { return &s->actors[me]; }

static inline int lowest(const struct state *s, int from) {
  while (from < NUMBERS && s->table[from] != FREE)
    from++;
  return from < NUMBERS ? from : -1;
}

/* The kernel's calls. The program's calls are right: what it owns must stay what it is. */
static inline void check(struct state *s) {
  for (int i = 0; i < NUMBERS; i++)
    if (s->owned[i] && s->table[i] != s->owned[i])
      s->faults |= LOST;
}
static inline int k_open(struct state *s) {
  int n = lowest(s, 0);
  s->table[n] = CHILD;
  return n;
}
static inline int k_lift(struct state *s, int n) {
  int m = s->table[n] == FREE ? -1 : lowest(s, FIRST_HIGH);
  if (m >= 0)
    s->table[m] = s->table[n];
  return m;
}
static inline void k_close(struct state *s, int n) {
  s->table[n] = FREE;
  check(s);
}
static inline void k_signal(struct state *s, int n) {
  if (s->table[n] == STRANGER)
    s->faults |= HIT;
  else if (s->table[n] != CHILD)
    s->faults |= KILL_FAILED;
}

static inline uint8_t bit(int me) { return (uint8_t)(1u << me); }
static inline uint8_t alive(const struct state *s, uint8_t bits, unsigned rules) {
  for (int i = 0; i < ACTORS; i++)
    if ((rules & DEAD) && s->actors[i].dead)
      bits &= (uint8_t)~bit(i);
  return bits;
}
static inline bool window_is_open(const struct state *s, int me, unsigned rules) {
  return s->window && s->window != me + 1 && alive(s, bit(s->window - 1), rules);
}

/* One step of an actor, see explore.h. */
void old_user(struct state *s, int me, unsigned rules);
void old_birth(struct state *s, int me, unsigned rules);
void old_put(struct state *s, int me, int n, int what);
void new_user(struct state *s, int me, unsigned rules);
void new_reap(struct state *s, int me, unsigned rules);
void new_close(struct state *s, int me, unsigned rules);
void new_put(struct state *s, int me, int n, int what, unsigned rules);

#endif

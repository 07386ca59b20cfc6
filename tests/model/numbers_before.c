/* SPDX-License-Identifier: MIT */
/* The earlier rules. The shim looks at a number, then uses it, then closes it. If the program wants that number for
 * itself, the shim moves its own. */
#include "numbers.h"

void old_user(struct state *s, int me, unsigned rules) {
  struct actor *a = actor(s, me);
  (void)rules;
  switch (a->pc) {
  case 0:
    a->n = s->held;
    a->pc = a->n >= 0 ? 1 : 10;
    break;
  case 1: /* is it still the shim's? */
    a->pc = s->table[(int)a->n] == CHILD ? 2 : 10;
    break;
  case 2:
    k_signal(s, a->n);
    a->done = true;
    break;
  case 10:
    a->n = (int8_t)k_open(s);
    a->pc = 11;
    break;
  case 11: /* which process is it? */
    a->pc = s->table[(int)a->n] == CHILD ? 12 : 13;
    if (a->pc == 13)
      s->faults |= KILL_FAILED;
    break;
  case 12:
    k_signal(s, a->n);
    a->pc = 13;
    break;
  case 13:
    k_close(s, a->n);
    a->done = true;
  }
}

/* The shim reads the identity from the low number. It does not look at what stands on the high one. */
void old_birth(struct state *s, int me, unsigned rules) {
  struct actor *a = actor(s, me);
  (void)rules;
  switch (a->pc) {
  case 0:
    a->n = (int8_t)k_open(s);
    break;
  case 1:
    a->m = (int8_t)k_lift(s, a->n);
    break;
  case 2:
    if (a->m >= 0) {
      s->cell[(int)a->m] = OURS;
      s->held = a->m;
    }
    break;
  default:
    k_close(s, a->n);
    a->done = true;
  }
  a->pc++;
}

void old_put(struct state *s, int me, int n, int what) {
  struct actor *a = actor(s, me);
  switch (a->pc++) {
  case 0:
    if (s->cell[n] != OURS)
      a->pc = 3;
    break;
  case 1:
    a->m = (int8_t)k_lift(s, n);
    break;
  case 2:
    s->cell[n] = NOT_OURS;
    if (a->m >= 0)
      s->cell[(int)a->m] = OURS;
    s->held = a->m;
    break;
  case 3:
    s->table[n] = s->owned[n] = (uint8_t)what;
    check(s);
    a->done = plan_now->host[me] >= 0; /* a handler leaves it there */
    break;
  default:
    if (s->table[n] == FREE || s->cell[n] == OURS) /* the shim has hidden its own number, so the program gets EBADF */
      s->faults |= CLOSE_FAILED;
    s->owned[n] = FREE;
    k_close(s, n);
    a->done = true;
  }
}

/* SPDX-License-Identifier: MIT */
/* The present rules. Each can be left out. */
#include "numbers.h"

enum { WINDOW = 10, USE = 1 };

/* The steps of a window, from WINDOW on. Afterwards the child is held, unless another actor took it away meanwhile. */
static void window(struct state *s, int me, unsigned rules) {
  struct actor *a = actor(s, me);
  switch (a->pc) {
  case WINDOW:
    a->blocks = rules & BLOCK;
    break;
  case WINDOW + 1:
    if ((rules & EXCLUDE) && window_is_open(s, me, rules))
      return;
    s->window = (uint8_t)(me + 1);
    break;
  case WINDOW + 2:
    if ((rules & EXCLUDE) && alive(s, s->dups & (uint8_t)~bit(me), rules))
      return;
    break;
  case WINDOW + 3:
    a->n = (int8_t)k_open(s);
    break;
  case WINDOW + 4:
    a->m = (int8_t)k_lift(s, a->n);
    if (a->m < 0)
      s->faults |= KILL_FAILED;
    break;
  case WINDOW + 5:
    if (rules & REGISTER)
      s->cell[(int)a->m] = OURS;
    break;
  case WINDOW + 6:
    k_close(s, a->n);
    a->n = -1;
    break;
  case WINDOW + 7:
    if (s->window == me + 1)
      s->window = 0;
    a->blocks = false;
    break;
  case WINDOW + 8:
    if (!(rules & REGISTER))
      s->cell[(int)a->m] = OURS;
    break;
  case WINDOW + 9: /* a number that is not proven the shim's is not closed */
    s->pins[(int)a->m] |= bit(me);
    break;
  case WINDOW + 10:
    if (s->cell[(int)a->m] == OURS && s->table[(int)a->m] == CHILD && s->held >= 0 && s->held != a->m) {
      a->blocks = rules & BLOCK; /* another actor was faster: this number is given back */
      s->cell[(int)a->m] = (rules & CLOSED) ? CLOSING : NOT_OURS;
      break;
    }
    if (s->cell[(int)a->m] == OURS && s->table[(int)a->m] == CHILD)
      s->held = a->m; /* the cache */
    else if (s->cell[(int)a->m] == OURS)
      s->cell[(int)a->m] = NOT_OURS;
    a->pc = WINDOW + 11;
    break;
  case WINDOW + 11:
    if ((rules & PINS) && alive(s, s->pins[(int)a->m] & (uint8_t)~bit(me), rules))
      return;
    k_close(s, a->m);
    s->cell[(int)a->m] = NOT_OURS;
    a->blocks = false;
    break;
  default:
    s->pins[(int)a->m] &= (uint8_t)~bit(me);
    a->m = -1;
    a->pc = 0;
  }
  a->pc++;
}

/* A kill. It uses the held number if there is one, pins it, and looks at it again. */
void new_user(struct state *s, int me, unsigned rules) {
  struct actor *a = actor(s, me);
  if (a->pc >= WINDOW) {
    window(s, me, rules);
    return;
  }
  switch (a->pc) {
  case 0:
  case USE:
    a->n = s->held;
    a->pc = a->n >= 0 ? USE + 1 : WINDOW;
    break;
  case USE + 1:
    s->pins[(int)a->n] |= bit(me);
    a->pc++;
    break;
  case USE + 2:
    if (s->held == a->n && s->cell[(int)a->n] == OURS) {
      a->pc++;
      break;
    }
    s->pins[(int)a->n] &= (uint8_t)~bit(me);
    a->pc = USE;
    if (s->held < 0)
      a->pc = WINDOW;
    break;
  case USE + 3:
    k_signal(s, a->n);
    a->pc++;
    break;
  default:
    s->pins[(int)a->n] &= (uint8_t)~bit(me);
    a->done = true;
  }
}

/* A reap gives the number back. */
void new_reap(struct state *s, int me, unsigned rules) {
  struct actor *a = actor(s, me);
  switch (a->pc) {
  case 0:
    a->blocks = rules & BLOCK;
    break;
  case 1:
    a->m = s->held;
    if (a->m < 0 || s->cell[(int)a->m] != OURS) {
      a->done = true;
      break;
    }
    s->cell[(int)a->m] = (rules & CLOSED) ? CLOSING : NOT_OURS;
    s->held = -1;
    break;
  case 2:
    if ((rules & PINS) && alive(s, s->pins[(int)a->m] & (uint8_t)~bit(me), rules))
      return;
    break;
  case 3: /* proven the shim's? */
    if (s->table[(int)a->m] != CHILD)
      a->pc = 4;
    break;
  case 4:
    k_close(s, a->m);
    break;
  default:
    if (s->cell[(int)a->m] == CLOSING)
      s->cell[(int)a->m] = NOT_OURS;
    a->done = true;
  }
  a->pc++;
}

/* Takes the number away from its owner, before the call of the program. Returns false if the actor has to wait. */
static bool take_away(struct state *s, int n, unsigned rules) {
  if ((rules & CLOSED) && s->cell[n] == CLOSING)
    return false;
  if (s->cell[n] == OURS)
    s->cell[n] = NOT_OURS;
  if (s->held == n)
    s->held = -1;
  return true;
}
static bool is_pinned(const struct state *s, int me, int n, unsigned rules) {
  return (rules & PINS) && alive(s, s->pins[n] & (uint8_t)~bit(me), rules);
}

void new_put(struct state *s, int me, int n, int what, unsigned rules) {
  struct actor *a = actor(s, me);
  int host = plan_now->host[me];
  bool own_pin = host >= 0 && (s->pins[n] & bit(host)); /* it cannot wait for the thread that it interrupts */
  switch (a->pc) {
  case 0:
    a->blocks = rules & DUP_BLOCK;
    break;
  case 1:
    if (rules & EXCLUDE)
      s->dups |= bit(me);
    break;
  case 2:
    if ((rules & EXCLUDE) && window_is_open(s, me, rules)) {
      s->dups &= (uint8_t)~bit(me);
      a->pc = 8;
      return;
    }
    break;
  case 3:
    if ((rules & OWN_PIN) && own_pin && what != FILE_) { /* EBUSY */
      s->dups &= (uint8_t)~bit(me);
      a->done = true;
    } else if (!take_away(s, n, rules)) {
      return;
    }
    break;
  case 4:
    if (!own_pin && is_pinned(s, me, n, rules))
      return;
    break;
  case 5:
    s->table[n] = s->owned[n] = (uint8_t)what;
    check(s);
    break;
  case 6:
    s->dups &= (uint8_t)~bit(me);
    a->blocks = false;
    a->done = host >= 0; /* a handler leaves it there */
    break;
  case 7:
    if (s->table[n] == FREE)
      s->faults |= CLOSE_FAILED;
    s->owned[n] = FREE;
    k_close(s, n);
    a->done = true;
    break;
  default: /* waits for the window's end, and begins again */
    if (window_is_open(s, me, rules))
      return;
    a->pc = 0;
  }
  a->pc++;
}

/* The program closes every descriptor that it finds, among them a number of the shim. */
void new_close(struct state *s, int me, unsigned rules) {
  struct actor *a = actor(s, me);
  if (a->pc == 1 && !take_away(s, FIRST_HIGH, rules))
    return;
  if (a->pc == 2 && is_pinned(s, me, FIRST_HIGH, rules))
    return;
  if (a->pc == 3) {
    if (!s->owned[FIRST_HIGH])
      k_close(s, FIRST_HIGH);
    a->done = true;
  }
  a->pc++;
}

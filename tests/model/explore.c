/* SPDX-License-Identifier: MIT */
/* See explore.h. The search is depth first, and does not enter a state again that it has seen. */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_MAX (1u << 17) /* a power of two */
#define DEPTH_MAX 200

static struct state *seen; /* a hash table with open addressing */
static uint8_t *used;
static const struct plan *plan;
static ending_fn *ending;
static struct result *result;
static char path[DEPTH_MAX][4];

static uint64_t hash_of(const struct state *state) {
  const unsigned char *p = (const unsigned char *)state;
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < sizeof *state; i++)
    hash = (hash ^ p[i]) * 0x100000001b3u;
  return hash ^ hash >> 29;
}

/* Returns true if the state is new. */
static bool remember(const struct state *state) {
  for (uint64_t at = hash_of(state);; at++) {
    uint64_t i = at & (SEEN_MAX - 1);
    if (!used[i]) {
      used[i] = 1;
      seen[i] = *state;
      if (++result->states > SEEN_MAX / 2)
        abort(); /* the plan is too large */
      return true;
    }
    if (memcmp(&seen[i], state, sizeof *state) == 0)
      return false;
  }
}

/* A handler runs to its end before its host goes on. It comes only between two steps of its host that let it. */
static bool may_run(const struct state *state, int me) {
  const struct actor *actor = &state->actors[me];
  if (actor->done)
    return false;
  for (int i = 0; i < ACTORS; i++)
    if (plan->step[i] && plan->host[i] == me && state->actors[i].pc && !state->actors[i].done)
      return false;
  if (plan->host[me] < 0 || actor->pc)
    return true;
  const struct actor *host = &state->actors[plan->host[me]];
  return host->pc && !host->done && !host->blocks;
}

static void found(uint16_t faults, bool stuck, int depth) {
  size_t length = 0;
  if (!result->faults && !result->stuck)
    for (int i = 0; i < depth && length < sizeof result->order - 8; i++)
      length += (size_t)snprintf(result->order + length, sizeof result->order - length, "%s ", path[i]);
  result->faults |= faults;
  result->stuck |= stuck;
}

static void visit(const struct state *state, int depth) {
  bool all_done = true, moved = false;
  if (depth == DEPTH_MAX)
    abort();
  if (!remember(state))
    return;
  if (state->faults) { /* the steps after a fault are not explored */
    found(state->faults, false, depth);
    return;
  }
  for (int i = 0; i < ACTORS; i++) {
    if (!plan->step[i])
      continue;
    all_done &= state->actors[i].done || (plan->host[i] >= 0 && !state->actors[i].pc);
    if (!may_run(state, i))
      continue;
    struct state next = *state;
    plan->step[i](&next, i, plan->rules);
    if (next.actors[i].pc != state->actors[i].pc || next.actors[i].done) {
      snprintf(path[depth], sizeof path[depth], "%c%d", 'A' + i, next.actors[i].pc % 100);
      moved = true;
      visit(&next, depth + 1);
    }
    if (plan->may_die[i] && state->actors[i].pc) {
      next = *state;
      next.actors[i].dead = next.actors[i].done = true;
      if (!next.cell[(int)next.actors[i].m] && next.actors[i].m > 0) /* its descriptors go with it */
        next.table[(int)next.actors[i].m] = 0;
      if (next.actors[i].n >= 0 && next.actors[i].n < FIRST_HIGH)
        next.table[(int)next.actors[i].n] = 0;
      snprintf(path[depth], sizeof path[depth], "%c!", 'A' + i);
      visit(&next, depth + 1);
      moved = true;
    }
  }
  if (all_done) {
    struct state last = *state;
    ending(&last);
    if (last.faults)
      found(last.faults, false, depth);
  } else if (!moved) {
    found(0, true, depth);
  }
}

void explore(const struct plan *the_plan, const struct state *start, ending_fn *the_ending, struct result *ret) {
  seen = calloc(SEEN_MAX, sizeof *seen);
  used = calloc(SEEN_MAX, 1);
  if (!seen || !used)
    abort();
  *ret = (struct result){.faults = 0};
  plan = the_plan;
  ending = the_ending;
  result = ret;
  visit(start, 0);
  free(seen);
  free(used);
}

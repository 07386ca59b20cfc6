/* SPDX-License-Identifier: MIT */
/* Models of the window and the cache of ../../src/child. They show what threads, handlers and killed processes can do
 * to numbers of descriptors while the shim works with them. With the earlier rules, every fault is found that was seen
 * in programs. With the present rules, no order has a fault. Each of these rules is needed: without it some order goes
 * wrong. */
#include "numbers.h"
#include "pg_test.h"

#include <stdio.h>
#include <string.h>

static const char *const rule_names[] = {"exclude", "register",  "block",   "pins",
                                         "closed",  "dup-block", "own-pin", "dead"};

const struct plan *plan_now;

#define PUT(name, n, what)                                                                                             \
  static void old_##name(struct state *s, int me, unsigned rules) { (void)rules, old_put(s, me, n, what); }            \
  static void new_##name(struct state *s, int me, unsigned rules) { new_put(s, me, n, what, rules); }
PUT(low, 0, STRANGER)
PUT(low_file, 0, FILE_)
PUT(high, FIRST_HIGH, STRANGER)
PUT(high_file, FIRST_HIGH, FILE_)

typedef void step_fn(struct state *, int, unsigned);

static const struct scene {
  const char *name;
  bool held; /* the child has a number from the start */
  struct who {
    step_fn *before, *now;
    int host;
    bool may_die;
  } who[ACTORS];
  uint16_t before; /* the faults that are found with the earlier rules, at least one */
} scenes[] = {
    {"use, and dup2 onto the lowest number",
     false,
     {{old_user, new_user, -1, 0}, {old_low, new_low, -1, 0}},
     HIT | LOST},
    {"use, and dup2 of a file",
     false,
     {{old_user, new_user, -1, 0}, {old_low_file, new_low_file, -1, 0}},
     KILL_FAILED | LOST},
    {"use of a held number, and dup2 onto it", true, {{old_user, new_user, -1, 0}, {old_high, new_high, -1, 0}}, HIT},
    {"use, and dup2 onto the number that it is lifted to",
     false,
     {{old_birth, new_user, -1, 0}, {old_high, new_high, -1, 0}},
     CLOSE_FAILED},
    {"birth, and dup2 onto the lowest number", false, {{old_birth, new_user, -1, 0}, {old_low, new_low, -1, 0}}, LOST},
    {"two uses, and dup2 onto the lowest number",
     false,
     {{old_user, new_user, -1, 0}, {old_user, new_user, -1, 0}, {old_low, new_low, -1, 0}},
     HIT},
    {"two uses, and dup2 onto a high number",
     false,
     {{old_user, new_user, -1, 0}, {old_birth, new_user, -1, 0}, {old_high, new_high, -1, 0}},
     HIT | CLOSE_FAILED},
    {"use, and two dup2",
     true,
     {{old_user, new_user, -1, 0}, {old_high, new_high, -1, 0}, {old_low_file, new_low_file, -1, 0}},
     HIT},
    {"use and reap, and dup2 onto the held number",
     true,
     {{old_user, new_user, -1, 0}, {NULL, new_reap, -1, 0}, {old_high, new_high, -1, 0}},
     HIT},
    {"reap, and dup2 of a file onto the held number",
     true,
     {{NULL, new_reap, -1, 0}, {old_high_file, new_high_file, -1, 0}},
     0},
    {"use, and the program closes all",
     true,
     {{old_user, new_user, -1, 0}, {NULL, new_close, -1, 0}, {old_low, new_low, -1, 0}},
     0},
    {"close-all and reap, and dup2",
     true,
     {{NULL, new_close, -1, 0}, {NULL, new_reap, -1, 0}, {old_low, new_low, -1, 0}},
     0},
    {"a handler that does dup2 onto the lowest number, in a use",
     false,
     {{old_user, new_user, -1, 0}, {old_low, new_low, 0, 0}},
     HIT | LOST},
    {"a handler that does dup2 of a file, in a birth",
     false,
     {{old_birth, new_user, -1, 0}, {old_low_file, new_low_file, 0, 0}},
     LOST},
    {"a handler that does dup2 onto the held number, in its use",
     true,
     {{old_user, new_user, -1, 0}, {old_high, new_high, 0, 0}},
     HIT},
    {"a handler that uses, in a dup2", false, {{old_low, new_low, -1, 0}, {old_user, new_user, 0, 0}}, 0},
    {"a handler that uses, in a use",
     false,
     {{old_user, new_user, -1, 0}, {old_user, new_user, 0, 0}, {old_low, new_low, -1, 0}},
     HIT},
    {"a handler that does dup2, in a reap", true, {{NULL, new_reap, -1, 0}, {old_high, new_high, 0, 0}}, 0},
    {"one is killed in a use, beside a dup2",
     false,
     {{old_user, new_user, -1, true}, {old_low, new_low, -1, 0}, {old_user, new_user, -1, 0}},
     HIT},
    {"one is killed in a use of the held number, beside a dup2 onto it",
     true,
     {{old_user, new_user, -1, true}, {old_high, new_high, -1, 0}},
     HIT},
    {"one is killed in a dup2, beside a use", false, {{old_low, new_low, -1, true}, {old_user, new_user, -1, 0}}, HIT},
};
#define SCENES (sizeof scenes / sizeof *scenes)

static void ending(struct state *s) {
  for (int i = 0; i < ACTORS; i++)
    if (s->actors[i].dead)
      return; /* its descriptors went with it, and the model's table says nothing of them */
  for (int i = 0; i < NUMBERS; i++)
    if (s->table[i] && !s->owned[i] && s->held != i)
      s->faults |= LEFT;
}

static void play(const struct scene *scene, bool now, unsigned rules, struct result *ret) {
  struct plan plan = {.rules = rules};
  struct state start;
  memset(&start, 0, sizeof start); /* padding is compared, too */
  start.held = start.low = -1;
  if (scene->held) {
    start.table[FIRST_HIGH] = CHILD;
    start.cell[FIRST_HIGH] = OURS;
    start.held = FIRST_HIGH;
  }
  for (int i = 0; i < ACTORS; i++) {
    const struct who *who = &scene->who[i];
    plan.step[i] = now ? who->now : who->before;
    plan.host[i] = who->host;
    plan.may_die[i] = who->may_die;
    start.actors[i].n = start.actors[i].m = -1;
  }
  plan_now = &plan;
  explore(&plan, &start, ending, ret);
}

static void test_now(void) {
  size_t states = 0;
  for (size_t i = 0; i < SCENES; i++) {
    struct result result;
    play(&scenes[i], true, ALL, &result);
    states += result.states;
    PG_CHECK(!result.faults && !result.stuck, "%s: faults %#x%s, in the order %s", scenes[i].name, result.faults,
             result.stuck ? ", stuck" : "", result.order);
  }
  printf("%zu scenes, %zu states ", SCENES, states);
}

static void test_before(void) {
  for (size_t i = 0; i < SCENES; i++) {
    struct result result;
    if (!scenes[i].before)
      continue;
    play(&scenes[i], false, 0, &result);
    PG_CHECK((result.faults & scenes[i].before) == scenes[i].before, "%s: faults %#x, and not all of %#x",
             scenes[i].name, result.faults, scenes[i].before);
  }
}

/* Each rule is needed: without it something goes wrong in some scene. */
static void test_rules(void) {
  for (unsigned rule = 0; rule < 8; rule++) {
    bool needed = false;
    for (size_t i = 0; i < SCENES && !needed; i++) {
      struct result result;
      play(&scenes[i], true, ALL & ~(1u << rule), &result);
      needed = result.faults || result.stuck;
      if (needed)
        printf("\n    without %s: %s: %#x%s: %s", rule_names[rule], scenes[i].name, result.faults,
               result.stuck ? " stuck" : "", result.order);
    }
    PG_CHECK(needed, "nothing goes wrong without the rule %s", rule_names[rule]);
  }
}

void pg_test_plan(int argc, char **argv) {
  (void)argc, (void)argv;
  pg_test_add("numbers", "the older rules: the model finds the known faults", test_before);
  pg_test_add("numbers", "the present rules: no order of steps goes wrong", test_now);
  pg_test_add("numbers", "each rule is needed", test_rules);
}

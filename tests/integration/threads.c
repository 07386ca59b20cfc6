/* SPDX-License-Identifier: MIT */
/* Threads and handlers that dup2, open and close descriptors while others make, signal and reap children, and handlers
 * that jump out of the shim. Without the shim everything is right except for PIDs of children that are gone. Their
 * signals reach strangers. With the shim nothing may be wrong. Arguments: the program (`threads`, `jumps`, `closeall`,
 * `corners`), the beginning of the names of the scenarios to run, and the ways to run each. With PG_TEST_SAMPLE above
 * 1, as on an emulated kernel, a scenario runs in every fourth way, and the next one begins with the next way. */
#define _GNU_SOURCE
#include "pg_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *program, *prefix;
static char **hows;

struct counts {
  unsigned long work, stale, stale_hit, stale_passed, wrong;
  char text[512]; /* each error by name */
};

static void add_line(struct counts *counts, const char *line) {
  char what[8], name[32];
  unsigned long number;
  if (sscanf(line, "%7s %31s %lu", what, name, &number) != 3)
    return;
  size_t length = strlen(counts->text);
  if (strcmp(what, "did") == 0)
    counts->work += number;
  if (strcmp(name, "stale") == 0)
    counts->stale = number;
  else if (strcmp(name, "stale_hit") == 0)
    counts->stale_hit = number;
  else if (strcmp(name, "stale_passed") == 0)
    counts->stale_passed = number;
  else if (strcmp(what, "bad") == 0)
    counts->wrong += number;
  if (strcmp(what, "bad") == 0 && number)
    snprintf(counts->text + length, sizeof counts->text - length, " %s %lu", name, number);
}

/* Returns false if there are no counts, and prints the reason. */
static bool run(const char *how, const char *preload, struct counts *ret) {
  const char *const argv[] = {program, pg_test_name(), "1", how, NULL};
  static const char *const audit[] = {"PIDGUARD_MODE=audit", NULL};
  struct pg_test_command command = {.argv = argv, .preload = preload, .limit_ms = 120000};
  if (strstr(how, "+audit"))
    command.env = audit;
  struct pg_test_outcome outcome;
  *ret = (struct counts){.work = 0};
  pg_test_run(&command, &outcome);
  bool skipped = pg_test_exited(&outcome, PG_TEST_SKIPPED), ended = pg_test_exited(&outcome, 0);
  if (skipped)
    pg_test_skip("%s", outcome.err);
  else
    PG_CHECK(ended, "%s, %s the shim: status %#x%s: %.300s", how, preload ? "with" : "without",
             (unsigned)outcome.status, outcome.timed_out ? " (time-out)" : "", outcome.err);
  for (char *rest = outcome.out, *line; (line = strtok_r(rest, "\n", &rest));)
    add_line(ret, line);
  size_t length = strlen(ret->text);
  if (ret->wrong)
    snprintf(ret->text + length, sizeof ret->text - length, ";%.200s", outcome.err);
  pg_test_outcome_free(&outcome);
  pg_test_kill_leftovers();
  return ended;
}

/* Each of so many ways has its turn. */
static int turns(void) {
  const char *sample = getenv("PG_TEST_SAMPLE");
  int n = 0;
  while (n < 4 && hows[n])
    n++;
  return sample && atoi(sample) > 1 ? n : 1;
}

static void test_scenario(void) {
  static int scenario;
  int every = turns(), first = scenario++ % every;
  struct counts counts;
  if (!run(hows[0], NULL, &counts))
    return;
  PG_CHECK(counts.work > 0 && counts.wrong == 0, "without the shim:%s", counts.text);
  PG_CHECK(counts.stale_passed == counts.stale && (!counts.stale || counts.stale_hit),
           "without the shim %lu PIDs of children that are gone were signalled, %lu with success, %lu signals came",
           counts.stale, counts.stale_passed, counts.stale_hit);
  if (!pg_test_preload()) {
    pg_test_skip("there is no preload object to test");
    return;
  }
  for (int i = 0; hows[i]; i++)
    if (i % every == first && run(hows[i], pg_test_preload(), &counts)) {
      unsigned long hit =
          strstr(hows[i], "+audit") ? 0 : counts.stale_hit + counts.stale_passed; /* audit refuses nothing */
      PG_CHECK(counts.work > 0 && counts.wrong + hit == 0, "%s:%s", hows[i], counts.text);
    }
}

void pg_test_plan(int argc, char **argv) {
  if (argc < 4)
    return;
  pg_test_need_take_pid();
  program = argv[1];
  prefix = argv[2];
  hows = argv + 3;
  const char *const list[] = {program, NULL};
  struct pg_test_command command = {.argv = list};
  struct pg_test_outcome outcome;
  bool any = false;
  pg_test_run(&command, &outcome);
  for (char *rest = outcome.out, *name; (name = strtok_r(rest, "\n", &rest));)
    if (strncmp(name, prefix, strlen(prefix)) == 0)
      pg_test_add(basename(program), name, test_scenario), any = true;
  pg_test_outcome_free(&outcome);
  if (!any)
    pg_test_skip_all("the program has no %s for this machine", prefix);
}

/* SPDX-License-Identifier: MIT */
/* The shim must not leak. After tens of thousands of children as many descriptors are open as before, and as much
 * memory is in use. pid_max is small in this namespace, so that the warm-up has used every slot that there can be. The
 * argument is the program `leak`. */
#define _GNU_SOURCE
#include "pg_test.h"
#include "slowness.h"

#include <stdio.h>
#include <string.h>

#define SMALL_PID_MAX 2000
#define REAPED_ROUNDS 20000 /* each PID ten times */
#define ANY_ROUNDS 4000
#define IGNORED_ROUNDS 8000
#define MEMORY_SLACK_KB 256 /* stdio, the allocator and the kernel's own rounding */
/* The default of PIDGUARD_FD_MAX. Silent deaths may hold so many descriptors until they are collected. */
#define DESCRIPTOR_BUDGET 64

#define LARGE_PID_MAX 4194304 /* what distributions with systemd set */
#define WALK_SLACK_KB 1024

static const char *program;

/* Runs one mode and compares. Without the shim the figures show what the program itself needs. */
static void run(const char *mode, int rounds, const char *preload, int descriptor_slack) {
  char warm_up[16], count[16];
  int before, before_kb, after, after_kb;
  snprintf(warm_up, sizeof warm_up, "%d", 2 * SMALL_PID_MAX);
  snprintf(count, sizeof count, "%d", rounds);
  const char *const argv[] = {program, mode, warm_up, count, NULL};
  struct pg_test_command command = {.argv = argv, .preload = preload, .limit_ms = 100000};
  struct pg_test_outcome outcome;
  pg_test_run(&command, &outcome);
  if (PG_CHECK(pg_test_exited(&outcome, 0) &&
                   sscanf(outcome.out, "before %d %d after %d %d", &before, &before_kb, &after, &after_kb) == 4,
               "%s: status %#x%s: %s %s", mode, (unsigned)outcome.status, outcome.timed_out ? " (time-out)" : "",
               outcome.out, outcome.err)) {
    printf("\n    %s, %d rounds, %s: descriptors %d -> %d, memory %d -> %d kB ...", mode, rounds,
           preload ? "with" : "without", before, after, before_kb, after_kb);
    PG_CHECK(after <= before + descriptor_slack, "%s: descriptors grew from %d to %d", mode, before, after);
    PG_CHECK(after_kb <= before_kb + MEMORY_SLACK_KB, "%s: memory grew from %d to %d kB", mode, before_kb, after_kb);
  }
  pg_test_outcome_free(&outcome);
}

static void with_shim(const char *mode, int rounds, int slack) {
  const char *preload = pg_test_preload();
  if (preload)
    run(mode, some_of(rounds, rounds / 4), preload, slack);
  else
    pg_test_skip("there is no preload object to test");
}

static void small_pid_max(void) {
  int error = pg_test_set_pid_max(SMALL_PID_MAX);
  if (error)
    printf("\n    this kernel cannot set pid_max for one namespace: %s; slots may be used for the first time late ...",
           strerror(-error));
}

static void reaped(void) {
  small_pid_max();
  run("reap", REAPED_ROUNDS / 20, NULL, 0);
  with_shim("reap", REAPED_ROUNDS, 0);
}

static void any(void) {
  run("any", ANY_ROUNDS / 4, NULL, 0);
  with_shim("any", ANY_ROUNDS, 0);
}

static void ignored(void) {
  run("ignored", IGNORED_ROUNDS / 4, NULL, 0);
  with_shim("ignored", IGNORED_ROUNDS, DESCRIPTOR_BUDGET);
}

/* Memory is given back after a walk through all PIDs. The processor time of each later fork is printed. */
static void walk(const char *preload) {
  char count[16];
  int before, before_kb, after, after_kb;
  double fork_before, fork_after;
  snprintf(count, sizeof count, "%d", LARGE_PID_MAX / 1024);
  const char *const argv[] = {program, "walk", "4", count, NULL};
  struct pg_test_command command = {.argv = argv, .preload = preload, .limit_ms = 100000};
  struct pg_test_outcome outcome;
  pg_test_run(&command, &outcome);
  if (pg_test_exited(&outcome, PG_TEST_SKIPPED))
    pg_test_skip("the test cannot choose PIDs here (ns_last_pid)");
  else if (PG_CHECK(pg_test_exited(&outcome, 0) &&
                        sscanf(outcome.out, "fork %lf before %d %d after %d %d fork %lf", &fork_before, &before,
                               &before_kb, &after, &after_kb, &fork_after) == 6,
                    "status %#x%s: %s %s", (unsigned)outcome.status, outcome.timed_out ? " (time-out)" : "",
                    outcome.out, outcome.err)) {
    printf("\n    walk, %s: descriptors %d -> %d, memory %d -> %d kB, a fork %.0f -> %.0f ns ...",
           preload ? "with" : "without", before, after, before_kb, after_kb, fork_before, fork_after);
    PG_CHECK(after <= before, "descriptors grew from %d to %d", before, after);
    PG_CHECK(after_kb <= before_kb + WALK_SLACK_KB, "memory grew from %d to %d kB", before_kb, after_kb);
  }
  pg_test_outcome_free(&outcome);
}

static void walked(void) {
  int error = pg_test_set_pid_max(LARGE_PID_MAX);
  if (error) {
    pg_test_skip("this kernel cannot set pid_max for one namespace: %s", strerror(-error));
    return;
  }
  walk(NULL);
  if (pg_test_preload())
    walk(pg_test_preload());
  else
    pg_test_skip("there is no preload object to test");
}

void pg_test_plan(int argc, char **argv) {
  program = argc > 1 ? argv[1] : "leak";
  pg_test_add("leak", "walked", walked);
  pg_test_add("leak", "reaped", reaped);
  pg_test_add("leak", "reaped-by-wait", any);
  pg_test_add("leak", "ignored", ignored);
}

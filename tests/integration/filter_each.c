/* SPDX-License-Identifier: MIT */
/* Filters that kill for one system call each. The run without the shim shows which calls the program, or libc for it,
 * makes by itself. Those are left out. If the program can go on without the shim, it must hit its strangers. With the
 * shim no stranger may be hit, at any number of children. Arguments: the program `filtered`, when the filter is
 * installed, how children are made. With the filter from before the exec, and vforks in a program that handles SIGCHLD,
 * the shim may ask the kernel nothing. Calls that protection depends on are shown up to child 30,000 for fork, and up
 * to 5,000 for the rest. All other calls are shown up to child 300. PG_TEST_SAMPLE=1 (scripts/test --full) shows each
 * call up to child 30,000. A larger sample, as in an emulated machine, takes 5,000 and 300. */
#define _GNU_SOURCE
#include "pg_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const char *program, *when, *make;

static void run(const char *most, const char *preload, struct pg_test_outcome *ret) {
  const char *const argv[] = {program, pg_test_name(), when, make, most, NULL};
  struct pg_test_command command = {.argv = argv, .preload = preload, .limit_ms = 120000};
  pg_test_run(&command, ret);
  pg_test_kill_leftovers();
}

/* The number behind "did NAME " or "bad NAME ", or -1. */
static long number_of(const struct pg_test_outcome *outcome, const char *name) {
  const char *at = strstr(outcome->out, name);
  return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

static const char *most_of(const char *name) {
  static const char *const vital[] = {"pidfd_open", "pidfd_send_signal", "waitid", "open_by_handle_at", "mmap",
                                      "fcntl"};
  const char *text = getenv("PG_TEST_SAMPLE");
  int sample = text ? atoi(text) : 0;
  const char *many = sample > 1 ? "5000" : "30000", *some = sample > 1 ? "300" : "5000";
  if (sample == 1)
    return "30000";
  for (size_t i = 0; i < sizeof vital / sizeof *vital; i++)
    if (strcmp(name, vital[i]) == 0)
      return strcmp(make, "fork") == 0 ? many : some;
  return "300";
}

/* The loader of musl is the libc, so it opens no other object than the shim. The shim's throw-away process needs
 * prlimit64, which programs of glibc on 64 bits start with. */
static bool is_not_shown(void) {
#ifndef __GLIBC__
  static const char *const names[] = {"open", "fcntl", "fstat", "prlimit64", NULL};
#elif __SIZEOF_POINTER__ == 4
  static const char *const names[] = {"prlimit64", NULL};
#else
  static const char *const names[] = {NULL};
#endif
  for (size_t i = 0; names[i]; i++)
    if (strcmp(pg_test_name(), names[i]) == 0)
      return true;
  return false;
}

static void test_call(void) {
  struct pg_test_outcome outcome;
  run("1", NULL, &outcome);
  bool killed = !outcome.timed_out && WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGSYS;
  bool skipped = pg_test_exited(&outcome, PG_TEST_SKIPPED), ended = pg_test_exited(&outcome, 0);
  /* The filter may kill a child instead, on its way to become a leader. */
  bool hits = ended && number_of(&outcome, "bad stale_hit ") > 0;
  if (skipped)
    pg_test_skip("%s", outcome.out);
  else if (killed)
    printf("the program itself ");
  else
    PG_CHECK(hits, "without the shim: status %#x, %s %s", (unsigned)outcome.status, outcome.out, outcome.err);
  pg_test_outcome_free(&outcome);
  if (!hits || !pg_test_preload())
    return;
  if (strcmp(when, "before") == 0 && strcmp(pg_test_name(), "futex") == 0 && pg_test_libc_before(34)) {
    pg_test_skip("before glibc 2.34 the shim's start may call futex, see pidguard(7)");
    return;
  }
  if (strcmp(when, "before") == 0 && is_not_shown()) {
    pg_test_skip("here the loader makes this call for the shim, or it is prlimit64, which no program starts with");
    return;
  }
  if (strcmp(when, "before") == 0 && strcmp(make, "vfork") == 0 && pg_test_kernel_before(5, 16)) {
    pg_test_skip("before Linux 5.16 the shim may ask nothing for this program, see pidguard(7)");
    return;
  }
  run(most_of(pg_test_name()), pg_test_preload(), &outcome);
  PG_CHECK(pg_test_exited(&outcome, 0), "with the shim: status %#x%s, %s %s", (unsigned)outcome.status,
           outcome.timed_out ? " (time-out)" : "", outcome.out, outcome.err);
  long passed = number_of(&outcome, "bad stale_passed "), hit = number_of(&outcome, "bad stale_hit ");
  long wrong = number_of(&outcome, "bad wait_wrong ");
  PG_CHECK(passed == 0 && hit == 0 && wrong == 0,
           "with the shim: %ld of %ld passed, %ld strangers hit, %ld waits wrong", passed,
           number_of(&outcome, "did stale "), hit, wrong);
  pg_test_outcome_free(&outcome);
}

void pg_test_plan(int argc, char **argv) {
  if (argc < 4)
    return;
  pg_test_need_take_pid();
  program = argv[1];
  when = argv[2];
  make = argv[3];
  const char *const list[] = {program, NULL};
  struct pg_test_command command = {.argv = list};
  struct pg_test_outcome outcome;
  pg_test_run(&command, &outcome);
  for (char *rest = outcome.out, *name; (name = strtok_r(rest, "\n", &rest));)
    pg_test_add(make, name, test_call);
  pg_test_outcome_free(&outcome);
}

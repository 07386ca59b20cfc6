/* SPDX-License-Identifier: MIT */
/* The frames of the shim are small. A handler on the smallest alternate stack may make any call that it may make
 * without the shim. Argument: the program `stack`. */
#define _GNU_SOURCE
#include "pg_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most that a call takes beyond libc's own, and what the log may take on top. pidguard(7) states both. */
#if __SIZEOF_POINTER__ == 8
#define EXTRA 896
#else
#define EXTRA 1152 /* fewer registers hold less, and libc makes the system calls */
#endif
#if defined __clang__ || __GNUC__ < 11 || __SIZEOF_POINTER__ == 4
#define EXTRA_LOGGED 3328
#else
#define EXTRA_LOGGED 3072
#endif
#define CALLS 32

static const char *program;

struct depths {
  int count;
  struct {
    char name[32];
    long bytes;
  } of[CALLS];
};

static void run(const char *first, const char *second, const char *shim, bool log, struct pg_test_outcome *ret) {
  static const char *const bound[] = {"LD_BIND_NOW=1", NULL}; /* lazy binding takes more than all of this */
  static const char *const logged[] = {"LD_BIND_NOW=1", "PIDGUARD_DEBUG=debug", NULL};
  const char *const argv[] = {program, first, second, NULL};
  struct pg_test_command command = {.argv = argv, .preload = shim, .env = log ? logged : bound};
  pg_test_run(&command, ret);
  pg_test_kill_leftovers();
}

static bool measure(const char *how, const char *shim, bool log, struct depths *ret) {
  struct pg_test_outcome outcome;
  run(how, NULL, shim, log, &outcome);
  ret->count = 0;
  for (char *rest = outcome.out, *line; ret->count < CALLS && (line = strtok_r(rest, "\n", &rest)); ret->count++)
    if (sscanf(line, "%31s %ld", ret->of[ret->count].name, &ret->of[ret->count].bytes) != 2)
      break;
  bool good = pg_test_exited(&outcome, 0) && ret->count > 0;
  PG_CHECK(good, "status %#x, %d lines, \"%s\"", (unsigned)outcome.status, ret->count, outcome.err);
  pg_test_outcome_free(&outcome);
  return good;
}

/* Prints how much stack the deepest call takes. */
static void compare(const char *how, bool log, long extra) {
  struct depths plain, shim;
  long most = 0;
  const char *deepest = "";
  if (!pg_test_preload()) {
    pg_test_skip("there is no preload object to test");
    return;
  }
  if (!measure(how, NULL, log, &plain) || !measure(how, pg_test_preload(), log, &shim))
    return;
  PG_CHECK(plain.count == shim.count, "%d calls without, %d with", plain.count, shim.count);
  for (int i = 0; i < plain.count; i++) {
    long more = shim.of[i].bytes - plain.of[i].bytes;
    PG_CHECK(more <= extra, "%s: %ld bytes of stack without, %ld with", plain.of[i].name, plain.of[i].bytes,
             shim.of[i].bytes);
    if (more > most) {
      most = more;
      deepest = plain.of[i].name;
    }
  }
  printf("\n    %s%s: at most %ld bytes more than libc (%s) ...", how ? how : "each call", log ? ", logged" : "", most,
         deepest);
  PG_CHECK(most > 0, "the shim takes no stack at all: it is not there");
}

static void usual(void) { compare(NULL, false, EXTRA); }
static void logged(void) { compare(NULL, true, EXTRA_LOGGED); }
static void first(void) { compare("first", false, EXTRA); }

/* This is not measured but tried: with so much stack above an unmapped page, each call returns. */
static void fits(void) {
  struct depths plain;
  struct pg_test_outcome outcome;
  char bytes[24];
  if (!pg_test_preload()) {
    pg_test_skip("there is no preload object to test");
    return;
  }
  if (!measure(NULL, NULL, false, &plain))
    return;
  for (int i = 0; i < plain.count; i++) {
    snprintf(bytes, sizeof bytes, "%ld", plain.of[i].bytes + EXTRA);
    run(plain.of[i].name, bytes, pg_test_preload(), false, &outcome);
    PG_CHECK(pg_test_exited(&outcome, 0) && strcmp(outcome.out, "fits\n") == 0, "%s on %s bytes: status %#x \"%s\"",
             plain.of[i].name, bytes, (unsigned)outcome.status, outcome.out);
    pg_test_outcome_free(&outcome);
  }
  /* Without the shim, too little stack must reach the unmapped page. */
  run("sigqueue", "64", NULL, false, &outcome);
  PG_CHECK(!pg_test_exited(&outcome, 0), "sigqueue fits into 64 bytes: \"%s\"", outcome.out);
  pg_test_outcome_free(&outcome);
}

void pg_test_plan(int argc, char **argv) {
  if (argc < 2)
    return;
#ifndef __OPTIMIZE__
  pg_test_skip_all("the sizes of frames mean nothing in a build without optimization");
#endif
  program = argv[1];
  pg_test_add("stack", "usual", usual);
  pg_test_add("stack", "first-fork", first);
  pg_test_add("stack", "logged", logged);
  pg_test_add("stack", "fits", fits);
}

/* SPDX-License-Identifier: MIT */
/* What an object with RTLD_DEEPBIND calls goes past the shim, and the log says so. With PIDGUARD_DEEPBIND=clear it does
 * not go past. The test has a program of this project, and PHP with its extension posix. Another module is opened
 * without the flag, and is alone in needing a library.
 * Arguments: the program, its module's name; a program for the other module, and that module's path. */
#define _GNU_SOURCE
#include "pg_test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char *program, *module, *pty_program, *pty_module;

static const char *const keeps[] = {"PIDGUARD_DEBUG=warn", NULL};
static const char *const clears[] = {"PIDGUARD_DEBUG=warn", "PIDGUARD_DEEPBIND=clear", NULL};

/* Is the stranger hit? *ret_told: the log says that an object goes past the shim. */
static bool play(const char *const *argv, const char *preload, const char *const *env, bool *ret_hit, bool *ret_told) {
  struct pg_test_command command = {.argv = argv, .preload = preload, .env = env};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  struct pg_test_stranger stranger;
  char line[256] = "";
  int pid = -1, result = -2;
  if (!PG_CHECK(pg_test_start(&command, &process) == 0, "cannot start %s", argv[0]))
    return false;
  pg_test_read_line(&process, line, sizeof line);
  bool good = PG_CHECK(sscanf(line, "ready %d", &pid) == 1 && pid > 1, "%s says \"%s\"", argv[0], line);
  int error = good ? pg_test_take_pid(pid, PG_TEST_ALONE, &stranger) : 0;
  if (good && (good = PG_CHECK(error == 0, "no stranger can take the PID: %s", strerror(-error)))) {
    pg_test_write_line(&process, "go");
    pg_test_read_line(&process, line, sizeof line);
    *ret_hit = pg_test_stranger_got(&stranger, SIGTERM);
    good = PG_CHECK(sscanf(line, "result %d", &result) == 1 && (result == 0) == *ret_hit, "%s says \"%s\", hit %d",
                    argv[0], line, *ret_hit);
    pg_test_stranger_release(&stranger);
  }
  pg_test_finish(&process, &outcome);
  *ret_told = strstr(outcome.err, "event=deepbind") && strstr(outcome.err, "flag=kept");
  pg_test_outcome_free(&outcome);
  return good;
}

/* may_differ: a program of another project may have stopped opening its modules so. Then they are protected in any
 * case. */
static void three_ways(const char *const *argv, bool may_differ) {
  const char *preload = pg_test_preload();
  bool hit = false, told = false;
  if (play(argv, NULL, NULL, &hit, &told))
    PG_CHECK(hit, "without the shim the stranger is spared");
  if (!preload) {
    pg_test_skip("there is no preload object to test");
    return;
  }
  if (play(argv, preload, keeps, &hit, &told))
    PG_CHECK(hit == told && (hit || may_differ), "kept: hit %d, told %d", hit, told);
  if (play(argv, preload, clears, &hit, &told))
    PG_CHECK(!hit && !told, "cleared: hit %d, told %d", hit, told);
}

static void own(void) {
  const char *const argv[] = {program, module, NULL};
  three_ways(argv, false);
}

static void php(void) {
  static const char *const script =
      "$p = pcntl_fork(); if ($p == 0) { exit(0); } pcntl_waitpid($p, $s); echo \"ready $p\\n\"; fgets(STDIN);"
      "echo 'result ', posix_kill($p, 15) ? 0 : -1, \"\\n\";";
  const char *const asked[] = {"php", "-r",
                               "exit(function_exists('posix_kill') && function_exists('pcntl_fork') ? 0 : 3);", NULL};
  const char *const argv[] = {"php", "-r", script, NULL};
  struct pg_test_command command = {.argv = asked};
  struct pg_test_outcome outcome;
  if (!pg_test_installed("php")) {
    pg_test_skip("php is not installed");
    return;
  }
  pg_test_run(&command, &outcome);
  bool has = pg_test_exited(&outcome, 0);
  pg_test_outcome_free(&outcome);
  if (has)
    three_ways(argv, true);
  else
    pg_test_skip("this php has no posix or no pcntl");
}

static void forkpty_for_module(void) {
  const char *const argv[] = {pty_program, pty_module, NULL};
  const char *const preloads[] = {NULL, pg_test_preload()};
  if (!preloads[1]) {
    pg_test_skip("there is no preload object to test");
    return;
  }
  for (int with = 0; with < 2; with++) {
    struct pg_test_command command = {.argv = argv, .preload = preloads[with]};
    struct pg_test_outcome outcome;
    pg_test_run(&command, &outcome);
    PG_CHECK(pg_test_exited(&outcome, 7), "%s the shim: status %#x \"%s\" \"%s\"", with ? "with" : "without",
             (unsigned)outcome.status, outcome.out, outcome.err);
    pg_test_outcome_free(&outcome);
  }
}

void pg_test_plan(int argc, char **argv) {
  pg_test_need_take_pid();
#ifndef __GLIBC__
  pg_test_skip_all("this libc has no RTLD_DEEPBIND");
#elif !defined __x86_64__ && !defined __aarch64__
  pg_test_skip_all("the shim has no dlopen() for this architecture");
#endif
  if (argc < 5)
    pg_test_skip_all("no program");
  program = argv[1];
  module = argv[2];
  pty_program = argv[3];
  pty_module = argv[4];
  pg_test_add("deepbind", "own", own);
  pg_test_add("deepbind", "php", php);
  pg_test_add("deepbind", "forkpty-for-module", forkpty_for_module);
}

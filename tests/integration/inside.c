/* SPDX-License-Identifier: MIT */
/* PIDs of children that libc makes and reaps inside itself (system, popen, wordexp), beside the program's own children.
 * libc tells the program nothing of its own children. But a PID that the program had before, or learnt from a wait, is
 * stale whichever process has it. Argument: the program `inside`. */
#define _GNU_SOURCE
#include "pg_test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char *program;
static const char *const hows[] = {"system", "popen", "wordexp"};

/* One run up to its result. In `passed` and similar cases a stranger takes the PID first. play() returns false if that
 * cannot be shown. */
struct story {
  int result, error, inner;
  bool untouched, got;
};
static bool play(const char *how, const char *what, const char *shim, bool stranger_takes_it, struct story *ret) {
  const char *const argv[] = {program, how, what, NULL};
  struct pg_test_command command = {.argv = argv, .preload = shim};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  struct pg_test_stranger stranger;
  char line[128] = "";
  int pid = -1;
  memset(ret, 0, sizeof *ret);
  if (!PG_CHECK(pg_test_start(&command, &process) == 0, "cannot start %s", program))
    return false;
  pg_test_read_line(&process, line, sizeof line);
  bool skipped = strncmp(line, "SKIP ", 5) == 0, told = false;
  if (skipped) {
    pg_test_skip("the test cannot choose PIDs here: %s", line + 5);
  } else if (!stranger_takes_it) {
    told = sscanf(line, "result %d %d inner %d", &ret->result, &ret->error, &ret->inner) == 3;
  } else if (sscanf(line, "ready %d", &pid) == 1 && pg_test_take_pid(pid, false, &stranger) == 0) {
    pg_test_write_line(&process, "go");
    pg_test_read_line(&process, line, sizeof line);
    told = sscanf(line, "result %d %d", &ret->result, &ret->error) == 2;
    ret->untouched = pg_test_stranger_untouched(&stranger);
    ret->got = pg_test_stranger_got(&stranger, SIGTERM);
    pg_test_stranger_release(&stranger);
  }
  pg_test_finish(&process, &outcome);
  PG_CHECK(skipped || (told && pg_test_exited(&outcome, 0)), "%s %s %s the shim: \"%s\", status %#x \"%s\"", how, what,
           shim ? "with" : "without", line, (unsigned)outcome.status, outcome.err);
  pg_test_outcome_free(&outcome);
  pg_test_kill_leftovers();
  return told;
}

/* The old PID belongs to the inner child. Without the shim the inner child is hit. With the shim it ends as it
 * wants. */
static void inner_child_hit(const char *what) {
  struct story story;
  for (int i = 0; i < 3; i++) {
    const char *how = hows[i];
    /* With SIGCHLD ignored, system() and pclose() find no child to wait for. */
    bool silent = strcmp(what, "silent") == 0, status_seen = !silent || strcmp(how, "wordexp") == 0;
    int word = strcmp(how, "wordexp") == 0;
    if (!play(how, what, NULL, false, &story))
      return;
    PG_CHECK(story.result == 0 && (!status_seen || (word ? story.inner != 5 << 8 : story.inner == SIGTERM)),
             "%s without: result %d, errno %d, inner %#x", how, story.result, story.error, (unsigned)story.inner);
    if (pg_test_preload() && play(how, what, pg_test_preload(), false, &story))
      PG_CHECK(story.result == -1 && story.error == ESRCH && (status_seen ? story.inner == 5 << 8 : story.inner == -1),
               "%s with: result %d, errno %d, inner %#x", how, story.result, story.error, (unsigned)story.inner);
  }
  if (!pg_test_preload())
    pg_test_skip("there is no preload object to test");
}

static void taken(void) { inner_child_hit("taken"); }
static void silent(void) { inner_child_hit("silent"); }

/* A stranger has the PID. If the program was told of the child's end (`kept`), the shim must refuse the signal. */
static void stranger_hit(const char *what, bool kept, int first, int last) {
  struct story story;
  for (int i = first; i <= last; i++) {
    if (!play(hows[i], what, NULL, true, &story))
      return;
    PG_CHECK(story.result == 0 && story.got, "%s without: result %d, errno %d", hows[i], story.result, story.error);
    if (!pg_test_preload() || !play(hows[i], what, pg_test_preload(), true, &story))
      continue;
    if (kept)
      PG_CHECK(story.result == -1 && story.error == ESRCH && story.untouched, "%s with: result %d, errno %d, %s",
               hows[i], story.result, story.error, story.untouched ? "untouched" : "HIT");
    else /* a limit in pidguard(7): the shim was never told of the PID */
      PG_CHECK(story.result == 0 && story.got, "%s with: result %d, errno %d", hows[i], story.result, story.error);
  }
  if (!pg_test_preload())
    pg_test_skip("there is no preload object to test");
}

static void passed(void) { stranger_hit("passed", true, 0, 2); }
static void stolen(void) { stranger_hit("stolen", true, 1, 1); }
static void learnt(void) { stranger_hit("learnt", false, 0, 2); }

void pg_test_plan(int argc, char **argv) {
  if (argc < 2)
    return;
  pg_test_need_take_pid();
  program = argv[1];
  pg_test_add("inside", "taken", taken);
  pg_test_add("inside", "silent", silent);
  pg_test_add("inside", "passed", passed);
  pg_test_add("inside", "stolen", stolen);
  pg_test_add("inside", "learnt", learnt);
}

/* SPDX-License-Identifier: MIT */
/* The shim together with other objects and programs around a program. They are preload objects before and behind the
 * shim, debuggers and tracers, and starters that run programs in other surroundings or take something from them. What
 * the program observes must be the same with the shim and without. A stale signal hits without the shim and is refused
 * with it. Arguments: one list of the companions (preloads, tracers, starters, places), then the programs puppet,
 * battery, same_vfork, same_spawn. */
#define _GNU_SOURCE
#include "companions.h"

#include "dialogue.h"
#include "slowness.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *battery_path, *case_programs[2];
static const struct companion *companions;

/* Returns where something is installed: a command in PATH, or a file that matches a pattern. NULL: it is not
 * installed. */
static const char *installed(const char *what) {
  static char path[512];
  glob_t found;
  if (what[0] == '/') {
    if (glob(what, 0, NULL, &found) != 0)
      return NULL;
    snprintf(path, sizeof path, "%s", found.gl_pathv[0]);
    globfree(&found);
    return path;
  }
  return pg_test_installed(what) ? what : NULL;
}

/* One of the two runs of a process: with or without the shim. */
struct half {
  const char *argv[20], *env[8], *preload;
  char list[2048];
};

static void join(struct half *half, const char *first, const char *second) {
  snprintf(half->list, sizeof half->list, "%s%s%s", first ? first : "", first && second ? ":" : "",
           second ? second : "");
  half->preload = half->list[0] ? half->list : NULL;
}

static void prepare(const struct companion *c, const char *library, const char *shim, const char *const *program,
                    const char *env, struct half *ret) {
  int n = 0, e = 0;
  memset(ret, 0, sizeof *ret);
  for (int i = 0; c->prefix[i]; i++)
    ret->argv[n++] = c->prefix[i];
  while (*program)
    ret->argv[n++] = *program++;
  for (int i = 0; c->env[i]; i++)
    ret->env[e++] = c->env[i];
  ret->env[e] = env;
  join(ret, c->flags & BEHIND ? shim : library, c->flags & BEHIND ? library : shim);
}

static void run_once(const struct companion *c, const char *library, const char *shim, const char *const *program,
                     const char *env, struct pg_test_outcome *ret) {
  struct half half;
  prepare(c, library, shim, program, env, &half);
  /* A program that is lost hangs for any limit. So the limit must not grow with the load. */
  int limit_ms = c->flags & RACY ? 15000 * slowness() / patience() : 60000;
  struct pg_test_command command = {.argv = half.argv, .env = half.env, .preload = half.preload, .limit_ms = limit_ms};
  pg_test_run(&command, ret);
  pg_test_kill_leftovers();
}

enum { RACY_TRIES = 5 };

/* A companion that sometimes loses a program by itself has several tries in each half. Returns how many lost it. */
static int run_half(const struct companion *c, const char *library, const char *shim, const char *const *program,
                    const char *env, struct pg_test_outcome *ret) {
  for (int lost = 0;; pg_test_outcome_free(ret)) {
    run_once(c, library, shim, program, env, ret);
    if (!(c->flags & RACY) || (pg_test_exited(ret, 0) && strstr(ret->out, "none left: -1")))
      return lost;
    if (++lost == RACY_TRIES)
      return lost;
  }
}

/* If every try of a half lost the program, and the companion loses it without the shim, too, nothing can be said. The
 * gdb of Debian 11 loses each second one. */
static bool loses_it_by_itself(const struct companion *c, const char *library, const char *const *program,
                               const char *env) {
  struct pg_test_outcome again;
  bool loses = false;
  for (int i = 0; i < RACY_TRIES && !loses; i++) {
    loses = run_half(c, library, NULL, program, env, &again) > 0;
    pg_test_outcome_free(&again);
  }
  return loses;
}

static void skip_racy(const struct companion *c) {
  const char *const argv[] = {c->needs, "--version", NULL};
  struct pg_test_command command = {.argv = argv};
  struct pg_test_outcome version;
  pg_test_run(&command, &version);
  pg_test_skip("%s: %.*s loses the program by itself", c->name, (int)strcspn(version.out, "\n"), version.out);
  pg_test_outcome_free(&version);
}

static bool equal(const struct companion *c, const struct pg_test_outcome *plain, const struct pg_test_outcome *shim) {
  return !shim->timed_out && plain->status == shim->status && strcmp(plain->out, shim->out) == 0 &&
         (c->flags & NOISY || strcmp(plain->err, shim->err) == 0);
}

static void judge(const struct companion *c, const char *const *program, const struct pg_test_outcome *plain,
                  const struct pg_test_outcome *shim, bool must_end) {
  const char *name = strrchr(program[0], '/') + 1, *what = program[1] ? program[1] : "";
  PG_CHECK(!plain->timed_out && (!must_end || (pg_test_exited(plain, 0) && plain->out_size > 20)),
           "%s %s without the shim: status %#x%s \"%s\" \"%.300s\"", name, what, (unsigned)plain->status,
           plain->timed_out ? " (time-out)" : "", plain->out, plain->err);
  PG_CHECK(equal(c, plain, shim), "%s %s: without: status %#x \"%s\" \"%.300s\", with: status %#x%s \"%s\" \"%.900s\"",
           name, what, (unsigned)plain->status, plain->out, plain->err, (unsigned)shim->status,
           shim->timed_out ? " (time-out)" : "", shim->out, shim->err);
  const char *complaint = c->complaint ? strstr(shim->err, c->complaint) : NULL;
  PG_CHECK(!complaint, "%s %s: \"%.900s\"", name, what, complaint);
}

/* Runs both halves of one program, and compares them. */
static void compare(const struct companion *c, const char *library, const char *const *program, const char *env,
                    bool must_end) {
  struct pg_test_outcome plain, shim;
  int lost = run_half(c, library, NULL, program, env, &plain);
  if (pg_test_exited(&plain, PG_TEST_SKIPPED)) { /* the case cannot be shown in these surroundings */
    pg_test_outcome_free(&plain);
    return;
  }
  const char *object = c->flags & OTHER ? pg_test_preload_for_others() : pg_test_preload();
  int lost_too = run_half(c, library, object, program, env, &shim);
  if ((lost == RACY_TRIES || lost_too == RACY_TRIES) && !equal(c, &plain, &shim) &&
      (lost || loses_it_by_itself(c, library, program, env)))
    skip_racy(c);
  else
    judge(c, program, &plain, &shim, must_end);
  pg_test_outcome_free(&plain);
  pg_test_outcome_free(&shim);
}

static void compare_cases(const struct companion *c, const char *library, const char *program) {
  const char *const list[] = {program, NULL};
  struct pg_test_command command = {.argv = list};
  struct pg_test_outcome names;
  pg_test_run(&command, &names);
  /* Each companion runs another part of the cases. PG_TEST_SAMPLE=1 runs all (scripts/test --full). */
  const char *text = getenv("PG_TEST_SAMPLE");
  unsigned every = text && atoi(text) > 0 ? (unsigned)atoi(text) : 4, turn = (unsigned)(c - companions);
  for (char *rest = names.out, *name; (name = strtok_r(rest, "\n", &rest));) {
    const char *const one[] = {program, name, NULL};
    if (turn++ % every != 0)
      continue;
    compare(c, library, one, NULL, false);
  }
  pg_test_outcome_free(&names);
}

static void tell(const struct companion *c, const char *library, const char *shim) {
  struct half half;
  struct puppet_story story;
  const char *const nothing[] = {NULL};
  prepare(c, library, shim, nothing, NULL, &half);
  puppet_prefix = half.argv;
  puppet_tell_story(half.preload, half.env, NULL, &story);
  puppet_prefix = NULL;
  pg_test_kill_leftovers();
  if (PG_CHECK(story.told, "%s: the story did not run", shim ? "with" : "without")) {
    if (shim)
      PG_CHECK(story.result == -1 && story.error == ESRCH && story.untouched, "with: result %d, errno %d, %s",
               story.result, story.error, story.untouched ? "untouched" : "HIT");
    else
      PG_CHECK(story.result == 0 && story.got, "without: result %d, errno %d, the stranger was not hit", story.result,
               story.error);
  }
  pg_test_outcome_free(&story.outcome);
}

static void test_companion(void) {
  const struct companion *c = companions;
  while (strcmp(c->name, pg_test_name()) != 0)
    c++;
  const char *library = c->needs ? installed(c->needs) : NULL;
  if (c->needs && !library) {
    pg_test_skip("%s is not installed", c->needs);
    return;
  }
  if (c->prefix[0] && !pg_test_installed(c->prefix[0])) {
    pg_test_skip("%s is not installed", c->prefix[0]);
    return;
  }
#ifndef __GLIBC__
  if (strncmp(c->name, "starting", 8) == 0) {
    pg_test_skip("dlsym() of this libc asks for no memory");
    return;
  }
  if (c->built) {
    pg_test_skip("the sanitizers' libraries are made for glibc");
    return;
  }
#endif
  if (!pg_test_preload()) {
    pg_test_skip("there is no preload object to test");
    return;
  }
  if (c->probe) {
    const char *const argv[] = {"sh", "-c", c->probe, NULL};
    struct pg_test_command command = {.argv = argv, .limit_ms = 60000};
    struct pg_test_outcome outcome;
    pg_test_run(&command, &outcome);
    pg_test_kill_leftovers();
    bool works = pg_test_exited(&outcome, 0);
    if (!works)
      pg_test_skip("%s does not work here: %.200s", c->name, outcome.err);
    pg_test_outcome_free(&outcome);
    if (!works)
      return;
  }
  char path[512] = "";
  if (library && library[0] == '/') {
    snprintf(path, sizeof path, "%s", library);
    library = path;
  } else {
    library = NULL;
  }
  char built[512];
  snprintf(built, sizeof built, "%s%s", battery_path, c->built ? c->built : "");
  const char *const battery[] = {built, NULL};
  if (access(built, X_OK) != 0) {
    pg_test_skip("%s was not built", built);
    return;
  }
  if (!(c->flags & NO_BATTERY))
    compare(c, library, battery, "MOMENT=main:same", !(c->flags & NO_END));
  for (int i = 0; i < 2 && c->flags & CASES; i++)
    compare_cases(c, library, case_programs[i]);
  if (c->flags & NO_STORY)
    return;
  int error = pg_test_probe_take_pid();
  if (error) {
    pg_test_skip("the test cannot choose a PID here (clone3 with set_tid): %s", strerror(-error));
    return;
  }
  tell(c, library, NULL);
  tell(c, library, pg_test_preload());
}

void pg_test_plan(int argc, char **argv) {
  if (argc < 6)
    return;
  companions = companions_of(argv[1]);
  puppet_path = argv[2];
  battery_path = argv[3];
  case_programs[0] = argv[4];
  case_programs[1] = argv[5];
  for (const struct companion *c = companions; c && c->name; c++)
    pg_test_add(argv[1], c->name, test_companion);
}

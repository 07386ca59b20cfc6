/* SPDX-License-Identifier: MIT */
/* The same calls and the same stale signal, early and late in the life of a program. They come from every moment in the
 * lives of the program, its libraries, the objects preloaded with it and those that it opens. Some come before the shim
 * is initialised, and some after it ended. Arguments: the program `moments`, the folder of its libraries. */
#define _GNU_SOURCE
#include "pg_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *program, *libraries;

enum where { FIRST = 1, LAST = 2 }; /* an object that is preloaded before the shim, or after it */

/* A moment, with what both halves of it need. */
struct when {
  const char *name;
  const char *arguments[2]; /* arguments of the program */
  const char *preload;      /* a library of this project that is preloaded with the shim, in this place: */
  enum where where;
  bool born;    /* the moment makes the child, but the program waits for it and signals it */
  bool past_us; /* its calls go to libc past all preloaded objects, so a stale signal hits */
  const char *env;
  bool bare;   /* too early for a call that fails */
  bool joined; /* other calls, in a thread that the moment waits for: the loader's lock may be held */
};

#define OPENED(how)                                                                                                    \
  { how, "opened" }
static const struct when whens[] = {
    {.name = "preinit"},
    {.name = "indirect-resolver", .bare = true},
    {.name = "indirect-resolver", .bare = true, .env = "LD_BIND_NOW=1"},
    {.name = "resolver"},
    {.name = "constructor"},
    {.name = "main"},
    {.name = "thread"},
    {.name = "thread-end"},
    {.name = "atexit"},
    {.name = "on_exit"},
    {.name = "quick_exit", .arguments = {"quick"}},
    {.name = "destructor"},
    {.name = "first-init"},
    {.name = "first-constructor"},
    {.name = "first-atexit"},
    {.name = "first-destructor"},
    {.name = "first-fini"},
    {.name = "needed-init"},
    {.name = "needed-constructor"},
    {.name = "needed-atexit"},
    {.name = "needed-destructor"},
    {.name = "needed-fini"},
    {.name = "preloaded-init", .preload = "preloaded", .where = FIRST},
    {.name = "preloaded-constructor", .preload = "preloaded", .where = FIRST},
    {.name = "preloaded-atexit", .preload = "preloaded", .where = FIRST},
    {.name = "preloaded-destructor", .preload = "preloaded", .where = FIRST},
    {.name = "preloaded-fini", .preload = "preloaded", .where = FIRST},
    {.name = "preloaded-init", .preload = "preloaded", .where = LAST},
    {.name = "preloaded-constructor", .preload = "preloaded", .where = LAST},
    {.name = "preloaded-atexit", .preload = "preloaded", .where = LAST},
    {.name = "preloaded-destructor", .preload = "preloaded", .where = LAST},
    {.name = "preloaded-fini", .preload = "preloaded", .where = LAST},
    {.name = "opened-init", .arguments = OPENED("now")},
    {.name = "opened-constructor", .arguments = OPENED("now")},
    {.name = "opened-constructor", .arguments = OPENED("now"), .joined = true},
    {.name = "opened-destructor", .arguments = OPENED("now"), .joined = true},
    {.name = "opened-called", .arguments = OPENED("now")},
    {.name = "opened-called", .arguments = OPENED("now"), .born = true},
    {.name = "opened-destructor", .arguments = OPENED("now")},
    {.name = "opened-atexit", .arguments = OPENED("now")},
    {.name = "opened-constructor", .arguments = OPENED("deepbind"), .past_us = true},
    {.name = "opened-called", .arguments = OPENED("deepbind"), .past_us = true},
    {.name = "opened-called", .arguments = OPENED("deepbind"), .born = true},
    {.name = "opened-destructor", .arguments = OPENED("deepbind"), .past_us = true},
    {.name = "opened-constructor", .arguments = OPENED("dlmopen"), .past_us = true},
    {.name = "opened-called", .arguments = OPENED("dlmopen"), .past_us = true},
    {.name = "opened-called", .arguments = OPENED("dlmopen"), .born = true},
    {.name = "opened-destructor", .arguments = OPENED("dlmopen"), .past_us = true},
    {.name = "main", .env = "LD_AUDIT=%s/libmoment_audit.so"},
    {.name = "constructor", .env = "LD_AUDIT=%s/libmoment_audit.so"},
    {.name = "main", .env = "LD_BIND_NOW=1"},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A command, and the texts that it points to. */
struct start {
  const char *argv[4], *env[3];
  char library[512], preload[2048], moment[64], more[512];
  struct pg_test_command command;
};

static void prepare(const struct when *when, const char *what, const char *shim, struct start *ret) {
  memset(ret, 0, sizeof *ret);
  snprintf(ret->moment, sizeof ret->moment, "MOMENT=%s:%s", when->name, what);
  ret->env[0] = ret->moment;
  if (when->env) {
    snprintf(ret->more, sizeof ret->more, when->env, libraries);
    ret->env[1] = ret->more;
  }
  ret->argv[0] = program;
  ret->argv[1] = when->arguments[0];
  if (when->arguments[1]) {
    snprintf(ret->library, sizeof ret->library, "%s/libmoment_%s.so", libraries, when->arguments[1]);
    ret->argv[2] = ret->library;
  }
  char other[512] = "";
  if (when->preload)
    snprintf(other, sizeof other, "%s/libmoment_%s.so", libraries, when->preload);
  snprintf(ret->preload, sizeof ret->preload, "%s%s%s", when->where == LAST && shim ? shim : other,
           shim && when->preload ? ":" : "",
           !shim                 ? ""
           : when->where == LAST ? other
                                 : shim);
  ret->command =
      (struct pg_test_command){.argv = ret->argv, .env = ret->env, .preload = ret->preload[0] ? ret->preload : NULL};
}

static const char *title(const struct when *when) {
  static char text[160];
  snprintf(text, sizeof text, "%s%s%s%s%s%s", when->name, when->arguments[0] ? "," : "",
           when->arguments[0] ? when->arguments[0] : "",
           when->where == FIRST  ? ",before"
           : when->where == LAST ? ",behind"
                                 : "",
           when->born     ? ",born"
           : when->joined ? ",joined"
                          : "",
           when->env ? (strstr(when->env, "AUDIT") ? ",audited" : ",bound") : "");
  return text;
}

static const struct when *this_one(void) {
  for (size_t i = 0; i < COUNT(whens); i++)
    if (strcmp(title(&whens[i]), pg_test_name()) == 0)
      return &whens[i];
  abort();
}

static void run_as(const struct when *when, const char *what, const char *shim, struct pg_test_outcome *ret) {
  struct start start;
  prepare(when, what, shim, &start);
  pg_test_run(&start.command, ret);
  int leftovers = pg_test_kill_leftovers();
  PG_CHECK(leftovers == 0, "%s: %d processes left behind", pg_test_name(), leftovers);
}

static void run_same(const struct when *when, const char *shim, struct pg_test_outcome *ret) {
  run_as(when, when->bare ? "bare" : when->joined ? "joined" : "same", shim, ret);
}

/* Says so if a case cannot be shown. clang has compiled the programs as well, if it has compiled this. */
static bool is_left_out(void) {
  bool left_out = false;
#ifdef __clang__
  left_out = strncmp(pg_test_name(), "indirect-resolver", 17) == 0 || strcmp(pg_test_name(), "main,bound") == 0;
  if (left_out)
    pg_test_skip("clang has the program's own ifunc resolved at another moment");
#elif !defined __x86_64__ && !defined __aarch64__
  left_out = strncmp(pg_test_name(), "indirect-resolver", 17) == 0;
  if (left_out)
    pg_test_skip("the shim makes no system call on this architecture before it is relocated");
#endif
  return left_out;
}

static void test_same(void) {
  if (is_left_out())
    return;
  const struct when *when = this_one();
  struct pg_test_outcome plain, shim;
  run_same(when, NULL, &plain);
  PG_CHECK(pg_test_exited(&plain, 0) && strstr(plain.out, when->bare ? "end\n" : "none left: -1") && !plain.err[0],
           "%s without: status %#x, \"%s\" \"%s\"", when->name, (unsigned)plain.status, plain.out, plain.err);
  if (pg_test_preload()) {
    run_same(when, pg_test_preload(), &shim);
    PG_CHECK(shim.status == plain.status && !shim.timed_out && strcmp(shim.out, plain.out) == 0 &&
                 strcmp(shim.err, plain.err) == 0,
             "%s: without: \"%s\" \"%s\", with: status %#x \"%s\" \"%s\"", when->name, plain.out, plain.err,
             (unsigned)shim.status, shim.out, shim.err);
    pg_test_outcome_free(&shim);
    if (when->bare) {
      run_as(when, "refused", pg_test_preload(), &shim);
      PG_CHECK(pg_test_exited(&shim, 0) && strcmp(shim.out, "end\n") == 0 && !shim.err[0],
               "%s, refused: status %#x \"%s\" \"%s\"", when->name, (unsigned)shim.status, shim.out, shim.err);
      pg_test_outcome_free(&shim);
    }
  } else {
    pg_test_skip("there is no preload object to test");
  }
  pg_test_outcome_free(&plain);
}

static void play_stale(const struct when *when, const char *shim) {
  struct start start;
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  struct pg_test_stranger stranger;
  char line[128] = "";
  int child = -1, result = 0, number = 0;
  prepare(when, when->born ? "born" : "stale", shim, &start);
  const char *half = shim ? "with" : "without";
  if (!PG_CHECK(pg_test_start(&start.command, &process) == 0, "cannot start"))
    return;
  pg_test_read_line(&process, line, sizeof line);
  PG_CHECK(sscanf(line, "ready %d", &child) == 1, "%s: it says \"%s\"", half, line);
  int error = child > 1 ? pg_test_take_pid(child, false, &stranger) : -ECHILD;
  if (PG_CHECK(error == 0, "%s: no stranger can take the PID: %s", half, strerror(-error))) {
    pg_test_write_line(&process, "go");
    pg_test_read_line(&process, line, sizeof line);
    bool told = sscanf(line, "result %d %d", &result, &number) == 2, untouched = pg_test_stranger_untouched(&stranger);
    PG_CHECK(told, "%s: it says \"%s\"", half, line);
    if (shim && !when->past_us)
      PG_CHECK(result == -1 && number == ESRCH && untouched, "with: result %d, errno %d, stranger %s", result, number,
               untouched ? "untouched" : "HIT");
    else
      PG_CHECK(result == 0 && !untouched, "%s: result %d, errno %d, the stranger was not hit", half, result, number);
    pg_test_stranger_release(&stranger);
  }
  pg_test_finish(&process, &outcome);
  PG_CHECK(pg_test_exited(&outcome, 0), "%s: status %#x", half, (unsigned)outcome.status);
  pg_test_outcome_free(&outcome);
}

static void test_stale(void) {
  if (is_left_out())
    return;
  int error = pg_test_probe_take_pid();
  if (error) {
    pg_test_skip("the test cannot choose a PID here (clone3 with set_tid): %s", strerror(-error));
    return;
  }
  play_stale(this_one(), NULL);
  if (pg_test_preload())
    play_stale(this_one(), pg_test_preload());
  else
    pg_test_skip("there is no preload object to test");
}

/* The program calls exit() while other threads are in fork, kill and wait. The status is the program's, and nothing
 * hangs. */
static void test_busy(void) {
  for (int i = 0; i < 40; i++) {
    const char *const argv[] = {program, "busy", NULL};
    struct pg_test_command command = {.argv = argv, .preload = i % 8 ? pg_test_preload() : NULL};
    struct pg_test_outcome outcome;
    pg_test_run(&command, &outcome);
    pg_test_kill_leftovers();
    PG_CHECK(pg_test_exited(&outcome, 9) && !outcome.err[0], "%s: status %#x%s \"%s\"",
             command.preload ? "with" : "without", (unsigned)outcome.status, outcome.timed_out ? " (time-out)" : "",
             outcome.err);
    pg_test_outcome_free(&outcome);
  }
  if (!pg_test_preload())
    pg_test_skip("there is no preload object to test");
}

void pg_test_plan(int argc, char **argv) {
  if (argc < 3)
    return;
#ifndef __GLIBC__
  pg_test_skip_all("the loader of this libc takes no program with an ifunc");
#endif
  program = argv[1];
  libraries = argv[2];
  for (size_t i = 0; i < COUNT(whens); i++) {
    if (!whens[i].born)
      pg_test_add("same", title(&whens[i]), test_same);
    if (!whens[i].bare && !whens[i].joined)
      pg_test_add("stale", title(&whens[i]), test_stale);
  }
  pg_test_add("same", "exit-while-busy", test_busy);
}

/* SPDX-License-Identifier: MIT */
/* The debug log must be silent by default, well-formed, and never in the program's way. Arguments: the programs
 * `puppet` and `same_ours`. */
#define _GNU_SOURCE
#include "dialogue.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *ours_program;
static char directory[] = "/tmp/pidguard-log-XXXXXX";

static const char *shim(void) {
  const char *preload = pg_test_preload();
  if (!preload)
    pg_test_skip("there is no preload object to test");
  return preload;
}

static unsigned count(const char *text, const char *word) {
  unsigned n = 0;
  for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
    n++;
  return n;
}

/* The form is "pidguard key=value key=value". Values are bare words or quoted strings, and level and event come
 * first. */
static bool well_formed(const char *line, size_t length) {
  static const char start[] = "pidguard level=";
  if (length <= strlen(start) || strncmp(line, start, strlen(start)) != 0)
    return false;
  const char *at = line + strlen("pidguard"), *end = line + length;
  int keys = 0;
  while (at < end) {
    if (*at++ != ' ')
      return false;
    const char *key = at;
    while (at < end && (islower((unsigned char)*at) || *at == '_' || *at == '-'))
      at++;
    if (at == key || at >= end || *at++ != '=')
      return false;
    if (keys++ == 1 && strncmp(key, "event=", 6) != 0)
      return false;
    if (at < end && *at == '"') {
      for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
          at++;
      if (at++ >= end)
        return false;
    } else
      while (at < end && *at != ' ') {
        if (!isgraph((unsigned char)*at) || *at == '"' || *at == '=')
          return false;
        at++;
      }
  }
  return keys >= 3;
}

static void check_lines(const char *text) {
  for (const char *line = text; *line;) {
    size_t length = strcspn(line, "\n");
    PG_CHECK(line[length] == '\n' && well_formed(line, length), "not a logfmt line: \"%.*s\"", (int)length, line);
    line += length + (line[length] == '\n');
  }
}

/* Finds the line with an event about a target, and copies it. */
static bool find_event(const char *text, const char *event, int target, char *copy, size_t size) {
  char wanted[64], number[64];
  snprintf(wanted, sizeof wanted, " event=%s ", event);
  snprintf(number, sizeof number, " target=%d", target);
  for (const char *line = text; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n')) {
    snprintf(copy, size, "%.*s ", (int)strcspn(line, "\n"), line);
    const char *found = strstr(copy, number);
    if (strstr(copy, wanted) && found && found[strlen(number)] == ' ')
      return true;
  }
  snprintf(copy, size, "(none)");
  return false;
}

static void refused(const struct puppet_story *story) {
  PG_CHECK(story->told && story->result == -1 && story->error == ESRCH && story->untouched,
           "the signal must fail with ESRCH and reach no stranger: result %d, errno %d", story->result, story->error);
}

static void events(void) {
  const char *const env[] = {"PIDGUARD_DEBUG=debug", NULL}, *preload = shim();
  struct puppet_story story;
  char line[1024], field[128];
  if (!preload)
    return;
  puppet_tell_story(preload, env, NULL, &story);
  refused(&story);
  const char *err = story.outcome.err;
  check_lines(err);
  PG_CHECK(find_event(err, "birth", story.child, line, sizeof line) && strstr(line, " how=fork"), "birth: %s", line);
  PG_CHECK(find_event(err, "reap", story.child, line, sizeof line), "reap: %s", line);
  PG_CHECK(find_event(err, "refused", story.child, line, sizeof line), "refused: %s", line);
  snprintf(field, sizeof field, " pid=%d comm=puppet ", story.puppet);
  PG_CHECK(strstr(line, field) && strstr(line, " call=kill ") && strstr(line, " sig=15 ") &&
               strstr(line, " result=ESRCH ") && strstr(line, " level=warn "),
           "refused: %s", line);
  PG_CHECK(strstr(line, " now=stranger "), "does not name the present owner: %s", line);
  char real[4096];
  const char *caller = strstr(line, " caller=");
  PG_CHECK(realpath(puppet_path, real) && caller && strncmp(caller + 8, real, strlen(real)) == 0 &&
               strncmp(caller + 8 + strlen(real), "+0x", 3) == 0 &&
               strtoul(caller + 8 + strlen(real) + 1, NULL, 16) > 0,
           "does not name the caller: %s", line);
  const char *birth = strstr(err, "event=birth"), *reap = strstr(err, "event=reap"),
             *refusal = strstr(err, "event=refused");
  PG_CHECK(birth && birth < reap && reap < refusal, "the order is wrong: %.600s", err);
  pg_test_outcome_free(&story.outcome);
}

static void routed_signal(void) {
  const char *const env[] = {"PIDGUARD_DEBUG=4", NULL}, *preload = shim();
  struct pg_test_process puppet;
  struct pg_test_outcome outcome;
  int answer[3];
  char line[1024];
  if (!preload || !puppet_start(&puppet, preload, env, NULL) || !puppet_ask(&puppet, "fork", answer, "fork"))
    return;
  int child = answer[0];
  puppet_ask(&puppet, "kill", answer, "kill %d %d", child, SIGTERM);
  PG_CHECK(answer[0] == 0, "kill: errno %d", answer[1]);
  puppet_ask(&puppet, "wait", answer, "wait %d", child);
  puppet_finish(&puppet, &outcome);
  check_lines(outcome.err);
  PG_CHECK(find_event(outcome.err, "signal", child, line, sizeof line) && strstr(line, " sig=15 ") &&
               strstr(line, " result=0 "),
           "signal: %s", line);
  pg_test_outcome_free(&outcome);
}

static void levels(void) {
  static const struct {
    const char *setting;
    bool birth, refused;
  } table[] = {{"PIDGUARD_DEBUG=off", false, false},   {"PIDGUARD_DEBUG=0", false, false},
               {"PIDGUARD_DEBUG=error", false, false}, {"PIDGUARD_DEBUG=1", false, false},
               {"PIDGUARD_DEBUG=warn", false, true},   {"PIDGUARD_DEBUG=2", false, true},
               {"PIDGUARD_DEBUG=info", true, true},    {"PIDGUARD_DEBUG=3", true, true},
               {"PIDGUARD_DEBUG=debug", true, true},   {"PIDGUARD_DEBUG=4", true, true}};
  const char *preload = shim();
  for (size_t i = 0; preload && i < sizeof table / sizeof *table; i++) {
    const char *const env[] = {table[i].setting, NULL};
    struct puppet_story story;
    char line[1024];
    puppet_tell_story(preload, env, NULL, &story);
    refused(&story);
    const char *err = story.outcome.err;
    PG_CHECK(find_event(err, "birth", story.child, line, sizeof line) == table[i].birth, "%s: birth: %s",
             table[i].setting, line);
    PG_CHECK(find_event(err, "refused", story.child, line, sizeof line) == table[i].refused, "%s: refused: %s",
             table[i].setting, line);
    PG_CHECK(table[i].refused || story.outcome.err_size == 0, "%s: prints \"%.300s\"", table[i].setting, err);
    pg_test_outcome_free(&story.outcome);
  }
}

static void silent_by_default(void) {
  const char *preload = shim();
  struct puppet_story story;
  if (!preload)
    return;
  puppet_tell_story(preload, NULL, NULL, &story);
  refused(&story);
  PG_CHECK(story.outcome.err_size == 0, "prints \"%.300s\"", story.outcome.err);
  pg_test_outcome_free(&story.outcome);
}

/* Reads a file of the test's directory into text. Returns its length, or -1. */
static int read_text(const char *path, char *text, size_t size) {
  FILE *file = fopen(path, "re");
  text[0] = '\0';
  if (!file)
    return -1;
  size_t n = fread(text, 1, size - 1, file);
  text[n] = '\0';
  fclose(file);
  return (int)n;
}

static void to_a_file(void) {
  const char *preload = shim();
  char setting[128], path[128], text[8192], line[1024];
  struct puppet_story story;
  if (!preload)
    return;
  snprintf(setting, sizeof setting, "PIDGUARD_LOG=%s/log.%%p.txt", directory);
  const char *const env[] = {"PIDGUARD_DEBUG=debug", setting, NULL};
  puppet_tell_story(preload, env, NULL, &story);
  refused(&story);
  PG_CHECK(story.outcome.err_size == 0, "stderr: \"%.300s\"", story.outcome.err);
  snprintf(path, sizeof path, "%s/log.%d.txt", directory, story.puppet);
  PG_CHECK(read_text(path, text, sizeof text) > 0, "no %s", path);
  check_lines(text);
  PG_CHECK(find_event(text, "refused", story.child, line, sizeof line), "%s", line);
  unlink(path);
  /* A child that logs has a file of its own. */
  snprintf(path, sizeof path, "%s/log.%d.txt", directory, story.child);
  unlink(path);
  pg_test_outcome_free(&story.outcome);
}

/* Can a log in this file be used? It must belong to root or to this user. */
static bool is_of_root_or_us(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid());
}

/* Whatever becomes of the log, the program sees the same. */
static void failing_logs(void) {
  static const struct {
    const char *log, *errors;
  } table[] = {{"PIDGUARD_LOG=/dev/full", NULL},
               {"PIDGUARD_LOG=/nonexistent/directory/log", NULL},
               {"PIDGUARD_LOG=/proc/self/stat", NULL},
               {"PIDGUARD_LOG=/", NULL},
               {"PIDGUARD_LOG=", NULL},
               {"PIDGUARD_LOG=stderr", ""},
               {"PIDGUARD_LOG=stderr", "/dev/full"}};
  const char *preload = shim();
  for (size_t i = 0; preload && i < sizeof table / sizeof *table; i++) {
    const char *const env[] = {"PIDGUARD_DEBUG=debug", table[i].log, NULL};
    struct puppet_story story;
    puppet_tell_story(preload, env, table[i].errors, &story);
    refused(&story);
    if (i == 0 && !is_of_root_or_us("/dev/full"))
      pg_test_skip("/dev/full belongs to no user of this namespace, so the log does not go there");
    else if (i == 0)
      PG_CHECK(count(story.outcome.err, " event=log-lost ") == 1 && count(story.outcome.err, " result=ENOSPC\n") == 1 &&
                   count(story.outcome.err, "\n") == 1,
               "one line must say that lines were lost: \"%.300s\"", story.outcome.err);
    pg_test_outcome_free(&story.outcome);
  }
}

/* The program closes fd 2 and opens a data file there. No line of the log may land in it, and the log goes on
 * elsewhere. */
static void descriptor_two_reused(void) {
  const char *const env[] = {"PIDGUARD_DEBUG=debug", NULL}, *preload = shim();
  struct pg_test_process puppet;
  struct pg_test_outcome outcome;
  struct pg_test_stranger stranger;
  char path[128], text[8192], line[1024];
  int answer[3];
  if (!preload || !puppet_start(&puppet, preload, env, NULL))
    return;
  snprintf(path, sizeof path, "%s/data", directory);
  puppet_ask(&puppet, "close", answer, "close 2");
  PG_CHECK(answer[0] == 0, "close 2: errno %d", answer[1]);
  puppet_ask(&puppet, "open", answer, "open 2 %s", path);
  PG_CHECK(answer[0] == 2, "open gave %d", answer[0]);
  int child = puppet_reaped_child(&puppet);
  int error = child > 1 ? pg_test_take_pid(child, PG_TEST_ALONE, &stranger) : -1;
  if (PG_CHECK(error == 0, "no stranger can take the PID")) {
    puppet_ask(&puppet, "kill", answer, "kill %d 15", child);
    PG_CHECK(answer[0] == -1 && answer[1] == ESRCH, "kill: %d", answer[0]);
    pg_test_stranger_release(&stranger);
  }
  puppet_ask(&puppet, "write", answer, "write 2 data");
  puppet_finish(&puppet, &outcome);
  read_text(path, text, sizeof text);
  PG_CHECK(strcmp(text, "data") == 0, "the data file has \"%.300s\"", text);
  PG_CHECK(find_event(outcome.err, "refused", child, line, sizeof line), "the old stderr has no such line: %s", line);
  unlink(path);
  pg_test_outcome_free(&outcome);
}

/* A vfork child puts any file on the log's number, also the log's own file. */
static void number_in_a_vfork_child(void) {
  const char *const argv[] = {ours_program, "own-of-a-borrower", NULL}, *const env[] = {"PIDGUARD_DEBUG=error", NULL};
  struct pg_test_command command = {.argv = argv, .preload = shim(), .env = env};
  struct pg_test_outcome outcome;
  if (!command.preload)
    return;
  pg_test_run(&command, &outcome);
  PG_CHECK(pg_test_exited(&outcome, 0) && strstr(outcome.out, "odd answers: 0 0\nwithout a vfork: 0\n"), "\"%.500s\"",
           outcome.out);
  pg_test_outcome_free(&outcome);
}

static void bad_values(void) {
  static const char *const settings[] = {"PIDGUARD_MODE=nonsense", "PIDGUARD_DEBUG=loud",
                                         "PIDGUARD_DEBUG=5",       "PIDGUARD_RETIRED_MAX=-3",
                                         "PIDGUARD_RETIRED_MAX=x", "PIDGUARD_RETIRED_MAX=99999999999999999999",
                                         "PIDGUARD_FD_MAX=12abc",  "PIDGUARD_LOG=/nonexistent/directory/log",
                                         "PIDGUARD_LOG=/"};
  const char *preload = shim();
  for (size_t i = 0; preload && i < sizeof settings / sizeof *settings; i++) {
    const bool level = strncmp(settings[i], "PIDGUARD_DEBUG=", 15) == 0;
    const char *const env[] = {settings[i], level ? "PIDGUARD_LOG=/another/one" : "PIDGUARD_DEBUG=warn", NULL};
    struct puppet_story story;
    char name[64];
    puppet_tell_story(preload, env, NULL, &story);
    refused(&story);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(settings[i], "="), settings[i]);
    check_lines(story.outcome.err);
    PG_CHECK(count(story.outcome.err, name) == 1, "%s is reported %u times: \"%.300s\"", settings[i],
             count(story.outcome.err, name), story.outcome.err);
    PG_CHECK(!strstr(story.outcome.err, "comm=\"\""), "a line names no program: \"%.300s\"", story.outcome.err);
    pg_test_outcome_free(&story.outcome);
  }
}

static void summary(void) {
  const char *const env[] = {"PIDGUARD_SUMMARY=1", NULL}, *preload = shim();
  struct puppet_story story;
  if (!preload)
    return;
  puppet_tell_story(preload, env, NULL, &story);
  refused(&story);
  check_lines(story.outcome.err);
  PG_CHECK(count(story.outcome.err, "\n") == 1 && count(story.outcome.err, " event=summary ") == 1, "\"%.500s\"",
           story.outcome.err);
  PG_CHECK(strstr(story.outcome.err, "refused=1"), "the refusal is not counted: \"%.500s\"", story.outcome.err);
  pg_test_outcome_free(&story.outcome);
}

/* The log also has its number if no pidfd may be kept, within the program's limit or beyond it. */
static void without_a_budget(void) {
  static const char *const settings[] = {"PIDGUARD_FD_MAX=0", "PIDGUARD_FD_MAX=1"};
  static const rlim_t limits[] = {64, 256, 1024, 1025, 4096};
  const char *preload = shim();
  struct rlimit limit;
  if (!preload || !PG_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit"))
    return;
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
    for (size_t j = 0; j < sizeof limits / sizeof *limits && limits[j] <= limit.rlim_max; j++) {
      const char *const env[] = {settings[i], "PIDGUARD_DEBUG=debug", NULL};
      const struct rlimit lower = {limits[j], limit.rlim_max};
      struct pg_test_process puppet;
      struct pg_test_outcome outcome;
      char line[1024];
      setrlimit(RLIMIT_NOFILE, &lower);
      bool started = puppet_start(&puppet, preload, env, NULL);
      setrlimit(RLIMIT_NOFILE, &limit);
      if (!started)
        continue;
      int child = puppet_reaped_child(&puppet);
      puppet_finish(&puppet, &outcome);
      check_lines(outcome.err);
      PG_CHECK(find_event(outcome.err, "reap", child, line, sizeof line), "%s, limit %u: %s", settings[i],
               (unsigned)limits[j], line);
      pg_test_outcome_free(&outcome);
    }
}

static void remove_directory(void) { rmdir(directory); }

void pg_test_plan(int argc, char **argv) {
  pg_test_need_take_pid();
  if (argc != 3 || !mkdtemp(directory))
    return;
  atexit(remove_directory);
  puppet_path = argv[1];
  ours_program = argv[2];
  pg_test_add("log", "silent-by-default", silent_by_default);
  pg_test_add("log", "events", events);
  pg_test_add("log", "routed-signal", routed_signal);
  pg_test_add("log", "levels", levels);
  pg_test_add("log", "to-a-file", to_a_file);
  pg_test_add("log", "failing-logs", failing_logs);
  pg_test_add("log", "descriptor-two-reused", descriptor_two_reused);
  pg_test_add("log", "pid-in-a-vfork-child", number_in_a_vfork_child);
  pg_test_add("log", "bad-values", bad_values);
  pg_test_add("log", "summary", summary);
  pg_test_add("log", "without-a-budget", without_a_budget);
}

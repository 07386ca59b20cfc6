/* SPDX-License-Identifier: MIT */
/* More than one copy of the shim in one program: linked and preloaded, preloaded twice, or under other names. The API's
 * own object may also be beside the preloaded one. Only one table acts: each birth and each refusal is counted once.
 * Arguments: puppet, linked, both, a program with cases, and `both` with the shim behind libc. */
#define _GNU_SOURCE
#include "dialogue.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *plain_path, *linked_path, *both_path, *cases_path, *behind_path;
static char folder[] = "/tmp/pidguard-copies-XXXXXX";

/* Copies the shim into a folder of the test's own, under its own name or another. */
static const char *copy_of_shim(const char *name) {
  static char paths[4][256];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  const char *const argv[] = {"cp", pg_test_preload(), path, NULL};
  struct pg_test_command command = {.argv = argv};
  struct pg_test_outcome outcome;
  pg_test_run(&command, &outcome);
  PG_CHECK(pg_test_exited(&outcome, 0), "cp: %s", outcome.err);
  pg_test_outcome_free(&outcome);
  return path;
}

/* Counts the lines of a log that contain both texts. */
static int count(const char *log, const char *who, const char *what) {
  int found = 0;
  for (const char *line = log; *line; line += line[strcspn(line, "\n")] ? strcspn(line, "\n") + 1 : strlen(line)) {
    const char *is_who = strstr(line, who), *is_what = strstr(line, what), *end = line + strcspn(line, "\n");
    found += is_who && is_who < end && is_what && is_what < end;
  }
  return found;
}

/* The whole story, with the signal refused. The log must have one line for each event. */
static void story(const char *program, const char *preload) {
  static const char *const env[] = {"PIDGUARD_DEBUG=info", "PIDGUARD_SUMMARY=1", NULL};
  struct puppet_story story;
  puppet_path = program;
  puppet_tell_story(preload, env, NULL, &story);
  if (!PG_CHECK(story.told, "%s: the story did not run", preload ? preload : "linked"))
    return;
  PG_CHECK(story.result == -1 && story.error == ESRCH && story.untouched, "result %d, errno %d, %s", story.result,
           story.error, story.untouched ? "untouched" : "HIT");
  const char *log = story.outcome.err;
  char who[64];
  /* comm is the name of the file that was executed */
  const char *file = puppet_prefix && puppet_prefix[0][0] == '/' ? puppet_prefix[0] : program;
  snprintf(who, sizeof who, " comm=%.15s ", strrchr(file, '/') ? strrchr(file, '/') + 1 : file);
  PG_CHECK(count(log, who, "event=birth") == 1 && count(log, who, "event=reap") == 1 &&
               count(log, who, "event=refused") == 1 && count(log, who, "event=summary") == 1 &&
               count(log, who, "births=1 signals=0 refused=1 reaped=1") == 1,
           "preload %s, log: %s", preload ? preload : "-", log);
  pg_test_outcome_free(&story.outcome);
}

/* Runs every case of a program with two copies, and with one of them alone. */
static void cases_with(const char *preload) {
  const char *const list[] = {cases_path, NULL};
  struct pg_test_command command = {.argv = list};
  struct pg_test_outcome names, one, two;
  int cases = 0;
  pg_test_run(&command, &names);
  for (char *rest = names.out, *name; (name = strtok_r(rest, "\n", &rest)); cases++) {
    const char *const argv[] = {cases_path, name, NULL};
    command = (struct pg_test_command){.argv = argv, .preload = pg_test_preload(), .limit_ms = 30000};
    pg_test_run(&command, &one);
    pg_test_kill_leftovers();
    command.preload = preload;
    pg_test_run(&command, &two);
    pg_test_kill_leftovers();
    PG_CHECK(!two.timed_out && one.status == two.status && strcmp(one.out, two.out) == 0 &&
                 strcmp(one.err, two.err) == 0,
             "%s: one copy: status %#x \"%s\", two: status %#x \"%s\" \"%s\"", name, (unsigned)one.status, one.out,
             (unsigned)two.status, two.out, two.err);
    pg_test_outcome_free(&one);
    pg_test_outcome_free(&two);
  }
  PG_CHECK(cases > 5, "%d cases", cases);
  pg_test_outcome_free(&names);
}

static void linked_alone(void) { story(linked_path, NULL); }

static void linked_and_preloaded(void) { story(linked_path, pg_test_preload()); }

static void linked_and_copy(void) { story(linked_path, copy_of_shim("libpidguard-preload.so")); }

static void linked_and_renamed(void) { story(linked_path, copy_of_shim("other.so")); }

static void preloaded_twice(void) {
  char list[1024];
  snprintf(list, sizeof list, "%s:%s", pg_test_preload(), pg_test_preload());
  story(plain_path, list);
  snprintf(list, sizeof list, "%s:%s", copy_of_shim("other.so"), pg_test_preload());
  story(plain_path, list);
  cases_with(list);
  snprintf(list, sizeof list, "%s:%s:%s", copy_of_shim("libpidguard-preload.so"), pg_test_preload(),
           copy_of_shim("other.so"));
  story(plain_path, list);
  story(linked_path, list);
}

static void play_both(const char *program, const char *preload) {
  const char *const argv[] = {program, NULL};
  struct pg_test_command command = {.argv = argv, .preload = preload};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  struct pg_test_stranger stranger;
  char line[128] = "";
  int births = -1, preloaded = -1, child = -1, results[2] = {9, 9}, errors[2] = {0, 0};
  if (!PG_CHECK(pg_test_start(&command, &process) == 0, "cannot start %s", program))
    return;
  pg_test_read_line(&process, line, sizeof line);
  PG_CHECK(sscanf(line, "table %d %d", &births, &preloaded) == 2 && births == (preload != NULL) && preloaded == births,
           "%s the shim: \"%s\"", preload ? "with" : "without", line);
  pg_test_read_line(&process, line, sizeof line);
  PG_CHECK(sscanf(line, "ready %d", &child) == 1, "\"%s\"", line);
  int error = child > 1 ? pg_test_take_pid(child, false, &stranger) : -ECHILD;
  if (PG_CHECK(error == 0, "no stranger can take the PID: %s", strerror(-error))) {
    pg_test_write_line(&process, "go");
    pg_test_read_line(&process, line, sizeof line);
    PG_CHECK(sscanf(line, "api %d %d", &results[0], &errors[0]) == 2, "\"%s\"", line);
    pg_test_read_line(&process, line, sizeof line);
    PG_CHECK(sscanf(line, "libc %d %d", &results[1], &errors[1]) == 2, "\"%s\"", line);
    PG_CHECK(results[0] == -1 && errors[0] == ESRCH && !pg_test_stranger_got(&stranger, SIGUSR1), "the API: %d %d",
             results[0], errors[0]);
    bool got = pg_test_stranger_got(&stranger, SIGTERM);
    PG_CHECK(preload ? results[1] == -1 && errors[1] == ESRCH && !got : results[1] == 0 && got,
             "libc's name %s the shim: %d %d, %s", preload ? "with" : "without", results[1], errors[1],
             got ? "HIT" : "untouched");
    pg_test_stranger_release(&stranger);
  }
  pg_test_finish(&process, &outcome);
  PG_CHECK(pg_test_exited(&outcome, 0) && !outcome.err[0], "status %#x \"%s\"", (unsigned)outcome.status, outcome.err);
  pg_test_outcome_free(&outcome);
}

static void api_alone(void) { play_both(both_path, NULL); }
static void api_and_preload(void) { play_both(both_path, pg_test_preload()); }
static void behind_libc(void) { play_both(behind_path, NULL); }
static void behind_and_preload(void) { play_both(behind_path, pg_test_preload()); }

/* The shim is loaded system-wide, by /etc/ld.so.preload. Here that file is in a file system of the test's own. */
static void system_wide(void) {
  char script[2048];
  snprintf(script, sizeof script,
           "echo '%s' >'%s/list' && { [ -e /etc/ld.so.preload ] || "
           "{ mkdir -p '%s/up' && mount -t tmpfs none '%s/up' && mkdir '%s/up/u' '%s/up/w' && "
           "mount -t overlay -o lowerdir=/etc,upperdir='%s/up/u',workdir='%s/up/w' none /etc && : >/etc/ld.so.preload; "
           "}; } && mount --bind '%s/list' /etc/ld.so.preload",
           pg_test_preload(), folder, folder, folder, folder, folder, folder, folder, folder);
  const char *const argv[] = {"unshare", "--mount", "sh",       "-c", "eval \"$1\" 2>/dev/null || exit 77; exec \"$2\"",
                              "sh",      script,    plain_path, NULL};
  const char *const probe[] = {"unshare", "--mount", "sh", "-c", "eval \"$1\" || exit 77", "sh", script, NULL};
  struct pg_test_command command = {.argv = probe};
  struct pg_test_outcome outcome;
  pg_test_run(&command, &outcome);
  bool can = pg_test_exited(&outcome, 0);
  if (!can)
    pg_test_skip("the test cannot make an /etc/ld.so.preload of its own: %.100s", outcome.err);
  pg_test_outcome_free(&outcome);
  if (!can)
    return;
  char *const *all = (char *const *)(uintptr_t)argv;
  static const char *prefix[9];
  for (int i = 0; i < 7; i++)
    prefix[i] = all[i];
  puppet_prefix = prefix;
  story(plain_path, NULL);
  story(plain_path, pg_test_preload());
  story(linked_path, NULL);
  puppet_prefix = NULL;
}

/* With ld.so --preload the shim is loaded for this program only, and not for those that it starts. */
static void by_loader(void) {
  const char *const argv[] = {"sh", "-c",       "readelf -lW \"$1\" | sed -n 's/.*interpreter: \\(.*\\)]/\\1/p'",
                              "sh", plain_path, NULL};
  struct pg_test_command command = {.argv = argv};
  struct pg_test_outcome outcome;
  pg_test_run(&command, &outcome);
  outcome.out[strcspn(outcome.out, "\n")] = '\0';
  const char *prefix[] = {outcome.out, "--preload", pg_test_preload(), NULL};
  puppet_prefix = prefix;
  if (!outcome.out[0])
    pg_test_skip("readelf does not show the loader of the program");
  else {
    story(plain_path, NULL);
    story(plain_path, pg_test_preload());
  }
  puppet_prefix = NULL;
  pg_test_outcome_free(&outcome);
}

static void at_end(void) {
  const char *const argv[] = {"rm", "-r", "-f", folder, NULL};
  struct pg_test_command command = {.argv = argv};
  struct pg_test_outcome outcome;
  pg_test_run(&command, &outcome);
  PG_CHECK(pg_test_exited(&outcome, 0), "rm: %s", outcome.err);
  pg_test_outcome_free(&outcome);
}

void pg_test_plan(int argc, char **argv) {
  if (argc < 6)
    return;
  pg_test_need_take_pid();
  if (!pg_test_preload())
    pg_test_skip_all("there is no preload object to test");
  plain_path = argv[1];
  linked_path = argv[2];
  both_path = argv[3];
  cases_path = argv[4];
  behind_path = argv[5];
  if (!mkdtemp(folder))
    pg_test_skip_all("the test cannot make a folder in /tmp");
  pg_test_add("copies", "linked", linked_alone);
  pg_test_add("copies", "linked-and-preloaded", linked_and_preloaded);
  pg_test_add("copies", "linked-and-copy", linked_and_copy);
  pg_test_add("copies", "linked-and-renamed", linked_and_renamed);
  pg_test_add("copies", "preloaded-twice", preloaded_twice);
  pg_test_add("copies", "api-alone", api_alone);
  pg_test_add("copies", "api-and-preload", api_and_preload);
  pg_test_add("copies", "behind-libc", behind_libc);
  pg_test_add("copies", "behind-and-preload", behind_and_preload);
  pg_test_add("copies", "ld.so.preload", system_wide);
  pg_test_add("copies", "loader", by_loader);
  pg_test_add("copies", "end", at_end);
}

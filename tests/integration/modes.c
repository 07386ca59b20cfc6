/* SPDX-License-Identifier: MIT */
/* The modes, the bound of retired PIDs, and natural wrap-around. Arguments: puppet, stale, linked (or "-"). */
#define _GNU_SOURCE
#include "dialogue.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static const char *stale_path, *linked_path;

static const char *shim(void) {
  const char *preload = pg_test_preload();
  if (!preload)
    pg_test_skip("there is no preload object to test");
  return preload;
}

static void expect_hit(const char *what, const char *preload, const char *const *env, struct puppet_story *ret) {
  puppet_tell_story(preload, env, NULL, ret);
  PG_CHECK(ret->told && ret->result == 0 && ret->got, "%s: the stranger must be hit: result %d, errno %d", what,
           ret->result, ret->error);
}

static void expect_refusal(const char *what, const char *preload, const char *const *env, struct puppet_story *ret) {
  puppet_tell_story(preload, env, NULL, ret);
  PG_CHECK(ret->told && ret->result == -1 && ret->error == ESRCH && ret->untouched,
           "%s: the stranger must be untouched: result %d, errno %d, got it %d", what, ret->result, ret->error,
           ret->got);
}

static void enforce(void) {
  struct puppet_story story;
  const char *preload;
  const char *const env[] = {"PIDGUARD_MODE=enforce", NULL};
  expect_hit("without the shim", NULL, env, &story);
  pg_test_outcome_free(&story.outcome);
  if (!(preload = shim()))
    return;
  expect_refusal("by default", preload, NULL, &story);
  pg_test_outcome_free(&story.outcome);
  expect_refusal("enforce", preload, env, &story);
  PG_CHECK(story.outcome.err_size == 0, "it prints \"%.300s\"", story.outcome.err);
  pg_test_outcome_free(&story.outcome);
}

static void off(void) {
  struct puppet_story story;
  const char *const env[] = {"PIDGUARD_MODE=off", NULL}, *preload = shim();
  if (!preload)
    return;
  expect_hit("off", preload, env, &story);
  PG_CHECK(story.outcome.err_size == 0, "it prints \"%.300s\"", story.outcome.err);
  pg_test_outcome_free(&story.outcome);
}

static void audit(void) {
  struct puppet_story story;
  const char *const quiet[] = {"PIDGUARD_MODE=audit", NULL};
  const char *const loud[] = {"PIDGUARD_MODE=audit", "PIDGUARD_DEBUG=warn", NULL}, *preload = shim();
  if (!preload)
    return;
  expect_hit("audit", preload, quiet, &story);
  PG_CHECK(story.outcome.err_size == 0, "it prints \"%.300s\"", story.outcome.err);
  pg_test_outcome_free(&story.outcome);
  expect_hit("audit", preload, loud, &story);
  char expected[64];
  snprintf(expected, sizeof expected, " target=%d ", story.child);
  const char *line = strstr(story.outcome.err, "event=would-refuse");
  PG_CHECK(line && strstr(line, expected) && strstr(line, "now=stranger"), "no would-refuse line for %d: \"%.400s\"",
           story.child, story.outcome.err);
  pg_test_outcome_free(&story.outcome);
}

/* A vfork child has no table of its own: it asks that of its parent. */
static void audit_in_vfork(void) {
  puppet_kill = "vkill";
  enforce();
  audit();
  puppet_kill = "kill";
}

/* The puppet remembers four reaped PIDs, the shim only the three youngest. So the shim has forgotten the first. */
static void retired_bound(void) {
  const char *const env[] = {"PIDGUARD_RETIRED_MAX=3", NULL}, *preload = shim();
  struct pg_test_process puppet;
  struct pg_test_stranger strangers[4];
  struct pg_test_outcome outcome;
  int children[4], taken = 0;
  if (!preload || !puppet_start(&puppet, preload, env, NULL))
    return;
  for (int i = 0; i < 4; i++)
    children[i] = puppet_reaped_child(&puppet);
  for (; taken < 4; taken++) {
    int error = pg_test_take_pid(children[taken], PG_TEST_ALONE, &strangers[taken]);
    if (!PG_CHECK(error == 0, "no stranger can take PID %d: %s", taken, strerror(-error)))
      break;
  }
  for (int i = 0; i < taken && taken == 4; i++) {
    int answer[3];
    puppet_ask(&puppet, "kill", answer, "kill %d %d", children[i], SIGTERM);
    bool got = pg_test_stranger_got(&strangers[i], SIGTERM);
    if (i == 0)
      PG_CHECK(answer[0] == 0 && got, "the oldest should be forgotten: result %d", answer[0]);
    else
      PG_CHECK(answer[0] == -1 && answer[1] == ESRCH && !got, "child %d is hit: result %d", i, answer[0]);
  }
  while (taken > 0)
    pg_test_stranger_release(&strangers[--taken]);
  puppet_finish(&puppet, &outcome);
  pg_test_outcome_free(&outcome);
}

/* A PID is retired, and then a new child of the program gets it. It is that child's. */
static void own_child_gets_the_number(void) {
  const char *preload = shim();
  struct pg_test_process puppet;
  struct pg_test_outcome outcome;
  struct pg_test_stranger stranger;
  int answer[3];
  if (!preload || !puppet_start(&puppet, preload, NULL, NULL))
    return;
  int child = puppet_reaped_child(&puppet), again = -1;
  int error = child > 1 ? pg_test_wrap_to_pid(child, 40000, &stranger) : -1;
  if (PG_CHECK(error == 0, "the PID does not come round: %s", strerror(-error))) {
    puppet_ask(&puppet, "kill", answer, "kill %d %d", child, SIGTERM);
    PG_CHECK(answer[0] == -1 && pg_test_stranger_untouched(&stranger), "the stranger is hit");
    pg_test_stranger_release(&stranger);
    for (int tries = 0; tries < 40000 && again != child; tries++) {
      /* Other processes use PIDs up as well. The test wants a child of the puppet with that PID. */
      if (again > 1) {
        puppet_ask(&puppet, "kill", answer, "kill %d 9", again);
        puppet_ask(&puppet, "wait", answer, "wait %d", again);
      }
      if (!puppet_ask(&puppet, "fork", answer, "fork"))
        break;
      again = answer[0];
    }
    PG_CHECK(again == child, "the puppet never gets %d again", child);
    puppet_ask(&puppet, "kill", answer, "kill %d %d", again, SIGTERM);
    PG_CHECK(answer[0] == 0, "its own new child cannot be signalled: errno %d", answer[1]);
    puppet_ask(&puppet, "wait", answer, "wait %d", again);
    PG_CHECK(answer[0] == again && answer[2] == SIGTERM, "wait: %d, status %#x", answer[0], (unsigned)answer[2]);
  }
  puppet_finish(&puppet, &outcome);
  pg_test_outcome_free(&outcome);
}

/* Runs one stale scenario with PIDs that come round by themselves. */
static void come_round(const char *send, const char *preload) {
  const char *const argv[] = {stale_path, "fork", "waitpid", send, NULL};
  struct pg_test_command command = {.argv = argv, .preload = preload};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  struct pg_test_stranger stranger;
  char line[128] = "";
  int pid = -1, result = -2, number = 0;
  PG_CHECK(pg_test_start(&command, &process) == 0, "cannot start");
  pg_test_read_line(&process, line, sizeof line);
  PG_CHECK(sscanf(line, "ready %d", &pid) == 1, "\"%s\"", line);
  int error = pid > 1 ? pg_test_wrap_to_pid(pid, 5000, &stranger) : -1;
  if (PG_CHECK(error == 0, "%d does not come round: %s", pid, strerror(-error))) {
    pg_test_write_line(&process, "go");
    pg_test_read_line(&process, line, sizeof line);
    PG_CHECK(sscanf(line, "result %d %d", &result, &number) == 2, "\"%s\"", line);
    bool got = pg_test_stranger_got(&stranger, SIGTERM);
    if (preload)
      PG_CHECK(result == -1 && number == ESRCH && pg_test_stranger_untouched(&stranger), "%s with: result %d, hit %d",
               send, result, got);
    else
      PG_CHECK(result == 0 && got, "%s without: result %d, hit %d", send, result, got);
    pg_test_stranger_release(&stranger);
  }
  pg_test_finish(&process, &outcome);
  pg_test_outcome_free(&outcome);
}

static void wrap_around(void) {
  static const char *const sends[] = {"kill", "kill-group", "sigqueue"};
  int error = pg_test_set_pid_max(400);
  if (error) {
    pg_test_skip("this kernel cannot set pid_max for one namespace: %s", strerror(-error));
    return;
  }
  struct pg_test_stranger past;
  error = pg_test_wrap_to_pid(399, 5000, &past); /* PIDs below 300 do not come round */
  if (!PG_CHECK(error == 0, "399: %s", strerror(-error)))
    return;
  pg_test_stranger_release(&past);
  for (int i = 0; i < 3; i++) {
    come_round(sends[i], NULL);
    if (pg_test_preload())
      come_round(sends[i], pg_test_preload());
  }
  own_child_gets_the_number();
  shim();
}

/* A program that is linked with the shim is hardened without LD_PRELOAD. */
static void linked(void) {
  struct puppet_story story;
  const char *unlinked = puppet_path;
  puppet_path = linked_path;
  expect_refusal("linked", NULL, NULL, &story);
  pg_test_outcome_free(&story.outcome);
  puppet_path = unlinked;
}

static void not_linked(void) { pg_test_skip("no target pidguard_preload to link with"); }

void pg_test_plan(int argc, char **argv) {
  pg_test_need_take_pid();
  if (argc != 4)
    return;
  puppet_path = argv[1];
  stale_path = argv[2];
  linked_path = argv[3];
  pg_test_add("modes", "enforce", enforce);
  pg_test_add("modes", "off", off);
  pg_test_add("modes", "audit", audit);
  pg_test_add("modes", "audit_in_vfork", audit_in_vfork);
  pg_test_add("modes", "linked", strcmp(linked_path, "-") == 0 ? not_linked : linked);
  pg_test_add("bounds", "retired-max", retired_bound);
  pg_test_add("bounds", "wrap-around", wrap_around);
}

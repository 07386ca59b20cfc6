/* SPDX-License-Identifier: MIT */
/* Dialogues with the program `puppet`. See dialogue.h. */
#define _GNU_SOURCE
#include "dialogue.h"

#include <signal.h>
#include <string.h>

const char *puppet_path;
const char *const *puppet_prefix;
const char *puppet_kill = "kill";

bool puppet_start(struct pg_test_process *puppet, const char *preload, const char *const *env, const char *errors) {
  const char *argv[16];
  int n = 0;
  for (; puppet_prefix && puppet_prefix[n] && n < 14; n++)
    argv[n] = puppet_prefix[n];
  argv[n] = puppet_path;
  argv[n + 1] = NULL;
  struct pg_test_command command = {.argv = argv, .preload = preload, .env = env, .errors = errors};
  int error = pg_test_start(&command, puppet);
  return PG_CHECK(error == 0, "cannot start %s: %s", puppet_path, strerror(-error));
}

bool puppet_ask(struct pg_test_process *puppet, const char *word, int ret[3], const char *format, ...) {
  char command[512], answer[256] = "", name[32] = "";
  va_list args;
  va_start(args, format);
  vsnprintf(command, sizeof command, format, args);
  va_end(args);
  memset(ret, 0, 3 * sizeof *ret);
  int error = pg_test_write_line(puppet, "%s", command);
  if (!error)
    error = pg_test_read_line(puppet, answer, sizeof answer);
  int numbers = sscanf(answer, "%31s %d %d %d", name, &ret[0], &ret[1], &ret[2]);
  return PG_CHECK(!error && numbers >= 2 && strcmp(name, word) == 0, "\"%s\" was answered \"%s\" (%s)", command, answer,
                  strerror(-error));
}

int puppet_reaped_child(struct pg_test_process *puppet) {
  int answer[3];
  if (!puppet_ask(puppet, "fork", answer, "fork-exit 3"))
    return -1;
  int child = answer[0];
  if (!puppet_ask(puppet, "wait", answer, "wait %d", child))
    return -1;
  return PG_CHECK(child > 1 && answer[0] == child && answer[2] == 3 << 8, "waitpid gave %d, status %#x", answer[0],
                  (unsigned)answer[2])
             ? child
             : -1;
}

bool puppet_finish(struct pg_test_process *puppet, struct pg_test_outcome *ret) {
  pg_test_write_line(puppet, "exit 0");
  pg_test_finish(puppet, ret);
  return PG_CHECK(pg_test_exited(ret, 0), "the puppet ended with status %#x%s", (unsigned)ret->status,
                  ret->timed_out ? " (time-out)" : "");
}

void puppet_tell_story(const char *preload, const char *const *env, const char *errors, struct puppet_story *ret) {
  struct pg_test_process puppet;
  struct pg_test_stranger stranger;
  int answer[3];
  memset(ret, 0, sizeof *ret);
  if (!puppet_start(&puppet, preload, env, errors))
    return;
  ret->puppet = puppet.pid;
  ret->child = puppet_reaped_child(&puppet);
  int error = ret->child > 1 ? pg_test_take_pid(ret->child, PG_TEST_ALONE, &stranger) : -1;
  if (PG_CHECK(error == 0, "no stranger can take the PID: %s", strerror(-error))) {
    if (puppet_ask(&puppet, puppet_kill, answer, "%s %d %d", puppet_kill, ret->child, SIGTERM)) {
      ret->result = answer[0];
      ret->error = answer[1];
      ret->untouched = pg_test_stranger_untouched(&stranger);
      ret->got = pg_test_stranger_got(&stranger, SIGTERM);
      ret->told = true;
    }
    pg_test_stranger_release(&stranger);
  }
  ret->told &= puppet_finish(&puppet, &ret->outcome);
}

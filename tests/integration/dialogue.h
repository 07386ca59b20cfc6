/* SPDX-License-Identifier: MIT */
/* Dialogues with tests/programs/puppet.c, for the tests of the log, the modes and the bounds. */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include "pg_test.h"

#include <stdio.h>

/* The path of the program `puppet`; each test sets it from its arguments. */
extern const char *puppet_path;
/* A NULL-terminated command line before the puppet's, for a program that runs it. NULL: nothing. */
extern const char *const *puppet_prefix;

/* Starts the puppet; env is as in struct pg_test_command. Returns false if it did not start. */
bool puppet_start(struct pg_test_process *puppet, const char *preload, const char *const *env, const char *errors);
/* Writes a line and reads the answer, which must begin with the given word. The numbers after it go to ret[0..2]. */
bool puppet_ask(struct pg_test_process *puppet, const char *word, int ret[3], const char *format, ...) PG_PRINTF(4, 5);
/* Makes a child of the puppet that exits and is waited for. Returns its PID, or -1. */
int puppet_reaped_child(struct pg_test_process *puppet);
/* Ends the puppet. Returns true if it exited with 0. */
bool puppet_finish(struct pg_test_process *puppet, struct pg_test_outcome *ret);

/* One whole story. The puppet makes and reaps a child, a stranger takes its PID, and the puppet sends SIGTERM to that
 * PID. */
struct puppet_story {
  bool told;         /* false: something went wrong, and nothing else is meaningful */
  int puppet, child; /* PIDs */
  int result, error;
  bool untouched, got;
  struct pg_test_outcome outcome;
};
extern const char *puppet_kill; /* the puppet's command for that: "kill", or "vkill" for a kill by a vfork child */
void puppet_tell_story(const char *preload, const char *const *env, const char *errors, struct puppet_story *ret);

#endif

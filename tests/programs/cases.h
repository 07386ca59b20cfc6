/* SPDX-License-Identifier: MIT */
/* The frame of the same_* programs. Each program is a list of named cases, and a case prints what it observes. The
 * driver compares the trace of one run with that of a second run. So a trace must not contain anything that differs
 * from run to run, such as PIDs and times. The programs are ordinary: they know nothing of pidguard. */
#ifndef CASES_H
#define CASES_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/wait.h>

struct test_case {
  const char *name;
  void (*run)(void);
};
/* Ends with {NULL, NULL}. A name that begins with '-' is not listed. A program reaches such a case by exec, with
 * arguments. */
extern const struct test_case cases[];
extern char **case_arguments; /* those after the name; ends with NULL */

/* Prints one line of the trace with one write(), so that children can use it as well. Keeps errno. A line that begins
 * with '?' is for the driver and no part of the trace. "?foreign N" says how many descriptors were found that the
 * program did not open. Without the shim N must be 0. With the shim at least one line must have a larger N. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* If the condition does not hold, the program says where and ends with status 1. */
#define MUST(condition)                                                                                                \
  do {                                                                                                                 \
    if (!(condition))                                                                                                  \
      must_failed(__FILE__, __LINE__, #condition);                                                                     \
  } while (0)
void must_failed(const char *file, int line, const char *text) __attribute__((noreturn));
/* Ends the program because the case cannot be shown here. */
void skip(const char *reason) __attribute__((noreturn));

/* Texts for notes; each call uses one of a few static buffers. */
const char *errno_text(int error); /* its symbolic name, "-" for the marker value */
const char *status_text(int status);
const char *siginfo_text(const siginfo_t *info, pid_t child); /* a waitid result; `child` prints as such */
/* Prints -1 as "-1 ERRNO", 0 as "0", `child` as "child", anything else as "other". What errno was left at follows. */
const char *wait_text(pid_t result, pid_t child);
const char *call_text(int result); /* 0 or -1, with errno */

/* A case sets errno to this before calls that must leave it alone. */
#define UNTOUCHED 999

/* fork() that must succeed. The second child does nothing until it is killed. The third one exits at once. */
pid_t fork_ok(void);
pid_t fork_pausing(void);
pid_t fork_exiting(int code);
/* kill() for a PID. The program ends if it is not above 1. */
int kill_ok(pid_t pid, int sig);
/* Kills the child with SIGKILL and reaps it. */
void finish(pid_t pid);
/* Blocks until pid is a zombie (does not reap it). */
void await_zombie(pid_t pid);
/* Repeats kill(pid, 0) until it fails, and returns the last result. A child that no wait reaps is gone only a moment
 * after waits deny it. */
int kill_until_gone(pid_t pid);
void sleep_ms(int ms);
int count_descriptors(void);
/* The same without a call that opens something, for numbers from `from` to `to` - 1. */
int count_open_in(int from, int to);

#endif

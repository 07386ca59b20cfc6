/* SPDX-License-Identifier: MIT */
/* The test runs each case of a same_* program (the argument) without the shim and with it. Everything that the case
 * observed must be equal: its trace, its stderr, and how it ended. */
#define _GNU_SOURCE
#include "pg_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const char *program;

static int run_case(const char *name, const char *preload, struct pg_test_outcome *ret) {
  const char *const argv[] = {program, name, NULL};
  struct pg_test_command command = {.argv = argv, .preload = preload, .limit_ms = 30000};
  pg_test_run(&command, ret);
  return pg_test_kill_leftovers();
}

/* Copies the first line in which two traces differ, from each of them. */
static void first_difference(const char *plain, const char *shim, char *text, size_t size) {
  const char *line = plain, *other = shim;
  for (size_t i = 0; plain[i] && plain[i] == shim[i]; i++)
    if (plain[i] == '\n') {
      line = plain + i + 1;
      other = shim + i + 1;
    }
  snprintf(text, size, "without: \"%.*s\", with: \"%.*s\"", (int)strcspn(line, "\n"), line, (int)strcspn(other, "\n"),
           other);
}

static bool ends_well(const struct pg_test_outcome *outcome) {
  return pg_test_exited(outcome, 0) && outcome->out_size >= 4 &&
         strcmp(outcome->out + outcome->out_size - 4, "end\n") == 0;
}

/* Returns the last line for messages, in a static buffer. */
static const char *last_line(const struct pg_test_outcome *outcome) {
  static char text[256];
  size_t end = outcome->out_size;
  while (end > 0 && outcome->out[end - 1] == '\n')
    end--;
  size_t start = end;
  while (start > 0 && outcome->out[start - 1] != '\n')
    start--;
  snprintf(text, sizeof text, "%.*s", (int)(end - start), outcome->out + start);
  return text;
}

/* Takes the lines that begin with '?' out of a trace. Returns the highest N of "?foreign N", or -1 if there is none. */
static int take_foreign(struct pg_test_outcome *outcome) {
  int highest = -1, number;
  char *to = outcome->out;
  for (char *line = outcome->out, *next; *line; line = next) {
    next = line + strcspn(line, "\n");
    next += *next == '\n';
    if (sscanf(line, "?foreign %d", &number) == 1)
      highest = number > highest ? number : highest;
    if (*line != '?') {
      memmove(to, line, (size_t)(next - line));
      to += next - line;
    }
  }
  *to = '\0';
  outcome->out_size = (size_t)(to - outcome->out);
  return highest;
}

/* The programs are written for glibc on 64 bits. Where libc touches a bad pointer itself, or its own fork does not work
 * in threads, some of them crash or hang without any shim. */
static bool programs_fit(void) {
#if defined __GLIBC__ && __SIZEOF_POINTER__ == 8
  return true;
#else
  return false;
#endif
}

/* Makes one pair of runs. An error is described in `wrong`, which stays empty if there is none. */
static void compare(const char *name, const char *preload, char *wrong, size_t size) {
  struct pg_test_outcome plain, shim;
  char difference[1024];
  int left = run_case(name, NULL, &plain), found = take_foreign(&plain);
  wrong[0] = '\0';
  if (pg_test_exited(&plain, PG_TEST_SKIPPED)) {
    const char *reason = last_line(&plain); /* the reason has the form "SKIP: ..." */
    pg_test_skip("%s", strncmp(reason, "SKIP: ", 6) == 0 ? reason + 6 : reason);
  } else if (!ends_well(&plain) && !programs_fit()) {
    pg_test_skip("with this libc the program itself fails, without the shim: status %#x%s", (unsigned)plain.status,
                 plain.timed_out ? " (time-out)" : "");
  } else if (!ends_well(&plain)) {
    snprintf(wrong, size, "without the shim: status %#x%s, last line \"%s\", stderr \"%.300s\"", (unsigned)plain.status,
             plain.timed_out ? " (time-out)" : "", last_line(&plain), plain.err);
  } else if (left || found > 0) {
    snprintf(wrong, size,
             "without the shim %d processes are left behind, and %d descriptors are there that the program "
             "did not open",
             left, found);
  } else if (!preload) {
    pg_test_skip("there is no preload object: this ran without it only");
  } else {
    left = run_case(name, preload, &shim);
    int held = take_foreign(&shim);
    first_difference(plain.out, shim.out, difference, sizeof difference);
    if (strcmp(plain.out, shim.out) != 0)
      snprintf(wrong, size, "the traces differ: %s; status %#x%s", difference, (unsigned)shim.status,
               shim.timed_out ? " (time-out)" : "");
    else if (strcmp(plain.err, shim.err) != 0)
      snprintf(wrong, size, "stderr differs: \"%.300s\"", shim.err);
    else if (!ends_well(&shim))
      snprintf(wrong, size, "with the shim: status %#x%s, last line \"%s\"", (unsigned)shim.status,
               shim.timed_out ? " (time-out)" : "", last_line(&shim));
    else if (left)
      snprintf(wrong, size, "with the shim %d processes are left behind", left);
    else if (held <= 0 && found >= 0)
      snprintf(wrong, size, "the shim holds no descriptor, so nothing is shown");
    pg_test_outcome_free(&shim);
  }
  pg_test_outcome_free(&plain);
}

/* Some cases depend on how long things take, and a machine can be late. So an error that comes once is only printed. */
static void test_case(void) {
  const char *name = pg_test_name();
  char wrong[2048], again[2048] = "";
  compare(name, pg_test_preload(), wrong, sizeof wrong);
  if (wrong[0]) {
    compare(name, pg_test_preload(), again, sizeof again);
    printf("%s once: %s; %s\n", name, wrong, again[0] ? "and again" : "not again");
  }
  PG_CHECK(!again[0], "%s: %s", name, again);
}

void pg_test_plan(int argc, char **argv) {
  if (argc < 2)
    return;
  program = argv[1];
  const char *const list[] = {program, NULL};
  struct pg_test_command command = {.argv = list};
  struct pg_test_outcome outcome;
  pg_test_run(&command, &outcome);
  const char *suite = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;
  for (char *rest = outcome.out, *name; (name = strtok_r(rest, "\n", &rest));)
    pg_test_add(suite, name, test_case);
  pg_test_outcome_free(&outcome);
}

/* SPDX-License-Identifier: MIT */
/* The test sends a signal at any instruction of the shim, and the handler calls the shim again. The program
 * `interrupted` does one operation and is stepped through it. It gets the signal at a position inside the object, and
 * then it checks itself. Each position is a run of its own. Each pair of operation and handler is also played plain.
 *
 * Arguments: the program `interrupted`, then OPERATION/HANDLER… for these pairs alone. Either half may be empty.
 * Normally one position of each third pair is played. With PG_TEST_SAMPLE=N it is each 3N-th pair, and the others are
 * not played at all. The offset differs from run to run (and is printed), so that many runs cover all.
 * PG_TEST_STEPPED=EVERY[:FIRST] in the environment plays every EVERY-th position from FIRST on. */
#define _GNU_SOURCE
#include "stepped.h"
#include "pg_test.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* TURNS: a normal run steps one pair in so many. SHOWN: failures of an operation that are shown. NO_POSITION: more
 * positions than any operation has. */
enum { TURNS = 3, SHOWN = 4, NO_POSITION = 10000000 };

static const char *program;
static char object[PATH_MAX]; /* its path, as the kernel names it */
static struct pg_test_outcome listed;
static char **chosen;
static long every, first;
static unsigned offset, turns = TURNS;

struct pair {
  char operation[32], handler[32];
};

struct tally {
  int pairs, failed;
  long positions;
};

/* ---- Which ---- */

static bool half_is(const char *wanted, size_t length, const char *name) {
  return length == 0 || (strlen(name) == length && strncmp(wanted, name, length) == 0);
}

static bool is_chosen(const struct pair *pair) {
  for (char **choice = chosen; *choice; choice++) {
    size_t length = strcspn(*choice, "/");
    const char *handler = *choice + length + ((*choice)[length] == '/');
    if (half_is(*choice, length, pair->operation) && half_is(handler, strlen(handler), pair->handler))
      return true;
  }
  return !*chosen;
}

/* Finds the next chosen pair of the list. At the beginning *at is the whole list. */
static bool next_pair(const char **at, struct pair *ret) {
  int length;
  while (sscanf(*at, "%31s %31s%n", ret->operation, ret->handler, &length) == 2) {
    *at += length;
    if (is_chosen(ret))
      return true;
  }
  return false;
}

/* ---- Where ---- */

/* Returns "function+0x12" with the help of nm, or the offset alone if nm cannot tell. */
static const char *name_of(uint64_t at) {
  static char text[160];
  const char *const argv[] = {"nm", "-n", "--defined-only", object, NULL};
  struct pg_test_command command = {.argv = argv};
  struct pg_test_outcome outcome;
  unsigned long value;
  char kind, name[100];
  snprintf(text, sizeof text, "0x%lx", (unsigned long)at);
  pg_test_run(&command, &outcome);
  for (char *rest = outcome.out, *line; (line = strtok_r(rest, "\n", &rest));)
    if (sscanf(line, "%lx %c %99s", &value, &kind, name) == 3 && strchr("tTwW", kind) && value <= at)
      snprintf(text, sizeof text, "%s+0x%lx (0x%lx)", name, (unsigned long)at - value, (unsigned long)at);
  pg_test_outcome_free(&outcome);
  return text;
}

/* ---- Runs ---- */

static const char *status_of(const struct pg_test_outcome *outcome) {
  static char text[64];
  if (outcome->timed_out)
    return "does not end";
  if (WIFSIGNALED(outcome->status))
    snprintf(text, sizeof text, "killed by signal %d", WTERMSIG(outcome->status));
  else
    snprintf(text, sizeof text, "status %d", WEXITSTATUS(outcome->status));
  return text;
}

static bool play_plain(const struct pair *pair) {
  const char *const argv[] = {program, pair->operation, pair->handler, "plain", NULL};
  struct pg_test_command command = {.argv = argv};
  struct pg_test_outcome outcome;
  pg_test_run(&command, &outcome);
  bool good = pg_test_exited(&outcome, 0) && !outcome.err[0];
  PG_CHECK(good, "%s/%s without the shim: %s: %s", pair->operation, pair->handler, status_of(&outcome), outcome.err);
  pg_test_outcome_free(&outcome);
  return good;
}

/* The result of one position. */
struct verdict {
  bool good, past, no_stranger; /* past: the operation has no such position */
  long count;                   /* positions before this one */
};

/* The dialogue with the program: it is ready, the test attaches to it, and it goes on. */
static int signal_at(struct pg_test_process *process, long position, struct stepped_place *ret) {
  char line[128] = "";
  int pid, error = pg_test_read_line(process, line, sizeof line);
  if (error || sscanf(line, "ready %d", &pid) != 1 || pid <= 1)
    return strncmp(line, "SKIP", 4) == 0 ? -ENOTSUP : error ? error : -EPROTO;
  if ((error = stepped_attach(pid)) != 0 || (error = pg_test_write_line(process, "go")) != 0)
    return error;
  return stepped_signal_at(pid, object, position, ret);
}

static struct verdict play(const struct pair *pair, long position, bool show) {
  const char *const argv[] = {program, pair->operation, pair->handler, "stepped", NULL};
  struct pg_test_command command = {.argv = argv, .preload = object};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  struct stepped_place place = {.count = 0};
  if (!PG_CHECK(pg_test_start(&command, &process) == 0, "cannot start"))
    return (struct verdict){.past = true};
  int result = signal_at(&process, position, &place);
  pg_test_finish(&process, &outcome);
  struct verdict verdict = {.good = result >= 0 && pg_test_exited(&outcome, 0) && !outcome.err[0],
                            .past = result == STEPPED_PAST,
                            .no_stranger = result == -ENOTSUP,
                            .count = place.count};
  if (!verdict.good && show && !verdict.no_stranger)
    PG_CHECK(false,
             "%s/%s, position %ld, at %s: %s%s%s: %s\n      again: PG_TEST_STEPPED=%d:%ld PIDGUARD_PRELOAD=%s "
             "build/bin/integration_stepped %s %s/%s",
             pair->operation, pair->handler, position, name_of(place.offset), result < 0 ? strerror(-result) : "",
             result < 0 ? ", " : "", status_of(&outcome), outcome.err, NO_POSITION, position, object, program,
             pair->operation, pair->handler);
  pg_test_outcome_free(&outcome);
  return verdict;
}

/* Returns about how many positions the operation has. The count depends only on what came before. */
static long count_positions(const struct pair *pair) { return play(pair, NO_POSITION, true).count; }

/* Plays every `step`-th position from `at` on, until there is none or too many fail. Counts into the tally. Returns
 * false if no stranger can take a PID. */
static bool play_positions(const struct pair *pair, long at, long step, struct tally *tally) {
  enum { HOPELESS = 200 };
  for (int failed = 0; failed < HOPELESS; at += step) {
    struct verdict verdict = play(pair, at, failed == 0 && tally->failed < SHOWN);
    if (verdict.no_stranger)
      return false;
    failed += !verdict.good;
    tally->failed += !verdict.good;
    tally->positions += !verdict.past;
    if (verdict.past || step >= NO_POSITION)
      break;
  }
  return true;
}

/* *count is that of the operation, and 0 until a pair needs it. */
static bool play_pair(const struct pair *pair, long *count, struct tally *tally) {
  static unsigned pairs; /* of all operations */
  bool its_turn = (offset + ++pairs) % turns == 0;
  tally->pairs++;
  if (every || its_turn || turns == TURNS)
    tally->failed += !play_plain(pair);
  if (every)
    return play_positions(pair, first, every, tally);
  if (!its_turn)
    return true;
  if (!*count)
    *count = count_positions(pair);
  /* The pairs use different positions. */
  unsigned long turn = offset / TURNS + (unsigned long)pairs * 7919;
  return play_positions(pair, (long)(turn % (unsigned long)(*count + 1)), NO_POSITION, tally);
}

/* Plays all pairs of the operation that the test is named after. */
static void test_operation(void) {
  const char *at = listed.out;
  struct tally tally = {.pairs = 0};
  struct pair pair;
  long count = 0;
  bool shown = true;
  while (shown && next_pair(&at, &pair)) {
    if (strcmp(pair.operation, pg_test_name()) != 0)
      continue;
    shown = play_pair(&pair, &count, &tally);
  }
  pg_test_kill_leftovers();
  PG_CHECK(tally.failed == 0, "%s: %d failures", pg_test_name(), tally.failed);
  printf("\n    %d pairs, %ld positions, %d failures ...", tally.pairs, tally.positions, tally.failed);
  if (!shown)
    pg_test_skip("the test cannot choose PIDs here (ns_last_pid)");
}

static void set_positions(void) {
  const char *text = getenv("PG_TEST_STEPPED"), *sample = getenv("PG_TEST_SAMPLE");
  struct timespec now;
  if (sample && atoi(sample) > 1)
    turns = TURNS * (unsigned)atoi(sample);
  clock_gettime(CLOCK_REALTIME, &now);
  offset = (unsigned)now.tv_nsec / 1000 + (unsigned)now.tv_sec;
  if (text && (sscanf(text, "%ld:%ld", &every, &first) < 1 || every < 1 || first < 0)) {
    fprintf(stderr, "PG_TEST_STEPPED=EVERY[:FIRST], not '%s'\n", text);
    exit(2);
  }
  if (every)
    printf("every %ld positions from %ld on\n", every, first);
  else
    printf("one position of each pair in %u, offset %u\n", turns, offset);
}

void pg_test_plan(int argc, char **argv) {
  if (argc < 2)
    return;
  program = argv[1];
  chosen = argv + 2;
  if (!pg_test_preload() || !realpath(pg_test_preload(), object))
    pg_test_skip_all("there is no preload object to test");
  pg_test_need_take_pid();
  const char *why_not = stepped_why_not();
  if (why_not)
    pg_test_skip_all("no process can be stepped here: %s", why_not);
  set_positions();
  const char *const argv_list[] = {program, NULL};
  pg_test_run(&(struct pg_test_command){.argv = argv_list}, &listed);
  struct pair pair;
  char last[sizeof pair.operation] = "";
  for (const char *at = listed.out; next_pair(&at, &pair);)
    if (strcmp(pair.operation, last) != 0) {
      snprintf(last, sizeof last, "%s", pair.operation);
      pg_test_add("stepped", pair.operation, test_operation);
    }
}

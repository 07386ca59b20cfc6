/* The table against a model that is too simple to be wrong: a few million random steps, compared after each. */
#include "child/table.h"

#include "pg_test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIDS 3000 /* over three leaves */
#define FDS 4096
#define KEEP 100
#define STEPS 3000000

enum meaning { UNKNOWN, LIVE, RETIRED };

static struct {
  enum meaning meaning;
  int fd; /* -1: none */
  bool group;     /* may live on */
  uint64_t token; /* the identity of the record, or which retirement it was */
} model[PIDS];
static bool is_open[FDS];
static uint64_t opened_as[FDS];
static int open_count;

static struct {
  int pid;
  uint64_t token;
} fifo[KEEP];
static uint64_t fifo_pushed;

static uint64_t rng;
static uint32_t roll(uint32_t n) {
  rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
  return (uint32_t)(rng >> 33) % n;
}

/* The table's end of a descriptor: it must be open, once, and of that identity. */
void pg_descriptor_release(int fd, uint64_t ino, uint32_t index) {
  (void)index;
  if (PG_CHECK(fd >= 0 && fd < FDS && is_open[fd] && opened_as[fd] == ino, "release of %d as %" PRIu64, fd, ino)) {
    is_open[fd] = false;
    open_count--;
  }
}

static int fd_open(uint64_t token) {
  for (int fd = 0; fd < FDS; fd++) {
    if (!is_open[fd]) {
      is_open[fd] = true;
      opened_as[fd] = token;
      open_count++;
      return fd;
    }
  }
  abort();
}

static bool agrees(int pid) {
  struct pg_record *rec = NULL;
  enum pg_meaning meaning = pg_table_look(pid, &rec);
  struct pg_peek peek = pg_table_peek(pid);
  bool handle = model[pid].meaning == RETIRED && model[pid].fd >= 0;
  enum pg_meaning expected = model[pid].meaning == UNKNOWN           ? PG_UNKNOWN
                             : model[pid].meaning == LIVE || handle ? PG_TRACKED
                             : model[pid].group                     ? PG_RETIRED_GROUP
                                                                    : PG_RETIRED;
  if (!PG_CHECK(meaning == expected && peek.meaning == expected, "%d means %d, peek %d, model %d", pid, meaning,
                peek.meaning, expected) ||
      meaning != PG_TRACKED) {
    if (rec)
      pg_record_drop(rec);
    return meaning == expected;
  }
  uint64_t w = pg_record_word(rec);
  bool ok = PG_CHECK(!!(w & PG_RECORD_LIVE) == (model[pid].meaning == LIVE), "%d: live?", pid) &&
            PG_CHECK(!!(w & PG_RECORD_GROUP) == model[pid].group, "%d: group?", pid) &&
            PG_CHECK(pg_word_fd(w) == model[pid].fd, "%d: fd %d, model %d", pid, pg_word_fd(w), model[pid].fd) &&
            PG_CHECK(pg_record_ino(rec) == model[pid].token && pg_record_pid(rec) == pid, "%d: identity", pid) &&
            PG_CHECK(pg_word_holders(w) == 1, "%d: %u holders", pid, pg_word_holders(w)) &&
            PG_CHECK(peek.ino == model[pid].token && pg_word_fd(peek.word) == model[pid].fd, "%d: peek", pid);
  pg_record_drop(rec);
  return ok;
}

static void model_retire(int pid, bool group, uint64_t n) {
  model[pid].meaning = RETIRED;
  model[pid].group = group;
  model[pid].fd = -1;
  model[pid].token = n;
  int at = (int)(fifo_pushed++ % KEEP);
  int old = fifo[at].pid;
  if (old && model[old].meaning == RETIRED && model[old].fd < 0 && model[old].token == fifo[at].token)
    model[old].meaning = UNKNOWN;
  fifo[at].pid = pid;
  fifo[at].token = n;
}

static void step(uint64_t n) {
  int pid = 1 + (int)roll(roll(2) ? 50 : PIDS - 1);
  struct pg_record *rec;
  switch (roll(6)) {
  case 0:
  case 1: { /* born, whatever was there */
    int fd = roll(3) ? fd_open(n) : -1;
    rec = pg_table_track(pid, fd, n);
    if (!PG_CHECK(rec != NULL, "track"))
      return;
    pg_record_drop(rec);
    model[pid].meaning = LIVE;
    model[pid].fd = fd;
    model[pid].group = false;
    model[pid].token = n;
    break;
  }
  case 2:
  case 3: { /* retired */
    bool group = roll(4) == 0;
    if (roll(50) == 0) { /* without a record */
      pg_table_bury_number(pid, group);
      model_retire(pid, group, n);
      break;
    }
    if (!(rec = pg_table_hold(pid)))
      break;
    bool live = pg_record_word(rec) & PG_RECORD_LIVE;
    bool done = live ? pg_table_retire(rec, group) : pg_table_bury(rec, group);
    pg_record_drop(rec);
    PG_CHECK(done, "retire of %d", pid);
    if (live && group && model[pid].fd >= 0) { /* the handle of its group, and not in the ring */
      model[pid].meaning = RETIRED;
      model[pid].group = true;
    } else {
      model_retire(pid, group, n);
    }
    break;
  }
  case 4: /* forgotten */
    if (roll(8) == 0) {
      pg_table_forget(pid);
      model[pid].meaning = UNKNOWN;
    }
    break;
  default: /* its descriptor is given up, and one is found for it again */
    if (!(rec = pg_table_hold(pid)))
      break;
    int fd = pg_record_fd(rec);
    if (fd >= 0 && roll(2)) {
      PG_CHECK(!pg_record_swap_fd(rec, fd, -1, 0), "swap under a holder");
      PG_CHECK(pg_record_swap_fd(rec, fd, -1, 1), "swap");
      pg_descriptor_release(fd, n ? pg_record_ino(rec) : 0, 0);
      model[pid].fd = -1;
      if (model[pid].meaning == RETIRED) { /* a group without a handle is a number */
        pg_table_bury(rec, true);
        model_retire(pid, true, n);
      }
    } else if (fd < 0 && model[pid].meaning == LIVE) {
      fd = fd_open(pg_record_ino(rec));
      PG_CHECK(pg_record_swap_fd(rec, -1, fd, 1), "give");
      model[pid].fd = fd;
    }
    pg_record_drop(rec);
  }
  agrees(pid);
}

static void test_model(void) {
  const char *seed = getenv("PG_TEST_SEED");
  rng = seed ? strtoull(seed, NULL, 0) : 0x9e3779b97f4a7c15;
  printf("seed 0x%" PRIx64 "\n", rng);
  pg_table_set_retired_max(KEEP);
  for (uint64_t n = 1; n <= STEPS; n++)
    step(n);
  for (int pid = 1; pid < PIDS; pid++)
    agrees(pid);
  for (int pid = 1; pid < PIDS; pid++)
    pg_table_forget(pid);
  PG_CHECK(open_count == 0, "%d descriptors left", open_count);
  PG_CHECK(pg_record_count() <= PIDS + 1, "%u records made", pg_record_count());
}

static int64_t small_pid_max(void) { return 400; }

/* A ring that finds its size when it first fills keeps what it had. */
static void test_default_size(void) {
  pg_table_set_pid_max_source(small_pid_max);
  pg_table_set_retired_max(UINT32_MAX);
  PG_CHECK(pg_table_retired_max() == PG_RETIRED_LIMIT, "%u", pg_table_retired_max());
}

static void test_limits(void) {
  PG_CHECK(pg_table_hold(0) == NULL && pg_table_hold(-1) == NULL && pg_table_hold(PG_PID_LIMIT) == NULL, "hold");
  PG_CHECK(pg_table_track(PG_PID_LIMIT, -1, 0) == NULL && pg_table_track(-5, -1, 0) == NULL, "track");
  struct pg_record *rec = pg_table_track(PG_PID_LIMIT - 1, -1, 7);
  PG_CHECK(rec && pg_table_hold(PG_PID_LIMIT - 1) == rec, "the last number");
  pg_record_drop(rec);
  pg_record_drop(rec);
  pg_table_set_retired_max(0);
  rec = pg_table_track(77, -1, 7);
  PG_CHECK(rec && pg_table_retire(rec, false), "retire");
  pg_record_drop(rec);
  PG_CHECK(pg_table_peek(77).meaning == PG_UNKNOWN, "with a bound of 0 a retired number is forgotten at once");
}

void pg_test_plan(int argc, char **argv) {
  (void)argc, (void)argv;
  pg_test_add("table", "random steps like the model", test_model);
  pg_test_add("table", "bounds", test_limits);
  pg_test_add("table", "no ring larger than the limit", test_default_size);
}

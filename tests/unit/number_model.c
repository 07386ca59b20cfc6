/* SPDX-License-Identifier: MIT */
/* The table of PIDs is compared with a model that is too simple to be wrong, after each of many random steps. */
#include "child/number.h"

#include "pg_test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIDS 3000
#define KEEP 100
#define STEPS 1000000

static struct {
  enum pg_number_state state;
  uint64_t ino;
  uint64_t nth; /* its place in the order of retirements */
} model[PIDS];
static uint64_t retirements;

static uint64_t rng;
static uint32_t roll(uint32_t n) {
  rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
  return (uint32_t)(rng >> 33) % n;
}

static enum pg_number_state expected(int pid) {
  bool retired = model[pid].state == PG_GONE || model[pid].state == PG_GONE_GROUP;
  return retired && retirements - model[pid].nth >= KEEP ? PG_UNKNOWN : model[pid].state;
}

/* Counts PIDs that were forgotten too early. If the sets that a PID can lie in are full, the one that retired first is
 * forgotten before its time. That is rare. */
static int early;

static void agrees(int pid) {
  uint64_t ino = 0;
  pg_id id = pg_number_find(pid, &ino);
  enum pg_number_state state = id ? pg_id_state(id) : PG_UNKNOWN;
  if (state == PG_UNKNOWN && expected(pid) >= PG_GONE) {
    model[pid].state = PG_UNKNOWN;
    early++;
  }
  PG_CHECK(state == expected(pid), "%d is in state %d, the model in %d", pid, (int)state, (int)expected(pid));
  PG_CHECK(!id || (pg_id_pid(id) == pid && pg_number_is(id)), "the id of %d", pid);
  PG_CHECK(state != PG_LIVE || ino == model[pid].ino, "the identity of %d", pid);
}

static void model_retire(int pid, bool group) {
  if (model[pid].state != PG_GONE_GROUP || group)
    model[pid].nth = ++retirements;
  model[pid].state = group ? PG_GONE_GROUP : PG_GONE;
}

static void step(uint64_t n) {
  int pid = 1 + (int)roll(roll(2) ? 50 : PIDS - 1);
  uint64_t ino;
  bool group = roll(4) == 0;
  pg_id id;
  switch (roll(6)) {
  case 0:
  case 1: /* the PID is born, whatever was there */
    PG_CHECK((id = pg_number_born(pid, n, 0, 0)) && pg_id_is_live(id), "born");
    model[pid].state = PG_LIVE;
    model[pid].ino = n;
    break;
  case 2:
  case 3: /* the PID retires; an old id changes nothing */
    if (!(id = pg_number_find(pid, &ino)))
      break;
    PG_CHECK(pg_number_retire(id, group) != 0, "retire %d", pid);
    PG_CHECK(pg_number_retire(id, group) == 0 && !pg_number_forget_id(id), "an id that is gone");
    model_retire(pid, group);
    break;
  case 4: /* the PID retires though nothing was known of it; a living entry stays */
    if (roll(8) == 0) {
      bool lives = pg_id_is_live(pg_number_find(pid, &ino));
      pg_number_bury(pid, group);
      if (!lives) {
        model[pid].state = PG_UNKNOWN;
        model_retire(pid, group);
      }
    }
    break;
  default: /* the PID is forgotten */
    if (roll(8) == 0) {
      pg_number_forget(pid);
      model[pid].state = PG_UNKNOWN;
    }
  }
  agrees(pid);
}

static void random_steps(void) {
  const char *seed = getenv("PG_TEST_SEED");
  rng = seed ? strtoull(seed, NULL, 0) : 0x9e3779b97f4a7c15;
  printf("seed 0x%" PRIx64 "\n", rng);
  pg_number_set_retired_max(KEEP);
  for (uint64_t n = 1; n <= STEPS; n++)
    step(n);
  for (int pid = 1; pid < PIDS; pid++)
    agrees(pid);
  PG_CHECK(early <= STEPS / 10000, "%d were forgotten before their time", early);
  for (int pid = 1; pid < PIDS; pid++) {
    pg_number_forget(pid);
    model[pid].state = PG_UNKNOWN;
    agrees(pid);
  }
}

/* A birth whose child was reaped since it began enters nothing, unless the kernel says that the child lives. */
static void born_late(void) {
  uint64_t ino;
  unsigned before = pg_number_now();
  pg_number_bury(7, false);
  unsigned after = pg_number_now();
  PG_CHECK(!pg_number_born(7, 1, 0, before) && pg_id_state(pg_number_find(7, &ino)) == PG_GONE, "reaped since");
  PG_CHECK(pg_id_is_live(pg_number_born(7, 1, 0, after)), "reaped before");
  pg_number_bury(7, false);
  PG_CHECK(pg_id_is_live(pg_number_find(7, &ino)), "a living entry stays");
  PG_CHECK(pg_number_retire(pg_number_find(7, &ino), true) && !pg_number_born(7, 1, 0, after), "retired since");
  PG_CHECK(pg_id_is_live(pg_number_born(7, 1, 0, 0)), "the kernel was asked");
  pg_number_retire(pg_number_find(7, &ino), true);
  after = pg_number_now();
  PG_CHECK(pg_number_retire(pg_number_find(7, &ino), false) && pg_id_state(pg_number_find(7, &ino)) == PG_GONE,
           "the group has ended");
  PG_CHECK(pg_id_is_live(pg_number_born(7, 1, 0, after)), "the end of a group is no reaped child");
  pg_number_forget(7);
}

static int seen;
static void count(pg_id id, uint64_t ino, void *arg) {
  (void)arg;
  seen += pg_id_is_live(id) && ino == (uint64_t)pg_id_pid(id) * 3;
}

/* More children live than any level but the last can hold. Each of them is found, walked over once, and met by the
 * hand. */
static void many_live(void) {
  enum { MANY = 40000 };
  uint64_t ino;
  int met = 0;
  for (int pid = 1; pid <= MANY; pid++)
    PG_CHECK(pg_number_born(pid * 7, (uint64_t)pid * 21, 0, 0) != 0, "%d is born", pid);
  for (int pid = 1; pid <= MANY; pid++)
    PG_CHECK(pg_id_is_live(pg_number_find(pid * 7, &ino)) && ino == (uint64_t)pid * 21, "%d is there", pid);
  seen = 0;
  pg_number_each(count, NULL);
  PG_CHECK(seen == MANY, "%d of them are walked over", seen);
  for (int i = 0; i < MANY; i++)
    met += pg_number_next_live(1u << 20, &ino) != 0;
  PG_CHECK(met == MANY, "the hand met %d", met);
  for (int pid = 1; pid <= MANY; pid++)
    pg_number_forget(pid * 7);
}

/* The table remembers as many PIDs as it promises, in a row and at regular distances. One more makes it forget the
 * first. */
static void the_latest(void) {
  static const int distances[] = {1, 2, 16, 64, 255, 1024, 4096};
  for (size_t d = 0; d < sizeof distances / sizeof *distances; d++) {
    int distance = distances[d], kept = 0, n = distance > 255 ? 1000 : 4000;
    uint64_t ino;
    pg_number_set_retired_max((uint32_t)n);
    for (int i = 1; i <= n; i++)
      pg_number_bury(i * distance, false);
    for (int i = 1; i <= n; i++)
      kept += pg_number_find(i * distance, &ino) != 0;
    PG_CHECK(kept * 100 >= n * 98, "at a distance of %d %d of %d are remembered", distance, kept, n);
    PG_CHECK(distance != 1 || kept == n, "in a row %d of %d are remembered", kept, n);
    for (int i = 1; i <= n + 1; i++)
      pg_number_bury(PG_PID_LIMIT - i, false);
    PG_CHECK(!pg_number_find(distance, &ino), "the oldest is forgotten");
  }
}

/* A few PIDs retire, and then more and more children live. They take further levels, and no place of a retired PID.
 * Each distance has a process of its own, because a level stays once it is there. */
static int lost_among_living(int distance) {
  enum { FEW = 64, MANY = 800 };
  uint64_t ino;
  int lost = 0;
  for (int i = 1; i <= FEW; i++)
    pg_number_bury(i * distance, false);
  for (int i = FEW + 1; i <= MANY; i++)
    if (!pg_number_born(i * distance, 1, 0, 0))
      return MANY;
  for (int i = 1; i <= FEW; i++)
    lost += !pg_number_find(i * distance, &ino);
  return lost;
}

static void among_the_living(void) {
  pg_number_set_retired_max(128);
  for (int distance = 1; distance <= 300; distance++) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
      _exit(lost_among_living(distance) != 0);
    bool ended = pid > 1 && waitpid(pid, &status, 0) == pid;
    PG_CHECK(ended && status == 0, "distance %d: status %#x", distance, (unsigned)status);
  }
}

/* Children with grandchildren get PIDs at regular distances, which must not crowd into few sets. The PIDs come round at
 * a pid_max of 256 times the bound. */
static void any_distance(void) {
  enum { BOUND = 1024, DISTANCES = 400, PID_MAX = BOUND * 256 };
  static int last[BOUND];
  int lost = 0;
  uint64_t ino;
  pg_number_set_retired_max(BOUND);
  for (int distance = 1; distance <= DISTANCES; distance++) {
    int pid = 1000;
    for (int i = 0; i < 3 * BOUND; i++) {
      pid = pid + distance < PID_MAX ? pid + distance : pid + distance - PID_MAX + 300;
      pg_number_bury(pid, false);
      last[i % BOUND] = pid;
    }
    for (int i = 0; i < BOUND; i++)
      lost += !pg_number_find(last[i], &ino);
  }
  PG_CHECK(lost <= DISTANCES / 20, "%d of %d PIDs were forgotten before the bound", lost, BOUND * DISTANCES);
}

static void in_child(int (*test)(void)) {
  int status = -1;
  pid_t pid = fork();
  if (pid == 0)
    _exit(test());
  PG_CHECK(pid > 1 && waitpid(pid, &status, 0) == pid && status == 0, "status %#x", (unsigned)status);
}

/* The bound is first asked for when no descriptor is free. Later it is read. What retired meanwhile is not lost. */
static int asks_twice(void) {
  enum { MANY = 2000 };
  struct rlimit few, limit;
  uint64_t ino;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return 1;
  few = limit;
  few.rlim_cur = 3;
  if (setrlimit(RLIMIT_NOFILE, &few) != 0 || pg_number_retired_max() != PG_RETIRED_MOST ||
      atomic_load(&pg_hot.retired_max))
    return 2;
  for (pid_t pid = 300; pid < 300 + MANY; pid++)
    pg_number_bury(pid, false);
  for (pid_t pid = 300; pid < 300 + MANY; pid++)
    if (!pg_number_find(pid, &ino))
      return 3;
  return setrlimit(RLIMIT_NOFILE, &limit) != 0 || pg_number_retired_max() < 64 || !atomic_load(&pg_hot.retired_max);
}
static void no_descriptor_for_the_bound(void) { in_child(asks_twice); }

/* A child that is forked while another thread adds a level has its memory, and not yet its number. */
static int has_half_a_level(void) {
  enum { MANY = 8 * PG_HOT_SETS * PG_WAYS };
  uint64_t ino;
  for (pid_t pid = 2; !atomic_load(&pg_hot.levels) && pid < MANY; pid++)
    pg_number_born(pid, 1, 0, 0);
  atomic_store(&pg_hot.levels, 0);
  pg_number_levels[0].mask = 0;
  for (pid_t pid = MANY; pid < 2 * MANY; pid++)
    if (!pg_number_born(pid, 1, 0, 0) || !pg_number_find(pid, &ino))
      return 1;
  return atomic_load(&pg_hot.levels) == 0;
}
static void half_a_level(void) { in_child(has_half_a_level); }

static void bounds(void) {
  uint64_t ino;
  PG_CHECK(!pg_number_find(0, &ino) && !pg_number_find(-1, &ino) && !pg_number_find(PG_PID_LIMIT, &ino), "find");
  PG_CHECK(!pg_number_born(PG_PID_LIMIT, 1, 0, 0) && !pg_number_born(-5, 1, 0, 0) && !pg_number_born(0, 1, 0, 0),
           "born");
  pg_id id = pg_number_born(PG_PID_LIMIT - 1, 7, 0, 0);
  PG_CHECK(id && pg_number_find(PG_PID_LIMIT - 1, &ino) == id && ino == 7, "the last PID");
  pg_number_set_retired_max(0);
  PG_CHECK(pg_number_retire(id, false) && !pg_number_find(PG_PID_LIMIT - 1, &ino),
           "with a bound of 0 it is forgotten at once");
  pg_number_set_retired_max(UINT32_MAX);
  PG_CHECK(pg_number_retired_max() == PG_RETIRED_MOST, "%u are kept at the most", pg_number_retired_max());
}

void pg_test_plan(int argc, char **argv) {
  (void)argc, (void)argv;
  pg_test_add("number", "without a free descriptor the bound is not final", no_descriptor_for_the_bound);
  pg_test_add("number", "a level that another thread has begun is finished", half_a_level);
  pg_test_add("number", "retired PIDs are remembered among many children", among_the_living);
  pg_test_add("number", "retired PIDs at any distance are remembered", any_distance); /* before there are more levels */
  pg_test_add("number", "a birth is late for a child that was reaped meanwhile", born_late);
  pg_test_add("number", "random steps like the model", random_steps);
  pg_test_add("number", "more live children than fit a level", many_live);
  pg_test_add("number", "the latest retired PIDs are remembered", the_latest);
  pg_test_add("number", "bounds", bounds);
}

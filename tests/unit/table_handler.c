/* The table in one thread and in a handler that interrupts it at any moment; each has numbers of its own, in the same few
 * leaves, and knows what they mean. Both make births, so that leaves change places under the other one's hands. */
#include "child/table.h"

#include "pg_test.h"
#include "runtime/hot.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEAVES 6
#define NUMBERS (LEAVES * (int)PG_LEAF_SLOTS)
#define STEPS 1500000

enum { MAIN, HANDLER, NOBODY, OWNERS };

static struct {
  uint64_t ino; /* 0: not tracked */
  bool was;     /* it was, once */
} known[NUMBERS];
static volatile int wrong, interrupts, moves, moves_in_handler;
static uint64_t tokens;

static int number(int owner, uint64_t roll) {
  return 1000 * PG_LEAF_SLOTS + (int)(roll % (NUMBERS / OWNERS)) * OWNERS + owner;
}
static int at(int pid) { return pid - 1000 * (int)PG_LEAF_SLOTS; }

void pg_descriptor_release(int fd, uint64_t ino, uint32_t index) { (void)fd, (void)ino, (void)index; }

static void look(int pid) {
  struct pg_record *rec = NULL;
  uint64_t ino = known[at(pid)].ino;
  enum pg_meaning meaning = pg_table_look(pid, &rec);
  bool good = ino ? meaning == PG_TRACKED && pg_record_ino(rec) == ino && pg_record_pid(rec) == pid
              : known[at(pid)].was ? meaning == PG_RETIRED || meaning == PG_UNKNOWN
                                   : meaning == PG_UNKNOWN;
  wrong += !good;
  if (meaning == PG_TRACKED)
    pg_record_drop(rec);
  struct pg_peek peek = pg_table_peek(pid);
  wrong += (peek.meaning == PG_TRACKED) != (ino != 0) || peek.ino != ino;
  pg_slot *slot;
  struct pg_hold hold = {NULL, 0};
  uint32_t value = pg_table_value(pid, &slot);
  bool held = value && pg_table_hold_quickly(pid, slot, value, &hold); /* may fail at any time, but must not lie */
  wrong += held && pg_record_ino(hold.rec) != ino;
  if (hold.rec)
    pg_record_drop(hold.rec);
}

static void step(int owner, uint64_t *rng, int *leaf) {
  *rng ^= *rng << 13, *rng ^= *rng >> 7, *rng ^= *rng << 17;
  uint64_t roll = *rng >> 11;
  if (roll % 8 == 0)
    *leaf = (int)(roll / 8 % LEAVES);
  int pid = number(owner, (uint64_t)*leaf * PG_LEAF_SLOTS / OWNERS + roll / 64 % (PG_LEAF_SLOTS / OWNERS));
  uint32_t before = atomic_load(&pg_hot.leaf_of);
  if (roll % 3 < 2) {
    uint64_t ino = ++tokens * 2 + (uint64_t)owner % 2; /* a handler in between may take the same token, not the same ino */
    struct pg_record *rec = pg_table_track(pid, 7, ino);
    if (rec)
      pg_record_drop(rec);
    else
      wrong++;
    known[at(pid)].ino = ino;
    known[at(pid)].was = true;
  } else {
    struct pg_record *rec = pg_table_hold(pid);
    if (rec) {
      wrong += !pg_table_bury(rec, false);
      pg_record_drop(rec);
    }
    known[at(pid)].ino = 0;
  }
  if (atomic_load(&pg_hot.leaf_of) != before) {
    moves++;
    moves_in_handler += owner == HANDLER;
  }
  look(pid);
  look(number(owner, roll / 128));
  look(number(NOBODY, roll / 256));
}

static void on_timer(int sig) {
  static uint64_t rng = 77;
  static int leaf;
  (void)sig;
  interrupts++;
  for (int i = 0; i < 6; i++)
    step(HANDLER, &rng, &leaf);
}

static void test_handler(void) {
  struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
  struct itimerval timer = {{0, 60}, {0, 60}}, off = {{0, 0}, {0, 0}};
  uint64_t rng = 5;
  int leaf = 0;
  pg_table_set_retired_max(64);
  PG_CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &timer, NULL) == 0, "timer");
  for (int i = 0; i < STEPS; i++)
    step(MAIN, &rng, &leaf);
  setitimer(ITIMER_REAL, &off, NULL);
  PG_CHECK(wrong == 0, "%d answers were wrong", wrong);
  PG_CHECK(interrupts > 100, "only %d interrupts", interrupts);
  PG_CHECK(atomic_load(&pg_hot.writers) == 0, "%u writers left", atomic_load(&pg_hot.writers));
  if (pg_libc_has_one_thread()) /* and says so, as glibc does from 2.32 on: else a leaf stays */
    PG_CHECK(moves > 1000 && moves_in_handler > 10, "%d leaves moved, %d of them in a handler", moves, moves_in_handler);
}

/* A handler that jumps out of a write leaves the leaf where it is, and everything right. */
static sigjmp_buf out;
static void on_jump(int sig) {
  (void)sig;
  siglongjmp(out, 1);
}

static void test_jump(void) {
  struct sigaction action = {.sa_handler = on_jump};
  struct itimerval timer = {{0, 0}, {0, 50}};
  static uint64_t rng = 9;
  static int leaf;
  static volatile int jumps;
  static volatile uint64_t rounds;
  PG_CHECK(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
  if (sigsetjmp(out, 1))
    jumps++;
  if (jumps < 300) {
    setitimer(ITIMER_REAL, &timer, NULL);
    for (;;) {
      struct pg_record *rec = pg_table_track(number(MAIN, rounds++ / 2 % 500), 7, ++tokens * 2);
      if (rec)
        pg_record_drop(rec);
    }
  }
  pg_table_clear(pg_table_entered());
  memset(known, 0, sizeof known);
  int before = wrong;
  for (int i = 0; i < 200000; i++)
    step(HANDLER, &rng, &leaf);
  PG_CHECK(wrong == before, "%d answers were wrong after %d jumps", wrong - before, jumps);
}

/* Where there is no memory for another leaf, births in it fail, also the second in a row. */
static void test_no_memory(void) {
  pid_t pid = fork();
  PG_CHECK(pid >= 0, "fork");
  if (pid == 0) {
    const struct rlimit none = {0, 0};
    int good = setrlimit(RLIMIT_AS, &none) == 0;
    good &= pg_table_track(100, 7, 2) && pg_table_track(5000, 7, 2); /* two leaves need none */
    for (int i = 0; i < 4; i++)
      good &= !pg_table_track(4000000 + i, 7, 2);
    for (int i = 1; i < 4; i++)
      good &= pg_table_track(100 + i, 7, 2) != NULL;
    _exit(!good);
  }
  int status = -1;
  pid_t got = waitpid(pid, &status, 0);
  PG_CHECK(got == pid && status == 0, "status %#x", (unsigned)status);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc, (void)argv;
  pg_test_add("table", "no memory for a leaf", test_no_memory);
  pg_test_add("table", "a handler that reads and writes at any moment", test_handler);
  pg_test_add("table", "a handler that jumps out of a birth", test_jump);
}

/* SPDX-License-Identifier: MIT */
/* The table of PIDs with threads that race through everything it can do, built with ThreadSanitizer. Each thread gives
 * birth to PIDs of its own, as the kernel gives one PID to one process. All threads retire and ask for any PID. */
#include "child/number.h"

#include "pg_test.h"

#include <inttypes.h>
#include <pthread.h>

#define THREADS 4
#define PIDS 24
#define STEPS 150000

static _Atomic int wrong;
static _Atomic uint64_t did[5];

static void *racer(void *arg) {
  int self = (int)(uintptr_t)arg;
  uint64_t rng = (uint64_t)self * 0x9e3779b97f4a7c15 + 1, ino;
  for (uint64_t i = 0; i < STEPS; i++) {
    rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
    int what = (int)((rng >> 40) % 5), any = 1 + (int)((rng >> 20) % PIDS), own = (any - 1) / THREADS * THREADS + self;
    atomic_fetch_add_explicit(&did[what], 1, memory_order_relaxed);
    pg_id id = pg_number_find(any, &ino);
    if (id && (pg_id_pid(id) != any || (pg_id_is_live(id) && ino % 1000 != (uint64_t)any)))
      atomic_fetch_add(&wrong, 1); /* the identity of another process */
    if (what == 0 && !pg_number_born(own, i * 1000 + (uint64_t)own, 0, 0))
      atomic_fetch_add(&wrong, 1);
    else if (what == 1 && id)
      pg_number_retire(id, rng & 1);
    else if (what == 2 && id)
      pg_number_forget_id(id);
    else if (what == 3)
      pg_number_bury(own, rng & 1);
    else if (what == 4)
      pg_number_next_live(16, &ino);
  }
  return NULL;
}

static int entries[PIDS + THREADS + 1];
static void count(pg_id id, uint64_t ino, void *arg) {
  (void)ino, (void)arg;
  entries[pg_id_pid(id)]++;
}

static void race(void) {
  pthread_t thread[THREADS];
  pg_number_set_retired_max(8);
  for (uintptr_t t = 0; t < THREADS; t++)
    PG_CHECK(pthread_create(&thread[t], NULL, racer, (void *)(t + 1)) == 0, "thread");
  for (int t = 0; t < THREADS; t++)
    pthread_join(thread[t], NULL);
  PG_CHECK(wrong == 0, "%d times an entry was that of another process", wrong);
  for (int what = 0; what < 5; what++)
    PG_CHECK(did[what] > STEPS / 4, "step %d ran %" PRIu64 " times", what, did[what]);
  pg_number_each(count, NULL);
  for (int pid = 0; pid < PIDS + THREADS + 1; pid++)
    PG_CHECK(entries[pid] <= 1, "%d has %d entries", pid, entries[pid]);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc, (void)argv;
  pg_test_add("number", "racing births, ends and questions", race);
}

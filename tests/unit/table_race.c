/* The table alone, with threads that race through everything it can do; built with ThreadSanitizer. Descriptors are
 * simulated: a number that is handed out again while somebody holds it is found at once. */
#include "child/table.h"

#include "pg_test.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 4
#define PIDS 24
#define FDS 256
#define STEPS 150000

static _Atomic uint64_t opened_as[FDS]; /* 0: closed */
static _Atomic uint64_t tokens;
static _Atomic int wrong;
static _Atomic uint64_t did[6];

static int fd_open(uint64_t token) {
  for (int fd = 0; fd < FDS; fd++) {
    uint64_t closed = 0;
    if (atomic_compare_exchange_strong(&opened_as[fd], &closed, token))
      return fd;
  }
  return -1;
}

void pg_descriptor_release(int fd, uint64_t ino, uint32_t index) {
  (void)index;
  uint64_t was = ino;
  if (!atomic_compare_exchange_strong(&opened_as[fd], &was, 0))
    atomic_fetch_add(&wrong, 1); /* closed twice, or another's */
}

static void use(struct pg_record *rec) {
  int fd = pg_record_fd(rec);
  uint64_t ino = pg_record_ino(rec);
  if (fd < 0)
    return;
  for (int i = 0; i < 8; i++)
    if (atomic_load(&opened_as[fd]) != ino)
      atomic_fetch_add(&wrong, 1); /* the number changed hands under a holder */
}

static void *racer(void *arg) {
  uint64_t rng = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15 + 1;
  for (int i = 0; i < STEPS; i++) {
    rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
    int pid = 1 + (int)((rng >> 20) % PIDS), what = (int)((rng >> 40) % 6);
    struct pg_record *rec;
    atomic_fetch_add_explicit(&did[what], 1, memory_order_relaxed);
    if (what == 0) {
      uint64_t token = atomic_fetch_add(&tokens, 1) + 1;
      int fd = fd_open(token);
      if ((rec = pg_table_track(pid, fd, token))) {
        use(rec);
        pg_record_drop(rec);
      } else {
        atomic_fetch_add(&wrong, 1);
      }
      continue;
    }
    if (what == 1 && (rng >> 50) % 8 == 0) {
      pg_table_forget(pid);
      continue;
    }
    if (!(rec = pg_table_hold(pid)))
      continue;
    if (pg_record_pid(rec) != pid)
      atomic_fetch_add(&wrong, 1);
    use(rec);
    if (what == 2)
      pg_table_retire(rec, rng & 1);
    if (what == 3)
      pg_table_bury(rec, rng & 1);
    use(rec);
    int fd = pg_record_fd(rec);
    uint64_t ino = pg_record_ino(rec);
    if (what == 4 && fd >= 0 && pg_record_swap_fd(rec, fd, -1, 1))
      pg_descriptor_release(fd, ino, 0);
    if (what == 5 && fd < 0 && (pg_record_word(rec) & PG_RECORD_LIVE) && (fd = fd_open(ino)) >= 0 &&
        !pg_record_swap_fd(rec, -1, fd, PG_RECORD_HOLDERS_MAX))
      pg_descriptor_release(fd, ino, 0);
    pg_record_drop(rec);
    struct pg_peek peek = pg_table_peek(pid);
    if (peek.meaning == PG_TRACKED && !peek.ino)
      atomic_fetch_add(&wrong, 1);
  }
  return NULL;
}

static void test_race(void) {
  pthread_t thread[THREADS];
  pg_table_set_retired_max(8);
  for (uintptr_t t = 0; t < THREADS; t++)
    PG_CHECK(pthread_create(&thread[t], NULL, racer, (void *)(t + 1)) == 0, "thread");
  for (int t = 0; t < THREADS; t++)
    pthread_join(thread[t], NULL);
  PG_CHECK(wrong == 0, "%d descriptors changed hands under a holder, or were closed twice", wrong);
  for (int what = 0; what < 6; what++)
    PG_CHECK(did[what] > STEPS / 4, "step %d ran %" PRIu64 " times", what, did[what]);
  for (int pid = 1; pid <= PIDS; pid++)
    pg_table_forget(pid);
  for (int fd = 0; fd < FDS; fd++)
    PG_CHECK(opened_as[fd] == 0, "descriptor %d is left", fd);
  PG_CHECK(pg_record_count() <= PIDS + 2 * THREADS, "%u records made", pg_record_count());
}

void pg_test_plan(int argc, char **argv) {
  (void)argc, (void)argv;
  pg_test_add("table", "racing track, hold, drop, retire, replace, forget, swap", test_race);
}

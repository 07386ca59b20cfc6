/* Sets: whichever of many ends first. */
#include "pidfd_support.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void members(void) {
  uint64_t data[8] = {0};
  int set = pidguard_set_create(), file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  CHECK_EQ(fcntl(set, F_GETFD), FD_CLOEXEC);
  struct child a = child_paused(), b = child_paused(), z = child_exited(1);
  CHECK_EQ(pidguard_set_wait(set, data, 8, 0), 0);
  CHECK_EQ(pidguard_set_add(set, a.fd, 100), 0);
  CHECK_EQ(pidguard_set_add(set, b.fd, UINT64_MAX), 0);
  CHECK_ERRNO(pidguard_set_add(set, a.fd, 5), EEXIST);
  CHECK_EQ(pidguard_set_wait(set, data, 8, 0), 0);
  int64_t start = now_ms();
  CHECK_EQ(pidguard_set_wait(set, data, 8, 40), 0);
  PG_CHECK(now_ms() - start >= 39, "it took %lld ms", (long long)(now_ms() - start));

  pidguard_pidfd_kill(b.fd);
  CHECK_EQ(pidguard_set_wait(set, data, 8, 5000), 1);
  PG_CHECK(data[0] == UINT64_MAX, "data %llx", (unsigned long long)data[0]);
  CHECK_EQ(pidguard_set_wait(set, data, 8, 20), 0); /* told once, though it is a zombie */
  child_reap(&b);
  CHECK_EQ(pidguard_set_wait(set, data, 8, 20), 0); /* and the hang-up is no news */

  /* One that has ended before it was added, and one that was removed in time. */
  CHECK_EQ(pidguard_set_add(set, z.fd, 7), 0);
  CHECK_EQ(pidguard_set_wait(set, data, 8, 0), 1);
  CHECK_EQ(data[0], 7);
  CHECK_EQ(pidguard_set_remove(set, a.fd), 0);
  CHECK_ERRNO(pidguard_set_remove(set, a.fd), ENOENT);
  pidguard_pidfd_kill(a.fd);
  child_await_zombie(&a);
  CHECK_EQ(pidguard_set_wait(set, data, 8, 20), 0);
  CHECK_EQ(pidguard_set_remove(set, z.fd), 0);

  CHECK_ERRNO(pidguard_set_wait(set, data, 0, 0), EINVAL);
  CHECK_ERRNO(pidguard_set_wait(a.fd, data, 8, 0), EINVAL);
  CHECK_ERRNO(pidguard_set_wait(-1, data, 8, 0), EBADF);
  CHECK_ERRNO(pidguard_set_add(a.fd, b.fd, 0), EINVAL);
  CHECK_ERRNO(pidguard_set_add(set, 1, 0), EBADF);
  CHECK_ERRNO(pidguard_set_add(set, -1, 0), EBADF);
  CHECK_ERRNO(pidguard_set_remove(set, file), EBADF);
  close(file);
  close(set);
  child_done(&a);
  child_done(&b);
  child_done(&z);
}

/* The set is itself a descriptor for an event loop. */
static void pollable(void) {
  uint64_t data;
  int set = pidguard_set_create();
  struct child c = child_paused();
  pidguard_set_add(set, c.fd, 1);
  struct pollfd p = {.fd = set, .events = POLLIN};
  CHECK_EQ(poll(&p, 1, 0), 0);
  pidguard_pidfd_kill(c.fd);
  CHECK_EQ(poll(&p, 1, 5000), 1);
  CHECK_EQ(pidguard_set_wait(set, &data, 1, 0), 1);
  CHECK_EQ(poll(&p, 1, 0), 0);
  close(set);
  child_done(&c);
}

static void on_alarm(int sig) {
  (void)sig;
}

static void interrupted(void) {
  uint64_t data;
  int set = pidguard_set_create();
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval often = {.it_value = {.tv_usec = 20000}, .it_interval = {.tv_usec = 20000}}, never = {0};
  setitimer(ITIMER_REAL, &often, NULL);
  CHECK_ERRNO(pidguard_set_wait(set, &data, 1, -1), EINTR);
  setitimer(ITIMER_REAL, &never, NULL);
  signal(SIGALRM, SIG_DFL);
  close(set);
}

static int body_after(void *ms) {
  sleep_ms(*(int *)ms);
  return *(int *)ms & 0x7f;
}

/* Many at once, in the order in which they end; each exactly once, in batches. */
static void many(void) {
  enum { COUNT = 200 };
  static struct child c[COUNT];
  static bool seen[COUNT];
  uint64_t data[100];
  int set = pidguard_set_create(), got = 0, status;
  for (int i = 0; i < COUNT; i++) {
    int ms = i % 7;
    c[i] = child_running(body_after, &ms);
    seen[i] = false;
    CHECK_EQ(pidguard_set_add(set, c[i].fd, (uint64_t)i), 0);
  }
  while (got < COUNT) {
    int n = pidguard_set_wait(set, data, 100, 10000);
    PG_CHECK(n > 0 && n <= 64, "%d events", n);
    if (n <= 0)
      break;
    for (int k = 0; k < n; k++) {
      PG_CHECK(data[k] < COUNT && !seen[data[k]], "%llu twice, or never added", (unsigned long long)data[k]);
      if (data[k] >= COUNT)
        continue;
      seen[data[k]] = true;
      CHECK_EQ(pidguard_pidfd_wait(c[data[k]].fd, &status, 0), 1);
      CHECK_EQ(WEXITSTATUS(status), (int)(data[k] % 7));
      got++;
    }
  }
  for (int i = 0; i < COUNT; i++)
    child_done(&c[i]);
  CHECK_EQ(pidguard_set_wait(set, data, 100, 0), 0);
  close(set);
}

enum { ENDS = 120, WAITERS = 4 };
static int shared_set;
static _Atomic int told[ENDS], total;

static void *thread_collects(void *unused) {
  static int failures[2]; /* result and errno of the last that failed */
  uint64_t data;
  int r;
  (void)unused;
  while ((r = pidguard_set_wait(shared_set, &data, 1, 20000)) == 1 || (r == -1 && errno == EINTR)) {
    if (r != 1)
      continue;
    if (data >= ENDS) /* one such for each thread */
      return NULL;
    told[data]++;
    total++;
  }
  failures[0] = r;
  failures[1] = errno;
  return failures;
}

/* Several threads wait on one set: each end is told to one of them. */
static void threads(void) {
  static struct child c[ENDS], last[WAITERS];
  pthread_t thread[WAITERS];
  shared_set = pidguard_set_create();
  total = 0;
  for (int i = 0; i < ENDS; i++) {
    int ms = i % 9;
    told[i] = 0;
    c[i] = child_running(body_after, &ms);
    CHECK_EQ(pidguard_set_add(shared_set, c[i].fd, (uint64_t)i), 0);
  }
  for (int i = 0; i < WAITERS; i++)
    if (pthread_create(&thread[i], NULL, thread_collects, NULL))
      abort();
  for (int ms = 0; total < ENDS && ms < 5000; ms++)
    sleep_ms(1);
  sleep_ms(20); /* for one too many */
  for (int i = 0; i < WAITERS; i++) {
    last[i] = child_exited(0);
    CHECK_EQ(pidguard_set_add(shared_set, last[i].fd, ENDS), 0);
  }
  for (int i = 0; i < WAITERS; i++) {
    void *failed = NULL;
    pthread_join(thread[i], &failed);
    PG_CHECK(!failed, "a thread was not told: %d, errno %d", failed ? ((int *)failed)[0] : 0,
             failed ? ((int *)failed)[1] : 0);
  }
  for (int i = 0; i < ENDS; i++) {
    CHECK_EQ(told[i], 1);
    child_done(&c[i]);
  }
  CHECK_EQ(total, ENDS);
  for (int i = 0; i < WAITERS; i++)
    child_done(&last[i]);
  close(shared_set);
}

static double wait_cost_us(int members) {
  /* Members are copies of one living child's pidfd: what is measured is the set, not the processes. */
  struct child alive = child_paused(), z = child_exited(0);
  int *copies = calloc((size_t)members, sizeof *copies), set = pidguard_set_create();
  uint64_t data;
  for (int i = 0; i < members; i++) {
    copies[i] = fcntl(alive.fd, F_DUPFD_CLOEXEC, 3);
    if (copies[i] < 0 || pidguard_set_add(set, copies[i], 0))
      abort();
  }
  enum { ROUNDS = 2000 };
  double best = 1e9;
  for (int round = 0; round < 5; round++) {
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < ROUNDS; i++)
      if (pidguard_set_add(set, z.fd, 1) || pidguard_set_wait(set, &data, 1, 0) != 1 || pidguard_set_remove(set, z.fd))
        abort();
    clock_gettime(CLOCK_MONOTONIC, &b);
    double us = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / 1e3 / ROUNDS;
    best = us < best ? us : best;
  }
  for (int i = 0; i < members; i++)
    close(copies[i]);
  free(copies);
  close(set);
  child_done(&alive);
  child_done(&z);
  return best;
}

/* An event costs the same in a set of ten and in one of nine hundred. */
static void constant_time(void) {
  double small = wait_cost_us(10), large = wait_cost_us(900);
  PG_CHECK(large < 5 * small, "%.2f us with 10 members, %.2f us with 900", small, large);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("members", members);
  add("pollable", pollable);
  add("interrupted", interrupted);
  add("many", many);
  add("threads", threads);
  add("constant_time", constant_time);
}

/* SPDX-License-Identifier: MIT */
/* Sets wait for the first of many processes that ends. */
#include "pidfd_support.h"

#include "pidfd/feature.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void members(void) {
  int ready[8] = {0};
  int set = pidguard_set_create(), file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  CHECK_EQ(fcntl(set, F_GETFD), FD_CLOEXEC);
  struct child a = child_paused(), b = child_paused(), z = child_exited(1);
  CHECK_ERRNO(pidguard_set_wait(set, ready, 8, 0), ETIMEDOUT);
  CHECK_EQ(pidguard_set_add(set, a.fd), 0);
  CHECK_EQ(pidguard_set_add(set, b.fd), 0);
  CHECK_ERRNO(pidguard_set_add(set, a.fd), EEXIST);
  CHECK_ERRNO(pidguard_set_wait(set, ready, 8, 0), ETIMEDOUT);
  int64_t start = now_ms();
  CHECK_ERRNO(pidguard_set_wait(set, ready, 8, pidguard_deadline(40)), ETIMEDOUT);
  PG_CHECK(now_ms() - start >= 39, "it took %lld ms", (long long)(now_ms() - start));

  /* An end is reported until it is collected. */
  pidguard_pidfd_send_signal(b.fd, SIGKILL, 0);
  for (int i = 0; i < 3; i++) {
    ready[0] = -1;
    CHECK_EQ(pidguard_set_wait(set, ready, 8, pidguard_deadline(5000)), 1);
    CHECK_EQ(ready[0], b.fd);
  }
  child_reap(&b);
  CHECK_ERRNO(pidguard_set_wait(set, ready, 8, pidguard_deadline(20)), ETIMEDOUT);
  CHECK_ERRNO(pidguard_set_remove(set, b.fd), ENOENT);

  /* One member has ended before it was added, and one is removed in time. */
  CHECK_EQ(pidguard_set_add(set, z.fd), 0);
  CHECK_EQ(pidguard_set_wait(set, ready, 8, 0), 1);
  CHECK_EQ(ready[0], z.fd);
  CHECK_EQ(pidguard_set_remove(set, a.fd), 0);
  CHECK_ERRNO(pidguard_set_remove(set, a.fd), ENOENT);
  CHECK_EQ(pidguard_set_remove(set, z.fd), 0);
  pidguard_pidfd_send_signal(a.fd, SIGKILL, 0);
  child_await_zombie(&a);
  CHECK_ERRNO(pidguard_set_wait(set, ready, 8, pidguard_deadline(20)), ETIMEDOUT);

  /* A member that was collected elsewhere before its end was reported is reported once. */
  child_reap(&a);
  CHECK_EQ(pidguard_set_add(set, a.fd), 0);
  CHECK_EQ(pidguard_set_wait(set, ready, 8, 0), 1);
  CHECK_EQ(ready[0], a.fd);
  CHECK_ERRNO(pidguard_set_wait(set, ready, 8, 0), ETIMEDOUT);

  /* A set can be a member of another one, but two sets cannot contain each other. */
  int outer = pidguard_set_create();
  CHECK_EQ(pidguard_set_add(outer, set), 0);
  CHECK_ERRNO(pidguard_set_add(set, outer), ELOOP);
  CHECK_ERRNO(pidguard_set_add(set, set), EINVAL);
  close(outer);

  CHECK_ERRNO(pidguard_set_wait(set, ready, 0, 0), EINVAL);
  CHECK_ERRNO(pidguard_set_wait(set, ready, 8, 5000), EINVAL); /* 5000 stands for milliseconds, by mistake */
  CHECK_ERRNO(pidguard_set_wait(a.fd, ready, 8, 0), EINVAL);
  CHECK_ERRNO(pidguard_set_wait(-1, ready, 8, 0), EBADF);
  CHECK_ERRNO(pidguard_set_add(a.fd, b.fd), EINVAL);
  CHECK_ERRNO(pidguard_set_add(set, file), EBADF);
  CHECK_ERRNO(pidguard_set_add(set, -1), EBADF);
  CHECK_ERRNO(pidguard_set_remove(set, file), EBADF);
  CHECK_ERRNO(pidguard_set_remove(set, -1), EBADF);
  close(file);
  close(set);
  child_done(&a);
  child_done(&b);
  child_done(&z);
}

/* Before 6.9 a pidfd does not hang up when the process is reaped. */
static void collected_on_old_kernels(void) {
  int ready = -1, set = pidguard_set_create();
  struct child c = child_exited(3);
  hide(PG_FEATURE_HANGUP);
  CHECK_EQ(pidguard_set_add(set, c.fd), 0);
  CHECK_EQ(pidguard_set_wait(set, &ready, 1, 0), 1);
  CHECK_EQ(pidguard_pidfd_wait(c.fd, NULL, 0), 0);
  CHECK_ERRNO(pidguard_set_wait(set, &ready, 1, 0), ETIMEDOUT);
  hide(0);
  close(set);
  child_done(&c);
}

/* Pipes and timers may be in a set, too. They are reported as long as they are readable. */
static void other_descriptors(void) {
  int ready[4], ends[2], set = pidguard_set_create();
  struct child c = child_paused();
  char byte = 'x';
  if (pipe2(ends, O_CLOEXEC))
    abort();
  CHECK_EQ(pidguard_set_add(set, ends[0]), 0);
  CHECK_EQ(pidguard_set_add(set, c.fd), 0);
  CHECK_ERRNO(pidguard_set_wait(set, ready, 4, 0), ETIMEDOUT);
  CHECK_EQ(write(ends[1], &byte, 1), 1);
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(pidguard_set_wait(set, ready, 4, 0), 1);
    CHECK_EQ(ready[0], ends[0]);
  }
  CHECK_EQ(read(ends[0], &byte, 1), 1);
  CHECK_ERRNO(pidguard_set_wait(set, ready, 4, 0), ETIMEDOUT);
  CHECK_EQ(write(ends[1], &byte, 1), 1);
  pidguard_pidfd_send_signal(c.fd, SIGKILL, 0);
  child_await_zombie(&c);
  CHECK_EQ(pidguard_set_wait(set, ready, 4, 0), 2);
  PG_CHECK(ready[0] + ready[1] == ends[0] + c.fd, "%d and %d", ready[0], ready[1]);
  close(ends[1]);
  close(ends[0]);
  CHECK_EQ(pidguard_set_wait(set, ready, 4, 0), 1);
  close(set);
  child_done(&c);
}

/* The number of a member is closed and goes to another process. A copy of the old descriptor keeps the kernel's entry
 * alive. The end of the old process must not be reported, and nothing may spin. */
static void closed_members(void) {
  int ready[4], set = pidguard_set_create();
  struct child old = child_paused(), young = child_paused();
  int number = fcntl(old.fd, F_DUPFD_CLOEXEC, 0);
  CHECK_EQ(pidguard_set_add(set, number), 0);
  CHECK_EQ(dup3(young.fd, number, O_CLOEXEC), number);
  CHECK_EQ(pidguard_set_add(set, number), 0);
  pidguard_pidfd_send_signal(old.fd, SIGKILL, 0);
  child_await_zombie(&old);
  int64_t cpu = cpu_ms();
  CHECK_ERRNO(pidguard_set_wait(set, ready, 4, pidguard_deadline(100)), ETIMEDOUT);
  PG_CHECK(cpu_ms() - cpu < 50, "it used %lld ms of CPU", (long long)(cpu_ms() - cpu));
  pidguard_pidfd_send_signal(young.fd, SIGKILL, 0);
  CHECK_EQ(pidguard_set_wait(set, ready, 4, pidguard_deadline(5000)), 1);
  CHECK_EQ(ready[0], number);
  close(number);
  close(set);
  child_done(&old);
  child_done(&young);
}

/* The same with event counters, which share one inode. */
static void closed_counters(void) {
  int ready[4], set = pidguard_set_create(), old = eventfd(0, EFD_CLOEXEC), young = eventfd(0, EFD_CLOEXEC);
  int number = fcntl(old, F_DUPFD_CLOEXEC, 0);
  CHECK_EQ(pidguard_set_add(set, number), 0);
  CHECK_EQ(dup3(young, number, O_CLOEXEC), number);
  CHECK_EQ(pidguard_set_add(set, number), 0);
  CHECK_EQ(eventfd_write(old, 1), 0);
  CHECK_ERRNO(pidguard_set_wait(set, ready, 4, pidguard_deadline(100)), ETIMEDOUT);
  CHECK_EQ(eventfd_write(young, 1), 0);
  CHECK_EQ(pidguard_set_wait(set, ready, 4, pidguard_deadline(5000)), 1);
  CHECK_EQ(ready[0], number);
  close(number);
  close(set);
  close(old);
  close(young);
}

/* The set itself is a descriptor for an event loop. */
static void pollable(void) {
  int ready, set = pidguard_set_create();
  struct child c = child_paused();
  pidguard_set_add(set, c.fd);
  struct pollfd p = {.fd = set, .events = POLLIN};
  CHECK_EQ(poll(&p, 1, 0), 0);
  pidguard_pidfd_send_signal(c.fd, SIGKILL, 0);
  CHECK_EQ(poll(&p, 1, 5000), 1);
  CHECK_EQ(pidguard_set_wait(set, &ready, 1, 0), 1);
  CHECK_EQ(pidguard_pidfd_wait(ready, NULL, 0), 0);
  pidguard_set_wait(set, &ready, 1, 0);
  CHECK_EQ(poll(&p, 1, 0), 0);
  close(set);
  child_done(&c);
}

/* A deadline is a moment. The earliest of several is the least, and "none" is later than all. */
static void deadlines(void) {
  int64_t soon = pidguard_deadline(10), late = pidguard_deadline(100000), none = pidguard_deadline(-1);
  PG_CHECK(soon < late && late < none, "%lld %lld %lld", (long long)soon, (long long)late, (long long)none);
  PG_CHECK(late - soon >= 99990000000 && late - soon < 200000000000, "%lld ns", (long long)(late - soon));
}

static void on_alarm(int sig) { (void)sig; }

static void interrupted(void) {
  int ready;
  int set = pidguard_set_create();
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval often = {.it_value = {.tv_usec = 20000}, .it_interval = {.tv_usec = 20000}}, never = {0};
  setitimer(ITIMER_REAL, &often, NULL);
  CHECK_ERRNO(pidguard_set_wait(set, &ready, 1, -1), EINTR);
  setitimer(ITIMER_REAL, &never, NULL);
  signal(SIGALRM, SIG_DFL);
  close(set);
}

static int body_after(void *ms) {
  sleep_ms(*(int *)ms);
  return *(int *)ms & 0x7f;
}

/* Many processes end, and the order is that of their ends. Each is reported exactly once, in batches. */
static void many(void) {
  enum { COUNT = 200 };
  static struct child c[COUNT];
  int ready[100], number_of[1024];
  int set = pidguard_set_create(), got = 0, status;
  memset(number_of, -1, sizeof number_of);
  for (int i = 0; i < COUNT; i++) {
    int ms = i % 7;
    c[i] = child_running(body_after, &ms);
    number_of[c[i].fd] = i;
    CHECK_EQ(pidguard_set_add(set, c[i].fd), 0);
  }
  while (got < COUNT) {
    int n = pidguard_set_wait(set, ready, 100, pidguard_deadline(10000));
    PG_CHECK(n > 0 && n <= 64, "%d events", n);
    if (n <= 0)
      break;
    for (int k = 0; k < n; k++) {
      int i = ready[k] >= 0 && ready[k] < 1024 ? number_of[ready[k]] : -1;
      if (!PG_CHECK(i >= 0, "%d twice, or never added", ready[k]))
        continue;
      number_of[ready[k]] = -1;
      CHECK_EQ(pidguard_pidfd_wait(ready[k], &status, 0), 0);
      CHECK_EQ(WEXITSTATUS(status), i % 7);
      got++;
    }
  }
  for (int i = 0; i < COUNT; i++)
    child_done(&c[i]);
  CHECK_ERRNO(pidguard_set_wait(set, ready, 100, 0), ETIMEDOUT);
  close(set);
}

enum { ENDS = 120, WAITERS = 4 };
static int shared_set, stop_event;
static _Atomic int collected[1024], total;

static void *thread_collects(void *failed) {
  int ready, r;
  while ((r = pidguard_set_wait(shared_set, &ready, 1, pidguard_deadline(20000))) == 1 || (r == -1 && errno == EINTR)) {
    if (r == 1 && ready == stop_event)
      return NULL;
    if (r == 1 && !pidguard_pidfd_wait(ready, NULL, 0) && collected[ready]++ == 0)
      total++;
  }
  *(int *)failed = errno;
  return failed;
}

/* Several threads wait on one set. Each end is reported at least once, and no thread waits in vain. */
static void threads(void) {
  static struct child c[ENDS];
  int failed[WAITERS] = {0};
  pthread_t thread[WAITERS];
  shared_set = pidguard_set_create();
  stop_event = eventfd(0, EFD_CLOEXEC);
  total = 0;
  for (int i = 0; i < ENDS; i++) {
    int ms = i % 9;
    c[i] = child_running(body_after, &ms);
    collected[c[i].fd] = 0;
    CHECK_EQ(pidguard_set_add(shared_set, c[i].fd), 0);
  }
  for (int i = 0; i < WAITERS; i++)
    if (pthread_create(&thread[i], NULL, thread_collects, &failed[i]))
      abort();
  for (int ms = 0; total < ENDS && ms < 5000; ms++)
    sleep_ms(1);
  CHECK_EQ(pidguard_set_add(shared_set, stop_event), 0);
  CHECK_EQ(eventfd_write(stop_event, 1), 0);
  for (int i = 0; i < WAITERS; i++) {
    pthread_join(thread[i], NULL);
    CHECK_EQ(failed[i], 0);
  }
  for (int i = 0; i < ENDS; i++) {
    PG_CHECK(collected[c[i].fd] >= 1, "the end of child %d was not reported", i);
    CHECK_EQ(pidguard_pidfd_get_state(c[i].fd), PIDGUARD_STATE_REAPED);
    c[i].pid = -1;
    child_done(&c[i]);
  }
  close(stop_event);
  close(shared_set);
}

static double wait_cost_us(int members) {
  /* All members are copies of one living child's pidfd, because the set is measured and not the processes. */
  struct child alive = child_paused(), z = child_exited(0);
  int *copies = calloc((size_t)members, sizeof *copies), set = pidguard_set_create();
  int ready;
  for (int i = 0; i < members; i++) {
    copies[i] = fcntl(alive.fd, F_DUPFD_CLOEXEC, 3);
    if (copies[i] < 0 || pidguard_set_add(set, copies[i]))
      abort();
  }
  enum { ROUNDS = 2000 };
  double best = 1e9;
  for (int round = 0; round < 5; round++) {
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < ROUNDS; i++)
      if (pidguard_set_add(set, z.fd) || pidguard_set_wait(set, &ready, 1, 0) != 1 || pidguard_set_remove(set, z.fd))
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
  add("collected_on_old_kernels", collected_on_old_kernels);
  add("other_descriptors", other_descriptors);
  add("closed_members", closed_members);
  add("closed_counters", closed_counters);
  add("deadlines", deadlines);
  add("pollable", pollable);
  add("interrupted", interrupted);
  add("many", many);
  add("threads", threads);
  add("constant_time", constant_time);
}

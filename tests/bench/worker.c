/* SPDX-License-Identifier: MIT */
/* The frame of the worker: its children, its threads, the clock, and the dialogue with the driver. It reads lines from
 * the driver and answers each of them:
 *
 *     WORK MILLISECONDS [PRELOAD]              ns NANOSECONDS-PER-OPERATION, none (no such work here), failed REASON
 *     run MILLISECONDS PRELOAD COMMAND [ARG…]  the same
 *     memory 0                                 memory and the figures of struct pg_weight
 *
 * Calls libc, stats.c, memory.c and the table of works. */
#define _GNU_SOURCE
#include "bench.h"
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static struct pg_bench bench;
static int threads = 1, wall;

static uint64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The processor time of this process and of the children that it has reaped. So other processes of the machine do not
 * count. With `wall` it is the time on the wall, which includes the time that processes wait for each
 * other. */
static uint64_t now_ns(void) {
  if (wall)
    return clock_ns(CLOCK_MONOTONIC);
  struct rusage ru;
  getrusage(RUSAGE_CHILDREN, &ru);
  uint64_t us = (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000u +
                (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
  return us * 1000 + clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* Makes a child that does nothing until it is killed. It ends with its parent at the latest. SIGUSR1 is ignored before
 * the fork, because the first one may come before the child has run at all. */
static pid_t make_idle_child(int *ret_fd) {
  pid_t parent = getpid();
  pid_t pid = pg_bench_fork(ret_fd);
  if (pid < 0) {
    fprintf(stderr, "pg_bench: cannot make a child: %s\n", strerror(errno));
    exit(1);
  }
  if (pid > 0)
    return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(1);
  close(0);
  close(1);
  for (;;)
    pause();
}

static void make_children(int others) {
  char idle[4096];
  ssize_t n = readlink("/proc/self/exe", idle, sizeof idle - sizeof "/pg_bench_idle");
  if (n <= 0)
    exit(1);
  idle[n] = '\0';
  strcpy(strrchr(idle, '/'), "/pg_bench_idle");
  signal(SIGUSR1, SIG_IGN);
  pid_t *all = calloc((size_t)others + 1, sizeof *all);
  if (!all)
    exit(1);
  for (int i = 0; i < others; i++) {
    int fd;
    pid_t pid = pg_bench_start(idle, &fd);
    if (pid <= 1) {
      fprintf(stderr, "pg_bench: cannot make child %d: %s\n", i, strerror(errno));
      exit(1);
    }
    all[i] = pid;
    if (i == 0) {
      bench.oldest = pid;
      bench.oldest_fd = fd;
    } else if (fd >= 0) {
      close(fd);
    }
  }
  for (int i = 0; i < threads; i++)
    bench.child[i] = make_idle_child(&bench.child_fd[i]);
  all[others] = bench.child[0];
  bench.all = all;
  bench.all_count = others + 1;
  if (others == 0) {
    bench.oldest = bench.child[0];
    bench.oldest_fd = bench.child_fd[0];
  }
}

/* Makes a PID of a child that is gone. It is new for every slice, so that the shim has not forgotten it. */
static int make_dead_child(void) {
  if (bench.dead_fd >= 0)
    close(bench.dead_fd);
  bench.dead = pg_bench_fork(&bench.dead_fd);
  if (bench.dead < 0)
    return -1;
  if (bench.dead == 0)
    _exit(0);
  pg_bench_reap(bench.dead, bench.dead_fd);
  return 0;
}

struct share {
  const struct pg_work *work;
  pthread_barrier_t *start;
  uint64_t n;
  int thread, result;
};

static void *run_share(void *arg) {
  struct share *s = arg;
  pthread_barrier_wait(s->start);
  s->result = s->work->run(&bench, s->thread, s->n);
  return NULL;
}

/* Runs n operations in each thread. Returns the time that they took, or 0 on failure. */
static uint64_t run_batch(const struct pg_work *work, uint64_t n) {
  uint64_t begin;
  int result = 0;
  if (threads == 1) {
    begin = now_ns();
    result = work->run(&bench, 0, n);
  } else {
    struct share share[PG_BENCH_MAX_THREADS];
    pthread_t thread[PG_BENCH_MAX_THREADS];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)threads + 1);
    for (int i = 0; i < threads; i++) {
      share[i] = (struct share){.work = work, .start = &start, .n = n, .thread = i};
      if (pthread_create(&thread[i], NULL, run_share, &share[i]) != 0) {
        fprintf(stderr, "pg_bench: cannot make a thread\n");
        exit(1);
      }
    }
    pthread_barrier_wait(&start);
    begin = now_ns();
    for (int i = 0; i < threads; i++) {
      pthread_join(thread[i], NULL);
      result |= share[i].result;
    }
    pthread_barrier_destroy(&start);
  }
  uint64_t took = now_ns() - begin;
  if (!wall) /* the times of the threads add up */
    took /= (uint64_t)threads;
  return result ? 0 : took + (took == 0);
}

/* Doubles the batch until one takes a sixteenth of the slice. Then it fills the slice with batches of that size and
 * answers with their median. So a burst of another process spoils a batch, but not the slice. */
static void run_slice(const struct pg_work *work, uint64_t slice_ns) {
  static const struct pg_work *last;
  static uint64_t n = 1;
  if (work != last)
    n = 1;
  last = work;
  for (;;) {
    uint64_t took = run_batch(work, n);
    if (took == 0)
      goto failed;
    if (n == 1 && took >= slice_ns) { /* one operation is enough */
      printf("ns %.3f\n", (double)took);
      return;
    }
    if (took >= slice_ns / 16)
      break;
    n *= 2;
  }
  uint64_t spent = 0;
  double batch[64];
  size_t count = 0;
  while (spent < slice_ns && count < sizeof batch / sizeof *batch) {
    uint64_t took = run_batch(work, n);
    if (took == 0)
      goto failed;
    spent += took;
    batch[count++] = (double)took / (double)n;
  }
  printf("ns %.3f\n", pg_spread_of(batch, count).median);
  return;
failed:
  printf("failed %s: %s\n", work->name, strerror(errno));
}

/* Sets the environment for programs that are started: that of the worker, or the same with the given preload object. */
static void set_child_env(const char *preload) {
  static char *changed[4096];
  static char entry[sizeof "LD_PRELOAD=" + 4096];
  bench.child_env = environ;
  if (!preload)
    return;
  size_t n = 0;
  for (char **e = environ; *e && n < sizeof changed / sizeof *changed - 2; e++)
    if (strncmp(*e, "LD_PRELOAD=", 11) != 0)
      changed[n++] = *e;
  if (strcmp(preload, "-") != 0) {
    snprintf(entry, sizeof entry, "LD_PRELOAD=%s", preload);
    changed[n++] = entry;
  }
  changed[n] = NULL;
  bench.child_env = changed;
}

/* The command line of a whole program that is one operation. */
static char *run_argv[32];

__attribute__((noinline)) static pid_t start_run(int null) {
  pid_t pid = vfork();
  if (pid == 0) {
    dup2(null, 0);
    dup2(null, 1);
    execve(run_argv[0], run_argv, bench.child_env);
    _exit(127);
  }
  return pid;
}

static int run_program(const struct pg_bench *b, int thread, uint64_t n) {
  (void)b, (void)thread;
  int null = open("/dev/null", O_RDWR | O_CLOEXEC), status = -1;
  for (; n; n--) {
    pid_t pid = start_run(null);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
      break;
  }
  close(null);
  errno = 0;
  return status ? -1 : 0;
}

static void answer_run(double ms, const char *preload, char *command) {
  static const struct pg_work work = {"run", run_program, 0};
  size_t n = 0;
  for (char *word = strtok(command, " \n"); word && n < sizeof run_argv / sizeof *run_argv - 1;
       word = strtok(NULL, " \n"))
    run_argv[n++] = word;
  run_argv[n] = NULL;
  set_child_env(preload);
  run_slice(&work, (uint64_t)(ms * 1e6));
}

static void answer(const char *name, double ms, const char *preload) {
  for (const struct pg_work *w = pg_works; w->name; w++) {
    if (strcmp(w->name, name) != 0)
      continue;
    if (threads > 1 && !w->threads)
      break;
    if (make_dead_child() != 0) {
      printf("failed fork: %s\n", strerror(errno));
      return;
    }
    set_child_env(preload);
    run_slice(w, (uint64_t)(ms * 1e6));
    return;
  }
  printf("none\n");
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: %s STRANGER-PID OTHER-CHILDREN THREADS WALL(0|1)\n", argv[0]);
    return 2;
  }
  bench.stranger = (pid_t)atoi(argv[1]);
  threads = atoi(argv[3]);
  wall = atoi(argv[4]);
  if (bench.stranger <= 1 || threads < 1 || threads > PG_BENCH_MAX_THREADS)
    return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  bench.dead_fd = -1;
  bench.stranger_fd = pg_bench_open(bench.stranger);
  make_children(atoi(argv[2]));
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("ready\n");
  char line[8192], name[64], preload[4096];
  double ms;
  while (fgets(line, sizeof line, stdin)) {
    int rest = 0, fields = sscanf(line, "%63s %lf %4095s%n", name, &ms, preload, &rest);
    struct pg_weight w;
    if (fields == 2 && strcmp(name, "memory") == 0 && pg_bench_weigh(&w) == 0)
      printf("memory %ld %ld %ld %ld %ld\n", w.resident, w.own, w.mappings, w.object_resident, w.object_own);
    else if (fields == 3 && strcmp(name, "run") == 0)
      answer_run(ms, preload, line + rest);
    else if (fields >= 2)
      answer(name, ms, fields == 3 ? preload : NULL);
  }
  return 0;
}

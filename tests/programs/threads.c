/* SPDX-License-Identifier: MIT */
/* threads SCENARIO HOW-LONG [THREADS|putter-in-handler|parent-in-handler]: parents make, signal and reap children while
 * putters dup2, open and close descriptors. HOW-LONG is a number of units of work, or of seconds with an s behind it.
 * THREADS is the number of threads of each kind. With the other two words there is one thread, and the steps of one
 * side run in the handler of a timer's signal. Without arguments the program lists the scenarios.
 *
 * Prints "did NAME NUMBER" and "bad NAME NUMBER". What is bad must be 0 everywhere, but stale_* only with the shim. An
 * ordinary program: it knows nothing of pidguard. Status 77: this cannot be shown here. */
#define _GNU_SOURCE
#include "threads.h"

#include "../support/slowness.h"
#include "raw.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX PUTTERS_MAX
#define TICK SIGALRM

_Atomic unsigned long did[DIDS], bad[BADS];
const struct scenario *scenario;
int lowest;

static struct parent parents[THREADS_MAX];
static struct putter putters[THREADS_MAX];
static _Atomic unsigned long parent_steps, putter_steps;
static unsigned long parent_goal, putter_goal;
static time_t deadline; /* 0: the run ends at the goals */

static time_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec;
}

static bool is_over(void) {
  if (deadline)
    return now() >= deadline;
  return atomic_load_explicit(&parent_steps, memory_order_relaxed) >= parent_goal &&
         atomic_load_explicit(&putter_steps, memory_order_relaxed) >= putter_goal;
}

static void parent_step(struct parent *parent) {
  scenario->parent(parent);
  atomic_fetch_add_explicit(&parent_steps, 1, memory_order_relaxed);
}

static void putter_step(struct putter *putter) {
  scenario->putter(putter);
  atomic_fetch_add_explicit(&putter_steps, 1, memory_order_relaxed);
}

/* ---- In threads ---- */

static void *be_parent(void *arg) {
  for (unsigned i = 1; i % 16 || !is_over(); i++)
    parent_step(arg);
  return NULL;
}

static void *be_putter(void *arg) {
  for (unsigned i = 1; i % 16 || !is_over(); i++)
    putter_step(arg);
  return NULL;
}

static void in_threads(int count) {
  pthread_t threads[2 * THREADS_MAX];
  for (int i = 0; i < count; i++)
    if (pthread_create(&threads[2 * i], NULL, be_parent, &parents[i]) != 0 ||
        pthread_create(&threads[2 * i + 1], NULL, be_putter, &putters[i]) != 0)
      exit(2);
  for (int i = 0; i < 2 * count; i++)
    pthread_join(threads[i], NULL);
}

/* ---- In a handler ---- */

static bool parent_in_handler;

static void on_tick(int sig) {
  int kept = errno;
  (void)sig;
  if (parent_in_handler)
    parent_step(&parents[0]);
  else
    putter_step(&putters[0]);
  errno = kept;
}

/* The timer is set anew before each step, for a moment within it or soon after. A periodic timer could ring more often
 * than a fork() takes. Then fork() would start over for ever. */
static void in_handler(void) {
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  sigaction(TICK, &action, NULL);
  bool births = scenario->children == 0;
  unsigned within = births && !parent_in_handler ? 120 : 12;
  for (unsigned i = 1; i % 16 || !is_over(); i++) {
    struct itimerval timer = {.it_value.tv_usec = 1 + (suseconds_t)random_below(within)};
    setitimer(ITIMER_REAL, &timer, NULL);
    if (parent_in_handler)
      putter_step(&putters[0]);
    else
      parent_step(&parents[0]);
  }
  const struct itimerval none = {.it_value.tv_usec = 0};
  setitimer(ITIMER_REAL, &none, NULL);
  signal(TICK, SIG_IGN);
}

/* ---- The whole ---- */

static int count_descriptors(void) {
  int count = 0;
  DIR *directory = opendir("/proc/self/fd");
  while (directory && readdir(directory))
    count++;
  if (directory)
    closedir(directory);
  return count;
}

static void report(void) {
  static const char *const did_names[] = {
#define X(name) #name,
      DID(X)};
  static const char *const bad_names[] = {BAD(X)};
#undef X
  for (int i = 0; i < DIDS; i++)
    printf("did %s %lu\n", did_names[i], did[i]);
  for (int i = 0; i < BADS; i++)
    printf("bad %s %lu\n", bad_names[i], bad[i]);
}

static void find_scenario(const char *name) {
  for (scenario = scenarios; scenario->name && strcmp(scenario->name, name) != 0; scenario++)
    ;
  if (scenario->name)
    return;
  fprintf(stderr, "threads: no scenario %s\n", name);
  exit(2);
}

static int usage(void) {
  for (scenario = scenarios; scenario->name; scenario++)
    puts(scenario->name);
  return 0;
}

/* Many users have a limit of 1,024 descriptors. The numbers from HIGH on are above that. */
static void raise_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= 4096)
    return;
  limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* On a slow machine a third of the steps. */
static unsigned steps_of(int steps) { return (unsigned)some_of(steps, steps / 3); }

int main(int argc, char **argv) {
  raise_limit();
  strangers_main(argc, argv);
  for (int fd = 3; fd < 64; fd++) /* inherited: the scenarios use the numbers from the lowest free one on */
    raw_call(SYS_close, fd, 0, 0, 0, 0);
  if (argc == 2 && strcmp(argv[1], "first") == 0)
    return be_first();
  if (argc < 3)
    return usage();
  find_scenario(argv[1]);
  char *rest;
  unsigned long amount = strtoul(argv[2], &rest, 10);
  const char *how = argc > 3 ? argv[3] : "1";
  int threads = atoi(how);
  parent_in_handler = strcmp(how, "parent-in-handler") == 0;
  bool handler = parent_in_handler || strcmp(how, "putter-in-handler") == 0;
  if (amount == 0 || (!handler && (threads < 1 || threads > THREADS_MAX))) {
    fprintf(stderr, "threads: wrong arguments\n");
    return 2;
  }
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1); /* children inherit this, so the signal stays pending there */
  sigprocmask(SIG_BLOCK, &blocked, NULL);

  int before = count_descriptors(), count = handler ? 1 : threads;
  strangers_start();
  for (int i = 0; i < count; i++) {
    parents[i].number = putters[i].number = i;
    putter_begin(&putters[i]);
    parent_begin(&parents[i]);
  }
  lowest = dup(0);
  close(lowest);
  if (*rest == 's') {
    deadline = now() + (time_t)amount;
  } else { /* a handler's step costs a signal, and a timer */
    parent_goal = amount * steps_of(scenario->parent_steps) / (handler ? 8 : 1);
    putter_goal = amount * steps_of(scenario->putter_steps) / (handler ? 8 : 1);
  }
  if (handler)
    in_handler();
  else
    in_threads(count);
  for (int i = 0; i < count; i++) {
    parent_end(&parents[i]);
    putter_end(&putters[i]);
  }
  strangers_stop();
  int after = count_descriptors();
  bad[BAD_hit] = strangers_hit(STRANGER_HELD);
  bad[BAD_stale_hit] = strangers_hit(STRANGER_NUMBER);
  bad[BAD_left] = after > before ? (unsigned long)(after - before) : 0;
  report();
  return 0;
}

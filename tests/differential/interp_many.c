/* SPDX-License-Identifier: MIT */
/* Steps with many children that live at the same time. The children are killed and waited for from either end. Before
 * that each may be asked for in turn, and a thread may put descriptors at the same time. */
#include "interp.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY 96

static struct {
  pid_t pids[MANY];
  int made;
} many;

static void make_many(int count) {
  for (many.made = 0; many.made < count; many.made++) {
    pid_t pid = fork();
    if (pid == 0)
      for (;;)
        pg_sys2(SYS_ppoll, NULL, 0);
    if (pid < 0)
      break;
    many.pids[many.made] = pid;
    pgd_set_name(pid, self->label, ++self->extras);
  }
}

static void end_many(int i, bool backwards) {
  int killed = 0, waited = 0, stale = 0;
  for (int k = 0; k < many.made; k++) {
    pid_t pid = many.pids[backwards ? many.made - 1 - k : k];
    int status = 0;
    if (pid <= 1)
      continue;
    killed += kill(pid, SIGKILL) == 0;
    int ret = waitpid(pid, &status, 0);
    waited += ret == pid && status == SIGKILL;
    self->reaped_unsure += ret != pid;
    self->reaped_sure += ret == pid;
    /* A child that the kernel reaps keeps its PID for a moment after the wait has said ECHILD. */
    stale += ret == pid && kill(pid, SIGKILL) == -1 && errno == ESRCH;
  }
  pgd_trace("s%d %s made %d killed %d waited %d stale %d", i, pgd_ops[program.step[i].op].name, many.made, killed,
            waited, stale);
}

/* Asks for each child in turn. There are more children than any cache holds. */
static void ask_in_turn(int i) {
  int alive = 0, running = 0;
  for (int round = 0; round < 2; round++)
    for (int k = 0; k < many.made; k++) {
      if (many.pids[k] <= 1)
        continue;
      alive += kill(many.pids[k], 0) == 0;
      running += waitpid(many.pids[k], NULL, WNOHANG) == 0;
    }
  pgd_trace("s%d turn alive %d running %d", i, alive, running);
}

/* ---- A thread beside ---- */

enum { BESIDE_DUP2, BESIDE_DUP3, BESIDE_OPEN, BESIDE_HIGH };

static struct {
  int what, source, number;
  _Atomic int rounds;
  _Atomic bool stop;
  int failed, lost, not_closed;
} beside;

static int put(void) {
  switch (beside.what) {
  case BESIDE_OPEN:
    return open("/dev/null", O_RDONLY);
  case BESIDE_DUP3:
    return dup3(beside.source, beside.number, O_CLOEXEC);
  default:
    return dup2(beside.source, beside.number);
  }
}

static void *put_and_take(void *arg) {
  struct stat first, now;
  if (fstat(beside.source, &first) != 0)
    beside.failed++;
  while (!atomic_load(&beside.stop)) {
    int fd = put();
    if (fd < 0 || (beside.what != BESIDE_OPEN && fd != beside.number)) {
      beside.failed++;
    } else {
      beside.lost += fstat(fd, &now) != 0 || now.st_dev != first.st_dev || now.st_ino != first.st_ino;
      beside.not_closed += close(fd) != 0;
    }
    atomic_fetch_add(&beside.rounds, 1);
  }
  return arg;
}

/* The thread blocks all signals: a signal must go to the threads that the monitor knows. */
static bool begin_beside(int what, pthread_t *thread) {
  sigset_t all, before;
  beside.what = what;
  beside.source = open("/dev/null", O_RDONLY);
  int lowest = dup(beside.source);
  if (beside.source < 0 || lowest < 0 || close(lowest) != 0) {
    close(beside.source);
    return false;
  }
  beside.number = what == BESIDE_HIGH && sysconf(_SC_OPEN_MAX) > 1024 ? 1024 : lowest;
  atomic_store(&beside.stop, false);
  atomic_store(&beside.rounds, 0);
  beside.failed = beside.lost = beside.not_closed = 0;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  bool made = pthread_create(thread, NULL, put_and_take, NULL) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!made)
    close(beside.source);
  return made;
}

static void end_beside(int i, pthread_t thread) {
  while (atomic_load(&beside.rounds) < 200)
    pg_sys0(SYS_sched_yield);
  atomic_store(&beside.stop, true);
  pthread_join(thread, NULL);
  int closed = close(beside.source);
  pgd_trace("s%d beside put failed %d, lost %d, not closed %d, source %d", i, beside.failed, beside.lost,
            beside.not_closed, closed);
}

void pgd_do_many(int i) {
  const struct pgd_step *s = &program.step[i];
  pthread_t thread;
  bool with = s->op == OP_BESIDE && begin_beside(s->arg[2], &thread);
  make_many(s->arg[0]);
  if (s->op != OP_BURST)
    ask_in_turn(i);
  end_many(i, s->arg[1]);
  if (with)
    end_beside(i, thread);
}

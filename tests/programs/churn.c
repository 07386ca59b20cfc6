/* SPDX-License-Identifier: MIT */
/* churn SECONDS: threads that make and reap children in all ways without a pause, and signal the numbers of
 * those that they reaped last; beside them one that opens, duplicates and closes descriptors all the time.
 * Says "ROUNDS REFUSED ODD" at the end: how many children, how many stale signals found nobody, and how many calls
 * came out as they should not. SIGTERM has no handler here: whom it reaches it ends. An ordinary program. */
#define _GNU_SOURCE
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>

/* A thread's latest numbers, and how many children may have ended since one that is signalled: fewer than are
 * remembered at the least. A thread that is late must not be left behind by the others, however slow the machine is. */
enum { MAKERS = 3, KEPT = 8, LATEST = 40 };

static _Atomic int over;
static _Atomic long rounds, refused, odd;
static _Atomic long signalling[MAKERS]; /* the round in which the number's child was reaped, + 1; 0: no signal */

/* Before a child is reaped: those who are about to signal an old number go first. */
static void wait_for_others(void) {
  for (int i = 0; i < MAKERS; i++)
    for (long since; (since = signalling[i]) && rounds + 1 - since > LATEST;)
      sched_yield();
}

static pid_t make(unsigned turn) {
  static char *argv[] = {"/bin/true", NULL}, *none[] = {NULL};
  pid_t pid = -1;
  switch (turn % 16) {
  case 0:
    return posix_spawn(&pid, argv[0], NULL, NULL, argv, none) == 0 ? pid : -1;
  case 1:
  case 2:
  case 3:
    pid = vfork();
    if (pid == 0)
      _exit(0);
    return pid;
  default:
    pid = fork();
    if (pid == 0)
      _exit(0);
    return pid;
  }
}

static void signal_number(pid_t pid, unsigned turn) {
  errno = 0;
  int r = turn % 3 == 0   ? kill(pid, SIGTERM)
          : turn % 3 == 1 ? sigqueue(pid, SIGTERM, (union sigval){.sival_int = 1})
                          : kill(-pid, SIGTERM);
  if (r == -1 && errno == ESRCH)
    refused++;
  else if (r != 0) /* a child that is another thread's may have the number by now */
    odd++;
}

static void signal_stale(pid_t pid, long reaped, unsigned turn, int self) {
  signalling[self] = reaped + 1;
  if (pid > 1 && rounds - reaped <= LATEST)
    signal_number(pid, turn);
  signalling[self] = 0;
}

static void *maker(void *seed) {
  pid_t kept[KEPT] = {0};
  long reaped[KEPT] = {0};
  int self = (int)((uintptr_t)seed / 5);
  for (unsigned turn = (unsigned)(uintptr_t)seed; !over; turn++) {
    pid_t pid = make(turn);
    int status;
    if (pid <= 1) { /* no number free for the moment */
      sched_yield();
      continue;
    }
    wait_for_others();
    reaped[turn % KEPT] = rounds;
    if ((turn % 2 ? waitpid(pid, &status, 0) : wait4(pid, &status, 0, NULL)) != pid)
      odd++;
    kept[turn % KEPT] = pid;
    rounds++;
    unsigned old = (turn + 1 + turn / 7) % KEPT;
    signal_stale(kept[old], reaped[old], turn, self);
  }
  return NULL;
}

/* Only numbers that it was given, or that nobody in this program was: 300 to 399. */
static void *restless(void *seed) {
  unsigned turn = (unsigned)(uintptr_t)seed;
  for (; !over; turn++) {
    int at = 300 + (int)(turn * 7 % 100), fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      continue;
    if (dup2(fd, at) != at || fcntl(at, F_GETFD) < 0)
      odd++;
    if (close(at) != 0 || close(fd) != 0)
      odd++;
  }
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t threads[MAKERS + 1];
  int seconds = argc > 1 ? atoi(argv[1]) : 1, n = 0;
  for (; n < MAKERS; n++)
    if (pthread_create(&threads[n], NULL, maker, (void *)(uintptr_t)(n * 5 + 1)) != 0)
      return 2;
  if (pthread_create(&threads[n++], NULL, restless, NULL) != 0)
    return 2;
  sleep((unsigned)seconds);
  over = 1;
  while (n > 0)
    pthread_join(threads[--n], NULL);
  say("%ld %ld %ld\n", (long)rounds, (long)refused, (long)odd);
  return 0;
}

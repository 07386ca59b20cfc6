/* SPDX-License-Identifier: MIT */
/* churn SECONDS: threads make and reap children in all ways without a pause. They signal the PIDs of those that they
 * reaped last. Another thread opens, duplicates and closes descriptors all the time. At the end the program says
 * "ROUNDS REFUSED ODD". ROUNDS is the number of children. REFUSED counts the stale signals that found no process, and
 * ODD the calls that came out wrong. SIGTERM has no handler here, so it ends the process that it reaches. An ordinary
 * program: it knows nothing of pidguard. */
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

/* KEPT is how many PIDs a thread remembers. At most LATEST children may have ended since the one whose PID is
 * signalled. The shim remembers more than that at the least. A late thread must not fall behind the others, however
 * slow the machine is. */
enum { MAKERS = 3, KEPT = 8, LATEST = 40 };

static _Atomic int over;
static _Atomic long rounds, refused, odd;
static _Atomic long signalling[MAKERS]; /* the round in which the PID's child was reaped, plus 1; 0: no signal */

/* Threads that are about to signal an old PID go first, before another child is reaped. */
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
  else if (r != 0) /* another thread's child may have the PID by now */
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
    if (pid <= 1) { /* no PID is free for the moment */
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

/* The thread uses descriptors that it was given, and 300 to 399, which the rest of the program does not use. */
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

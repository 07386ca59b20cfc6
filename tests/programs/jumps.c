/* SPDX-License-Identifier: MIT */
/* jumps OPERATION HOW-LONG WAY: a timer's handler leaves the operation for good, at any instruction of it, over and
 * over. Afterwards the children are as they should be, and nothing is left. HOW-LONG is a number of units of work, or
 * of seconds with an s behind it. WAY is siglongjmp, longjmp, setcontext or thread-exit. longjmp does not restore the
 * signal mask. With thread-exit the handler ends the thread. Without arguments the program lists the operations.
 *
 * Prints "did NAME NUMBER" and "bad NAME NUMBER" as `threads` does. An ordinary program: it knows nothing of pidguard.
 * Status 77: this cannot be shown here. */
#define _GNU_SOURCE
#include "raw.h"
#include "strangers.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

#ifndef __GLIBC__ /* musl declares these, but does not have them */
#define getcontext(context) ((void)(context))
#define setcontext(context) ((void)(context))
#define NO_CONTEXTS 1
#else
#define NO_CONTEXTS 0
#endif

#define CHILDREN 100
#define UNIT 300
#define TICK SIGALRM

static enum { SIGLONGJMP, LONGJMP, SETCONTEXT, THREAD_EXIT } way;
static const char *const ways[] = {"siglongjmp", "longjmp", "setcontext", "thread-exit"};

static volatile unsigned long jumps, stale;
static unsigned long stale_passed, kill_failed, wait_failed, wait_wrong, mask_left, slow;
#define EXPECT(condition, name) ((condition) ? (void)0 : (void)(name)++)

static sigjmp_buf place;
static ucontext_t context;
static volatile sig_atomic_t within; /* an operation is under way: 1; left by a jump: 2 */

static unsigned random_below(unsigned n) {
  static unsigned state = 2463534242u;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % n;
}

static void on_tick(int sig) {
  (void)sig;
  if (within != 1)
    return;
  within = 2;
  jumps++;
  switch (way) {
  case SIGLONGJMP:
  case LONGJMP:
    siglongjmp(place, 1);
  case SETCONTEXT:
    setcontext(&context);
    break;
  case THREAD_EXIT:
    pthread_exit(NULL);
  }
}

static void set_timer(unsigned us) {
  const struct itimerval timer = {.it_value.tv_usec = (suseconds_t)us};
  setitimer(ITIMER_REAL, &timer, NULL);
}

static void unblock_tick(int how) {
  sigset_t tick;
  sigemptyset(&tick);
  sigaddset(&tick, TICK);
  sigprocmask(how, &tick, NULL);
}

static void begin_and_do(void (*operation)(void), unsigned within_us) {
  within = 1;
  set_timer(1 + random_below(within_us));
  operation();
  within = 0;
}

struct work {
  void (*operation)(void);
  unsigned within_us;
};

static void *in_thread(void *arg) {
  struct work *work = arg;
  unblock_tick(SIG_UNBLOCK);
  begin_and_do(work->operation, work->within_us);
  return NULL;
}

/* Nothing but the handler's own signal may be blocked afterwards, and that only where the jump leaves it so. */
static void check_mask(void) {
  sigset_t now;
  sigprocmask(SIG_SETMASK, NULL, &now);
  for (int sig = 1; sig < SIGRTMIN; sig++)
    if (sig != SIGUSR1 && sig != TICK)
      EXPECT(sigismember(&now, sig) <= 0, mask_left);
}

static void interrupted(void (*operation)(void), unsigned within_us) {
  struct work work = {operation, within_us};
  pthread_t thread;
  switch (way) {
  case SIGLONGJMP:
  case LONGJMP:
    if (sigsetjmp(place, way == SIGLONGJMP) == 0)
      begin_and_do(operation, within_us);
    break;
  case SETCONTEXT:
    within = 0;
    getcontext(&context);
    if (within == 0)
      begin_and_do(operation, within_us);
    break;
  case THREAD_EXIT:
    if (pthread_create(&thread, NULL, in_thread, &work) != 0)
      exit(2);
    pthread_join(thread, NULL);
  }
  within = 0;
  set_timer(0);
  check_mask();
  if (way == LONGJMP)
    unblock_tick(SIG_UNBLOCK);
}

/* ---- What can be left ---- */

static time_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec;
}

static pid_t children[CHILDREN];
static volatile pid_t child; /* the one that the operation is about */
static unsigned turn;

static pid_t make_pausing(void) {
  pid_t pid = fork();
  while (pid == 0)
    pause();
  if (pid <= 1)
    exit(2);
  return pid;
}

static void reap(pid_t pid, int expected) {
  int status = 0;
  pid_t got = waitpid(pid, &status, 0);
  EXPECT(got == pid || got < 0, wait_wrong);
  EXPECT(got > 0, wait_failed);
  EXPECT(got < 0 || status == expected, wait_wrong);
}

static void check_stale(pid_t pid) {
  if (pid <= 1 || stranger_take(pid, STRANGER_NUMBER) != pid)
    return;
  stale++;
  EXPECT(kill(pid, SIGUSR1) == -1 && errno == ESRCH, stale_passed);
  stranger_end(pid, STRANGER_NUMBER);
}

static void do_vfork(void) {
  if (vfork() == 0) {
    child = (pid_t)raw_call(SYS_getpid, 0, 0, 0, 0, 0);
    _exit(3);
  }
}

static void after_vfork(void) {
  if (child <= 1)
    return;
  reap(child, 3 << 8);
  if (turn % 16 == 0)
    check_stale(child);
  child = 0;
}

static void do_fork(void) {
  if (fork() == 0)
    _exit(3);
}

/* Waits for any child, because the jump lost the PID. */
static void after_fork(void) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, 0)) > 0;) {
    EXPECT(status == 3 << 8, wait_wrong);
    if (turn % 16 == 0)
      check_stale(pid);
  }
  EXPECT(errno == ECHILD, wait_failed);
}

static void do_wait(void) {
  int status;
  EXPECT(waitpid(child, &status, 0) < 0, wait_wrong);
}
static void do_wait_any(void) {
  int status;
  EXPECT(wait(&status) < 0, wait_wrong);
}
static void do_waitid(void) {
  siginfo_t info;
  EXPECT(waitid(P_PID, (id_t)child, &info, WEXITED) < 0, wait_wrong);
}

static void before_wait(void) {
  if (child <= 1)
    child = make_pausing();
}

static void after_wait(void) {
  EXPECT(kill(child, 0) == 0, kill_failed);
  EXPECT(waitpid(child, NULL, WNOHANG) == 0, wait_wrong);
  if (turn % 16)
    return;
  EXPECT(kill(child, SIGTERM) == 0, kill_failed);
  reap(child, SIGTERM);
  check_stale(child);
  child = 0;
}

/* The child ends at about the same time. A thread that jumps out right after the reap never learns of it. */
static void before_ending(void) {
  unsigned us = random_below(100);
  child = fork();
  if (child == 0) {
    struct timespec time = {.tv_nsec = (long)us * 1000};
    nanosleep(&time, NULL);
    _exit(3);
  }
  if (child <= 1)
    exit(2);
}

static void do_ending(void) {
  int status = 0;
  if (waitpid(child, &status, 0) == child)
    EXPECT(status == 3 << 8, wait_wrong);
}

static void after_ending(void) {
  int status = 3 << 8;
  pid_t got = waitpid(child, &status, 0);
  EXPECT((got == child && status == 3 << 8) || (got == -1 && errno == ECHILD), wait_wrong);
  EXPECT(kill(child, 0) == -1, kill_failed);
  if (turn % 16 == 0)
    check_stale(child);
  child = 0;
}

static void before_turn(void) {
  for (int i = 0; i < CHILDREN && children[i] == 0; i++)
    children[i] = make_pausing();
}
static void do_kills(void) {
  for (int i = 0; i < CHILDREN; i++)
    EXPECT(kill(children[i], SIGUSR1) == 0, kill_failed);
}
static void do_polls(void) {
  int status;
  for (int i = 0; i < CHILDREN; i++)
    EXPECT(waitpid(children[i], &status, WNOHANG) == 0, wait_wrong);
}
static void nothing(void) {}

/* A jump must leave no lock behind, for which others would wait a second or more. */
static void do_ranges(void) {
  for (int i = 0; i < 20 && !slow; i++)
    syscall(SYS_close_range, 3000u, ~0u, 0u);
}
static void after_ranges(void) {
  time_t begun = now();
  for (int i = 0; i < 4; i++)
    EXPECT(kill(children[(turn + (unsigned)i) % CHILDREN], 0) == 0, kill_failed);
  EXPECT(now() - begun <= 2, slow);
}

static const struct {
  const char *name;
  void (*before)(void), (*operation)(void), (*after)(void);
  unsigned within_us;
  bool threads; /* false: if there are threads, a jump leaves the locks of libc's fork() held */
} operations[] = {
    {"vfork", nothing, do_vfork, after_vfork, 60, true},
    {"fork", nothing, do_fork, after_fork, 200, false},
    {"waitpid", before_wait, do_wait, after_wait, 50, true},
    {"wait", before_wait, do_wait_any, after_wait, 50, true},
    {"waitid", before_wait, do_waitid, after_wait, 50, true},
    {"waitpid-ending", before_ending, do_ending, after_ending, 300, true},
    {"kill", before_turn, do_kills, nothing, 400, true},
    {"kill-ranges", before_turn, do_ranges, after_ranges, 30, true},
    {"poll", before_turn, do_polls, nothing, 400, true},
};

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

/* Ends the children that are left, so that the descriptors for them are gone as well. */
static void end_children(void) {
  if (child > 1) {
    EXPECT(kill(child, SIGKILL) == 0, kill_failed);
    reap(child, SIGKILL);
  }
  for (int i = 0; i < CHILDREN; i++)
    if (children[i] > 1) {
      EXPECT(kill(children[i], SIGKILL) == 0, kill_failed);
      reap(children[i], SIGKILL);
    }
}

static void run(size_t which, unsigned long rounds, time_t deadline) {
  for (turn = 1; deadline ? now() < deadline : turn <= rounds; turn++) {
    operations[which].before();
    interrupted(operations[which].operation, operations[which].within_us);
    operations[which].after();
  }
  end_children();
}

int main(int argc, char **argv) {
  size_t count = sizeof operations / sizeof *operations, which = 0;
  strangers_main(argc, argv);
  if (argc < 4) {
    for (; which < count; which++)
      puts(operations[which].name);
    return 0;
  }
  char *rest;
  unsigned long amount = strtoul(argv[2], &rest, 10);
  while (which < count && strcmp(operations[which].name, argv[1]) != 0)
    which++;
  while (way <= THREAD_EXIT && strcmp(ways[way], argv[3]) != 0)
    way++;
  if (which == count || way > THREAD_EXIT || amount == 0) {
    fprintf(stderr, "jumps: wrong arguments\n");
    return 2;
  }
  if (way == SETCONTEXT && NO_CONTEXTS) {
    fputs("this libc has no setcontext()", stderr);
    return 77;
  }
  if (way == THREAD_EXIT && !operations[which].threads) {
    puts("did not_with_threads 1");
    return 0;
  }
  struct sigaction action = {.sa_handler = on_tick};
  sigaction(TICK, &action, NULL);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1); /* children inherit this, so the signal stays pending there */
  if (way == THREAD_EXIT)
    sigaddset(&blocked, TICK);
  sigprocmask(SIG_BLOCK, &blocked, NULL);

  int before = count_descriptors();
  strangers_start();
  run(which, amount * UNIT, *rest == 's' ? now() + (time_t)amount : 0);
  strangers_stop();
  int left = count_descriptors() - before;
  printf("did jumps %lu\ndid stale %lu\n", jumps, stale);
  printf("bad stale_hit %u\nbad stale_passed %lu\n", strangers_hit(STRANGER_NUMBER), stale_passed);
  printf("bad kill_failed %lu\nbad wait_failed %lu\nbad wait_wrong %lu\n", kill_failed, wait_failed, wait_wrong);
  printf("bad mask_left %lu\nbad slow %lu\nbad left %d\n", mask_left, slow, left > 0 ? left : 0);
  return 0;
}

/* SPDX-License-Identifier: MIT */
/* The program that steps.c counts: single operations between two marks. Under steps.c the marks are breakpoint
 * instructions. Alone, with the argument "faults", it prints how many page faults an operation costs this process and
 * its child. Calls libc. */
#define _GNU_SOURCE
#include "../support/pidfs.h"
#include "bench.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child, dead, stranger;
static int marks_are_breaks = 1;
static long faults[2];
static int faults_at;

static long faults_now(int who) {
  struct rusage ru;
  getrusage(who, &ru);
  return ru.ru_minflt;
}

/* The mark is inlined, so that nothing but the operation lies between two marks. */
static inline __attribute__((always_inline)) void mark(void) {
  if (marks_are_breaks)
    PG_STEPS_BREAK();
  else
    faults[faults_at++ & 1] = faults_now(RUSAGE_SELF);
}

static void fail(const char *what) {
  fprintf(stderr, "pg_stepped: %s: %s\n", what, strerror(errno));
  _exit(1);
}

static pid_t make_child(void) {
  pid_t pid = fork();
  if (pid < 0)
    fail("fork");
  if (pid > 0)
    return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;)
    pause();
}

static void reap(pid_t pid) {
  if (pid <= 1 || waitpid(pid, NULL, 0) != pid)
    fail("waitpid");
}

/* Waits until the child is a zombie: the cost of a wait must not depend on which process is faster. */
static void await_end(pid_t pid) {
  siginfo_t si;
  if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) != 0)
    fail("waitid");
}

static void prepare(void) {
  signal(SIGUSR1, SIG_IGN);
  child = make_child();
  stranger = getppid();
  if (child <= 1 || stranger < 1)
    fail("processes");
}

/* Makes a PID of a child that is gone, a new one each time. */
static void make_dead(void) {
  dead = fork();
  if (dead == 0)
    _exit(0);
  reap(dead);
}

static void kill_child(void) {
  mark();
  int r = kill(child, SIGUSR1);
  mark();
  if (r != 0)
    fail("kill");
}

static void kill_stranger(void) {
  mark();
  int r = kill(stranger, 0);
  mark();
  if (r != 0)
    fail("kill");
}

static void kill_reaped(void) {
  make_dead();
  mark();
  int r = kill(dead, 0);
  mark();
  if (r != -1 || errno != ESRCH)
    fail("kill");
}

/* The measured wait is not the first of the program, and it is the third for this child since a birth. */
static void waitpid_child(void) {
  make_dead();
  waitpid(child, NULL, WNOHANG);
  waitpid(child, NULL, WNOHANG);
  mark();
  pid_t r = waitpid(child, NULL, WNOHANG);
  mark();
  if (r != 0)
    fail("waitpid");
}

static void waitpid_any(void) {
  mark();
  pid_t r = waitpid(-1, NULL, WNOHANG);
  mark();
  if (r != 0)
    fail("waitpid");
}

static void birth_fork(void) {
  mark();
  pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  mark();
  reap(pid);
}

/* The child's own part, from the return of the system call to the return of fork(). steps.c follows the child here. */
static void birth_fork_child(void) {
  pid_t pid = fork();
  if (pid == 0) {
    if (marks_are_breaks)
      mark();
    _exit(0);
  }
  reap(pid);
}

static void birth_fork_reap(void) {
  make_dead();
  pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  await_end(pid);
  mark();
  pid_t r = waitpid(pid, NULL, 0);
  mark();
  if (r != pid)
    fail("waitpid");
}

static void birth_fork_reap_any(void) {
  pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  await_end(pid);
  mark();
  pid_t r = wait(NULL);
  mark();
  if (r != pid)
    fail("wait");
}

static void birth_vfork(void) {
  mark();
  pid_t pid = vfork();
  if (pid == 0)
    _exit(0);
  mark();
  reap(pid);
}

static void birth_spawn(void) {
  static char *const argv[] = {"true", NULL};
  static char *const env[] = {NULL};
  pid_t pid;
  mark();
  int r = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, env);
  mark();
  if (r != 0)
    fail("posix_spawn");
  reap(pid);
}

static void close_one(void) {
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  mark();
  int r = close(fd);
  mark();
  if (r != 0)
    fail("close");
}

static void dup2_one(void) {
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  mark();
  int r = dup2(2, fd);
  mark();
  if (r != fd || close(fd) != 0)
    fail("dup2");
}

static void raw_getppid(void) {
  mark();
  long r = syscall(SYS_getppid);
  mark();
  if (r < 0)
    fail("getppid");
}

static const struct {
  const char *name;
  void (*run)(void);
} works[] = {{"kill-child", kill_child},
             {"kill-stranger", kill_stranger},
             {"kill-reaped", kill_reaped},
             {"waitpid-child", waitpid_child},
             {"waitpid-any", waitpid_any},
             {"fork", birth_fork},
             {"fork-child", birth_fork_child},
             {"reap", birth_fork_reap},
             {"reap-any", birth_fork_reap_any},
             {"vfork", birth_vfork},
             {"spawn", birth_spawn},
             {"close", close_one},
             {"dup2", dup2_one},
             {"syscall", raw_getppid}};

static int compare(const void *a, const void *b) {
  long x = *(const long *)a, y = *(const long *)b;
  return (x > y) - (x < y);
}

/* Prints the medians of page faults, those of the operation in this process and those of the children that it
 * reaped. */
static void print_faults(void (*run)(void), const char *name) {
  enum { ROUNDS = 51 };
  static long own[ROUNDS], theirs[ROUNDS];
  marks_are_breaks = 0;
  for (int i = -8; i < ROUNDS; i++) {
    long before = faults_now(RUSAGE_CHILDREN);
    faults_at = 0;
    faults[0] = faults[1] = 0;
    run();
    if (i < 0)
      continue;
    own[i] = faults[1] - faults[0];
    theirs[i] = faults_now(RUSAGE_CHILDREN) - before;
  }
  qsort(own, ROUNDS, sizeof *own, compare);
  qsort(theirs, ROUNDS, sizeof *theirs, compare);
  printf("%s %ld %ld\n", name, own[ROUNDS / 2], theirs[ROUNDS / 2]);
}

static int weigh(void) {
  struct pg_weight w;
  if (pg_bench_weigh(&w) != 0)
    fail("smaps");
  printf("%ld %ld\n", w.mappings, w.resident);
  return 0;
}

/* Prints the median of the page faults of this program from exec to exit, and then its memory in main(). */
static int weigh_starts(const char *self, const char *preload) {
  enum { STARTS = 21 };
  long figures[STARTS];
  char entry[4096];
  char *env[] = {*preload ? entry : NULL, NULL};
  snprintf(entry, sizeof entry, "LD_PRELOAD=%s", preload);
  for (int i = 0; i <= STARTS; i++) {
    char *argv[] = {"start", i < STARTS ? "start" : "weigh", NULL};
    struct rusage ru;
    int status;
    if (i == STARTS) {
      qsort(figures, STARTS, sizeof *figures, compare);
      printf("%ld ", figures[STARTS / 2]);
      fflush(stdout);
    }
    pid_t pid = vfork();
    if (pid == 0) {
      execve(self, argv, env);
      _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &ru) != pid || status != 0)
      fail("start");
    if (i < STARTS)
      figures[i] = ru.ru_minflt;
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "start") == 0)
    return 0;
  if (argc == 2 && strcmp(argv[1], "weigh") == 0)
    return weigh();
  if (argc == 3 && strcmp(argv[1], "starts") == 0)
    return weigh_starts(argv[0], argv[2]);
  if (argc == 2 && strcmp(argv[1], "pidfs") == 0)
    return !pidfds_have_identity();
  int count_faults = argc == 3 && strcmp(argv[2], "faults") == 0;
  if (argc != 2 && !count_faults) {
    fprintf(stderr, "usage: %s start|weigh|pidfs|starts PRELOAD|WORK [faults]\n", argv[0]);
    return 2;
  }
  for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
    if (strcmp(works[i].name, argv[1]) != 0)
      continue;
    prepare();
    if (count_faults) {
      print_faults(works[i].run, works[i].name);
      return 0;
    }
    /* First the rounds that bind and map everything, then those that count. */
    marks_are_breaks = 0;
    for (int k = 0; k < PG_STEPS_WARM; k++)
      works[i].run();
    marks_are_breaks = 1;
    for (int k = 0; k < PG_STEPS_TIMES; k++)
      works[i].run();
    return 0;
  }
  return 2;
}

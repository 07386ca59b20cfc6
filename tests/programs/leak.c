/* SPDX-License-Identifier: MIT */
/* leak MODE WARMUP ROUNDS: makes and loses children. Prints "before FDS KB" after a warm-up and "after FDS KB" at the
 * end: the number of its open descriptors and its private memory. MODE is one of these:
 *     reap     vfork, one in a hundred fork
 *     any      children are killed, and wait() reaps them
 *     ignored  SIGCHLD is ignored, and the program never waits
 *     walk     one fork in each 1,024 of the PIDs up to 1,024 times ROUNDS.
 * With walk it also prints "fork NS" before and after, the processor time of a fork. Exits 1 if a wait or a signal goes
 * wrong, 77 if PIDs cannot be chosen here. */
#define _GNU_SOURCE
#include "../support/next_pid.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* From the page tables: the counters in /proc/self/statm lag behind, and count pages of files that were just used. */
static long memory_kb(void) {
  char line[512];
  long sum = 0, kb;
  FILE *file = fopen("/proc/self/smaps", "r");
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "Anonymous: %ld kB", &kb) == 1)
      sum += kb;
  if (!file || !sum)
    exit(1);
  fclose(file);
  return sum;
}

static void report(const char *when) {
  int descriptors = 0;
  DIR *directory = opendir("/proc/self/fd");
  while (directory && readdir(directory))
    descriptors++;
  if (directory)
    closedir(directory);
  printf("%s %d %ld\n", when, descriptors, memory_kb());
  fflush(stdout);
}

static int check(int good) {
  if (!good) {
    printf("failed: %s\n", strerror(errno));
    exit(1);
  }
  return 0;
}

static void reap_round(int i) {
  pid_t pid = i % 100 == 0 ? fork() : vfork();
  int status;
  if (pid == 0)
    _exit(5);
  check(pid > 1 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
  check(kill(pid, 0) == -1 && errno == ESRCH);
}

static void any_round(void) {
  pid_t pid = fork();
  int status;
  while (pid == 0)
    pause();
  check(pid > 1 && kill(pid, SIGKILL) == 0 && wait(&status) == pid && WTERMSIG(status) == SIGKILL);
}

static void ignored_round(void) {
  pid_t pid = vfork();
  if (pid == 0)
    _exit(0);
  check(pid > 1);
}

/* The kernel gives this PID only if no other process is made meanwhile. */
static void walk_round(int i) {
  pid_t wanted = 1024 * (i + 1) - 7;
  for (int tries = 0; tries < 50; tries++) {
    int status, arranged = next_pid_is(wanted);
    if (arranged != 1)
      exit(77);
    pid_t pid = fork();
    if (pid == 0)
      _exit(5);
    check(pid > 1 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
    if (pid == wanted)
      return;
  }
}

static void time_forks(void) {
  enum { FORKS = 400 };
  struct rusage all;
  struct timespec own;
  double ns[2];
  for (int end = 0; end < 2; end++) {
    for (int i = 0; end && i < FORKS; i++) {
      pid_t pid = fork();
      if (pid == 0)
        _exit(5);
      check(pid > 1 && waitpid(pid, NULL, 0) == pid);
    }
    getrusage(RUSAGE_CHILDREN, &all);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    ns[end] = (double)(all.ru_utime.tv_sec + all.ru_stime.tv_sec + own.tv_sec) * 1e9 +
              (double)(all.ru_utime.tv_usec + all.ru_stime.tv_usec) * 1e3 + (double)own.tv_nsec;
  }
  printf("fork %.0f\n", (ns[1] - ns[0]) / FORKS);
}

static void rounds(const char *mode, int count) {
  for (int i = 0; i < count; i++) {
    if (strcmp(mode, "walk") == 0)
      walk_round(i);
    else if (strcmp(mode, "reap") == 0)
      reap_round(i);
    else if (strcmp(mode, "any") == 0)
      any_round();
    else
      ignored_round();
  }
}

int main(int argc, char **argv) {
  if (argc != 4)
    return 2;
  if (strcmp(argv[1], "ignored") == 0)
    signal(SIGCHLD, SIG_IGN);
  rounds(argv[1], atoi(argv[2]));
  if (strcmp(argv[1], "walk") == 0)
    time_forks();
  report("before");
  rounds(argv[1], atoi(argv[3]));
  report("after");
  if (strcmp(argv[1], "walk") == 0)
    time_forks();
  return 0;
}

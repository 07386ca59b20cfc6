/* SPDX-License-Identifier: MIT */
/* Natural wrap-around in a namespace with few PIDs. A program makes children and signals PIDs that it has reaped
 * (tests/programs/churn.c). Strangers come and go, and get those PIDs from the kernel. No stranger may be reached, and
 * what the program holds must not grow. A short run without the shim shows that strangers are reached then. Arguments:
 * the program, and the time in seconds (3 by default; scripts/soak takes an hour). */
#define _GNU_SOURCE
#include "pg_test.h"
#include "slowness.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FD_SLACK = 80, MEMORY_SLACK_KB = 1024 };
/* The kernel begins again at 300. With so many strangers about twenty PIDs are free. So the kernel gives a PID away
 * again while the program still has it among its latest. */
enum { NUMBERS = 400, STRANGERS = 70 };

static const char *program;
static int seconds = 3;
static pid_t strangers[STRANGERS];

static pid_t new_stranger(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL); /* before there is a stranger */
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    for (;;)
      pause();
  }
  sigemptyset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  return pid;
}

/* The number behind a word in /proc/PID/status, in this base; -1 if there is none. */
static long long field(pid_t pid, const char *word, int base) {
  char path[64], line[256];
  long long value = -1;
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  FILE *file = fopen(path, "re");
  while (file && value < 0 && fgets(line, sizeof line, file))
    if (strncmp(line, word, strlen(word)) == 0)
      value = (long long)strtoull(line + strlen(word), NULL, base);
  if (file)
    fclose(file);
  return value;
}

static bool is_untouched(pid_t pid) { return field(pid, "SigPnd:", 16) == 0 && field(pid, "ShdPnd:", 16) == 0; }

static int descriptors_of(pid_t pid) {
  char path[64];
  int n = 0;
  snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
  DIR *dir = opendir(path);
  while (dir && readdir(dir))
    n++;
  if (dir)
    closedir(dir);
  return n;
}

static void end_stranger(pid_t pid) {
  if (pid > 1) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
  }
}

struct figures {
  long rounds, refused, odd, hit, watched;
  int fds[2];
  long long memory[2];
};

static void churn(const char *preload, int time_s, struct figures *ret) {
  char number[16];
  snprintf(number, sizeof number, "%d", time_s);
  const char *const argv[] = {program, number, NULL};
  struct pg_test_command command = {.argv = argv, .preload = preload, .limit_ms = time_s * 1000 + 20000};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  char line[128] = "";
  struct timespec from, now;
  *ret = (struct figures){.rounds = 0};
  if (!PG_CHECK(pg_test_start(&command, &process) == 0, "cannot start"))
    return;
  clock_gettime(CLOCK_MONOTONIC, &from);
  for (unsigned turn = 0;; turn++) {
    pid_t *stranger = &strangers[turn % STRANGERS];
    if (*stranger > 1) {
      ret->hit += !is_untouched(*stranger);
      ret->watched++;
      end_stranger(*stranger);
    }
    *stranger = new_stranger();
    clock_gettime(CLOCK_MONOTONIC, &now);
    long passed = (long)(now.tv_sec - from.tv_sec);
    if (turn % 64 == 0 && passed < time_s) {
      int half = passed * 2 >= time_s; /* the largest values in each half of the time */
      int fds = descriptors_of(process.pid);
      long long memory = field(process.pid, "VmRSS:", 10);
      if (fds > ret->fds[half])
        ret->fds[half] = fds;
      if (memory > ret->memory[half])
        ret->memory[half] = memory;
    }
    if (passed > time_s)
      break;
    usleep(500);
  }
  pg_test_read_line(&process, line, sizeof line);
  PG_CHECK(sscanf(line, "%ld %ld %ld", &ret->rounds, &ret->refused, &ret->odd) == 3, "it says \"%s\"", line);
  pg_test_finish(&process, &outcome);
  PG_CHECK(pg_test_exited(&outcome, 0), "status %#x", (unsigned)outcome.status);
  pg_test_outcome_free(&outcome);
  for (int i = 0; i < STRANGERS; i++) {
    ret->hit += strangers[i] > 1 && !is_untouched(strangers[i]);
    end_stranger(strangers[i]);
    strangers[i] = 0;
  }
  printf("\n    %s: %ld children, %ld stale signals refused, %ld odd, %ld strangers watched, %ld hit, descriptors %d, "
         "then %d, memory %lld, then %lld kB ...",
         preload ? "with" : "without", ret->rounds, ret->refused, ret->odd, ret->watched, ret->hit, ret->fds[0],
         ret->fds[1], ret->memory[0], ret->memory[1]);
}

static void wrap_around(void) {
  struct figures figures;
  int error = pg_test_set_pid_max(NUMBERS);
  if (error) {
    pg_test_skip("this kernel cannot limit the PIDs of a namespace: %s", strerror(-error));
    return;
  }
  figures.hit = 0;
  for (int tries = 0; tries < 5 && figures.hit == 0; tries++) /* on a busy machine there may be too few strangers */
    churn(NULL, 3 * slowness(), &figures);
  PG_CHECK(figures.hit > 0, "without the shim no stranger was hit: nothing is shown");
  if (!pg_test_preload()) {
    pg_test_skip("there is no preload object to test");
    return;
  }
  churn(pg_test_preload(), seconds, &figures);
  PG_CHECK(figures.hit == 0, "%ld strangers were hit", figures.hit);
  PG_CHECK(figures.rounds > 0 && figures.refused > 0, "no child was made, or no signal was refused");
  PG_CHECK(figures.odd == 0, "%ld calls gave another result than without the shim", figures.odd);
  PG_CHECK(figures.fds[1] <= figures.fds[0] + FD_SLACK, "descriptors grew");
  PG_CHECK(figures.memory[1] <= figures.memory[0] + MEMORY_SLACK_KB, "memory grew");
}

void pg_test_plan(int argc, char **argv) {
  if (argc < 2)
    return;
  program = argv[1];
  if (argc > 2)
    seconds = atoi(argv[2]);
  pg_test_add("soak", "wrap-around", wrap_around);
}

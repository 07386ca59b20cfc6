/* SPDX-License-Identifier: MIT */
/* Limits of descriptors are small and change, and there are many children. Everything works. The program's own opens
 * get what the limit leaves, short of a stated budget. The budget is a quarter of the limit, at most 64, and one for a
 * log. */
#define _GNU_SOURCE
#include "cases.h"

#include "foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <unistd.h>

#define MANY 2000

extern char **environ;
static pid_t children[MANY];

static void limit_files(rlim_t soft) {
  struct rlimit files;
  MUST(getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = soft;
  MUST(setrlimit(RLIMIT_NOFILE, &files) == 0);
}

static void make(int from, int to) {
  for (int i = from; i < to; i++)
    children[i] = fork_pausing();
}

static void use(int from, int to) {
  int good = 0, gone = 0, status;
  for (int i = from; i < to; i++) {
    int sig = i % 2 ? SIGUSR2 : SIGTERM;
    good += kill_ok(children[i], 0) == 0 && kill_ok(children[i], sig) == 0 &&
            waitpid(i % 5 ? children[i] : -1, &status, 0) == children[i] && WTERMSIG(status) == sig;
  }
  for (int i = from; i < to; i++)
    gone += kill_ok(children[i], SIGTERM) == -1 && errno == ESRCH;
  note("good %d, gone %d of %d", good, gone, to - from);
}

/* Notes how many descriptors the program can open by itself. They must be the lowest, as far as that is promised.
 * Closes all of them again. */
static void own_opens(int limit) {
  static int opened[1024];
  int count = 0, fd, wrong = 0, budget = limit / 4 < 64 ? limit / 4 : 64, promised = limit - 3 - budget - 1;
  while (count < 1024 && (fd = open("/dev/null", O_RDONLY)) >= 0) {
    wrong += count < promised - 1 && fd != 3 + count; /* the shim keeps one number more free among its own */
    opened[count++] = fd;
  }
  note("own opens: %s, wrong %d, then %s", count >= promised ? "enough" : "TOO FEW", wrong, errno_text(errno));
  for (int i = 0; i < count; i++)
    MUST(close(opened[i]) == 0);
}

static void with_limit(int limit, int count) {
  int numbers[FOREIGN_MAX];
  limit_files((rlim_t)limit);
  own_opens(limit);
  make(0, count / 2);
  own_opens(limit);
  make(count / 2, count);
  foreign_invite(children, count);
  foreign_find(numbers, -1, -1);
  own_opens(limit);
  use(0, count / 2);
  own_opens(limit);
  use(count / 2, count);
  own_opens(limit);
}
static void limit_32(void) { with_limit(32, 200); }
static void limit_1024(void) {
  for (int fd = 3; fd < 1024; fd++) /* what the program has inherited would be missed in the count */
    close(fd);
  with_limit(1024, MANY);
}
static void limit_8(void) { with_limit(8, 50); }
/* With a limit of 3 nothing can be opened at all. */
static void limit_3(void) {
  limit_files(3);
  make(0, 50);
  use(0, 50);
}
static void limit_0(void) {
  limit_files(0);
  make(0, 20);
  use(0, 20);
}

/* The limit is lowered while children live. What is above it stays open, but nothing new gets there. */
static void lowered(int to) {
  make(0, 20);
  limit_files((rlim_t)to);
  make(20, 60);
  own_opens(to);
  use(10, 40);
  make(60, 80);
  own_opens(to);
  use(0, 10);
  use(40, 80);
  own_opens(to);
}
static void lowered_to_16(void) { lowered(16); }
static void lowered_to_5(void) { lowered(5); }
static void lowered_and_raised(void) {
  limit_files(1024);
  make(0, 20);
  limit_files(10);
  make(20, 40);
  limit_files(256);
  make(40, 80);
  own_opens(256);
  use(0, 80);
  own_opens(256);
}

/* Every way of making a child must work while nothing can be opened. */
static int returns_7(void *unused) {
  (void)unused;
  return 7;
}
static void full_and_every_way(void) {
#ifndef __GLIBC__
  skip("posix_spawn of this libc needs descriptors itself");
#endif
  static char stack[65536] __attribute__((aligned(16)));
  char *argv[] = {(char *)"sh", (char *)"-c", (char *)"exit 7", NULL};
  int status;
  posix_spawn_file_actions_t actions;
  MUST(posix_spawn_file_actions_init(&actions) == 0);
  for (int fd = 3; fd < 40; fd++) /* the loader of the new program needs some */
    MUST(posix_spawn_file_actions_addclose(&actions, fd) == 0);
  limit_files(64);
  make(0, 30);
  while (dup(0) >= 0)
    ;
  note("%s", errno_text(errno));
  for (int way = 0; way < 6; way++) {
    pid_t pid = -1;
    errno = UNTOUCHED;
    if (way == 0)
      pid = fork_exiting(7);
    else if (way == 1 && (pid = vfork()) == 0)
      _exit(7);
    else if (way == 2)
      note("spawn: %d", posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ));
    else if (way == 3)
      pid = clone(returns_7, stack + sizeof stack, SIGCHLD, NULL);
    else if (way == 4)
      pid = clone(returns_7, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    else if (way == 5)
      pid = clone(returns_7, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL);
    const char *error = errno_text(errno);
    siginfo_t info;
    MUST(pid > 1);
    MUST(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    int alive = kill_ok(pid, 0);
    MUST(waitpid(pid, &status, 0) == pid);
    note("%d: errno %s, %s, %d", way, error, status_text(status), alive);
    note("then %s", call_text(kill_ok(pid, 0)));
  }
  use(0, 30);
}

/* There is another limit from the start, as a service manager gives it. The case runs again in a new program image. */
static void again(void) {
  limit_files(32);
  execl("/proc/self/exe", "same_limits", "-after-exec", (char *)NULL);
  MUST(!"exec");
}
static void after_exec(void) {
  own_opens(32);
  make(0, 100);
  own_opens(32);
  use(0, 100);
}

const struct test_case cases[] = {
    {"limit-32", limit_32},
    {"limit-1024", limit_1024},
    {"limit-8", limit_8},
    {"limit-3", limit_3},
    {"limit-0", limit_0},
    {"lowered-to-16", lowered_to_16},
    {"lowered-to-5", lowered_to_5},
    {"lowered-and-raised", lowered_and_raised},
    {"full-and-every-way", full_and_every_way},
    {"from-the-start", again},
    {"-after-exec", after_exec},
    {NULL, NULL},
};

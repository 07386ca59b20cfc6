/* SPDX-License-Identifier: MIT */
/* Descriptors as the program sees them. The same numbers come next, and loops that close everything do what they did.
 * The program may do anything to descriptors that it never opened. It can still signal its children and wait for
 * them. */
#define _GNU_SOURCE
#include "../support/refuse.h"
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define CHILDREN 20

static int next_number(void) {
  int fd = open("/dev/null", O_RDONLY);
  close(fd);
  return fd;
}

static pid_t children[CHILDREN];

static void make_children(void) {
  for (int i = 0; i < CHILDREN; i++) {
    children[i] = fork_pausing();
    note("next: %d", next_number());
  }
}

/* The children are there, and can be signalled and waited for. */
static void use_children(void) {
  int good = 0, status;
  for (int i = 0; i < CHILDREN; i++)
    good += kill_ok(children[i], SIGTERM) == 0 && waitpid(children[i], &status, 0) == children[i] &&
            WTERMSIG(status) == SIGTERM;
  int refused = 0;
  for (int i = 0; i < CHILDREN; i++)
    refused += kill_ok(children[i], 0) == -1 && errno == ESRCH;
  note("good %d, gone %d, next %d", good, refused, next_number());
}

static void lowest_numbers(void) {
  note("at first: %d", next_number());
  make_children();
  int pipes[2];
  MUST(pipe(pipes) == 0);
  note("pipe: %d %d, dup %d, F_DUPFD from 10: %d", pipes[0], pipes[1], dup(0), fcntl(0, F_DUPFD, 10));
  use_children();
}

static void close_each(void) {
  make_children();
  int bad = 0, closed = 0;
  for (int fd = 3; fd < 1024; fd++) {
    errno = UNTOUCHED;
    if (close(fd) == 0)
      closed++;
    else
      bad += errno == EBADF;
  }
  note("closed %d, EBADF %d", closed, bad);
  use_children();
}

/* Daemons close every number up to the limit. */
static void close_up_to_the_limit(void) {
  make_children();
  struct rlimit limit;
  MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  int closed = 0, other = 0;
  for (int fd = 3; fd < (int)limit.rlim_cur && fd < 100000; fd++)
    if (close(fd) == 0)
      closed++;
    else
      other += errno != EBADF;
  note("closed %d, other errors %d", closed, other);
  use_children();
}

static void close_from(void) {
  make_children();
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
  closefrom(3);
  errno = UNTOUCHED;
  int result = close_range(3, ~0u, 0);
  note("close_range: %s", call_text(result));
  errno = UNTOUCHED;
  result = close_range(10, 5, 0);
  note("backwards: %s", call_text(result));
  errno = UNTOUCHED;
  result = close_range(3, ~0u, 1 << 20);
  note("bad flags: %s", call_text(result));
  errno = UNTOUCHED;
  result = close_range(3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */);
  note("on exec: %s", call_text(result));
#endif
  use_children();
}

/* A filter makes the kernel look as if it had no close_range(), as before Linux 5.9. What is above a lowered limit is
 * closed as well. */
static void close_from_without_range(void) {
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
  struct rlimit limit;
  make_children();
  MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  int high = fcntl(0, F_DUPFD, (int)(limit.rlim_cur < 100000 ? limit.rlim_cur : 100000) - 2);
  limit.rlim_cur = 128;
  MUST(high > 0 && setrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (!refuse(436 /* close_range */, ENOSYS))
    skip("this user cannot install a filter");
  closefrom(3);
  errno = UNTOUCHED;
  int result = fcntl(high, F_GETFD);
  note("above the limit: %s", call_text(result));
  use_children();
#else
  skip("this libc has no closefrom()");
#endif
}

/* This call may go past any wrapper. Then the shim may lose speed, but neither the child nor safety. */
static void close_range_raw(void) {
  make_children();
  errno = UNTOUCHED;
  long result = syscall(SYS_close_range, 3, ~0u, 0);
  note("raw: %s", call_text((int)result));
  use_children();
}

static void dup_onto_each(void) {
  make_children();
  int good = 0;
  for (int fd = 3; fd < 1024; fd++)
    good += dup2(0, fd) == fd;
  note("dup2: %d", good);
  good = 0;
  for (int fd = 3; fd < 1024; fd++)
    good += fcntl(fd, F_GETFD) == 0;
  note("there: %d", good);
  for (int fd = 3; fd < 1024; fd++)
    good -= dup3(0, fd, O_CLOEXEC) == fd;
  note("dup3: %d", good);
  good = 0;
  for (int fd = 3; fd < 1024; fd++)
    good += fcntl(fd, F_GETFD) == FD_CLOEXEC;
  note("close-on-exec: %d", good);
  for (int fd = 3; fd < 1024; fd++)
    good -= close(fd) == 0;
  note("closed: %d", good);
  errno = UNTOUCHED;
  int result = dup2(1, 1);
  note("onto itself: %s", call_text(result));
  errno = UNTOUCHED;
  result = dup2(1000, 1001);
  note("of nothing: %s", call_text(result));
  errno = UNTOUCHED;
  result = dup3(1, 1, 0);
  note("dup3 onto itself: %s", call_text(result));
  errno = UNTOUCHED;
  result = dup2(1, -1);
  note("onto -1: %s", call_text(result));
  use_children();
}

/* There are no descriptors left. Children are made, signalled and reaped all the same. */
static void none_left(void) {
  struct rlimit limit;
  MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 4;
  MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  MUST(dup(0) == 3);
  int good = 0, status;
  for (int i = 0; i < CHILDREN; i++)
    children[i] = fork_pausing();
  for (int i = 0; i < CHILDREN; i++)
    good += kill_ok(children[i], SIGTERM) == 0 && waitpid(children[i], &status, 0) == children[i];
  note("good %d", good);
  for (int i = 0; i < 3; i++) {
    pid_t pid = vfork();
    if (pid == 0)
      _exit(7);
    MUST(waitpid(-1, &status, 0) == pid);
    note("%s", status_text(status));
  }
}

/* What an exec'd child finds open. */
static void passed_on(void) {
  make_children();
  pid_t pid = fork_ok();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", "cd /proc/$$/fd && echo *", (char *)NULL);
    _exit(99);
  }
  int status;
  MUST(waitpid(pid, &status, 0) == pid);
  pid = vfork();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", "cd /proc/$$/fd && echo *", (char *)NULL);
    _exit(99);
  }
  MUST(waitpid(pid, &status, 0) == pid);
  use_children();
}

/* The program's own descriptors stay what they were, wherever they are. */
static void own_descriptors_kept(void) {
  int high = fcntl(0, F_DUPFD, 1000), low = fcntl(0, F_DUPFD, 60);
  note("%d %d", high, low);
  make_children();
  use_children();
  note("%d %d", fcntl(high, F_GETFD), fcntl(low, F_GETFD));
  note("close: %d %d", close(high), close(low));
}

const struct test_case cases[] = {
    {"lowest-numbers", lowest_numbers},
    {"close-each", close_each},
    {"close-up-to-the-limit", close_up_to_the_limit},
    {"close-from", close_from},
    {"close-from-without-range", close_from_without_range},
    {"close-range-raw", close_range_raw},
    {"dup-onto-each", dup_onto_each},
    {"none-left", none_left},
    {"passed-on", passed_on},
    {"own-descriptors-kept", own_descriptors_kept},
    {NULL, NULL},
};

/* SPDX-License-Identifier: MIT */
/* Ten thousand children in one epoll loop.
 *
 *     epoll [CHILDREN]
 *
 * It shows that a pidfd is one more descriptor in the program's own loop, beside its sockets and timers. (Here one
 * timer stands for them.) Each event names its child at once, with any number of children: no SIGCHLD, no waitpid(-1),
 * no search. The price is one descriptor for each child. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SPARE 16 /* descriptors for everything else */

struct child {
  int pidfd, number;
};

static void die(const char *what) {
  perror(what);
  exit(1);
}

/* How many descriptors this process may open. The soft limit is low by tradition (select), so the hard limit counts. */
static int raise_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
    die("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
    die("setrlimit");
  return limit.rlim_cur > 1000000 ? 1000000 : (int)limit.rlim_cur;
}

/* A child that lives until the gate opens. */
static int start(struct child *child, int number, const int gate[2]) {
  child->number = number;
  pid_t pid = pidguard_fork_pidfd(&child->pidfd); /* forked, with a pidfd, in one step */
  if (pid == 0) {
    char c;
    close(gate[1]); /* else the gate would stay open for the other children */
    _exit(read(gate[0], &c, 1) == 0 ? number % 100 : 255);
  }
  return pid < 0 ? -1 : 0;
}

int main(int argc, char **argv) {
  int wanted = argc > 1 ? atoi(argv[1]) : 10000, room = raise_limit() - SPARE, n = wanted;
  if (n > room) {
    n = room;
    printf("only %d children: the hard limit of descriptors (ulimit -Hn) allows no more\n", n);
  }
  int loop = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), gate[2];
  struct child *children = calloc(n > 0 ? (size_t)n : 1, sizeof *children);
  if (loop < 0 || timer < 0 || pipe2(gate, O_CLOEXEC) < 0 || !children)
    die("epoll");

  int running = 0, right = 0;
  for (; running < n; running++) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &children[running]};
    if (start(&children[running], running, gate) < 0) {
      printf("only %d children: fork: %s\n", running, strerror(errno)); /* RLIMIT_NPROC, pids.max of the cgroup */
      break;
    }
    if (epoll_ctl(loop, EPOLL_CTL_ADD, children[running].pidfd, &event) < 0)
      die("epoll_ctl");
  }
  int made = running;
  struct itimerspec soon = {.it_value.tv_nsec = 10000000}; /* 10 ms */
  struct epoll_event tick = {.events = EPOLLIN};
  if (timerfd_settime(timer, 0, &soon, NULL) < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, timer, &tick) < 0)
    die("timer");

  while (running > 0) {
    struct epoll_event events[64];
    int ready = epoll_wait(loop, events, 64, -1);
    if (ready < 0 && errno != EINTR)
      die("epoll_wait");
    for (int i = 0; i < ready; i++) {
      struct child *child = events[i].data.ptr;
      if (!child) { /* the timer, once: opens the gate, and all children end */
        close(gate[1]), close(timer);
        continue;
      }
      int status;
      if (pidguard_pidfd_wait(child->pidfd, &status, 20) < 0)
        continue; /* a tracer still holds it: the next round reports it again */
      right += WIFEXITED(status) && WEXITSTATUS(status) == child->number % 100;
      /* Children that were forked later have copies of this pidfd, so close() alone would leave it in the loop. */
      epoll_ctl(loop, EPOLL_CTL_DEL, child->pidfd, NULL);
      close(child->pidfd);
      running--;
    }
  }
  printf("%d children, %d as expected\n", made, right);
  free(children);
  return right != made;
}

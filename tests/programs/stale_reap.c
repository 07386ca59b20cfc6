/* SPDX-License-Identifier: MIT */
/* Every way in which a child comes to be reaped, with and without the program's knowledge. */
#define _GNU_SOURCE
#include "stale.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIDFD_ID ((idtype_t)3) /* P_PIDFD, an enumerator only in newer headers */

static bool is(const char *how) { return strcmp(scenario.reap, how) == 0; }

static volatile pid_t reaped_by_handler[8];
static volatile int handler_count;

static void on_child(int sig) {
  int kept = errno, status;
  pid_t pid;
  (void)sig;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
    reaped_by_handler[handler_count++ % 8] = pid;
  errno = kept;
}

void prepare_reap(void) {
  struct sigaction action = {.sa_handler = SIG_DFL};
  if (is("ignored") || is("ignored-wait")) {
    action.sa_handler = SIG_IGN;
    sigaction(SIGCHLD, &action, NULL);
  } else if (is("nocldwait")) {
    action.sa_flags = SA_NOCLDWAIT;
    sigaction(SIGCHLD, &action, NULL);
  } else if (is("handler")) {
    action.sa_handler = on_child;
    action.sa_flags = SA_RESTART;
    sigaction(SIGCHLD, &action, NULL);
  }
}

void prepare_reap_late(void) {
  if (is("ignored-late"))
    signal(SIGCHLD, SIG_IGN);
}

/* The wait must have given the child of the scenario, with its status. */
static void expect(pid_t pid, int status) {
  if (pid != scenario.child || !WIFEXITED(status) || WEXITSTATUS(status) != CHILD_STATUS)
    fail("wait gave the wrong child or status");
}

static void expect_siginfo(int result, const siginfo_t *info) {
  if (result != 0 || info->si_pid != scenario.child || info->si_code != CLD_EXITED || info->si_status != CHILD_STATUS)
    fail("waitid gave the wrong child or status");
}

static int options(void) { return scenario.wall ? __WALL : 0; }

static void by_waitid(idtype_t type, id_t id) {
  siginfo_t info = {.si_pid = -1};
  int result;
  do {
    result = waitid(type, id, &info, WEXITED | options());
  } while (result < 0 && errno == EINTR);
  expect_siginfo(result, &info);
}

static void by_waitpid(pid_t id, int more) {
  int status = 0;
  pid_t pid;
  do {
    pid = waitpid(id, &status, more | options());
    if (pid == 0)
      usleep(200);
  } while (pid == 0 || (pid < 0 && errno == EINTR));
  expect(pid, status);
}

static void by_wait4(pid_t id, bool wait3_form) {
  struct rusage usage;
  memset(&usage, 0xff, sizeof usage);
  int status = 0;
  pid_t pid = wait3_form ? wait3(&status, options(), &usage) : wait4(id, &status, options(), &usage);
  expect(pid, status);
  if (usage.ru_utime.tv_sec < 0)
    fail("no rusage");
}

static void *thread_main(void *unused) {
  by_waitpid(scenario.child, 0);
  return unused;
}

static void by_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, thread_main, NULL) != 0 || pthread_join(thread, NULL) != 0)
    fail("thread");
}

static void by_handler(void) {
  sigset_t block, before;
  sigemptyset(&block);
  sigaddset(&block, SIGCHLD);
  sigprocmask(SIG_BLOCK, &block, &before);
  for (;;) {
    for (int i = 0; i < 8; i++)
      if (reaped_by_handler[i] == scenario.child) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        return;
      }
    sigsuspend(&before);
  }
}

/* A library that reaps everything it finds. */
static void by_greedy_loop(void) {
  pid_t pid, last = 0;
  while ((pid = wait(NULL)) > 0)
    last = pid == scenario.child ? pid : last;
  if (last != scenario.child || errno != ECHILD)
    fail("greedy loop");
}

static void peek_then_reap(void) {
  siginfo_t info = {.si_pid = -1};
  int result = waitid(P_PID, (id_t)scenario.child, &info, WEXITED | WNOWAIT | options());
  expect_siginfo(result, &info);
  by_waitpid(scenario.child, 0);
}

void reap_child(void) {
  int status = 0;
  if (is("wait")) {
    pid_t pid = wait(&status);
    expect(pid, status);
  } else if (is("waitpid"))
    by_waitpid(scenario.child, 0);
  else if (is("waitpid-nohang"))
    by_waitpid(scenario.child, WNOHANG);
  else if (is("waitpid-any"))
    by_waitpid(-1, 0);
  else if (is("waitpid-own-group"))
    by_waitpid(0, 0);
  else if (is("waitpid-group"))
    by_waitpid(-scenario.child, 0);
  else if (is("wait3"))
    by_wait4(-1, true);
  else if (is("wait4"))
    by_wait4(scenario.child, false);
  else if (is("wait4-any"))
    by_wait4(-1, false);
  else if (is("waitid-pid"))
    by_waitid(P_PID, (id_t)scenario.child);
  else if (is("waitid-all"))
    by_waitid(P_ALL, 0);
  else if (is("waitid-pgid"))
    by_waitid(P_PGID, (id_t)scenario.child);
  else if (is("waitid-pidfd"))
    by_waitid(PIDFD_ID, (id_t)scenario.child_pidfd);
  else if (is("peek"))
    peek_then_reap();
  else if (is("greedy"))
    by_greedy_loop();
  else if (is("thread"))
    by_thread();
  else if (is("handler"))
    by_handler();
  else if (is("ignored-wait")) {
    if (waitpid(scenario.child, &status, 0) != -1 || errno != ECHILD)
      fail("an ignored child was waited for");
  } else if (is("syscall-wait4")) {
    pid_t pid = (pid_t)syscall(SYS_wait4, scenario.child, &status, options(), NULL);
    expect(pid, status);
  } else if (is("syscall-wait4-any")) {
    pid_t pid = (pid_t)syscall(SYS_wait4, -1, &status, options(), NULL);
    expect(pid, status);
  } else if (is("syscall-waitid") || is("syscall-waitid-all")) {
    siginfo_t info = {.si_pid = -1};
    struct rusage usage;
    long result = is("syscall-waitid") ? syscall(SYS_waitid, P_PID, scenario.child, &info, WEXITED | options(), &usage)
                                       : syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | options(), NULL);
    expect_siginfo((int)result, &info);
  } else if (!is("ignored") && !is("ignored-late") && !is("nocldwait"))
    fail("unknown way to reap");
  if (scenario.child_pidfd >= 0)
    close(scenario.child_pidfd);
}

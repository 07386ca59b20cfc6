/* SPDX-License-Identifier: MIT */
/* Every way in which a program signals a PID. */
#define _GNU_SOURCE
#include "stale.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int result, result_errno;

static void plain_kill(void) {
  errno = 0;
  int returned = kill(scenario.child, SIGTERM);
  result_errno = errno;
  result = returned;
}

static void handler_main(int sig) {
  (void)sig;
  plain_kill();
}

static void *thread_main(void *unused) {
  plain_kill();
  return unused;
}

/* A forked child is not the parent of the process with the stale PID, but remembers it as well. */
static void from_forked_child(void) {
  int answer[2], ends[2];
  if (pipe(ends) != 0)
    fail("pipe");
  pid_t pid = fork();
  if (pid == 0) {
    plain_kill();
    answer[0] = result;
    answer[1] = result_errno;
    _exit(write(ends[1], answer, sizeof answer) != sizeof answer);
  }
  if (pid < 0 || read(ends[0], answer, sizeof answer) != sizeof answer)
    fail("forked sender");
  waitpid(pid, NULL, 0);
  result = answer[0];
  result_errno = answer[1];
}

static void from_vfork_child(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    if (strcmp(scenario.send, "vforked-group") == 0)
      result = kill(-scenario.child, SIGTERM);
    else if (strcmp(scenario.send, "vforked-tgkill") == 0)
      result = (int)syscall(SYS_tgkill, scenario.child, scenario.child, SIGTERM);
    else
      result = kill(scenario.child, SIGTERM);
    result_errno = errno;
    _exit(0);
  }
  if (pid < 0)
    fail("vforked sender");
  waitpid(pid, NULL, 0);
}

int send_stale(int *error) {
  const char *how = scenario.send;
  if (scenario.child <= 1)
    fail("no PID");
  errno = 0;
  if (strcmp(how, "kill") == 0 || strcmp(how, "atexit") == 0)
    plain_kill();
  else if (strcmp(how, "probe") == 0) {
    result = kill(scenario.child, 0);
    result_errno = errno;
  } else if (strcmp(how, "kill-group") == 0) {
    result = kill(-scenario.child, SIGTERM);
    result_errno = errno;
  } else if (strcmp(how, "killpg") == 0) {
    result = killpg(scenario.child, SIGTERM);
    result_errno = errno;
  } else if (strcmp(how, "sigqueue") == 0) {
    result = sigqueue(scenario.child, SIGTERM, (union sigval){.sival_int = 1});
    result_errno = errno;
  } else if (strcmp(how, "handler") == 0) {
    signal(SIGUSR2, handler_main);
    raise(SIGUSR2);
  } else if (strcmp(how, "thread") == 0) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_main, NULL) != 0 || pthread_join(thread, NULL) != 0)
      fail("thread");
  } else if (strcmp(how, "forked") == 0)
    from_forked_child();
  else if (strncmp(how, "vforked", 7) == 0)
    from_vfork_child();
  else {
    result = touch_stale(how);
    result_errno = errno;
  }
  *error = result_errno;
  return result;
}

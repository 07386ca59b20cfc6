/* SPDX-License-Identifier: MIT */
/* A supervisor. It keeps workers running until it is told to stop, and then gives them time to end.
 *
 *     supervisor PATIENCE_MS COMMAND...        sh runs each COMMAND
 *
 * One set is the whole event loop. Its members are the workers, the signals that end the supervisor, and a timer for
 * each worker that was asked to end. No SIGCHLD, no waitpid(-1), no search for the owner of a PID. */
#define _GNU_SOURCE
#include <errno.h>
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define MAX 16
#define TRIES 3

static struct worker {
  char *command;
  int pidfd, timer, tries;
} workers[MAX];
static int count, running, set, stopping, patience;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void start(struct worker *w) {
  char *argv[] = {"sh", "-c", w->command, NULL};
  w->pidfd = pidguard_spawn("sh", argv, environ, NULL, 0);
  if (w->pidfd < 0 || pidguard_set_add(set, w->pidfd) < 0)
    die(w->command);
  w->tries++;
  running++;
}

static void stop(struct worker *w) {
  w->timer = pidguard_pidfd_terminate_start(w->pidfd, patience, PIDGUARD_TERMINATE_CONTINUE);
  if (w->timer >= 0)
    pidguard_set_add(set, w->timer);
}

/* It has ended. A tracer may still hold it, and then the set reports it again. */
static void ended(struct worker *w) {
  int status;
  if (pidguard_pidfd_wait(w->pidfd, &status, 20) < 0)
    return;
  printf("%s: %s %d\n", w->command, WIFEXITED(status) ? "exit" : "signal",
         WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
  pidguard_set_remove(set, w->pidfd);
  close(w->pidfd);
  if (w->timer >= 0)
    close(w->timer);
  w->pidfd = w->timer = -1;
  running--;
  if (!stopping && status != 0 && w->tries < TRIES)
    start(w);
}

static void handle(int fd, int signals) {
  struct signalfd_siginfo info;
  if (fd == signals && read(signals, &info, sizeof info) == sizeof info) {
    stopping = 1;
    for (int i = 0; i < count; i++)
      if (workers[i].pidfd >= 0 && workers[i].timer < 0)
        stop(&workers[i]);
  }
  for (int i = 0; i < count; i++) {
    if (fd == workers[i].pidfd) {
      ended(&workers[i]);
    } else if (fd == workers[i].timer) {
      pidguard_pidfd_send_signal(workers[i].pidfd, SIGKILL, 0);
      pidguard_set_remove(set, fd);
    }
  }
}

int main(int argc, char **argv) {
  sigset_t mask;
  if (argc < 3 || argc > 2 + MAX)
    return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  patience = atoi(argv[1]);
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigaddset(&mask, SIGINT);
  sigprocmask(SIG_BLOCK, &mask, NULL); /* not inherited: the workers start with no signal blocked */
  int signals = signalfd(-1, &mask, SFD_CLOEXEC);
  set = pidguard_set_create();
  if (signals < 0 || set < 0 || pidguard_set_add(set, signals) < 0)
    die("set");
  for (count = 0; count < argc - 2; count++) {
    workers[count] = (struct worker){argv[2 + count], -1, -1, 0};
    start(&workers[count]);
  }
  printf("%d running\n", running);
  while (running > 0) {
    int ready[16], n = pidguard_set_wait(set, ready, 16, pidguard_deadline(-1));
    if (n < 0 && errno != EINTR)
      die("wait");
    for (int i = 0; i < n; i++)
      handle(ready[i], signals);
  }
  return 0;
}

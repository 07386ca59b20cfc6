/* SPDX-License-Identifier: MIT */
/* Supervises a worker: starts it, ends it after its time limit, and starts it again if it failed.
 *
 *     supervise MILLISECONDS TRIES COMMAND [ARG...]
 *
 * It shows that a wait with a time-out needs no SIGALRM and no polling. A worker that ignores SIGTERM is killed a
 * moment later. Whatever happens meanwhile, each signal reaches this worker or no process. */
#define _GNU_SOURCE
#include <errno.h>
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 1000 /* between SIGTERM and SIGKILL */

/* As pidguard_pidfd_wait(), but goes on after a signal handler has run. (A program that handles many signals would look
 * at the clock here.) */
static int wait_for(int worker, int *status, int timeout) {
  int r;
  do
    r = pidguard_pidfd_wait(worker, status, timeout);
  while (r < 0 && errno == EINTR);
  return r;
}

/* One life of the worker. Returns 0 with its wait status, or -1 with errno. */
static int run_once(char **command, int timeout, int *status) {
  /* A pidfd, not a PID: the kernel makes it together with the child. It is close-on-exec, so the worker does not get
   * it. */
  int worker = pidguard_spawn(command[0], command, environ, NULL, 0);
  if (worker < 0)
    return -1;

  int r = wait_for(worker, status, timeout);
  if (r < 0 && errno == ETIMEDOUT) {
    int killed = pidguard_pidfd_terminate(worker, PATIENCE_MS, PIDGUARD_TERMINATE_CONTINUE);
    if (killed >= 0)
      printf("too slow: %s\n", killed ? "killed, it did not listen" : "ended when asked to");
    r = wait_for(worker, status, -1); /* it is certain to end now; collect it */
  }

  int error = errno;
  close(worker);
  errno = error;
  return r;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: supervise MILLISECONDS TRIES COMMAND [ARG...]\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  int timeout = atoi(argv[1]), tries = atoi(argv[2]);
  for (int try = 1; try <= tries; try++) {
    int status;
    if (run_once(argv + 3, timeout, &status) < 0) {
      fprintf(stderr, "supervise: %s: %s\n", argv[3], strerror(errno));
      return 1; /* no such program, or no descriptor: another try would fail, too */
    }
    if (WIFEXITED(status))
      printf("try %d: exit status %d\n", try, WEXITSTATUS(status));
    else
      printf("try %d: %s\n", try, strsignal(WTERMSIG(status)));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
      return 0;
  }
  printf("given up\n");
  return 1;
}

/* SPDX-License-Identifier: MIT */
/* Supervising a worker: start it, give it so much time, end it if it needs more, start it again if it failed.
 *
 *     supervise MILLISECONDS TRIES COMMAND [ARG...]
 *
 * To see: a wait with a time-out needs no SIGALRM and no polling; a worker that does not listen to SIGTERM is killed a
 * moment later; and whatever happens meanwhile, each signal goes to this worker or to nobody. */
#define _GNU_SOURCE
#include <errno.h>
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 1000 /* between SIGTERM and SIGKILL */

/* Like pidguard_pidfd_wait(), but goes on after a signal handler ran. (A program that handles signals would look at the
 * clock here; for one that does not, this is enough.) */
static int wait_for(int worker, int *status, int timeout) {
  int r;
  do
    r = pidguard_pidfd_wait(worker, status, timeout);
  while (r < 0 && errno == EINTR);
  return r;
}

/* One life of the worker. 0 with its wait status, -1 with errno. */
static int run_once(char **command, int timeout, int *status) {
  /* A pidfd, not a PID: made by the kernel together with the child. Close-on-exec, so the worker does not get it. */
  int worker = pidguard_spawn(command[0], command, environ, NULL, 0);
  if (worker < 0)
    return -1;

  int r = wait_for(worker, status, timeout);
  if (r < 0 && errno == ETIMEDOUT) {
    int killed = pidguard_pidfd_terminate(worker, PATIENCE_MS, PIDGUARD_TERMINATE_CONTINUE);
    if (killed >= 0)
      printf("too slow: %s\n", killed ? "killed, it did not listen" : "ended when asked to");
    r = wait_for(worker, status, -1); /* now it is certain to end; collect it */
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
      return 1; /* no such program, no descriptor: the next try would not fare better */
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

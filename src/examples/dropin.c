/* SPDX-License-Identifier: MIT */
/* Old code, made safe by a few lines.
 *
 *     dropin
 *
 * Below the line is a program as many were written. It keeps the PID of its worker, and reaps the worker in one place.
 * Another place stops the worker, and does not know that it is gone. If the PID belongs to another process by then,
 * kill() hits a stranger. Above the line is all that you must add. It gives the same names and arguments to calls that
 * know their children. (Even that is unnecessary if you run the program with pidguard(1), or link it with
 * -lpidguard-preload.)
 *
 * It prints the worker's PID once it was reaped, and waits for Enter. Meanwhile you can put another process in its
 * place. */
#define _POSIX_C_SOURCE 200809L
#ifndef WITHOUT_PIDGUARD /* to see the difference */
#include <pidguard/pidguard.h>
#define fork pidguard_fork
#define kill pidguard_kill
#define waitpid pidguard_waitpid
#endif
/* ------------------------------------------------------------------------------------------------------------------ */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t worker_pid; /* never cleared, which is the mistake */

static void start_worker(void) {
  worker_pid = fork();
  if (worker_pid < 0) {
    perror("fork");
    exit(1);
  }
  if (worker_pid == 0)
    _exit(7);
}

static void collect_worker(void) {
  int status;
  if (waitpid(worker_pid, &status, 0) != worker_pid) {
    perror("waitpid");
    exit(1);
  }
  printf("worker %d ended with %d\n", (int)worker_pid, WEXITSTATUS(status));
}

static void stop_worker(void) {
  if (worker_pid > 1 && kill(worker_pid, SIGTERM) == 0)
    printf("stopped\n");
  else
    perror("stop");
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  start_worker();
  collect_worker();
  getchar(); /* time goes by, and the kernel reuses PIDs */
  stop_worker();
  return 0;
}

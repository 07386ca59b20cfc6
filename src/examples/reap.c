/* SPDX-License-Identifier: MIT */
/* Reaps children without a handler for SIGCHLD.
 *
 *     reap [CHILDREN]
 *
 * A handler runs between any two instructions, and there is one for the whole process. With waitpid(-1) it also takes
 * the children of every library. Here a set tells which of *these* children ended, when the program asks. Another part
 * of the program is left in peace: a "library" that runs a command by system(3). The set is itself a descriptor, and
 * any event loop can take it. */
#define _GNU_SOURCE
#include <errno.h>
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct job {
  int pidfd;
  int number;
};

static void die(const char *what) {
  perror(what);
  exit(1);
}

/* A job that ends with its index as status, the later ones earlier. */
static void start(struct job *job, int number, int jobs) {
  char script[64];
  snprintf(script, sizeof script, "sleep 0.%02d; exit %d", jobs - number, number);
  char *argv[] = {"sh", "-c", script, NULL};
  job->number = number;
  job->pidfd = pidguard_spawn("sh", argv, environ, NULL, 0);
  if (job->pidfd < 0)
    die("sh");
}

/* Collects one job that has ended, and can take no other child. A tracer may still hold the job; then the set will
 * report it again. Returns 1 if the job was collected. */
static int finish(int set, struct job *job, int *right) {
  int status;
  if (pidguard_pidfd_wait(job->pidfd, &status, 20) < 0) {
    if (errno == ETIMEDOUT)
      return 0;
    die("wait");
  }
  printf("job %d: status %d\n", job->number, WEXITSTATUS(status));
  if (pidguard_set_remove(set, job->pidfd) < 0)
    die("remove");
  close(job->pidfd);
  job->pidfd = -1;
  *right += WEXITSTATUS(status) == job->number;
  return 1;
}

static struct job *find(struct job *job, int jobs, int pidfd) {
  for (int i = 0; i < jobs; i++)
    if (job[i].pidfd == pidfd)
      return &job[i];
  return NULL;
}

int main(int argc, char **argv) {
  int jobs = argc > 1 ? atoi(argv[1]) : 5, right = 0, left = jobs;
  if (jobs < 1 || jobs > 99) {
    fprintf(stderr, "usage: reap [1...99]\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct job *job = calloc((size_t)jobs, sizeof *job);
  int set = pidguard_set_create();
  if (!job || set < 0)
    die("set");
  for (int i = 0; i < jobs; i++) {
    start(&job[i], i, jobs);
    if (pidguard_set_add(set, job[i].pidfd) < 0)
      die("add");
  }

  /* Meanwhile another part of the program makes a child, and gets its status: no wait steals it. */
  int status = system("exit 42");
  printf("the library: status %d\n", WEXITSTATUS(status));

  while (left > 0) {
    int ended[16];
    int n = pidguard_set_wait(set, ended, 16, pidguard_deadline(10000));
    if (n < 0)
      die("set_wait"); /* no news for ten seconds: ETIMEDOUT */
    for (int i = 0; i < n; i++)
      left -= finish(set, find(job, jobs, ended[i]), &right);
  }
  close(set);
  free(job);
  return right == jobs && WEXITSTATUS(status) == 42 ? 0 : 1;
}

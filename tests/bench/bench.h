/* SPDX-License-Identifier: MIT */
/* The worker of the benchmarks is a process that lives through the whole measurement. It runs slices of work when the
 * driver asks for them, so that its own start is in no figure. The same worker.c is linked with two tables of works.
 * One does what a program does with PIDs, and also runs under the shim. The other does the same by hand with pidfds. */
#ifndef PG_BENCH_H
#define PG_BENCH_H

#include <stdint.h>
#include <sys/types.h>

#define PG_BENCH_MAX_THREADS 64

/* What the works find ready. Descriptors are -1 where the table of works has no use for them. */
struct pg_bench {
  pid_t child[PG_BENCH_MAX_THREADS]; /* live children, one a thread, that ignore SIGUSR1 */
  int child_fd[PG_BENCH_MAX_THREADS];
  const pid_t *all; /* the other children, and child[0] */
  int all_count;
  pid_t oldest; /* the first of the other children, or child[0] */
  int oldest_fd;
  pid_t stranger; /* alive, no child of the worker, ignores SIGUSR1 */
  int stranger_fd;
  pid_t dead; /* a child that was reaped before this slice */
  int dead_fd;
  char **child_env; /* environment for programs that are started */
};

struct pg_work {
  const char *name;
  /* Does the work n times. Returns 0, or -1 if an operation gave a wrong result: a failure is never measured. */
  int (*run)(const struct pg_bench *b, int thread, uint64_t n);
  int threads; /* may run in several threads at once */
};

/* The table of works; ends with a NULL name. */
extern const struct pg_work pg_works[];

/* The memory of a process in kB, and the part that the file mappings of its preload object take. Own pages have no file
 * behind them, whether they are shared with forked children or not. */
struct pg_weight {
  long resident, own, mappings, object_resident, object_own;
};
int pg_bench_weigh(struct pg_weight *ret);

/* Makes a child as the table of works does it. The result is that of fork(2). *ret_fd is a pidfd if the table uses
 * pidfds, else -1. */
pid_t pg_bench_fork(int *ret_fd);
/* Starts a program without arguments, as vfork and exec do it. */
pid_t pg_bench_start(const char *path, int *ret_fd);
/* Reaps a child that pg_bench_fork() made. The descriptor stays open. */
void pg_bench_reap(pid_t pid, int fd);
/* Returns a descriptor for a process that the worker did not make, or -1 if the table of works has no use for it. */
int pg_bench_open(pid_t pid);

#endif

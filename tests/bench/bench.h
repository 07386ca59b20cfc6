/* SPDX-License-Identifier: MIT */
/* The benchmarks' worker: a process that lives through the whole measurement and runs slices of work when the driver
 * asks for them, so that its own start is in no figure. The same worker.c is linked with two tables of works: what a
 * program does with PIDs (also under the shim), and the same by hand with pidfds. */
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
  pid_t stranger; /* alive, nobody's child here, ignores SIGUSR1 */
  int stranger_fd;
  pid_t dead; /* a child that was reaped before this slice */
  int dead_fd;
  char **child_env; /* environment for programs that are started */
};

struct pg_work {
  const char *name;
  /* Does the work n times; 0, or -1 when an operation did not give what it must, so that no failure is measured. */
  int (*run)(const struct pg_bench *b, int thread, uint64_t n);
  int threads; /* may run in several threads at once */
};

/* The table of works; ends with a NULL name. */
extern const struct pg_work pg_works[];

/* What a process weighs, in kB, and of that its preload object's file mappings. Own pages are those that no file
 * stands behind, shared with forked children or not. */
struct pg_weight {
  long resident, own, mappings, object_resident, object_own;
};
int pg_bench_weigh(struct pg_weight *ret);

/* Births as the table of works makes them: as fork(2), with a pidfd in *ret_fd if it uses them, else -1. */
pid_t pg_bench_fork(int *ret_fd);
/* As vfork and exec of a program without arguments. */
pid_t pg_bench_start(const char *path, int *ret_fd);
/* Reaps a child that pg_bench_fork() made; keeps the descriptor. */
void pg_bench_reap(pid_t pid, int fd);
/* A descriptor for somebody else's process, or -1 if the table of works has no use for it. */
int pg_bench_open(pid_t pid);

#endif

/* SPDX-License-Identifier: MIT */
/* What the driver's files share: how one program is run, and how a difference is told. */
#ifndef PGD_DRIVER_H
#define PGD_DRIVER_H

#include "board.h"
#include "program.h"

#include <sys/types.h>

#define PGD_ENV 16

struct pgd_config {
  const char *interp;       /* path of pg_diff_interp */
  const char *preload;      /* the object under test; NULL compares plain with plain */
  const char *env[PGD_ENV]; /* VAR=VALUE, for the side with the object */
  int env_count;
  int timeout_ms; /* without a step, before a program counts as hung */
};

/* Where runs happen: the shared page and the descriptors that the monitor hands to its interpreters. */
struct pgd_arena {
  const struct pgd_config *config;
  struct pgd_board *board;
};

/* Whether the object really gets into a process: the loader only warns when it does not, and plain would be compared
 * with plain. */
bool pgd_preload_works(const struct pgd_config *config);

/* 0 or -errno. Takes descriptors 3 and 4. */
int pgd_arena_open(struct pgd_arena *arena, const struct pgd_config *config);

/* Runs one program in a namespace of its own, with the object preloaded or without, and writes what was seen, sorted
 * by process. Returns 0, or -errno when it could not be run at all. */
int pgd_run_program(struct pgd_arena *arena, const struct pgd_program *program, bool shim, char *trace, size_t cap);

/* The first process of the namespace: starts the root, gives turns, ends. Does not return. */
__attribute__((noreturn)) void pgd_monitor(struct pgd_board *board, const char *interp, char *const env[],
                                           uint64_t sched, int timeout_ms);

/* Moves the caller (a new child of it, rather) into its own pid namespace, through a user namespace when it must.
 * Returns in the child only; exits 77 with the reason when there is no way. */
void pgd_enter_namespace(void);

#endif

/* SPDX-License-Identifier: MIT */
/* What the driver's files share: how one program is run, and how a difference is shown. */
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
  int timeout_ms; /* time without a step after which a program counts as hung */
};

/* The surroundings of a run: the shared page and the descriptors that the monitor hands to its interpreters. */
struct pgd_arena {
  const struct pgd_config *config;
  struct pgd_board *board;
};

/* Does the object really get into a process? If it does not, the loader only warns, and plain would be compared with
 * plain. */
bool pgd_preload_works(const struct pgd_config *config);

/* Returns 0 or -errno. Takes descriptors 3 and 4. */
int pgd_arena_open(struct pgd_arena *arena, const struct pgd_config *config);

/* Runs one program in a namespace of its own, with the object preloaded or without. It writes what was seen, sorted by
 * process. Returns 0, or -errno if the program could not be run at all. */
int pgd_run_program(struct pgd_arena *arena, const struct pgd_program *program, bool shim, char *trace, size_t cap);

/* Runs as the first process of the namespace. It starts the root, gives turns and ends. It does not return. */
__attribute__((noreturn)) void pgd_monitor(struct pgd_board *board, const char *interp, char *const env[],
                                           uint64_t sched, int timeout_ms);

/* Makes a child of the caller, which goes on in a pid namespace of its own, inside a user namespace if it must. Returns
 * in the child only. If there is no way, it exits with 77 and prints the reason. */
void pgd_enter_namespace(void);

#endif

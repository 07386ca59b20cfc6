/* SPDX-License-Identifier: MIT */
/* What files of /proc tell. The loader has opened, read and closed files in every dynamic program, so a filter from
 * before the exec allows that for /proc/self/status. Calls window, filter, kernel. */
#ifndef PG_RUNTIME_PROC_SELF_H
#define PG_RUNTIME_PROC_SELF_H

#include <stdbool.h>
#include <stdint.h>

struct pg_proc_self {
  int seccomp; /* 0: no filter; 1: strict mode; 2: a filter; -1: unknown; or, if no descriptor is free: */
#define PG_PROC_SCARCE (-2)
  /* The program would not notice another child: it neither handles nor blocks SIGCHLD, and has one thread. */
  bool quiet;
  bool foreign; /* /proc belongs to an outer pid namespace, so its PIDs mean nothing here */
};

struct pg_proc_self pg_proc_self_read(void);
/* The kernel's limit on PIDs, or its own default if it cannot be read. Negative: no descriptor is free at the moment.
 */
#define PG_PROC_PID_MAX 32768
int64_t pg_proc_pid_max(void);

#endif

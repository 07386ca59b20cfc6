/* SPDX-License-Identifier: MIT */
/* What /proc/self/status tells of this process. The loader has opened, read and closed files in every dynamic program,
 * so a filter from before the exec allows that. Calls window, kernel. */
#ifndef PG_RUNTIME_PROC_SELF_H
#define PG_RUNTIME_PROC_SELF_H

#include <stdbool.h>

struct pg_proc_self {
  int seccomp; /* 0: no filter; 1: strict mode; 2: a filter; -1: unknown */
  bool quiet;  /* the program would not notice a SIGCHLD: it neither handles nor blocks it */
};

struct pg_proc_self pg_proc_self_read(void);

#endif

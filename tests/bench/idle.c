/* SPDX-License-Identifier: MIT */
/* A child that does nothing, as cheaply as possible, because the benchmarks make thousands of them. It does without
 * libc if the project has system calls for this machine. It ends with its parent. */
#include "kernel/sys.h"

#include <signal.h>
#include <sys/prctl.h>

static void idle(void) {
  pg_sys2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  for (;;)
    pg_sys5(SYS_ppoll, 0, 0, 0, 0, 0);
}

#ifdef PG_BENCH_BARE
void _start(void);
void _start(void) { idle(); }
#else
int main(void) { idle(); }
#endif

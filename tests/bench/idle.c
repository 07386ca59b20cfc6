/* SPDX-License-Identifier: MIT */
/* A child that is there and does nothing, as cheaply as can be: thousands of them are made. Without libc where we have
 * system calls of our own; ends with its parent. */
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

/* SPDX-License-Identifier: MIT */
/* For programs that give the number of a dead process to another one. */
#ifndef PG_TEST_FREE_PID_H
#define PG_TEST_FREE_PID_H

#include "../support/next_pid.h"
#include "raw.h"

#include <stdbool.h>
#include <sys/wait.h>

/* Waits until the number of a process that nobody waited for is free. The kernel reaps such a process at its end, and
 * answers ESRCH for it a moment before it frees the number. Here short-lived processes that the shim does not see try
 * to get the number. Returns at once where PIDs cannot be chosen. */
static inline void await_free(pid_t pid) {
  bool is_free = false;
  for (int tries = 0; !is_free && tries < 1000 && next_pid_is(pid) == 1; tries++) {
    long got = raw_call(SYS_clone, 0, 0, 0, 0, 0);
    if (got == 0)
      raw_call(SYS_exit, 0, 0, 0, 0, 0);
    if (got > 1)
      raw_call(SYS_wait4, got, 0, (long)__WCLONE, 0, 0);
    is_free = got == pid;
  }
}

#endif

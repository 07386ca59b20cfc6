/* SPDX-License-Identifier: MIT */
/* Wrong: wait4 does not pass the resource usage on. */
#include "wrong.h"

WRONG pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage) {
  (void)usage;
  return waitpid(pid, status, options);
}

/* SPDX-License-Identifier: MIT */
/* Wrong: waitpid never says that a child was continued. */
#include "wrong.h"

WRONG pid_t waitpid(pid_t pid, int *status, int options) { return wait4(pid, status, options & ~WCONTINUED, NULL); }

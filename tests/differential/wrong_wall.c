/* SPDX-License-Identifier: MIT */
/* Wrong: waitpid waits for a child whichever way it was cloned. Only __WALL and __WCLONE should do that. */
#include "wrong.h"

WRONG pid_t waitpid(pid_t pid, int *status, int options) { return wait4(pid, status, options | __WALL, NULL); }

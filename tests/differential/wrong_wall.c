/* SPDX-License-Identifier: MIT */
/* Wrong: waitpid waits for a child whichever way it was cloned, where only __WALL or __WCLONE should. */
#include "wrong.h"

WRONG pid_t waitpid(pid_t pid, int *status, int options) { return wait4(pid, status, options | __WALL, NULL); }

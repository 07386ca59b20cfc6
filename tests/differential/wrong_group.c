/* SPDX-License-Identifier: MIT */
/* Wrong: a signal for the group that a child leads reaches the child alone. */
#include "wrong.h"

WRONG int killpg(pid_t group, int sig) {
  return (int)wrong_border(pg_sys_kill(group > 1 && pg_sys_kill(group, 0) == 0 ? group : -group, sig));
}

/* SPDX-License-Identifier: MIT */
/* Wrong: a wait starts again after a handler that must interrupt it. */
#include "wrong.h"

WRONG pid_t waitpid(pid_t pid, int *status, int options) {
  int saved = errno;
  pid_t ret;
  while ((ret = wait4(pid, status, options, NULL)) == -1 && errno == EINTR)
    errno = saved;
  return ret;
}

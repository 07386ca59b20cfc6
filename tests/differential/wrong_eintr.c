/* Wrong: a wait starts again after a handler that must interrupt it. */
#include "wrong.h"

WRONG pid_t waitpid(pid_t pid, int *status, int options) {
  long ret;
  do
    ret = pg_sys4(SYS_wait4, pid, status, options, NULL);
  while (ret == -EINTR);
  return (pid_t)wrong_border(ret);
}

/* Wrong: waitid leaves what it did not find out as it was, where the kernel clears it. */
#include "wrong.h"

WRONG int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  siginfo_t si = {0};
  long ret = pg_sys_waitid((int)type, id, &si, options, NULL);
  if (ret == 0 && si.si_pid != 0 && info)
    *info = si;
  return (int)wrong_border(ret);
}

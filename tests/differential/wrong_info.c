/* SPDX-License-Identifier: MIT */
/* Wrong: waitid leaves members as they were that the kernel clears. */
#include "wrong.h"

WRONG int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  siginfo_t si = {0};
  int ret = wrong_next_waitid(type, id, &si, options);
  if (ret == 0 && si.si_pid != 0 && info)
    *info = si;
  return ret;
}

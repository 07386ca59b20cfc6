/* SPDX-License-Identifier: MIT */
/* Wrong: waitid loses WNOWAIT, so that a look at a child reaps it. */
#include "wrong.h"

WRONG int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  return wrong_next_waitid(type, id, info, options & ~WNOWAIT);
}

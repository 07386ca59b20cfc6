/* Wrong: waitid loses WNOWAIT, so that a look at a child reaps it. */
#include "wrong.h"

WRONG int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  return (int)wrong_border(pg_sys_waitid((int)type, id, info, options & ~WNOWAIT, NULL));
}

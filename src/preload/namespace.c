/* SPDX-License-Identifier: MIT */
/* unshare, setns. After them children may live in another pid namespace, in which a PID of the parent means another
 * process. And a thread may have its own descriptors, in which a number of the shim is another file. */
#include "preload/border.h"

#include <sched.h>

PG_EXPORT int unshare(int flags) {
  PG_EARLY(pg_sys1(SYS_unshare, flags));
  return pg_ret(pg_call_unshare(flags));
}

PG_EXPORT int setns(int fd, int type) {
  PG_EARLY(pg_sys2(SYS_setns, fd, type));
  return pg_ret(pg_call_setns(fd, type));
}

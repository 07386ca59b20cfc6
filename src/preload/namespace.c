/* SPDX-License-Identifier: MIT */
/* unshare, setns: to know that children may live in another pid namespace, where our numbers mean others, and that a
 * thread may have descriptors of its own, where a number of ours may be another child's. */
#include "preload/border.h"

#include <sched.h>

PG_EXPORT int unshare(int flags) {
  PG_EARLY(pg_sys1(SYS_unshare, flags));
  if (flags & CLONE_FILES)
    pg_call_files_apart();
  int r = (int)pg_sys1(SYS_unshare, flags);
  if (r == 0 && (flags & CLONE_NEWPID))
    pg_hot.other_namespace = 1;
  return pg_ret(r);
}

PG_EXPORT int setns(int fd, int type) {
  PG_EARLY(pg_sys2(SYS_setns, fd, type));
  int r = (int)pg_sys2(SYS_setns, fd, type);
  if (r == 0 && (type == 0 || (type & CLONE_NEWPID)))
    pg_hot.other_namespace = 1;
  return pg_ret(r);
}

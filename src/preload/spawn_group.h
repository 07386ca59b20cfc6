/* SPDX-License-Identifier: MIT */
/* The process group that the attributes of a spawn name. */
#ifndef PG_PRELOAD_SPAWN_GROUP_H
#define PG_PRELOAD_SPAWN_GROUP_H

#include "preload/numbers.h"

#include <spawn.h>

/* Returns the attributes as they are, unless they name a stale group. Then it returns the copy `ret`, with a group that
 * no process can have. So the spawn fails with the error of setpgid(). */
static inline const posix_spawnattr_t *pg_spawn_group(const posix_spawnattr_t *attr, posix_spawnattr_t *ret,
                                                      struct pg_call call) {
  short flags = 0;
  pid_t group = 0;
  if (PG_LIKELY(!attr) || posix_spawnattr_getflags(attr, &flags) != 0 || !(flags & POSIX_SPAWN_SETPGROUP) ||
      posix_spawnattr_getpgroup(attr, &group) != 0 || pg_number_check(PG_NUMBER_GROUP, group, call) == 0)
    return attr;
  *ret = *attr;
  posix_spawnattr_setpgroup(ret, PG_NOBODY);
  return ret;
}

#endif

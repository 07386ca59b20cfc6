/* SPDX-License-Identifier: MIT */
/* pidfd_spawn and pidfd_spawnp (glibc 2.39): the child is tracked by the pidfd that they return, because the program
 * may learn the PID from that pidfd. */
#include "preload/spawn_group.h"

#ifdef PG_HAVE_PIDFD_SPAWN

typedef int spawn_fn(int *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],
                     char *const[]);

static int spawn(spawn_fn *next, int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attr, char *const argv[], char *const envp[], struct pg_call call) {
  posix_spawnattr_t own;
  bool on = pg_call_before_fork();
  int r = next(pidfd, path, actions, pg_spawn_group(attr, &own, call), argv, envp);
  if (r == 0 && pidfd && on)
    pg_call_pidfd_spawned(*pidfd, call.name);
  if (on)
    pg_hot.forking = 0;
  return r;
}

#define SPAWN(name)                                                                                                    \
  PG_EXPORT int name(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,                          \
                     const posix_spawnattr_t *attr, char *const argv[], char *const envp[]) {                          \
    if (pg_is_early())                                                                                                 \
      return ENOSYS;                                                                                                   \
    return spawn(pg_next_late(name), pidfd, path, actions, attr, argv, envp, PG_CALL(#name));                          \
  }

SPAWN(pidfd_spawn)
SPAWN(pidfd_spawnp)

#else
extern int pg_unused_pidfd_spawn;
#endif

/* SPDX-License-Identifier: MIT */
/* posix_spawn and posix_spawnp, in both versions of glibc. The old version runs a script without #! through the shell.
 * libc gets the caller's own pid pointer. libc stores the PID before it unblocks signals, and a SIGCHLD handler may
 * rely on that (sysdeps/unix/sysv/linux/spawni.c).
 *
 * pidfd_spawn and pidfd_spawnp (glibc 2.39): the child is tracked by the pidfd that they return, because the program
 * may learn the PID from that pidfd. */
#include "preload/numbers.h"

#include <spawn.h>

/* The first argument points to the PID, or to the pidfd. */
typedef int spawn_fn(int *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],
                     char *const[]);

/* Does the program start as the leader of a process group? */
static PG_NOINLINE bool leads(const posix_spawnattr_t *attr) {
  short flags = 0;
  pid_t group = -1;
  if (posix_spawnattr_getflags(attr, &flags) != 0)
    return false;
  return (flags & POSIX_SPAWN_SETSID) ||
         ((flags & POSIX_SPAWN_SETPGROUP) && posix_spawnattr_getpgroup(attr, &group) == 0 && group == 0);
}

/* Returns the attributes as they are, unless they name a stale group. Then it returns the copy `ret`, with a group that
 * no process can have. So the spawn fails with the error of setpgid(). Most spawns have no attributes. */
static PG_NOINLINE const posix_spawnattr_t *with_group(const posix_spawnattr_t *attr, posix_spawnattr_t *ret,
                                                       struct pg_call call) {
  short flags = 0;
  pid_t group = 0;
  if (posix_spawnattr_getflags(attr, &flags) != 0 || !(flags & POSIX_SPAWN_SETPGROUP) ||
      posix_spawnattr_getpgroup(attr, &group) != 0 || pg_number_check(PG_NUMBER_GROUP, group, call) == 0)
    return attr;
  *ret = *attr;
  posix_spawnattr_setpgroup(ret, PG_NOBODY);
  return ret;
}

static int spawn(spawn_fn *next, pid_t *ret, const char *path, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attr, char *const argv[], char *const envp[], struct pg_call call) {
  posix_spawnattr_t other;
  pid_t own = -1;
  pid_t *at = ret ? ret : &own;
  unsigned since = pg_call_before_fork();
  int r = next(at, path, actions, attr ? with_group(attr, &other, call) : NULL, argv, envp);
  if (!since)
    return r;
  if (r != 0) {
    pg_flag_set(&pg_hot.forking, 0);
    return r;
  }
  pg_call_born(*at, false, PG_BIRTH_SPAWN, call.name, since);
  if (attr && leads(attr))
    pg_call_leads(*at);
  return 0;
}

#define SPAWN(exported, name, how, next)                                                                               \
  PG_EXPORT int exported(int *ret, const char *path, const posix_spawn_file_actions_t *actions,                        \
                         const posix_spawnattr_t *attr, char *const argv[], char *const envp[]) {                      \
    if (pg_is_early())                                                                                                 \
      return ENOSYS;                                                                                                   \
    return how(next, ret, path, actions, attr, argv, envp, PG_CALL(#name));                                            \
  }

#define NOW(exported, name) SPAWN(exported, name, spawn, (pg_mode(), pg_next.name)) /* which binds the next names */
#define BEFORE(exported, name) SPAWN(exported, name, spawn, pg_next_late_version(name, PG_SPAWN_BEFORE))
PG_BOTH(posix_spawn, NOW, "2.15", BEFORE)
PG_BOTH(posix_spawnp, NOW, "2.15", BEFORE)

#ifdef PG_HAVE_PIDFD_SPAWN /* only glibc 2.39 and later declare them, and have them */
/* next is NULL if this libc does not have the function. */
static PG_COLD int spawn_pidfd(spawn_fn *next, int *ret, const char *path, const posix_spawn_file_actions_t *actions,
                               const posix_spawnattr_t *attr, char *const argv[], char *const envp[],
                               struct pg_call call) {
  posix_spawnattr_t other;
  if (!next)
    return ENOSYS;
  unsigned since = pg_call_before_fork();
  int r = next(ret, path, actions, attr ? with_group(attr, &other, call) : NULL, argv, envp);
  if (r == 0 && since && ret)
    pg_call_pidfd_spawned(*ret, call.name);
  if (since)
    pg_flag_set(&pg_hot.forking, 0);
  return r;
}

spawn_fn pidfd_spawn, pidfd_spawnp;
SPAWN(pidfd_spawn, pidfd_spawn, spawn_pidfd, pg_next_late(pidfd_spawn))
SPAWN(pidfd_spawnp, pidfd_spawnp, spawn_pidfd, pg_next_late(pidfd_spawnp))
#endif

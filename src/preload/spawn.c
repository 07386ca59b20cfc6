/* SPDX-License-Identifier: MIT */
/* posix_spawn and posix_spawnp, in both versions of glibc. The old version runs a script without #! through the shell.
 * libc gets the caller's own pid pointer. libc stores the PID before it unblocks signals, and a SIGCHLD handler may
 * rely on that (sysdeps/unix/sysv/linux/spawni.c). */
#include "preload/spawn_group.h"

typedef int spawn_fn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                     char *const[], char *const[]);

/* Does the program start as the leader of a process group? */
static bool leads(const posix_spawnattr_t *attr) {
  short flags = 0;
  pid_t group = -1;
  if (!attr || posix_spawnattr_getflags(attr, &flags) != 0)
    return false;
#ifdef POSIX_SPAWN_SETSID
  if (flags & POSIX_SPAWN_SETSID)
    return true;
#endif
  return (flags & POSIX_SPAWN_SETPGROUP) && posix_spawnattr_getpgroup(attr, &group) == 0 && group == 0;
}

static int spawn(spawn_fn *next, const char *how, pid_t *pid, const char *path,
                 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr, char *const argv[],
                 char *const envp[], const void *caller) {
  posix_spawnattr_t other;
  pid_t own = -1;
  pid_t *at = pid ? pid : &own;
  bool on = pg_call_before_fork();
  int r = next(at, path, actions, pg_spawn_group(attr, &other, (struct pg_call){how, caller}), argv, envp);
  if (r == 0 && on) {
    pg_call_born(*at, false, PG_BIRTH_SPAWN, how);
    if (leads(attr))
      pg_call_leads(*at);
  }
  if (on)
    pg_hot.forking = 0;
  return r;
}

#define SPAWN(exported, name, next)                                                                                    \
  PG_EXPORT int exported(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,                      \
                         const posix_spawnattr_t *attr, char *const argv[], char *const envp[]) {                      \
    if (pg_is_early())                                                                                                 \
      return ENOSYS;                                                                                                   \
    return spawn(next, #name, pid, path, actions, attr, argv, envp, __builtin_return_address(0));                      \
  }

#define EARLY(name) (pg_mode(), pg_next.name) /* which binds the next names */
#define OLD(name) pg_next_late_version(name, PG_SPAWN_BEFORE)
#if PG_VERSIONED
SPAWN(pg_posix_spawn_new, posix_spawn, EARLY(posix_spawn))
SPAWN(pg_posix_spawnp_new, posix_spawnp, EARLY(posix_spawnp))
SPAWN(pg_posix_spawn_old, posix_spawn, OLD(posix_spawn))
SPAWN(pg_posix_spawnp_old, posix_spawnp, OLD(posix_spawnp))
__asm__(".symver pg_posix_spawn_new, posix_spawn@@GLIBC_2.15");
__asm__(".symver pg_posix_spawnp_new, posix_spawnp@@GLIBC_2.15");
__asm__(".symver pg_posix_spawn_old, posix_spawn@GLIBC_2.2.5");
__asm__(".symver pg_posix_spawnp_old, posix_spawnp@GLIBC_2.2.5");
#else
SPAWN(posix_spawn, posix_spawn, EARLY(posix_spawn))
SPAWN(posix_spawnp, posix_spawnp, EARLY(posix_spawnp))
#endif

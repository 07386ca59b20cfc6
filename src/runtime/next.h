/* What libc, or the preload object behind us, has under the names that we interpose: one table, bound eagerly, because
 * most of these may be called in a signal handler and dlsym() may not. The only user of dlsym. */
#ifndef PG_RUNTIME_NEXT_H
#define PG_RUNTIME_NEXT_H

#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <termios.h>

struct winsize;

/* X(type, name, arguments, symbol, version): the version is asked for first where it is not empty. */
#define PG_NEXT(X)                                                                                                     \
  X(pid_t, fork, (void), "fork", "")                                                                                 \
  X(pid_t, _Fork, (void), "_Fork", "")                                                                               \
  X(int, kill, (pid_t, int), "kill", "")                                                                             \
  X(int, killpg, (pid_t, int), "killpg", "")                                                                         \
  X(int, sigqueue, (pid_t, int, union sigval), "sigqueue", "")                                                       \
  X(pid_t, wait, (int *), "wait", "")                                                                                \
  X(pid_t, waitpid, (pid_t, int *, int), "waitpid", "")                                                              \
  X(pid_t, wait3, (int *, int, struct rusage *), "wait3", "")                                                        \
  X(pid_t, wait4, (pid_t, int *, int, struct rusage *), "wait4", "")                                                 \
  X(int, waitid, (idtype_t, id_t, siginfo_t *, int), "waitid", "")                                                   \
  X(int, posix_spawn,                                                                                                  \
    (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],              \
     char *const[]),                                                                                                   \
    "posix_spawn", "")                                                                                               \
  X(int, posix_spawnp,                                                                                                 \
    (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],              \
     char *const[]),                                                                                                   \
    "posix_spawnp", "")                                                                                              \
  X(int, posix_spawn_2_2_5,                                                                                            \
    (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],              \
     char *const[]),                                                                                                   \
    "posix_spawn", "GLIBC_2.2.5")                                                                                      \
  X(int, posix_spawnp_2_2_5,                                                                                           \
    (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],              \
     char *const[]),                                                                                                   \
    "posix_spawnp", "GLIBC_2.2.5")                                                                                     \
  X(int, close, (int), "close", "")                                                                                    \
  X(int, dup2, (int, int), "dup2", "")                                                                                 \
  X(int, dup3, (int, int, int), "dup3", "")                                                                            \
  X(void, closefrom, (int), "closefrom", "")                                                                           \
  X(int, clone, (int (*)(void *), void *, int, void *, ...), "clone", "")                                            \
  X(int, daemon, (int, int), "daemon", "")                                                                           \
  X(int, forkpty, (int *, char *, const struct termios *, const struct winsize *), "forkpty", "")

struct pg_next {
#define X(type, name, args, symbol, version) type(*name) args;
  PG_NEXT(X)
#undef X
};

extern struct pg_next pg_next;

/* Fills pg_next; idempotent. errno is left alone. */
void pg_next_bind(void);

/* Names that are not async-signal-safe in libc either, or rare: looked up when they are first used, so that a start does
 * not pay for them. `name` is a function that a header declares. */
void *pg_next_find(_Atomic(void *) *cache, const char *symbol);
#define pg_next_late(name)                                                                                             \
  (__extension__({                                                                                                     \
    static _Atomic(void *) cache;                                                                                      \
    (__typeof__(&(name)))pg_next_find(&cache, #name);                                                                  \
  }))

#endif

/* SPDX-License-Identifier: MIT */
/* The functions of libc, or of the next preload object, under the names that the shim interposes. One table, bound
 * eagerly, because most wrappers run where dlsym() may not be called. The only user of dlsym. */
#ifndef PG_RUNTIME_NEXT_H
#define PG_RUNTIME_NEXT_H

#include "base/attr.h"
#include "base/fmt.h"

#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

/* Two versions of one name, as in glibc on x86-64. */
#if defined(__GLIBC__) && defined(__x86_64__) && !defined(__ILP32__)
#define PG_VERSIONED 1
#define PG_SPAWN_VERSION "GLIBC_2.15"
#define PG_SPAWN_BEFORE "GLIBC_2.2.5"
#else
#define PG_VERSIONED 0
#define PG_SPAWN_VERSION ""
#endif

#ifdef __GLIBC__
#define PG_RESOURCE __rlimit_resource_t
#else
#define PG_RESOURCE int
#endif

#define PG_SPAWN_ARGS                                                                                                  \
  (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[], char *const[])

/* X(type, name, version, arguments). The program may call these functions first in a signal handler, between vfork and
 * exec, or in a thread that a constructor waits for. A constructor that dlopen() runs holds the loader's lock, which
 * dlsym() needs. The version is "" if libc has only one. */
#define PG_NEXT(X)                                                                                                     \
  X(pid_t, fork, "", (void))                                                                                           \
  X(pid_t, _Fork, "", (void))                                                                                          \
  X(int, kill, "", (pid_t, int))                                                                                       \
  X(pid_t, waitpid, "", (pid_t, int *, int))                                                                           \
  X(pid_t, wait4, "", (pid_t, int *, int, struct rusage *))                                                            \
  X(int, waitid, "", (idtype_t, id_t, siginfo_t *, int))                                                               \
  X(int, close, "", (int))                                                                                             \
  X(int, dup2, "", (int, int))                                                                                         \
  X(int, clone, "", (int (*)(void *), void *, int, void *, ...))                                                       \
  X(int, posix_spawn, PG_SPAWN_VERSION, PG_SPAWN_ARGS)                                                                 \
  X(int, posix_spawnp, PG_SPAWN_VERSION, PG_SPAWN_ARGS)                                                                \
  PG_NEXT_NARROW(X)                                                                                                    \
  PG_NEXT_MUSL(X)

/* Functions that are more than a system call on 32 bits. */
#ifdef __LP64__
#define PG_NEXT_NARROW(X)
#else
#define PG_NEXT_NARROW(X)                                                                                              \
  X(int, setrlimit, "", (PG_RESOURCE, const struct rlimit *))                                                          \
  X(int, prlimit, "", (pid_t, PG_RESOURCE, const struct rlimit *, struct rlimit *))
#endif

/* Functions that are more than a system call in musl. */
#ifdef __GLIBC__
#define PG_NEXT_MUSL(X)
#else
#define PG_NEXT_MUSL(X) X(int, dup3, "", (int, int, int))
#endif

struct pg_next {
#define X(type, name, version, args) type(*name) args;
  PG_NEXT(X)
#undef X
};

extern struct pg_next pg_next PG_HIDDEN;

/* Is libc glibc 2.minor or later? */
static inline bool pg_libc_since(int minor) {
#ifdef __GLIBC__
  const char *version = gnu_get_libc_version(), *at = version + 2; /* "2.34" */
  return version[0] > '2' || pg_parse_dec(&at) >= minor;
#else
  (void)minor;
  return false;
#endif
}

/* Fills pg_next; may be called again. Leaves errno alone. */
void pg_next_bind(void);

#ifdef PG_PRELOAD
/* Do the names of this object reach libc, and not its wrappers? So it is if the object was opened by dlopen(), or
 * stands behind libc. After pg_next_bind(). */
bool pg_next_is_behind(void);
#else
static inline bool pg_next_is_behind(void) { return true; }
#endif

/* True: the loader has not relocated this object yet, see PG_EARLY. The code reaches a hidden variable by its distance,
 * with every compiler. Before relocation its value is 0. */
#ifdef PG_PRELOAD
extern void *(*const volatile pg_next_mark)(void *restrict, const char *restrict)PG_HIDDEN;
#if defined(__has_feature) && !defined(__SANITIZE_ADDRESS__)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* as gcc has it */
#endif
#endif
/* A runtime of AddressSanitizer calls the shim when it starts. The memory that an instrumented shim looks at is not
 * there yet. */
#ifdef __SANITIZE_ADDRESS__
bool pg_next_is_early(void);
#define pg_is_early() PG_UNLIKELY(pg_next_is_early())
#else
#define pg_is_early() PG_UNLIKELY(!pg_next_mark)
#endif
#else
#define pg_is_early() false
#endif

/* Names that are rare, and not async-signal-safe in libc either. The first use looks them up, so a start does not pay
 * for them. `name` is a function that a header declares. A version is asked for first. */
void *pg_next_find(_Atomic(void *) *cache, const char *symbol, const char *version);
#define pg_next_late_version(name, version)                                                                            \
  (__extension__({                                                                                                     \
    static _Atomic(void *) cache;                                                                                      \
    (__typeof__(&(name)))pg_next_find(&cache, #name, version);                                                         \
  }))
#define pg_next_late(name) pg_next_late_version(name, NULL)

#endif

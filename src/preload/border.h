/* SPDX-License-Identifier: MIT */
/* What every wrapper shares: the errno border, and the name of a call. */
#ifndef PG_PRELOAD_BORDER_H
#define PG_PRELOAD_BORDER_H

#include "base/attr.h"
#include "base/errno.h"
#include "child/call.h"
#include "child/self.h"
#include "runtime/next.h"

#define PG_CALL(name) ((struct pg_call){name, __builtin_return_address(0)})

/* The first line of every wrapper. The loader relocates an object after those that it needs. While it relocates a
 * library, it calls the resolvers of that library's indirect functions. What such a resolver calls comes here too
 * early. The wrapper must then use nothing that it reaches by an address in memory. That excludes names of other
 * objects (errno is one), thread-local variables and tables of pointers. A compiler decides by itself when it uses
 * those. So the early path only makes the system call, and returns -1 for a failure. errno stays as it is. */
#if PG_HAVE_RAW_SYSCALLS
static inline long pg_early(long r) { return r < 0 ? -1 : r; }
#else
#define pg_early(raw) (1 ? -1L : (long)(raw))
#endif
#define PG_EARLY(raw)                                                                                                  \
  do {                                                                                                                 \
    if (pg_is_early())                                                                                                 \
      return pg_early(raw);                                                                                            \
  } while (0)

/* glibc exports some calls under a second name, which old libraries use. */
#if __has_attribute(copy)
#define PG_LIKE(name) __attribute__((copy(name)))
#else
#define PG_LIKE(name)
#endif
#ifdef __GLIBC__
#define PG_ALSO(name, other)                                                                                           \
  extern __typeof__(name) other PG_LIKE(name) __attribute__((alias(#name), visibility("default")))
#else
#define PG_ALSO(name, other) extern int pg_unused_##other
#endif

/* A function of libc that glibc has in two versions on x86-64. Old programs ask for the first one. now(symbol, name)
 * and before(symbol, name) define the two. */
#if PG_VERSIONED
#define PG_BOTH(name, now, version, before)                                                                            \
  __asm__(".symver pg_" #name "_new, " #name "@@GLIBC_" version);                                                      \
  __asm__(".symver pg_" #name "_old, " #name "@GLIBC_2.2.5");                                                          \
  now(pg_##name##_new, name) before(pg_##name##_old, name)
#else
#define PG_BOTH(name, now, version, before) now(name, name)
#endif

#endif

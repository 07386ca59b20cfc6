/* What every interposer shares: the errno border, and how a call is named. */
#ifndef PG_PRELOAD_BORDER_H
#define PG_PRELOAD_BORDER_H

#include "base/attr.h"
#include "base/errno.h"
#include "child/call.h"
#include "runtime/next.h"
#include "child/self.h"

#define PG_CALL(name) ((struct pg_call){name, __builtin_return_address(0)})

/* glibc exports some calls under a second name, which old libraries use. */
#if defined(__has_attribute)
#if __has_attribute(copy)
#define PG_LIKE(name) __attribute__((copy(name)))
#endif
#endif
#ifndef PG_LIKE
#define PG_LIKE(name)
#endif
#ifdef __GLIBC__
#define PG_ALSO(name, other)                                                                                           \
  extern __typeof__(name) other PG_LIKE(name) __attribute__((alias(#name), visibility("default")))
#else
#define PG_ALSO(name, other) extern int pg_unused_##other
#endif

#endif

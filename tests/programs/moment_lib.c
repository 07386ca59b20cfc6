/* SPDX-License-Identifier: MIT */
/* A library that has its moments. TAG is its name in them. */
#define _GNU_SOURCE
#include "moment.h"

#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

#ifdef MOMENT_IFUNC
/* The loader asks the resolver at the end of its work on this library, which must be bound lazily. */
typedef void moment_fn(void);
static void nothing(void) {}
__attribute__((used)) static moment_fn *resolve(void) {
  moment(TAG "-resolver");
  return nothing;
}
static void resolved(void) __attribute__((ifunc("resolve")));
EXPORT void moment_resolved(void);
EXPORT void moment_resolved(void) { resolved(); }
#endif

static void at_exit(void) { moment(TAG "-atexit"); }

__attribute__((constructor)) static void begin(void) {
  moment(TAG "-constructor");
  atexit(at_exit);
}

__attribute__((destructor)) static void end(void) { moment(TAG "-destructor"); }

/* DT_INIT runs before all constructors of an object, and DT_FINI after all its destructors. */
EXPORT void moment_init(void);
EXPORT void moment_init(void) { moment(TAG "-init"); }
EXPORT void moment_fini(void);
EXPORT void moment_fini(void) { moment(TAG "-fini"); }

/* A program that has opened the library calls this. Returns the PID of a child that was born in it, or 0. */
EXPORT int moment_called(void);
EXPORT int moment_called(void) {
  moment(TAG "-called");
  return moment_child;
}

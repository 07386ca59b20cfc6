/* SPDX-License-Identifier: MIT */
/* Compiler attributes used everywhere. Calls nothing. */
#ifndef PG_BASE_ATTR_H
#define PG_BASE_ATTR_H

#define PG_EXPORT __attribute__((visibility("default")))
#define PG_EXPORT_HOT __attribute__((visibility("default"), hot))
/* For declarations. Without it the compiler goes through the GOT, which is not filled before relocation. */
#define PG_HIDDEN __attribute__((visibility("hidden")))
#define PG_LIKELY(x) __builtin_expect(!!(x), 1)
#define PG_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PG_NOINLINE __attribute__((noinline))
#define PG_COLD __attribute__((cold, noinline))
/* For the paths that a program takes often, and for what a forked child runs first: they share a few pages. */
#define PG_HOT __attribute__((hot))
/* Initial-exec: one instruction and no allocation, so it is safe in a signal handler and in a vfork child. */
#define PG_TLS __thread __attribute__((tls_model("initial-exec")))
/* For the loop that follows. Older versions of clang do not know gcc's name. */
#ifdef __clang__
#define PG_UNROLL_8 _Pragma("unroll 8")
#else
#define PG_UNROLL_8 _Pragma("GCC unroll 8")
#endif
#define PG_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif

/* SPDX-License-Identifier: MIT */
/* What the counter of instructions and the counted program agree on. */
#ifndef PG_BENCH_STEPS_H
#define PG_BENCH_STEPS_H

#define PG_STEPS_WARM 12 /* operations before the first that counts */
#define PG_STEPS_TIMES 5 /* operations that count, each between two marks */

/* A mark is one instruction that stops the program under its tracer. On machines without one nothing is counted. */
#if defined(__x86_64__) && !defined(__ILP32__)
#define PG_STEPS_HAVE 1
#define PG_STEPS_BREAK() __asm__ volatile("int3" ::: "memory")
#else
#define PG_STEPS_HAVE 0
#define PG_STEPS_BREAK() ((void)0)
#endif

#endif

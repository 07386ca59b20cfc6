/* SPDX-License-Identifier: MIT */
/* For programs and tests alike. It has one instruction that stops a program under its tracer, and says where a stopped
 * program is. Without a tracer that instruction ends the program. This header knows nothing of the project. */
#ifndef PG_TEST_BREAKPOINT_H
#define PG_TEST_BREAKPOINT_H

#if defined(__x86_64__) && !defined(__ILP32__)
#define BREAKPOINT_HAVE 1
#define BREAKPOINT() __asm__ volatile("int3" ::: "memory")
#define BREAKPOINT_PC(regs) ((regs)->rip)
#define BREAKPOINT_CODE SI_KERNEL /* an si_code; a step over a system call may have TRAP_BRKPT */
#define BREAKPOINT_SKIP 0         /* bytes of the instruction that are left when the program stops: none */
#elif defined(__aarch64__)
#define BREAKPOINT_HAVE 1
#define BREAKPOINT() __asm__ volatile("brk #0" ::: "memory")
#define BREAKPOINT_PC(regs) ((regs)->pc)
#define BREAKPOINT_CODE TRAP_BRKPT
#define BREAKPOINT_SKIP 4
#else
#define BREAKPOINT_HAVE 0
#define BREAKPOINT() ((void)0)
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* Shared by syscall.c and syscall_<arch>.S. */
#ifndef PG_PRELOAD_SYSCALL_H
#define PG_PRELOAD_SYSCALL_H

/* What syscall() does with a system call. It passes on those from PG_SYSCALL_KINDS on, and those of kind 0. */
#define PG_SYSCALL_KINDS 512
#define PG_SYSCALL_ROUTED 1  /* pg_syscall_routed() does it */
#define PG_SYSCALL_CLONES 2  /* routed if pg_syscall_forks_plainly(), else passed on: the child may share the stack */
#define PG_SYSCALL_VFORK 3   /* the same as vfork() */
#define PG_SYSCALL_NUMBERS 4 /* and above: routed; the difference is the row in preload/numbers.h */

#endif

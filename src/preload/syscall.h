/* SPDX-License-Identifier: MIT */
/* Shared by syscall.c and syscall_<arch>.S. */
#ifndef PG_PRELOAD_SYSCALL_H
#define PG_PRELOAD_SYSCALL_H

/* What syscall() does with a number. Numbers from PG_SYSCALL_KINDS on, and those of kind 0, are passed on. */
#define PG_SYSCALL_KINDS 512
#define PG_SYSCALL_ROUTED 1 /* done by pg_syscall_routed() */
#define PG_SYSCALL_CLONES                                                                                              \
  2 /* the same, if pg_syscall_forks_plainly(); else passed on, as its child may share the stack */
#define PG_SYSCALL_VFORK 3   /* is vfork() */
#define PG_SYSCALL_NUMBERS 4 /* and above: routed as well; less this it is the row in preload/numbers.h */

#endif

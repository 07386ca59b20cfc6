/* SPDX-License-Identifier: MIT */
/* Makes a child that borrows the memory of its parent until it executes a program or exits, as vfork does. The kernel
 * makes its pidfd. Raw calls only. */
#ifndef PG_KERNEL_CLONE_H
#define PG_KERNEL_CLONE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PG_CLONE_INTO_CGROUP (UINT64_C(1) << 33)    /* 5.7 */
#define PG_CLONE_AUTOREAP (UINT64_C(1) << 34)       /* 7.1; the exit signal must be 0 */
#define PG_CLONE_NNP (UINT64_C(1) << 35)            /* 7.1 */
#define PG_CLONE_PIDFD_AUTOKILL (UINT64_C(1) << 36) /* 7.1; with AUTOREAP, and NNP or CAP_SYS_ADMIN */

struct pg_child_start {
  void (*run)(void *arg); /* must not return */
  void *arg;
  void *stack; /* used if the memory is really shared */
  size_t stack_size;
  int *pidfd; /* in shared memory; the kernel sets it before the child runs, and kernels before 5.2 leave it alone */
  uint64_t flags; /* 0, or PG_CLONE_*: clone3 */
  int cgroup;     /* with PG_CLONE_INTO_CGROUP */
};

/* Returns the child's PID, or -errno, once the child has executed a program or has exited. On an architecture without
 * an entry the child gets a copy of the memory, apart from shared mappings. */
pid_t pg_sys_clone_child(const struct pg_child_start *start);

#endif

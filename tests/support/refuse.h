/* SPDX-License-Identifier: MIT */
/* For programs and tests alike. This header knows nothing of the project. */
#ifndef PG_TEST_REFUSE_H
#define PG_TEST_REFUSE_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>

/* Installs a filter that does `what` (SECCOMP_RET_*) to this system call of the process. Returns false if it cannot be
 * installed here. */
static inline bool filter_call(unsigned number, unsigned what) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, what),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = 4, .filter = filter};
  return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* The call fails with this errno. */
static inline bool refuse(unsigned number, unsigned error) { return filter_call(number, SECCOMP_RET_ERRNO | error); }

#endif

/* SPDX-License-Identifier: MIT */
/* What a seccomp program (classic BPF) would answer to a system call, without making the call. Calls nothing. */
#ifndef PG_KERNEL_BPF_H
#define PG_KERNEL_BPF_H

#include <stdbool.h>
#include <stdint.h>

#define PG_BPF_MOST 4096 /* BPF_MAXINSNS */

/* struct sock_filter and struct sock_fprog, linux/filter.h */
struct pg_bpf_step {
  uint16_t code;
  uint8_t jt, jf;
  uint32_t k;
};
struct pg_bpf_program {
  uint16_t length;
  const struct pg_bpf_step *steps;
};

/* A system call as far as it is known: its number, and those of its arguments whose bit is set. */
struct pg_bpf_call {
  uint32_t number;
  uint8_t known;
  uint32_t argument[5];
};

/* The state at each step, for one run at a time. */
struct pg_bpf_room {
  uint8_t state[PG_BPF_MOST];
  uint32_t value[PG_BPF_MOST];
};

/* True if the program can only allow the call. If the refusal is `bearable`, an errno by which a missing call fails is
 * allowed, too. If the program tests something unknown, it may answer both ways. */
bool pg_bpf_lets_pass(const struct pg_bpf_program *program, const struct pg_bpf_call *call, bool bearable,
                      struct pg_bpf_room *room);

#endif

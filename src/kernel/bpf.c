/* SPDX-License-Identifier: MIT */
/* The kernel has checked the program: jumps go forward and end inside, and the last step returns (kernel/seccomp.c,
 * seccomp_check_filter(); net/core/filter.c, bpf_check_classic()). So one pass in the order of the steps sees
 * everything that leads to a step before that step. It keeps what is known of the accumulator alone. */
#include "kernel/bpf.h"

#include <errno.h>

enum { UNREACHED, KNOWN, UNKNOWN };

/* The codes, linux/bpf_common.h. */
enum {
  LD_ABS = 0x20,
  LD_IMM = 0x00,
  RET_K = 0x06,
  RET_A = 0x16,
  JA = 0x05,
  JEQ = 0x15,
  JGT = 0x25,
  JGE = 0x35,
  JSET = 0x45,
  AND_K = 0x54,
  CLASS = 0x07,
  CLASS_LD = 0x00,
  CLASS_LDX = 0x01,
  CLASS_ST = 0x02,
  CLASS_STX = 0x03,
  CLASS_JMP = 0x05,
  CLASS_MISC = 0x07,
  TAX = 0x07,
};

#if defined(__x86_64__)
#define ARCHITECTURE 0xc000003e /* linux/audit.h */
#elif defined(__aarch64__)
#define ARCHITECTURE 0xc00000b7
#elif defined(__i386__)
#define ARCHITECTURE 0x40000003
#elif defined(__arm__)
#define ARCHITECTURE 0x40000028
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE 0xc00000f3
#endif

/* The accumulator after a word of struct seccomp_data was loaded. */
static int load(uint32_t offset, const struct pg_bpf_call *call, uint32_t *ret) {
  if (offset == 0) {
    *ret = call->number;
    return KNOWN;
  }
#ifdef ARCHITECTURE
  if (offset == 4) {
    *ret = ARCHITECTURE;
    return KNOWN;
  }
#endif
  uint32_t i = (offset - 16) / 8;
  bool high = ((offset & 4) != 0) == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  if (offset < 16 || i >= sizeof call->argument / sizeof *call->argument || !(call->known >> i & 1))
    return UNKNOWN;
  *ret = high ? 0 : call->argument[i];
  return KNOWN;
}

static bool is_good(uint32_t answer, bool bearable) {
  uint32_t data = answer & 0xffff;
  switch (answer & 0xffff0000) {
  case 0x7fff0000: /* SECCOMP_RET_ALLOW */
  case 0x7ffc0000: /* SECCOMP_RET_LOG */
    return true;
  case 0x00050000: /* SECCOMP_RET_ERRNO; 0 would be a false success */
    return bearable && (data == ENOSYS || data == EPERM || data == EACCES || data == EINVAL || data == EOPNOTSUPP);
  default: /* killed, a signal, or a question to a supervisor, which may be this process */
    return false;
  }
}

static void reach(struct pg_bpf_room *room, uint32_t at, int state, uint32_t value) {
  if (room->state[at] == UNREACHED)
    room->state[at] = (uint8_t)state;
  else if (state == UNKNOWN || room->value[at] != value)
    room->state[at] = UNKNOWN;
  room->value[at] = value;
}

/* Is a conditional jump taken? 1, 0, or -1 if that is unknown. */
static int taken(const struct pg_bpf_step *step, int state, uint32_t a) {
  if (state == UNKNOWN)
    return -1;
  switch (step->code) {
  case JEQ:
    return a == step->k;
  case JGT:
    return a > step->k;
  case JGE:
    return a >= step->k;
  case JSET:
    return (a & step->k) != 0;
  default: /* with the other register */
    return -1;
  }
}

bool pg_bpf_lets_pass(const struct pg_bpf_program *program, const struct pg_bpf_call *call, bool bearable,
                      struct pg_bpf_room *room) {
  uint32_t length = program->length;
  if (!length || length > PG_BPF_MOST)
    return false;
  for (uint32_t i = 0; i < length; i++)
    room->state[i] = UNREACHED;
  reach(room, 0, KNOWN, 0);
  for (uint32_t i = 0; i < length; i++) {
    struct pg_bpf_step step = program->steps[i];
    int state = room->state[i];
    uint32_t a = room->value[i], next = i + 1, other = next;
    if (state == UNREACHED)
      continue;
    if (step.code == RET_K || step.code == RET_A) {
      if (step.code == RET_K ? !is_good(step.k, bearable) : state != KNOWN || !is_good(a, bearable))
        return false;
      continue;
    }
    if (step.code == JA) {
      other = next += step.k;
    } else if ((step.code & CLASS) == CLASS_JMP) {
      int jumps = taken(&step, state, a);
      other += jumps == 0 ? step.jf : step.jt;
      next += jumps > 0 ? step.jt : step.jf;
    } else if (step.code == LD_ABS) {
      state = load(step.k, call, &a);
    } else if (step.code == LD_IMM) {
      state = KNOWN;
      a = step.k;
    } else if (step.code == AND_K) {
      a &= step.k;
    } else if ((step.code & CLASS) != CLASS_LDX && (step.code & CLASS) != CLASS_ST &&
               (step.code & CLASS) != CLASS_STX && step.code != TAX) {
      state = UNKNOWN;
    }
    if (next <= i || other <= i || next >= length ||
        other >= length) /* the program has changed it since the kernel looked */
      return false;
    reach(room, next, state, a);
    if (other != next)
      reach(room, other, state, a);
  }
  return true;
}

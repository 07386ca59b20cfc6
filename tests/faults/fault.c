/* SPDX-License-Identifier: MIT */
/* This object is preloaded with the shim. It makes system calls of the shim fail, and no others. A seccomp filter
 * answers one kind of call with one errno if the call is made from given places in the shim's code. The environment
 * says which:
 *
 *     PG_FAULT=NUMBER:ERRNO:MASK:BASE:STATE:OFFSET,OFFSET,…
 *
 * With ERRNO 0 the process is killed instead, which shows whether the call is made at all. MASK, if not 0, selects the
 * calls whose first argument (the second of waitid) has one of these bits. So 1 spares half of the children and
 * descriptors. OFFSET is that of the instruction after the call. A single 0 stands for the calls that the shim makes
 * through libc. They are waits on a pidfd of the shim, and clones for which it wants one. STATE is where the shim keeps
 * what it knows of filters. This object writes there that there is none, so that the shim does what it does without
 * one. With STATE 0 it writes nothing. PG_FAULT=base prints where the shim is and ends the program.
 *
 * Filters survive exec, so the shim must be at the same address in every program. Address randomisation is off, and
 * each start checks the address. The object makes raw system calls only, because libc's names are the shim's. */
#include <errno.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "kernel/sys.h"
#include "runtime/filter.h"

#define PLACES 500
#define SHIM "libpidguard-preload.so"

struct fault {
  unsigned number, error, mask, places;
  uint64_t base, state;
  uint32_t place[PLACES]; /* the low words of the addresses */
};

static int find_shim(struct dl_phdr_info *info, size_t size, void *base) {
  (void)size;
  if (!strstr(info->dlpi_name, SHIM))
    return 0;
  *(uint64_t *)base = info->dlpi_addr;
  return 1;
}

__attribute__((noreturn)) static void give_up(const char *what) {
  char text[256];
  int n = snprintf(text, sizeof text, "fault: %s\n", what);
  pg_sys_write(2, text, (size_t)n);
  for (;;)
    pg_sys1(SYS_exit_group, 97);
}

static uint64_t field(const char **at, int base) {
  char *end;
  uint64_t value = strtoull(*at, &end, base);
  *at = *end ? end + 1 : end;
  return value;
}

static void parse(const char *at, struct fault *fault) {
  fault->number = (unsigned)field(&at, 10);
  fault->error = (unsigned)field(&at, 10);
  fault->mask = (unsigned)field(&at, 16);
  fault->base = field(&at, 16);
  fault->state = field(&at, 16);
  while (*at && fault->places < PLACES) {
    uint64_t offset = field(&at, 16);
    if (offset)
      fault->place[fault->places++] = (uint32_t)(fault->base + offset);
  }
  if (!fault->base)
    give_up("PG_FAULT is not understood");
}

#define LOAD(field, more) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, field) + (more))
#define UNLESS(test, value) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, 1, 0)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static struct sock_filter code[PLACES * 2 + 20];
static const unsigned high_word = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 4 : 0;

/* The filter for calls from given places. */
static unsigned by_place(const struct fault *fault, unsigned hit) {
  const unsigned low = 4 - high_word;
  const struct sock_filter head[] = {
      LOAD(nr, 0),
      UNLESS(BPF_JEQ, fault->number),
      ALLOW,
      LOAD(args[fault->number == SYS_waitid], low),
      UNLESS(fault->mask ? BPF_JSET : BPF_JGE, fault->mask),
      ALLOW,
      LOAD(instruction_pointer, high_word),
      UNLESS(BPF_JEQ, (uint32_t)(fault->base >> 32)),
      ALLOW,
      LOAD(instruction_pointer, low),
  };
  unsigned n = sizeof head / sizeof *head;
  memcpy(code, head, sizeof head);
  for (unsigned i = 0; i < fault->places; i++) {
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, fault->place[i], 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, hit);
  }
  code[n++] = (struct sock_filter)ALLOW;
  return n;
}

/* The filter for calls that the shim makes through libc. One is waitid(P_PIDFD) on a number that the program has not.
 * The other is clone() with CLONE_VM and CLONE_PIDFD but without CLONE_VFORK: a program of the tester does not ask for
 * that. */
static unsigned by_libc(unsigned number, unsigned hit) {
  const unsigned low = 4 - high_word;
  const struct sock_filter wait[] = {
      LOAD(nr, 0),
      UNLESS(BPF_JEQ, SYS_waitid),
      ALLOW,
      LOAD(args[0], low),
      UNLESS(BPF_JEQ, PG_P_PIDFD),
      ALLOW,
      LOAD(args[1], low),
      UNLESS(BPF_JGE, 256),
      ALLOW,
      BPF_STMT(BPF_RET | BPF_K, hit),
  };
  const struct sock_filter birth[] = {
      LOAD(nr, 0),
      UNLESS(BPF_JEQ, SYS_clone),
      ALLOW,
      LOAD(args[0], low),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, CLONE_VM | CLONE_VFORK | CLONE_PIDFD),
      UNLESS(BPF_JEQ, CLONE_VM | CLONE_PIDFD),
      ALLOW,
      BPF_STMT(BPF_RET | BPF_K, hit),
  };
  if (number == SYS_clone) {
    memcpy(code, birth, sizeof birth);
    return sizeof birth / sizeof *birth;
  }
  memcpy(code, wait, sizeof wait);
  return sizeof wait / sizeof *wait;
}

static void install(const struct fault *fault) {
  const unsigned hit = fault->error ? SECCOMP_RET_ERRNO | fault->error : SECCOMP_RET_KILL_PROCESS;
  unsigned n = fault->places ? by_place(fault, hit) : by_libc(fault->number, hit);
  struct sock_fprog program = {(unsigned short)n, code};
  if (pg_sys3(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
    return;
  pg_sys5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (pg_sys3(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    give_up("no seccomp filter can be installed");
}

__attribute__((constructor)) static void begin(void) {
  /* This object comes after the shim in LD_PRELOAD, and so before it in the order of constructors. */
  const char *text = getenv("PG_FAULT");
  uint64_t base = 0;
  dl_iterate_phdr(find_shim, &base);
  if (!text || !base)
    return;
  if (strcmp(text, "base") == 0) {
    char line[32];
    int n = snprintf(line, sizeof line, "%llx\n", (unsigned long long)base);
    pg_sys_write(1, line, (size_t)n);
    for (;;)
      pg_sys1(SYS_exit_group, 0);
  }
  static struct fault fault;
  parse(text, &fault);
  if (fault.base != base)
    give_up("the shim is not where it was: is address randomisation on?");
  if (pg_sys1(SYS_prctl, PR_GET_SECCOMP) == 0) /* otherwise the filter is inherited */
    install(&fault);
  if (fault.state)
    *(_Atomic int *)(uintptr_t)(base + fault.state) = PG_CAN_ALL | PG_CAN_SEND | PG_CAN_LOGS | PG_CAN_KNOWN;
}

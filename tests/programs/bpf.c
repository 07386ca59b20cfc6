/* SPDX-License-Identifier: MIT */
/* See bpf.h. */
#define _GNU_SOURCE
#include "bpf.h"

#include "raw.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/wait.h>

#if defined __x86_64__ && !defined __ILP32__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0 /* not checked */
#endif

#define WORD(field) (unsigned)(offsetof(struct seccomp_data, field))
#define LOAD(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define RETURN(what) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, what)
#define IF_NOT(value, skip) (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)

bool bpf_load_list(const char *path, bool allowed[BPF_NUMBERS]) {
  FILE *file = fopen(path, "re");
  int number, count = 0;
  for (int i = 0; i < BPF_NUMBERS; i++)
    allowed[i] = false;
  while (file && fscanf(file, "%d", &number) == 1)
    if (number >= 0 && number < BPF_NUMBERS && number != BPF_MARKER) {
      allowed[number] = true;
      count++;
    }
  if (file)
    fclose(file);
  return count > 0;
}

bool bpf_save_list(const char *path, const bool allowed[BPF_NUMBERS]) {
  FILE *file = fopen(path, "we");
  for (int i = 0; file && i < BPF_NUMBERS; i++)
    if (allowed[i] && i != BPF_MARKER)
      fprintf(file, "%d\n", i);
  return file && fclose(file) == 0;
}

size_t bpf_check_architecture(struct sock_filter *code) {
  if (!ARCHITECTURE)
    return 0;
  code[0] = LOAD(WORD(arch));
  code[1] = IF_NOT(ARCHITECTURE, 1);
  code[2] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0);
  code[3] = RETURN(SECCOMP_RET_KILL_PROCESS);
  return 4;
}

size_t bpf_kill_others(const bool allowed[BPF_NUMBERS], struct sock_filter code[BPF_CODE_MAX]) {
  size_t n = bpf_check_architecture(code);
  code[n++] = LOAD(WORD(nr));
  for (unsigned i = 0; i < BPF_NUMBERS; i++)
    if (allowed[i]) {
      code[n++] = IF_NOT(i, 1);
      code[n++] = RETURN(SECCOMP_RET_ALLOW);
    }
  code[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
  return n;
}

static const unsigned low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4; /* half of an argument */

size_t bpf_refuse_pidfds(int error, bool with_clone3, struct sock_filter code[BPF_CODE_MAX]) {
  const unsigned refuse = SECCOMP_RET_ERRNO | (unsigned)error;
  size_t n = bpf_check_architecture(code);
  code[n++] = LOAD(WORD(nr));
  if (error) {
    const unsigned whole[] = {SYS_pidfd_open, SYS_pidfd_send_signal, SYS_clone3};
    for (int i = 0; i < (with_clone3 ? 3 : 2); i++) {
      code[n++] = IF_NOT(whole[i], 1);
      code[n++] = RETURN(refuse);
    }
    code[n++] = IF_NOT(SYS_waitid, 4);
    code[n++] = LOAD(WORD(args[0]) + low);
    code[n++] = IF_NOT(3 /* P_PIDFD */, 1);
    code[n++] = RETURN(refuse);
    code[n++] = RETURN(SECCOMP_RET_ALLOW);
    code[n++] = IF_NOT(SYS_clone, 4);
    code[n++] = LOAD(WORD(args[0]) + low);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1000 /* CLONE_PIDFD */, 0, 1);
    code[n++] = RETURN(refuse);
    code[n++] = RETURN(SECCOMP_RET_ALLOW);
  }
  code[n++] = RETURN(SECCOMP_RET_ALLOW);
  return n;
}

size_t bpf_one_clone(unsigned flags, struct sock_filter code[BPF_CODE_MAX]) {
  size_t n = bpf_check_architecture(code);
  code[n++] = LOAD(WORD(nr));
  code[n++] = IF_NOT(SYS_clone3, 1);
  code[n++] = RETURN(SECCOMP_RET_ERRNO | ENOSYS);
  code[n++] = IF_NOT(SYS_clone, 2);
  code[n++] = LOAD(WORD(args[0]) + low);
  code[n++] = IF_NOT(flags, 1);
  code[n++] = RETURN(SECCOMP_RET_ALLOW);
  code[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
  return n;
}

size_t bpf_ask_listener(struct sock_filter code[BPF_CODE_MAX]) {
  size_t n = bpf_check_architecture(code);
  code[n++] = LOAD(WORD(nr));
  const unsigned asked[] = {SYS_getppid, SYS_pidfd_open};
  for (int i = 0; i < 2; i++) {
    code[n++] = IF_NOT(asked[i], 1);
    code[n++] = RETURN(SECCOMP_RET_USER_NOTIF);
  }
  code[n++] = RETURN(SECCOMP_RET_ALLOW);
  return n;
}

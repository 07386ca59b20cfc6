/* SPDX-License-Identifier: MIT */
/* Filters that users' programs really run under, from the lists in filters/. See bpf.h. */
#define _GNU_SOURCE
#include "bpf.h"
#include "bpf_lists.h" /* made by CMake from filters/: the numbers of what this machine's headers know */
#include "raw.h"

#include <linux/seccomp.h>
#include <sched.h>

#define WORD(field) (unsigned)(offsetof(struct seccomp_data, field))
#define LOAD(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define RETURN(what) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, what)
#define IF_NOT(value, skip) (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)

static const unsigned low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4; /* half of an argument */

static size_t allow_all(const unsigned *list, size_t count, struct sock_filter *code) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    code[n++] = IF_NOT(list[i], 1);
    code[n++] = RETURN(SECCOMP_RET_ALLOW);
  }
  return n;
}

size_t bpf_docker(struct sock_filter code[BPF_CODE_MAX]) {
  const unsigned refuse = SECCOMP_RET_ERRNO | EPERM, of_namespaces = 0x7E020000; /* CLONE_NEW... */
  static const unsigned personalities[] = {0, 8, 0x20000, 0x20008, 0xffffffff};
  size_t n = bpf_check_architecture(code);
  code[n++] = LOAD(WORD(nr));
  code[n++] = IF_NOT(SYS_clone3, 1);
  code[n++] = RETURN(SECCOMP_RET_ERRNO | ENOSYS);
  code[n++] = IF_NOT(SYS_clone, 4);
  code[n++] = LOAD(WORD(args[0]) + low);
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, of_namespaces, 0, 1);
  code[n++] = RETURN(refuse);
  code[n++] = RETURN(SECCOMP_RET_ALLOW);
  code[n++] = IF_NOT(SYS_socket, 5);
  code[n++] = LOAD(WORD(args[0]) + low);
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 38 /* AF_ALG */, 1, 0);
  code[n++] = IF_NOT(40 /* AF_VSOCK */, 1);
  code[n++] = RETURN(refuse);
  code[n++] = RETURN(SECCOMP_RET_ALLOW);
  code[n++] = IF_NOT(SYS_personality, 12);
  code[n++] = LOAD(WORD(args[0]) + low);
  for (int i = 0; i < 5; i++) {
    code[n++] = IF_NOT(personalities[i], 1);
    code[n++] = RETURN(SECCOMP_RET_ALLOW);
  }
  code[n++] = RETURN(refuse);
  n += allow_all(bpf_list_docker, sizeof bpf_list_docker / sizeof *bpf_list_docker, code + n);
  code[n++] = RETURN(refuse);
  return n;
}

size_t bpf_system_service(int error, struct sock_filter code[BPF_CODE_MAX]) {
  size_t n = bpf_check_architecture(code);
  code[n++] = LOAD(WORD(nr));
  n += allow_all(bpf_list_system_service, sizeof bpf_list_system_service / sizeof *bpf_list_system_service, code + n);
  code[n++] = RETURN(error ? SECCOMP_RET_ERRNO | (unsigned)error : SECCOMP_RET_KILL_PROCESS);
  return n;
}

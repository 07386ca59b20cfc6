/* SPDX-License-Identifier: MIT */
/* The library's verdict on a seccomp program is compared with what the kernel does. The programs are random, and a
 * child installs each and then makes the call. The verdict "lets pass" must never be wrong. If the program looks at
 * nothing but known words, the verdict must be right both ways. */
#include "kernel/bpf.h"

#include "pg_test.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAMS 1500
#define STEPS 24
#define CALL SYS_getpriority /* it has two arguments, is harmless, and no other code here calls it */

_Static_assert(sizeof(struct pg_bpf_step) == sizeof(struct sock_filter), "struct sock_filter");
_Static_assert(offsetof(struct pg_bpf_step, k) == offsetof(struct sock_filter, k), "struct sock_filter");
_Static_assert(sizeof(struct pg_bpf_program) == sizeof(struct sock_fprog), "struct sock_fprog");
_Static_assert(offsetof(struct pg_bpf_program, steps) == offsetof(struct sock_fprog, filter), "struct sock_fprog");

static struct pg_bpf_room room;

static uint64_t rng = 88172645463325252u;
static uint32_t roll(uint32_t n) {
  rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
  return (uint32_t)(rng >> 33) % n;
}

static uint32_t constant(void) {
  static const uint32_t some[] = {0, 1, 2, 3, 0x7f, 0xffff, 0x80000000, 0xffffffff, CALL, 0xc000003e, 0xc00000b7};
  return roll(3) ? some[roll(sizeof some / sizeof *some)] : roll(8);
}

static uint32_t answer(void) {
  static const uint32_t some[] = {SECCOMP_RET_ALLOW,
                                  SECCOMP_RET_ALLOW,
                                  SECCOMP_RET_ALLOW,
                                  SECCOMP_RET_ALLOW,
                                  SECCOMP_RET_ERRNO | EPERM,
                                  SECCOMP_RET_ERRNO | ENOSYS,
                                  SECCOMP_RET_ERRNO,
                                  SECCOMP_RET_ERRNO | ESRCH,
                                  SECCOMP_RET_KILL_PROCESS,
                                  SECCOMP_RET_TRAP,
                                  0};
  return some[roll(sizeof some / sizeof *some)];
}

/* Returns a word of struct seccomp_data. Without `any` it is one of the known ones. */
static uint32_t word(bool any) {
  static const uint32_t known[] = {0, 4, 16, 20};
  return any ? roll(16) * 4 : known[roll(4)];
}

static struct sock_filter step(uint32_t left, bool any) {
  static const unsigned short jumps[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
  static const unsigned short sums[] = {BPF_AND, BPF_AND, BPF_AND, BPF_OR, BPF_ADD, BPF_XOR, BPF_RSH};
  switch (roll(12)) {
  case 0:
  case 1:
  case 2:
    return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, word(any));
  case 3:
    if (left > 2) /* most steps look at the word that was loaded last */
      return (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, roll(left - 2), 0, 0);
    return (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, constant());
  case 4:
    if (any)
      return (struct sock_filter)BPF_STMT(BPF_ALU | sums[roll(7)] | BPF_K, roll(8));
    return (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, constant());
  case 5:
    if (any)
      return (struct sock_filter)BPF_STMT(roll(2) ? BPF_MISC | BPF_TXA : BPF_LD | BPF_MEM, 0);
    return (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0);
  case 6:
    return (struct sock_filter)BPF_STMT(roll(2) ? BPF_ST : BPF_LDX | BPF_IMM, roll(2) ? 0 : 3);
  case 7:
    if (roll(3) == 0)
      return (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer());
    __attribute__((fallthrough));
  default:
    if (left <= 2)
      return (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, constant());
    return (struct sock_filter)BPF_JUMP(BPF_JMP | jumps[roll(4)] | (any && roll(8) == 0 ? BPF_X : BPF_K), constant(),
                                        (unsigned char)roll(left - 2), (unsigned char)roll(left - 2));
  }
}

/* All other calls are allowed, so that the child goes on. Memory is written before it may be read, because the kernel
 * refuses the program otherwise. */
static unsigned short generate(struct sock_filter *code, bool any) {
  unsigned short n = 0;
  uint32_t steps = 3 + roll(STEPS - 3);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALL, 1, 0);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_ST, 0);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_ST, 3);
  for (uint32_t i = 0; i < steps; i++)
    code[n++] = step(steps - i + 1, any);
  if (any && roll(6) == 0)
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
  else
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer());
  return n;
}

enum end { PASSED, REFUSED, STRANGE, DIED, NOT_INSTALLED };

static enum end ask_kernel(struct sock_filter *code, unsigned short length, uint32_t first, uint32_t second) {
  struct sock_fprog program = {length, code};
  struct rlimit none = {0, 0};
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) {
    setrlimit(RLIMIT_CORE, &none);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
      _exit(NOT_INSTALLED);
    long result = syscall(CALL, first, second); /* never 0 by itself */
    _exit(result > 0 ? PASSED : result < 0 && (errno == EPERM || errno == ENOSYS) ? REFUSED : STRANGE);
  }
  if (pid <= 1 || waitpid(pid, &status, 0) != pid)
    return NOT_INSTALLED;
  return WIFEXITED(status) ? (enum end)WEXITSTATUS(status) : DIED;
}

static void against_kernel(void) {
  int passing = 0, blocking = 0, installed = 0;
  for (int i = 0; i < PROGRAMS; i++) {
    struct sock_filter code[STEPS + 8];
    bool any = i % 2;
    unsigned short length = generate(code, any);
    struct pg_bpf_program program = {length, (const struct pg_bpf_step *)(const void *)code};
    struct pg_bpf_call call = {CALL, 1, {PRIO_PROCESS}};
    bool said = pg_bpf_lets_pass(&program, &call, true, &room);
    enum end end = ask_kernel(code, length, PRIO_PROCESS, any ? roll(3) : 0);
    if (end == NOT_INSTALLED)
      continue;
    installed++;
    bool good = end == PASSED || end == REFUSED;
    *(said ? &passing : &blocking) += 1;
    if (!PG_CHECK(!said || good, "program %d: the verdict is that it lets pass, but it was %s", i,
                  end == DIED ? "killed" : "answered otherwise"))
      return;
    if (!PG_CHECK(any || said || !good, "program %d: the verdict is that it does not let pass, but it does", i))
      return;
  }
  if (!installed) {
    pg_test_skip("this user cannot install a filter");
    return;
  }
  printf("%d programs: %d let pass, %d not\n", installed, passing, blocking);
  PG_CHECK(installed > PROGRAMS / 2 && passing > installed / 10 && blocking > installed / 10,
           "of %d programs %d let pass, %d do not: nothing is shown", installed, passing, blocking);
}

/* A faked success is no answer to a call of the shim. Neither is an errno that means something for the call. */
static void answers(void) {
  static const struct {
    uint32_t answer;
    bool good;
  } table[] = {
      {SECCOMP_RET_ALLOW, true},           {SECCOMP_RET_LOG, true},
      {SECCOMP_RET_ERRNO | EPERM, true},   {SECCOMP_RET_ERRNO | ENOSYS, true},
      {SECCOMP_RET_ERRNO | EINVAL, true},  {SECCOMP_RET_ERRNO | EACCES, true},
      {SECCOMP_RET_ERRNO, false},          {SECCOMP_RET_ERRNO | ESRCH, false},
      {SECCOMP_RET_ERRNO | ECHILD, false}, {SECCOMP_RET_KILL_PROCESS, false},
      {SECCOMP_RET_KILL_THREAD, false},    {SECCOMP_RET_TRAP, false},
      {SECCOMP_RET_TRACE, false},          {0x7fc00000 /* SECCOMP_RET_USER_NOTIF */, false},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    struct pg_bpf_step code[] = {{BPF_RET | BPF_K, 0, 0, table[i].answer}};
    struct pg_bpf_program program = {1, code};
    struct pg_bpf_call call = {CALL, 0, {0}};
    bool allowed = (table[i].answer & 0xffff0000) >= SECCOMP_RET_LOG && table[i].good;
    PG_CHECK(pg_bpf_lets_pass(&program, &call, true, &room) == table[i].good, "answer %#x", table[i].answer);
    PG_CHECK(pg_bpf_lets_pass(&program, &call, false, &room) == allowed, "answer %#x, if no errno is bearable",
             table[i].answer);
  }
}

/* Programs that have changed since the kernel checked them. */
static void broken(void) {
  struct pg_bpf_step beyond[] = {{BPF_JMP | BPF_JA, 0, 0, 7}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  struct pg_bpf_step backwards[] = {{BPF_JMP | BPF_JA, 0, 0, 0xffffffff}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  struct pg_bpf_step endless[] = {{BPF_LD | BPF_IMM, 0, 0, 0}};
  struct pg_bpf_call call = {CALL, 0, {0}};
  PG_CHECK(!pg_bpf_lets_pass(&(struct pg_bpf_program){2, beyond}, &call, true, &room), "a jump beyond the end");
  PG_CHECK(!pg_bpf_lets_pass(&(struct pg_bpf_program){2, backwards}, &call, true, &room), "a jump backwards");
  PG_CHECK(!pg_bpf_lets_pass(&(struct pg_bpf_program){1, endless}, &call, true, &room), "no return");
  PG_CHECK(!pg_bpf_lets_pass(&(struct pg_bpf_program){0, endless}, &call, true, &room), "nothing");
}

void pg_test_plan(int argc, char **argv) {
  (void)argc, (void)argv;
  pg_test_add("bpf", "against-the-kernel", against_kernel);
  pg_test_add("bpf", "answers", answers);
  pg_test_add("bpf", "broken", broken);
}

/* SPDX-License-Identifier: MIT */
#include "kernel/clone.h"

#include "kernel/sys.h"

#define FLAGS (CLONE_PIDFD | CLONE_VFORK)

/* Makes the call, and runs `run` in the child on its new stack. The compiler cannot know of a second return, so there
 * is none: the child never leaves this function. All registers survive but those that are named. */
#if defined(__x86_64__) && !defined(__ILP32__)
#define ON_OWN_STACK 1
static long call(long number, long a, long b, long c, void (*run)(void *), void *arg) {
  long ret;
  __asm__ volatile("syscall\n\t"
                   "test %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "mov %[arg], %%rdi\n\t"
                   "call *%[run]\n\t"
                   "hlt\n"
                   "1:"
                   : "=a"(ret)
                   : "a"(number), "D"(a), "S"(b), "d"(c), [run] "r"(run), [arg] "r"(arg)
                   : "rcx", "r11", "memory");
  return ret;
}
#elif defined(__aarch64__)
#define ON_OWN_STACK 1
static long call(long number, long a, long b, long c, void (*run)(void *), void *arg) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  __asm__ volatile("svc #0\n\t"
                   "cbnz x0, 1f\n\t"
                   "mov x0, %[arg]\n\t"
                   "blr %[run]\n\t"
                   "brk #1\n"
                   "1:"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), [run] "r"(run), [arg] "r"(arg)
                   : "cc", "memory");
  return x0;
}
#else
#define ON_OWN_STACK 0
static long call(long number, long a, long b, long c, void (*run)(void *), void *arg) {
  long ret = pg_sys6(number, a, b, c, 0, 0, 0);
  if (ret == 0)
    run(arg);
  return ret;
}
#endif

pid_t pg_sys_clone_child(const struct pg_child_start *start) {
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
  } args = {.flags = start->flags | FLAGS | (ON_OWN_STACK ? CLONE_VM : 0),
            .pidfd = (uint64_t)(uintptr_t)start->pidfd,
            .exit_signal = start->flags & PG_CLONE_AUTOREAP ? 0 : SIGCHLD};
  if (ON_OWN_STACK) {
    args.stack = (uint64_t)(uintptr_t)start->stack;
    args.stack_size = start->stack_size;
  }
  if (start->flags & PG_CLONE_INTO_CGROUP)
    args.cgroup = (uint64_t)start->cgroup;
  if (start->flags)
    return (pid_t)call(SYS_clone3, (long)&args, sizeof args, 0, start->run, start->arg);
  /* These two architectures, and most others, have flags and stack in this order (clone(2)). */
  return (pid_t)call(SYS_clone, (long)args.flags | SIGCHLD, (long)(args.stack + args.stack_size), (long)start->pidfd,
                     start->run, start->arg);
}

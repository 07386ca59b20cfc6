/* SPDX-License-Identifier: MIT */
/* System calls by an instruction of the program's own. Nothing can stand in between, not even libc's syscall(). A
 * program uses them to act behind every wrapper's back, and to see the kernel's side of things. */
#ifndef RAW_H
#define RAW_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#ifndef PIDFD_NONBLOCK
#define PIDFD_NONBLOCK 04000
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD 0200
#endif

/* struct clone_args of Linux 5.3. */
struct raw_clone_args {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

/* The value that CLONE_SETTLS sets. gcc 10 has no builtin for it on x86. */
#if defined __x86_64__ && !defined __ILP32__
#define RAW_HAVE_THREAD_POINTER 1
static inline void *raw_thread_pointer(void) {
  void *own;
  __asm__("movq %%fs:0, %0" : "=r"(own));
  return own;
}
#elif defined __aarch64__
#define RAW_HAVE_THREAD_POINTER 1
static inline void *raw_thread_pointer(void) { return __builtin_thread_pointer(); }
#endif

/* Can a preload object stand in for syscall() and vfork()? Elsewhere an argument of 64 bits may take two places, and
 * nobody has written the instructions for vfork(). */
#if defined __x86_64__ || defined __aarch64__
#define RAW_MAY_BE_SEEN 1
#else
#define RAW_MAY_BE_SEEN 0
#endif

/* gcc takes the register of the result for a variable that a vfork() may change. */
#ifdef __x86_64__
#define RAW_INLINE inline
#else
#define RAW_INLINE __attribute__((noinline, unused))
#endif

/* Returns a value >= 0, or -errno. Leaves errno itself alone. */
static RAW_INLINE long raw_call(long number, long a, long b, long c, long d, long e) {
#if defined __x86_64__ && !defined __ILP32__
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return result;
#elif defined __aarch64__
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory", "cc");
  return x0;
#else /* the least bad way, but the shim may see it */
  int kept = errno;
  long result = syscall(number, a, b, c, d, e);
  result = result == -1 ? -errno : result;
  errno = kept;
  return result;
#endif
}

#endif

/* SPDX-License-Identifier: MIT */
/* Raw system calls that a program makes through libc's syscall(). The shim treats those that concern processes or
 * descriptors like the functions of libc. The entry is in syscall_<arch>.S. */
#include "preload/numbers.h"

#include "child/family.h"
#include "preload/syscall.h"
#include "runtime/filter.h"

#include <string.h>
#include <sys/prctl.h>

const unsigned char pg_syscall_kinds[PG_SYSCALL_KINDS] = {
#ifdef SYS_fork
    [SYS_fork] = PG_SYSCALL_ROUTED,
#endif
#ifdef SYS_vfork
    [SYS_vfork] = PG_SYSCALL_VFORK,
#endif
#ifdef SYS_dup2
    [SYS_dup2] = PG_SYSCALL_ROUTED,
#endif
    [SYS_clone] = PG_SYSCALL_CLONES,
    [SYS_clone3] = PG_SYSCALL_CLONES,
    [SYS_close] = PG_SYSCALL_ROUTED,
    [SYS_close_range] = PG_SYSCALL_ROUTED,
    [SYS_dup3] = PG_SYSCALL_ROUTED,
    [SYS_pidfd_getfd] = PG_SYSCALL_ROUTED,
    [SYS_seccomp] = PG_SYSCALL_ROUTED,
    [SYS_unshare] = PG_SYSCALL_ROUTED,
    [SYS_setns] = PG_SYSCALL_ROUTED,
    [SYS_setrlimit] = PG_SYSCALL_ROUTED,
#define X(name, ...) [SYS_##name] = PG_SYSCALL_NUMBERS + PG_ROW_##name,
    PG_NUMBERS(X)
#undef X
};

/* The errno border for calls that were passed on. */
long pg_syscall_fail(long r);
long pg_syscall_fail(long r) {
  PG_EARLY(r);
  return pg_retl(r);
}

/* If a seccomp filter forbids the question, only impossible addresses are told apart. */
static bool is_readable(const void *at, size_t size) {
  return pg_filter_can(PG_CAN_PIDFD) ? pg_sys_is_readable(at, size) : (uintptr_t)at >= 4096 && (intptr_t)at > 0;
}

/* Reads the flags and the stack from the structure of clone3(), as far as it is there. The structure may lie at any
 * address, so it is copied. */
static bool clone3_args(const void *at, size_t size, uint64_t *ret_flags, uint64_t *ret_stack) {
  uint64_t args[6];
  if (size < 64 || !is_readable(at, sizeof args))
    return false;
  memcpy(args, at, sizeof args);
  *ret_flags = args[0];
  *ret_stack = args[5];
  return true;
}

/* Called before a call of clone. A child with a copy of the memory, on the same stack, is a plain fork: it can return
 * through C. A child with other thread-local memory cannot: C looks for its variables there. */
int pg_syscall_forks_plainly(long n, long a, long b);
int pg_syscall_forks_plainly(long n, long a, long b) {
  uint64_t flags = (uint64_t)a, stack = (uint64_t)b;
  if (pg_is_early() || pg_mode() == PG_MODE_OFF || pg_is_guest() ||
      (n == SYS_clone3 && !clone3_args((const void *)a, (size_t)b, &flags, &stack)))
    return 0;
  pg_call_before_clone(flags);
  return !(flags & (CLONE_VM | CLONE_SETTLS)) && !stack;
}

/* rt_sigqueueinfo() and rt_tgsigqueueinfo() overwrite si_signo with the number of the signal. pidfd_send_signal()
 * refuses another number (all in kernel/signal.c). pre: the part that the kernel reads is readable. */
static siginfo_t corrected(int sig, const siginfo_t *info) {
  union {
    siginfo_t si;
    char bytes[sizeof(siginfo_t)];
  } copy = {.bytes = {0}};
  memcpy(&copy, info, is_readable(info, sizeof copy) ? sizeof copy : PG_SIGINFO_READ);
  copy.si.si_signo = sig;
  return copy.si;
}
static PG_NOINLINE int queue_corrected(pid_t pid, int sig, const siginfo_t *info, struct pg_call call) {
  siginfo_t copy = corrected(sig, info);
  return pg_child_signal(pid, sig, &copy, call);
}

static long queue(pid_t pid, int sig, const siginfo_t *info, struct pg_call call) {
  int r = PG_PASS, field[3]; /* the signal, the error, the code */
  bool asks = pid > 0 && pg_mode() != PG_MODE_OFF && (pg_number_used() || pg_family_is_on());
  if (asks && !pg_filter_can(PG_CAN_PIDFD)) { /* the kernel reads nothing else then */
    r = pg_child_signal(pid, sig, info, call);
  } else if (asks && is_readable(info, PG_SIGINFO_READ)) {
    memcpy(field, info, sizeof field);
    if (field[2] < 0 && field[2] != SI_TKILL) /* else the kernel refuses it for any PID but the caller's own */
      r = field[0] == sig ? pg_child_signal(pid, sig, info, call) : queue_corrected(pid, sig, info, call);
  }
  return r != PG_PASS ? r : pg_sys3(SYS_rt_sigqueueinfo, pid, sig, info);
}

/* A signal to the first thread of a child. What the shim knows of a filter does not include this rare call, so it does
 * not replace the call where a filter is. */
static PG_NOINLINE bool queue_to_leader(pid_t pid, int sig, const siginfo_t *info, struct pg_call call) {
  if (pg_mode() == PG_MODE_OFF || !pg_number_used() || !pg_filter_can(PG_CAN_PIDFD | PG_CAN_SHARE) ||
      !is_readable(info, PG_SIGINFO_READ))
    return false;
  siginfo_t copy = corrected(sig, info);
  return pg_child_signal_leader(pid, sig, &copy, call);
}

static bool to_leader(long n, long a, long b, long c, long d, struct pg_call call) {
  if (n == SYS_tkill)
    return pg_child_signal_leader((pid_t)a, (int)b, NULL, call);
  if ((int)a != (int)b)
    return false;
  return n == SYS_tgkill ? pg_child_signal_leader((pid_t)a, (int)c, NULL, call)
                         : queue_to_leader((pid_t)a, (int)c, (const siginfo_t *)d, call);
}

#ifdef SYS_dup2
static int raw_dup2(int from, int to, int flags) {
  (void)flags;
  return (int)pg_sys2(SYS_dup2, from, to);
}
#endif

static long route(long n, long a, long b, long c, long d, long e, long f, struct pg_call call) {
  switch (n) {
  case SYS_kill:
    return pg_call_kill((pid_t)a, (int)b, call);
  case SYS_wait4:
    return pg_call_wait(PG_WAIT_RAW, (pid_t)a, (int *)b, (int)c, (struct rusage *)d);
  case SYS_waitid:
    return pg_call_waitid(true, (int)a, (id_t)b, (siginfo_t *)c, (int)d, (struct rusage *)e);
  case SYS_rt_sigqueueinfo:
    return queue((pid_t)a, (int)b, (const siginfo_t *)c, call);
  case SYS_pidfd_open:
    return pg_call_pidfd_open((pid_t)a, (unsigned)b, call);
#ifdef SYS_fork
  case SYS_fork: {
    unsigned since = pg_call_before_fork();
    return pg_call_after_fork((pid_t)pg_sys0(SYS_fork), since, 0, PG_BIRTH_OTHER, "syscall");
  }
#endif
  case SYS_clone:
  case SYS_clone3: {
    unsigned since = pg_call_before_fork();
    uint64_t flags = (uint64_t)a;
    if (n == SYS_clone3)
      memcpy(&flags, (const void *)a, sizeof flags);
    enum pg_birth birth = n == SYS_clone ? PG_BIRTH_CLONE : PG_BIRTH_CLONE3;
    return pg_call_after_fork((pid_t)pg_sys6(n, a, b, c, d, e, f), since, (int)flags, birth, "syscall");
  }
  case SYS_close:
    return pg_call_close((int)a, pg_sys_close);
#ifdef SYS_dup2
  case SYS_dup2:
    return pg_call_dup((int)a, (int)b, 0, raw_dup2);
#endif
  case SYS_dup3:
    return pg_call_dup((int)a, (int)b, (int)c, pg_sys_dup3);
  case SYS_close_range:
    return pg_call_close_range((unsigned)a, (unsigned)b, (unsigned)c);
  case SYS_pidfd_getfd:
    return pg_call_pidfd_getfd((int)a, (int)b, (unsigned)c);
  case SYS_unshare:
    return pg_call_unshare((int)a);
  case SYS_setns:
    return pg_call_setns((int)a, (int)b);
  case SYS_prctl:
  case SYS_seccomp: {
    bool own = n == SYS_seccomp;
    bool filters = own ? a <= PG_SECCOMP_SET_MODE_FILTER : a == PR_SET_SECCOMP;
    long args[] = {a, b, c, d, e, f};
    if (!own)
      pg_numbers_replace(PG_ROW_prctl, args, call);
    bool strict = own ? a != PG_SECCOMP_SET_MODE_FILTER : b != PG_SECCOMP_MODE_FILTER;
    const void *program = strict ? NULL : (const void *)c;
    int whose = filters ? pg_call_before_filter(own && !strict && (b & PG_SECCOMP_FILTER_TSYNC)) : 0;
    long r = pg_sys6(n, args[0], args[1], args[2], args[3], args[4], args[5]);
    /* Above 0 is a descriptor, or a thread that cannot have the filter. Then no thread has it. */
    pg_call_after_filter(whose, r == 0 || (r > 0 && own && (b & PG_SECCOMP_FILTER_NEW_LISTENER)), program);
    return r;
  }
  case SYS_setrlimit: {
    long r = pg_sys6(n, a, b, c, d, e, f);
    if (r == 0)
      pg_call_limit_changed((int)a);
    return r;
  }
  case SYS_tkill:
  case SYS_tgkill:
  case SYS_rt_tgsigqueueinfo:
    if (to_leader(n, a, b, c, d, call))
      return 0;
    __attribute__((fallthrough));
  default: { /* the remaining calls take a PID, and neither signal a process nor wait */
    enum pg_row row = (enum pg_row)(pg_syscall_kinds[n] - PG_SYSCALL_NUMBERS);
    long args[] = {a, b, c, d, e, f};
    pg_numbers_replace(row, args, call);
    long done = pg_sys6(n, args[0], args[1], args[2], args[3], args[4], args[5]);
    if (done == 0 && n == SYS_prlimit64 && c)
      pg_call_limit_changed((int)b);
    return pg_numbers_after(row, args, done, call);
  }
  }
}

long pg_syscall_routed(long n, long a, long b, long c, long d, long e, long f);
long pg_syscall_routed(long n, long a, long b, long c, long d, long e, long f) {
  PG_EARLY(pg_sys6(n, a, b, c, d, e, f));
  return pg_retl(route(n, a, b, c, d, e, f, PG_CALL("syscall")));
}

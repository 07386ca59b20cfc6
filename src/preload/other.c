/* The other calls that take a PID or the number of a group: for one that is gone they say what they say where nobody
 * has it; for every other number they are what libc has. They are raw system calls where libc adds nothing to those. */
#include "preload/numbers.h"

#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The arguments of a call that has a row in preload/numbers.h, in `args`, stale numbers replaced. */
#define NUMBERS(name, ...) NUMBERS_AS(name, #name, __VA_ARGS__)
#define NUMBERS_AS(row, said, ...)                                                                                     \
  long args[] = {__VA_ARGS__};                                                                                         \
  pg_numbers_replace(PG_ROW_##row, args, PG_CALL(said))

PG_EXPORT int setpgid(pid_t pid, pid_t pgid) {
  NUMBERS(setpgid, pid, pgid);
  return pg_ret((int)pg_sys2(SYS_setpgid, args[0], args[1]));
}
PG_ALSO(setpgid, __setpgid);

PG_EXPORT pid_t getpgid(pid_t pid) {
  NUMBERS(getpgid, pid);
  return pg_ret((int)pg_sys1(SYS_getpgid, args[0]));
}
PG_ALSO(getpgid, __getpgid);
PG_ALSO(getpgid, __bsd_getpgrp);

PG_EXPORT pid_t getsid(pid_t pid) {
  NUMBERS(getsid, pid);
  return pg_ret((int)pg_sys1(SYS_getsid, args[0]));
}

#ifdef __GLIBC__
#define WHICH_T __priority_which_t
#else
#define WHICH_T int
#endif

PG_EXPORT int setpriority(WHICH_T which, id_t who, int prio) {
  NUMBERS(setpriority, (int)which, (pid_t)who);
  return pg_ret((int)pg_sys3(SYS_setpriority, args[0], args[1], prio));
}

PG_EXPORT int getpriority(WHICH_T which, id_t who) {
  NUMBERS(getpriority, (int)which, (pid_t)who);
  int r = (int)pg_sys2(SYS_getpriority, args[0], args[1]);
  return r < 0 ? pg_ret(r) : 20 - r; /* the kernel keeps clear of negative values */
}

/* glibc's are system calls. musl's deliberately are not, some of them, so they are asked; their look-up takes no lock that
 * is held while constructors run. */
#ifdef __GLIBC__
#define SCHED(args, name, ...) pg_ret((int)pg_sys##args(SYS_##name, __VA_ARGS__))
#else
#define SCHED(args, name, ...) pg_next_late(name)(__VA_ARGS__)
#endif

PG_EXPORT int sched_setscheduler(pid_t pid, int policy, const struct sched_param *param) {
  NUMBERS(sched_setscheduler, pid);
  return SCHED(3, sched_setscheduler, (pid_t)args[0], policy, param);
}

PG_EXPORT int sched_getscheduler(pid_t pid) {
  NUMBERS(sched_getscheduler, pid);
  return SCHED(1, sched_getscheduler, (pid_t)args[0]);
}

PG_EXPORT int sched_setparam(pid_t pid, const struct sched_param *param) {
  NUMBERS(sched_setparam, pid);
  return SCHED(2, sched_setparam, (pid_t)args[0], param);
}

PG_EXPORT int sched_getparam(pid_t pid, struct sched_param *param) {
  NUMBERS(sched_getparam, pid);
  return SCHED(2, sched_getparam, (pid_t)args[0], param);
}

PG_EXPORT int sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set) {
  NUMBERS(sched_setaffinity, pid);
  return SCHED(3, sched_setaffinity, (pid_t)args[0], size, set);
}

PG_EXPORT int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
  NUMBERS(sched_getaffinity, pid);
#ifdef __GLIBC__
  /* The kernel takes an int, writes no more than it has processors for, and says how much that was. */
  int r = (int)pg_sys3(SYS_sched_getaffinity, args[0], size < INT_MAX ? size : INT_MAX, set);
  if (r < 0)
    return pg_ret(r);
  memset((char *)set + r, 0, size - (size_t)r);
  return 0;
#else
  return pg_next_late(sched_getaffinity)((pid_t)args[0], size, set);
#endif
}

PG_EXPORT int sched_rr_get_interval(pid_t pid, struct timespec *interval) {
  NUMBERS(sched_rr_get_interval, pid);
#if defined(__GLIBC__) && defined(__LP64__)
  return pg_ret((int)pg_sys2(SYS_sched_rr_get_interval, args[0], interval));
#else
  return pg_next_late(sched_rr_get_interval)((pid_t)args[0], interval);
#endif
}

#ifdef __GLIBC__
PG_ALSO(sched_setscheduler, __sched_setscheduler);
PG_ALSO(sched_getscheduler, __sched_getscheduler);
PG_ALSO(sched_getparam, __sched_getparam);
#endif

#ifdef PG_HAVE_SCHED_SETATTR /* glibc 2.41 */
PG_EXPORT int sched_setattr(pid_t pid, struct sched_attr *attr, unsigned flags) {
  NUMBERS(sched_setattr, pid);
  return pg_ret((int)pg_sys3(SYS_sched_setattr, args[0], attr, flags));
}

PG_EXPORT int sched_getattr(pid_t pid, struct sched_attr *attr, unsigned size, unsigned flags) {
  NUMBERS(sched_getattr, pid);
  return pg_ret((int)pg_sys4(SYS_sched_getattr, args[0], attr, size, flags));
}
#endif

/* No header has it but libcap's; a structure of this form is what both arguments point to. */
int capget(void *header, void *data);
PG_EXPORT int capget(void *header, void *data) {
  long args[] = {(long)header};
  long r = pg_sys2(SYS_capget, header, data);
  return pg_ret((int)pg_numbers_after(PG_ROW_capget, args, r, PG_CALL("capget")));
}

PG_EXPORT int tcsetpgrp(int fd, pid_t group) {
  NUMBERS(tcsetpgrp, fd, group);
  group = (pid_t)args[1];
  return pg_ret((int)pg_sys3(SYS_ioctl, fd, TIOCSPGRP, &group));
}

/* It returns what errno would be. */
static int cpu_clock(pid_t pid, clockid_t *ret, struct pg_call call) {
  long args[] = {pid};
  pg_numbers_replace(PG_ROW_clock_getcpuclockid, args, call);
  return pg_next_late(clock_getcpuclockid)((pid_t)args[0], ret);
}
#define CPU_CLOCK(exported)                                                                                            \
  PG_EXPORT int exported(pid_t pid, clockid_t *ret) { return cpu_clock(pid, ret, PG_CALL("clock_getcpuclockid")); }
#if PG_VERSIONED /* since 2.17 it lives in libc under a new version */
CPU_CLOCK(pg_clock_getcpuclockid_new)
CPU_CLOCK(pg_clock_getcpuclockid_old)
__asm__(".symver pg_clock_getcpuclockid_new, clock_getcpuclockid@@GLIBC_2.17");
__asm__(".symver pg_clock_getcpuclockid_old, clock_getcpuclockid@GLIBC_2.2.5");
#else
CPU_CLOCK(clock_getcpuclockid)
#endif

PG_EXPORT int prlimit(pid_t pid, PG_RESOURCE resource, const struct rlimit *new_limit, struct rlimit *old_limit) {
  NUMBERS_AS(prlimit64, "prlimit", pid);
#ifdef __LP64__
  int r = pg_ret((int)pg_sys4(SYS_prlimit64, args[0], resource, new_limit, old_limit));
#else
  pg_mode(); /* binds the next names */
  int r = pg_next.prlimit((pid_t)args[0], resource, new_limit, old_limit);
#endif
  if (r == 0 && new_limit)
    pg_call_limit_changed((int)resource);
  return r;
}

/* Programs call it between vfork and exec. */
PG_EXPORT int setrlimit(PG_RESOURCE resource, const struct rlimit *limit) {
#ifdef __LP64__
  int r = pg_ret((int)pg_sys4(SYS_prlimit64, 0, resource, limit, NULL));
#else
  pg_mode(); /* binds the next names */
  int r = pg_next.setrlimit(resource, limit);
#endif
  if (r == 0)
    pg_call_limit_changed((int)resource);
  return r;
}
#if defined(__GLIBC__) && defined(__LP64__)
extern __typeof__(prlimit) pg_prlimit64 __asm__("prlimit64") PG_LIKE(prlimit)
    __attribute__((alias("prlimit"), visibility("default")));
extern __typeof__(setrlimit) pg_setrlimit64 __asm__("setrlimit64") PG_LIKE(setrlimit)
    __attribute__((alias("setrlimit"), visibility("default")));
#endif

PG_EXPORT ssize_t process_vm_readv(pid_t pid, const struct iovec *local, unsigned long nlocal,
                                   const struct iovec *remote, unsigned long nremote, unsigned long flags) {
  NUMBERS(process_vm_readv, pid);
  return pg_retl(pg_sys6(SYS_process_vm_readv, args[0], (long)local, (long)nlocal, (long)remote, (long)nremote,
                         (long)flags));
}

PG_EXPORT ssize_t process_vm_writev(pid_t pid, const struct iovec *local, unsigned long nlocal,
                                    const struct iovec *remote, unsigned long nremote, unsigned long flags) {
  NUMBERS(process_vm_writev, pid);
  return pg_retl(pg_sys6(SYS_process_vm_writev, args[0], (long)local, (long)nlocal, (long)remote, (long)nremote,
                         (long)flags));
}

#ifdef PG_HAVE_TGKILL
PG_EXPORT int tgkill(pid_t tgid, pid_t tid, int sig) {
  if (tgid == tid && pg_child_signal_leader(tgid, sig, PG_CALL("tgkill")))
    return 0;
  NUMBERS(tgkill, tgid);
  return pg_ret((int)pg_sys3(SYS_tgkill, args[0], tid, sig));
}
#endif

#ifdef __GLIBC__
#define REQUEST_T enum __ptrace_request
#else
#define REQUEST_T int
#endif

PG_EXPORT long ptrace(REQUEST_T request, ...) {
  va_list ap;
  va_start(ap, request);
  pid_t pid = va_arg(ap, pid_t);
  void *addr = va_arg(ap, void *), *data = va_arg(ap, void *);
  va_end(ap);
  NUMBERS(ptrace, (int)request, pid);
#if defined(__GLIBC__) && PG_HAVE_RAW_SYSCALLS
  long word, peeks = (int)request >= PTRACE_PEEKTEXT && (int)request <= PTRACE_PEEKUSER;
  long r = pg_sys4(SYS_ptrace, request, args[1], addr, peeks ? &word : data);
  if (r < 0 || !peeks)
    return pg_retl(r);
  errno = 0; /* a word of -1 is no failure */
  return word;
#else
  return pg_next_late(ptrace)(request, (pid_t)args[1], addr, data);
#endif
}

#ifdef PG_HAVE_PIDFD_OPEN /* and in the same version of libc, this one: of whatever kind it is */
PG_EXPORT int pidfd_getfd(int fd, int target, unsigned flags) {
  int r = (int)pg_sys3(SYS_pidfd_getfd, fd, target, flags);
  if (r >= 0)
    pg_state_set(PG_STATE_PIDFDS);
  return pg_ret(r);
}

PG_EXPORT int pidfd_open(pid_t pid, unsigned flags) {
  pg_mode();
  return pg_ret(pg_call_pidfd_open(pid, flags, PG_CALL("pidfd_open")));
}
#endif

/* SPDX-License-Identifier: MIT */
/* The other calls that take a PID or the number of a process group. For a retired PID they return the error that the
 * kernel returns if no process has the PID. For every other PID they do the same as libc. They are raw system calls if
 * libc's function adds nothing to the system call. */
#include "preload/numbers.h"

#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Defines `args`: the arguments of a call with a row in preload/numbers.h, with stale numbers replaced. */
#define NUMBERS(name, ...) NUMBERS_AS(name, #name, __VA_ARGS__)
#define NUMBERS_AS(row, said, ...)                                                                                     \
  long args[] = {__VA_ARGS__};                                                                                         \
  pg_numbers_replace(PG_ROW_##row, args, PG_CALL(said))

/* A function whose first argument is the PID, and the only number in its row. n: how many arguments the call has. */
#define WITH_PID(by, n, type, name, parameters, ...)                                                                   \
  PG_EXPORT type name parameters {                                                                                     \
    PG_EARLY(pg_sys##n(SYS_##name, __VA_ARGS__));                                                                      \
    NUMBERS(name, pid);                                                                                                \
    pid = (pid_t)args[0];                                                                                              \
    return (type)by(n, name, __VA_ARGS__);                                                                             \
  }
#define BY_KERNEL(n, name, ...) pg_retl(pg_sys##n(SYS_##name, __VA_ARGS__))
#define BY_LIBC(n, name, ...) pg_next_late(name)(__VA_ARGS__)

PG_EXPORT int setpgid(pid_t pid, pid_t pgid) {
  PG_EARLY(pg_sys2(SYS_setpgid, pid, pgid));
  NUMBERS(setpgid, pid, pgid);
  int r = (int)pg_sys2(SYS_setpgid, args[0], args[1]);
  if (r == 0 && pid > 0 && (pgid == 0 || pgid == pid))
    pg_call_leads(pid);
  return pg_ret(r);
}
PG_ALSO(setpgid, __setpgid);

WITH_PID(BY_KERNEL, 1, pid_t, getpgid, (pid_t pid), pid)
PG_ALSO(getpgid, __getpgid);
PG_ALSO(getpgid, __bsd_getpgrp);

WITH_PID(BY_KERNEL, 1, pid_t, getsid, (pid_t pid), pid)

#ifdef __GLIBC__
#define WHICH_T __priority_which_t
#else
#define WHICH_T int
#endif

PG_EXPORT int setpriority(WHICH_T which, id_t who, int prio) {
  PG_EARLY(pg_sys3(SYS_setpriority, which, who, prio));
  NUMBERS(setpriority, (int)which, (pid_t)who);
  return pg_ret((int)pg_sys3(SYS_setpriority, args[0], args[1], prio));
}

PG_EXPORT int getpriority(WHICH_T which, id_t who) {
  if (pg_is_early()) {
    int early = (int)pg_early(pg_sys2(SYS_getpriority, which, who));
    return early < 0 ? early : 20 - early;
  }
  NUMBERS(getpriority, (int)which, (pid_t)who);
  int r = (int)pg_sys2(SYS_getpriority, args[0], args[1]);
  return r < 0 ? pg_ret(r)
               : 20 - r; /* the kernel returns 20 - priority, so that no result is negative (getpriority(2)) */
}

/* glibc's functions are system calls. Some of musl's are not, on purpose (src/sched), so musl's are called. Their
 * look-up takes no lock that is held while constructors run. */
#ifdef __GLIBC__
#define SCHED(n, name, ...) WITH_PID(BY_KERNEL, n, int, name, __VA_ARGS__)
#else
#define SCHED(n, name, ...) WITH_PID(BY_LIBC, n, int, name, __VA_ARGS__)
#endif

SCHED(3, sched_setscheduler, (pid_t pid, int policy, const struct sched_param *param), pid, policy, param)
SCHED(1, sched_getscheduler, (pid_t pid), pid)
SCHED(2, sched_setparam, (pid_t pid, const struct sched_param *param), pid, param)
SCHED(2, sched_getparam, (pid_t pid, struct sched_param *param), pid, param)
SCHED(3, sched_setaffinity, (pid_t pid, size_t size, const cpu_set_t *set), pid, size, set)

#ifdef __GLIBC__
/* The kernel takes an int, and writes only as much as it has processors. It returns that length
 * (sched_setaffinity(2)). */
static int get_affinity(pid_t pid, size_t size, cpu_set_t *set) {
  int r = (int)pg_sys3(SYS_sched_getaffinity, pid, size < INT_MAX ? size : INT_MAX, set);
  if (r < 0)
    return r;
  typedef volatile unsigned long word __attribute__((may_alias, aligned(1)));
  char *at = (char *)set + r, *end = (char *)set + size;
  for (; end - at >= (ptrdiff_t)sizeof(word); at += sizeof(word)) /* no memset(): see PG_EARLY */
    *(word *)at = 0;
  for (; at < end; at++)
    *(volatile char *)at = 0;
  return 0;
}
#endif

PG_EXPORT int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
#ifdef __GLIBC__
  PG_EARLY(get_affinity(pid, size, set));
  NUMBERS(sched_getaffinity, pid);
  return pg_ret(get_affinity((pid_t)args[0], size, set));
#else
  PG_EARLY(-ENOSYS);
  NUMBERS(sched_getaffinity, pid);
  return pg_next_late(sched_getaffinity)((pid_t)args[0], size, set);
#endif
}

#if defined(__GLIBC__) && defined(__LP64__)
WITH_PID(BY_KERNEL, 2, int, sched_rr_get_interval, (pid_t pid, struct timespec *interval), pid, interval)
#else
WITH_PID(BY_LIBC, 2, int, sched_rr_get_interval, (pid_t pid, struct timespec *interval), pid, interval)
#endif

PG_ALSO(sched_setscheduler, __sched_setscheduler);
PG_ALSO(sched_getscheduler, __sched_getscheduler);
PG_ALSO(sched_getparam, __sched_getparam);

#ifdef PG_HAVE_SCHED_SETATTR /* since glibc 2.41, which alone declares them */
struct sched_attr;
int sched_setattr(pid_t pid, struct sched_attr *attr, unsigned flags);
int sched_getattr(pid_t pid, struct sched_attr *attr, unsigned size, unsigned flags);
WITH_PID(BY_KERNEL, 3, int, sched_setattr, (pid_t pid, struct sched_attr *attr, unsigned flags), pid, attr, flags)
WITH_PID(BY_KERNEL, 4, int, sched_getattr, (pid_t pid, struct sched_attr *attr, unsigned size, unsigned flags), pid,
         attr, size, flags)
#endif

/* Only libcap's header declares it. Both arguments point to a structure of this form. */
int capget(void *header, void *data);
PG_EXPORT int capget(void *header, void *data) {
  PG_EARLY(pg_sys2(SYS_capget, header, data));
  long args[] = {(long)header, (long)data};
  long r = pg_sys2(SYS_capget, header, data);
  return pg_ret((int)pg_numbers_after(PG_ROW_capget, args, r, PG_CALL("capget")));
}

PG_EXPORT int tcsetpgrp(int fd, pid_t group) {
  PG_EARLY(pg_sys3(SYS_ioctl, fd, TIOCSPGRP, &group));
  NUMBERS(tcsetpgrp, fd, group);
  group = (pid_t)args[1];
  return pg_ret((int)pg_sys3(SYS_ioctl, fd, TIOCSPGRP, &group));
}

/* It returns the errno value. */
static int cpu_clock(pid_t pid, clockid_t *ret, struct pg_call call) {
  long args[] = {pid};
  pg_numbers_replace(PG_ROW_clock_getcpuclockid, args, call);
  return pg_next_late(clock_getcpuclockid)((pid_t)args[0], ret);
}
#define CPU_CLOCK(exported, name)                                                                                      \
  PG_EXPORT int exported(pid_t pid, clockid_t *ret) {                                                                  \
    if (pg_is_early())                                                                                                 \
      return ENOSYS;                                                                                                   \
    return cpu_clock(pid, ret, PG_CALL("clock_getcpuclockid"));                                                        \
  }
PG_BOTH(clock_getcpuclockid, CPU_CLOCK, "2.17", CPU_CLOCK) /* where it moved into libc */

PG_EXPORT int prlimit(pid_t pid, PG_RESOURCE resource, const struct rlimit *new_limit, struct rlimit *old_limit) {
  PG_EARLY(pg_sys4(SYS_prlimit64, pid, resource, new_limit, old_limit));
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
  PG_EARLY(pg_sys4(SYS_prlimit64, 0, resource, limit, NULL));
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

#define PROCESS_VM(name)                                                                                               \
  WITH_PID(BY_KERNEL, 6, ssize_t, name,                                                                                \
           (pid_t pid, const struct iovec *local, unsigned long nlocal, const struct iovec *remote,                    \
            unsigned long nremote, unsigned long flags),                                                               \
           pid, (long)local, (long)nlocal, (long)remote, (long)nremote, (long)flags)
PROCESS_VM(process_vm_readv)
PROCESS_VM(process_vm_writev)

#ifdef PG_HAVE_TGKILL
PG_EXPORT int tgkill(pid_t tgid, pid_t tid, int sig) {
  PG_EARLY(pg_sys3(SYS_tgkill, tgid, tid, sig));
  if (tgid == tid && pg_child_signal_leader(tgid, sig, NULL, PG_CALL("tgkill")))
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
#ifdef __GLIBC__
  long word = 0, peeks = (int)request >= PTRACE_PEEKTEXT && (int)request <= PTRACE_PEEKUSER;
  if (pg_is_early()) {
    long early = pg_early(pg_sys4(SYS_ptrace, request, pid, addr, peeks ? &word : data));
    return early == 0 && peeks ? word : early;
  }
  NUMBERS(ptrace, (int)request, pid);
  long r = pg_sys4(SYS_ptrace, request, args[1], addr, peeks ? &word : data);
  if (r < 0 || !peeks)
    return pg_retl(r);
  errno = 0; /* a word of -1 is no failure */
  return word;
#else
  PG_EARLY(-ENOSYS);
  NUMBERS(ptrace, (int)request, pid);
  return pg_next_late(ptrace)(request, (pid_t)args[1], addr, data);
#endif
}

#ifdef PG_HAVE_PIDFD_OPEN /* the same version of libc has pidfd_getfd */
PG_EXPORT int pidfd_getfd(int fd, int target, unsigned flags) {
  PG_EARLY(pg_sys3(SYS_pidfd_getfd, fd, target, flags));
  return pg_ret(pg_call_pidfd_getfd(fd, target, flags));
}

PG_EXPORT int pidfd_open(pid_t pid, unsigned flags) {
  PG_EARLY(pg_sys_pidfd_open(pid, flags));
  pg_mode();
  return pg_ret(pg_call_pidfd_open(pid, flags, PG_CALL("pidfd_open")));
}
#endif

/* The other calls that take a PID: for the number of a child that is gone they say ESRCH, as if nobody had it; for
 * every other number they are what libc has. They are raw system calls where libc adds nothing to those. */
#include "preload/border.h"

#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

/* 0, or -ESRCH with the refusal counted and logged. */
#define CHECK(pid, name)                                                                                               \
  do {                                                                                                                 \
    int checked = pg_call_check(pid, PG_CALL(name));                                                                   \
    if (PG_UNLIKELY(checked < 0))                                                                                      \
      return pg_ret(checked);                                                                                          \
  } while (0)

PG_EXPORT int setpgid(pid_t pid, pid_t pgid) {
  PG_EARLY(pg_sys2(SYS_setpgid, pid, pgid));
  CHECK(pid, "setpgid");
  return pg_ret((int)pg_sys2(SYS_setpgid, pid, pgid));
}
PG_ALSO(setpgid, __setpgid);

PG_EXPORT pid_t getpgid(pid_t pid) {
  PG_EARLY(pg_sys1(SYS_getpgid, pid));
  CHECK(pid, "getpgid");
  return pg_ret((int)pg_sys1(SYS_getpgid, pid));
}
PG_ALSO(getpgid, __getpgid);

PG_EXPORT pid_t getsid(pid_t pid) {
  PG_EARLY(pg_sys1(SYS_getsid, pid));
  CHECK(pid, "getsid");
  return pg_ret((int)pg_sys1(SYS_getsid, pid));
}

#ifdef __GLIBC__
#define WHICH_T __priority_which_t
#else
#define WHICH_T int
#endif

PG_EXPORT int setpriority(WHICH_T which, id_t who, int prio) {
  PG_EARLY(pg_sys3(SYS_setpriority, which, who, prio));
  if ((int)which == PRIO_PROCESS)
    CHECK((pid_t)who, "setpriority");
  return pg_ret((int)pg_sys3(SYS_setpriority, which, who, prio));
}

PG_EXPORT int getpriority(WHICH_T which, id_t who) {
  if (pg_is_early()) {
    int early = (int)pg_early(pg_sys2(SYS_getpriority, which, who));
    return early < 0 ? early : 20 - early;
  }
  if ((int)which == PRIO_PROCESS)
    CHECK((pid_t)who, "getpriority");
  int r = (int)pg_sys2(SYS_getpriority, which, who);
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
  PG_EARLY(pg_sys3(SYS_sched_setscheduler, pid, policy, param));
  CHECK(pid, "sched_setscheduler");
  return SCHED(3, sched_setscheduler, pid, policy, param);
}

PG_EXPORT int sched_getscheduler(pid_t pid) {
  PG_EARLY(pg_sys1(SYS_sched_getscheduler, pid));
  CHECK(pid, "sched_getscheduler");
  return SCHED(1, sched_getscheduler, pid);
}

PG_EXPORT int sched_setparam(pid_t pid, const struct sched_param *param) {
  PG_EARLY(pg_sys2(SYS_sched_setparam, pid, param));
  CHECK(pid, "sched_setparam");
  return SCHED(2, sched_setparam, pid, param);
}

PG_EXPORT int sched_getparam(pid_t pid, struct sched_param *param) {
  PG_EARLY(pg_sys2(SYS_sched_getparam, pid, param));
  CHECK(pid, "sched_getparam");
  return SCHED(2, sched_getparam, pid, param);
}

PG_EXPORT int sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set) {
  PG_EARLY(pg_sys3(SYS_sched_setaffinity, pid, size, set));
  CHECK(pid, "sched_setaffinity");
  return SCHED(3, sched_setaffinity, pid, size, set);
}

#ifdef __GLIBC__
/* The kernel takes an int, writes no more than it has processors for, and says how much that was. */
static int get_affinity(pid_t pid, size_t size, cpu_set_t *set) {
  int r = (int)pg_sys3(SYS_sched_getaffinity, pid, size < INT_MAX ? size : INT_MAX, set);
  for (size_t i = (size_t)r; r >= 0 && i < size; i++)
    ((volatile char *)set)[i] = 0; /* no memset(), which is libc's: see PG_EARLY */
  return r < 0 ? r : 0;
}
#endif

PG_EXPORT int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
#ifdef __GLIBC__
  PG_EARLY(get_affinity(pid, size, set));
  CHECK(pid, "sched_getaffinity");
  return pg_ret(get_affinity(pid, size, set));
#else
  CHECK(pid, "sched_getaffinity");
  return pg_next_late(sched_getaffinity)(pid, size, set);
#endif
}

PG_EXPORT int prlimit(pid_t pid, PG_RESOURCE resource, const struct rlimit *new_limit, struct rlimit *old_limit) {
  PG_EARLY(pg_sys4(SYS_prlimit64, pid, resource, new_limit, old_limit));
  CHECK(pid, "prlimit");
#ifdef __LP64__
  int r = pg_ret((int)pg_sys4(SYS_prlimit64, pid, resource, new_limit, old_limit));
#else
  pg_mode(); /* binds the next names */
  int r = pg_next.prlimit(pid, resource, new_limit, old_limit);
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

PG_EXPORT ssize_t process_vm_readv(pid_t pid, const struct iovec *local, unsigned long nlocal,
                                   const struct iovec *remote, unsigned long nremote, unsigned long flags) {
  PG_EARLY(pg_sys6(SYS_process_vm_readv, pid, (long)local, (long)nlocal, (long)remote, (long)nremote, (long)flags));
  CHECK(pid, "process_vm_readv");
  return pg_retl(pg_sys6(SYS_process_vm_readv, pid, (long)local, (long)nlocal, (long)remote, (long)nremote,
                         (long)flags));
}

PG_EXPORT ssize_t process_vm_writev(pid_t pid, const struct iovec *local, unsigned long nlocal,
                                    const struct iovec *remote, unsigned long nremote, unsigned long flags) {
  PG_EARLY(pg_sys6(SYS_process_vm_writev, pid, (long)local, (long)nlocal, (long)remote, (long)nremote, (long)flags));
  CHECK(pid, "process_vm_writev");
  return pg_retl(pg_sys6(SYS_process_vm_writev, pid, (long)local, (long)nlocal, (long)remote, (long)nremote,
                         (long)flags));
}

#ifdef PG_HAVE_TGKILL
PG_EXPORT int tgkill(pid_t tgid, pid_t tid, int sig) {
  PG_EARLY(pg_sys3(SYS_tgkill, tgid, tid, sig));
  if (tgid == tid && pg_child_signal_leader(tgid, sig, PG_CALL("tgkill")))
    return 0;
  CHECK(tgid, "tgkill");
  return pg_ret((int)pg_sys3(SYS_tgkill, tgid, tid, sig));
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
#if defined(__GLIBC__) && PG_HAVE_RAW_SYSCALLS
  long word, peeks = (int)request >= PTRACE_PEEKTEXT && (int)request <= PTRACE_PEEKUSER;
  if (pg_is_early()) {
    long early = pg_early(pg_sys4(SYS_ptrace, request, pid, addr, peeks ? &word : data));
    return early == 0 && peeks ? word : early;
  }
  if ((int)request == PTRACE_ATTACH || (int)request == PTRACE_SEIZE)
    CHECK(pid, "ptrace");
  long r = pg_sys4(SYS_ptrace, request, pid, addr, peeks ? &word : data);
  if (r < 0 || !peeks)
    return pg_retl(r);
  errno = 0; /* a word of -1 is no failure */
  return word;
#else
  PG_EARLY(-ENOSYS);
  if ((int)request == PTRACE_ATTACH || (int)request == PTRACE_SEIZE)
    CHECK(pid, "ptrace");
  return pg_next_late(ptrace)(request, pid, addr, data);
#endif
}

#ifdef PG_HAVE_PIDFD_OPEN /* and in the same version of libc, this one: of whatever kind it is */
PG_EXPORT int pidfd_getfd(int fd, int target, unsigned flags) {
  PG_EARLY(pg_sys3(SYS_pidfd_getfd, fd, target, flags));
  int r = (int)pg_sys3(SYS_pidfd_getfd, fd, target, flags);
  if (r >= 0)
    pg_state_set(PG_STATE_PIDFDS);
  return pg_ret(r);
}

PG_EXPORT int pidfd_open(pid_t pid, unsigned flags) {
  PG_EARLY(pg_sys_pidfd_open(pid, flags));
  pg_mode();
  return pg_ret(pg_call_pidfd_open(pid, flags, PG_CALL("pidfd_open")));
}
#endif

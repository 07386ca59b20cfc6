/* Calls that touch a process by its number, but for kill() and its like: made through libc, and by syscall(). */
#define _GNU_SOURCE
#include "stale.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef PIDFD_NONBLOCK
#define PIDFD_NONBLOCK 04000
#endif

/* Where libc has them. */
extern int pidfd_open(pid_t pid, unsigned flags) __attribute__((weak));
extern int tgkill(pid_t tgid, pid_t tid, int sig) __attribute__((weak));

static struct sched_param param;
static struct {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
} attributes = {.size = 48, .policy = SCHED_BATCH}; /* struct sched_attr */
static struct rlimit limit;
static cpu_set_t cpus;
static char buffer[8];
static struct iovec here = {buffer, sizeof buffer}, there = {buffer, sizeof buffer};

/* libc's; a call that this libc does not have is made by syscall(). */
static long by_libc(const char *call, pid_t pid) {
  if (strcmp(call, "pidfd_open") == 0)
    return pidfd_open ? pidfd_open(pid, 0) : syscall(SYS_pidfd_open, pid, 0);
  if (strcmp(call, "pidfd_open-nonblock") == 0)
    return pidfd_open ? pidfd_open(pid, PIDFD_NONBLOCK) : syscall(SYS_pidfd_open, pid, PIDFD_NONBLOCK);
  if (strcmp(call, "setpgid") == 0)
    return setpgid(pid, 0);
  if (strcmp(call, "getpgid") == 0)
    return getpgid(pid);
  if (strcmp(call, "getsid") == 0)
    return getsid(pid);
  if (strcmp(call, "setpriority") == 0)
    return setpriority(PRIO_PROCESS, (id_t)pid, 7);
  if (strcmp(call, "getpriority") == 0)
    return getpriority(PRIO_PROCESS, (id_t)pid);
  if (strcmp(call, "sched_setscheduler") == 0)
    return sched_setscheduler(pid, SCHED_BATCH, &param);
  if (strcmp(call, "sched_getscheduler") == 0)
    return sched_getscheduler(pid);
  if (strcmp(call, "sched_setparam") == 0)
    return sched_setparam(pid, &param);
  if (strcmp(call, "sched_getparam") == 0)
    return sched_getparam(pid, &param);
  if (strcmp(call, "sched_setaffinity") == 0)
    return sched_setaffinity(pid, sizeof cpus, &cpus);
  if (strcmp(call, "sched_getaffinity") == 0)
    return sched_getaffinity(pid, sizeof cpus, &cpus);
  if (strcmp(call, "prlimit") == 0)
    return prlimit(pid, RLIMIT_CORE, &limit, NULL);
  if (strcmp(call, "ptrace-attach") == 0)
    return ptrace(PTRACE_ATTACH, pid, NULL, NULL);
  if (strcmp(call, "ptrace-seize") == 0)
    return ptrace(PTRACE_SEIZE, pid, NULL, NULL);
  if (strcmp(call, "process_vm_readv") == 0)
    return process_vm_readv(pid, &here, 1, &there, 1, 0);
  if (strcmp(call, "process_vm_writev") == 0)
    return process_vm_writev(pid, &here, 1, &there, 1, 0);
  if (strcmp(call, "tgkill") == 0)
    return tgkill ? tgkill(pid, pid, SIGTERM) : syscall(SYS_tgkill, pid, pid, SIGTERM);
  fail("unknown call");
}

static long queue(pid_t pid, bool thread) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = SIGTERM;
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  return thread ? syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGTERM, &info)
                : syscall(SYS_rt_sigqueueinfo, pid, SIGTERM, &info);
}

static long by_syscall(const char *call, pid_t pid) {
  if (strcmp(call, "kill") == 0)
    return syscall(SYS_kill, pid, SIGTERM);
  if (strcmp(call, "kill-group") == 0)
    return syscall(SYS_kill, -pid, SIGTERM);
  if (strcmp(call, "tkill") == 0)
    return syscall(SYS_tkill, pid, SIGTERM);
  if (strcmp(call, "tgkill") == 0)
    return syscall(SYS_tgkill, pid, pid, SIGTERM);
  if (strcmp(call, "rt_sigqueueinfo") == 0)
    return queue(pid, false);
  if (strcmp(call, "rt_tgsigqueueinfo") == 0)
    return queue(pid, true);
  if (strcmp(call, "pidfd_open") == 0)
    return syscall(SYS_pidfd_open, pid, 0);
  if (strcmp(call, "pidfd_open-nonblock") == 0)
    return syscall(SYS_pidfd_open, pid, PIDFD_NONBLOCK);
  if (strcmp(call, "setpgid") == 0)
    return syscall(SYS_setpgid, pid, 0);
  if (strcmp(call, "getpgid") == 0)
    return syscall(SYS_getpgid, pid);
  if (strcmp(call, "getsid") == 0)
    return syscall(SYS_getsid, pid);
  if (strcmp(call, "setpriority") == 0)
    return syscall(SYS_setpriority, PRIO_PROCESS, pid, 7);
  if (strcmp(call, "getpriority") == 0)
    return syscall(SYS_getpriority, PRIO_PROCESS, pid);
  if (strcmp(call, "sched_setscheduler") == 0)
    return syscall(SYS_sched_setscheduler, pid, SCHED_BATCH, &param);
  if (strcmp(call, "sched_getscheduler") == 0)
    return syscall(SYS_sched_getscheduler, pid);
  if (strcmp(call, "sched_setparam") == 0)
    return syscall(SYS_sched_setparam, pid, &param);
  if (strcmp(call, "sched_getparam") == 0)
    return syscall(SYS_sched_getparam, pid, &param);
  if (strcmp(call, "sched_setaffinity") == 0)
    return syscall(SYS_sched_setaffinity, pid, sizeof cpus, &cpus);
  if (strcmp(call, "sched_getaffinity") == 0)
    return syscall(SYS_sched_getaffinity, pid, sizeof cpus, &cpus);
  if (strcmp(call, "sched_setattr") == 0)
    return syscall(SYS_sched_setattr, pid, &attributes, 0);
  if (strcmp(call, "sched_getattr") == 0)
    return syscall(SYS_sched_getattr, pid, &attributes, sizeof attributes, 0);
  if (strcmp(call, "ioprio_set") == 0)
    return syscall(SYS_ioprio_set, 1, pid, 2 << 13 | 7); /* IOPRIO_WHO_PROCESS, the lowest of "best effort" */
  if (strcmp(call, "ioprio_get") == 0)
    return syscall(SYS_ioprio_get, 1, pid);
  if (strcmp(call, "prlimit") == 0)
    return syscall(SYS_prlimit64, pid, RLIMIT_CORE, &limit, NULL);
  if (strcmp(call, "ptrace-attach") == 0)
    return syscall(SYS_ptrace, PTRACE_ATTACH, pid, NULL, NULL);
  if (strcmp(call, "ptrace-seize") == 0)
    return syscall(SYS_ptrace, PTRACE_SEIZE, pid, NULL, NULL);
  if (strcmp(call, "process_vm_readv") == 0)
    return syscall(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0);
  if (strcmp(call, "process_vm_writev") == 0)
    return syscall(SYS_process_vm_writev, pid, &here, 1, &there, 1, 0);
  fail("unknown call");
}

int touch_stale(const char *how) {
  static const char raw[] = "syscall-";
  CPU_SET(0, &cpus);
  sched_getaffinity(0, sizeof cpus, &cpus);
  errno = 0;
  long result =
      strncmp(how, raw, sizeof raw - 1) == 0 ? by_syscall(how + sizeof raw - 1, scenario.child) : by_libc(how, scenario.child);
  return result < 0 ? -1 : 0;
}

/* SPDX-License-Identifier: MIT */
/* Calls that touch a process by its PID, other than kill() and its like. They are made through libc and by
 * syscall(). */
#define _GNU_SOURCE
#include "stale.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef PIDFD_NONBLOCK
#define PIDFD_NONBLOCK 04000
#endif

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif
#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif

/* Not every libc has these. */
struct sched_attr;
extern int sched_setattr(pid_t, struct sched_attr *, unsigned) __attribute__((weak));
extern int sched_getattr(pid_t, struct sched_attr *, unsigned, unsigned) __attribute__((weak));
extern int __sched_setscheduler(pid_t, int, const struct sched_param *) __attribute__((weak));
extern int __sched_getscheduler(pid_t) __attribute__((weak));
extern int __sched_getparam(pid_t, struct sched_param *) __attribute__((weak));
extern int capget(void *header, void *data) __attribute__((weak));
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
static struct {
  uint32_t version;
  int pid;
} header = {.version = 0x20080522}; /* struct __user_cap_header_struct */
static uint32_t capabilities[6];
static struct {
  uint32_t type, size;
  uint64_t config, rest[14];
} event = {.type = 1, .size = 64}; /* struct perf_event_attr: PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK */
static struct timespec interval;
static unsigned long first_node = 1;
static struct rlimit limit;
static cpu_set_t cpus;
static char buffer[8];
static struct iovec here = {buffer, sizeof buffer}, there = {buffer, sizeof buffer};

static long by_capget(bool libc, pid_t pid) {
  header.pid = pid;
  return libc && capget ? capget(&header, capabilities) : syscall(SYS_capget, &header, capabilities);
}

/* Makes the call in a session of its own, on a terminal of its own. A group that exists, but not in that session, gives
 * EPERM. */
static long by_tcsetpgrp(pid_t group) {
  int ends[2], error = EIO;
  if (pipe(ends) != 0)
    fail("pipe");
  pid_t pid = fork();
  if (pid == 0) {
    int master = posix_openpt(O_RDWR | O_NOCTTY), terminal = -1;
    if (setsid() > 0 && master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 &&
        (terminal = open(ptsname(master), O_RDWR | O_NOCTTY)) >= 0 && ioctl(terminal, TIOCSCTTY, 0) == 0)
      error = tcsetpgrp(terminal, group) == 0 ? 0 : errno;
    _exit(write(ends[1], &error, sizeof error) != sizeof error);
  }
  if (pid < 2 || read(ends[0], &error, sizeof error) != sizeof error)
    fail("session");
  errno = error;
  return error ? -1 : 0;
}

static long by_spawn(pid_t group) {
  static char *const argv[] = {"true", NULL};
  posix_spawnattr_t attr;
  pid_t pid;
  if (posix_spawnattr_init(&attr) != 0 || posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP) != 0 ||
      posix_spawnattr_setpgroup(&attr, group) != 0)
    fail("attributes");
  errno = posix_spawn(&pid, "/bin/true", NULL, &attr, argv, argv + 1);
  return errno ? -1 : 0;
}

/* Makes the call of libc. If this libc does not have it, syscall() makes it. */
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
  if (strcmp(call, "sched_setattr") == 0)
    return sched_setattr ? sched_setattr(pid, (struct sched_attr *)&attributes, 0)
                         : syscall(SYS_sched_setattr, pid, &attributes, 0);
  if (strcmp(call, "sched_getattr") == 0)
    return sched_getattr ? sched_getattr(pid, (struct sched_attr *)&attributes, sizeof attributes, 0)
                         : syscall(SYS_sched_getattr, pid, &attributes, sizeof attributes, 0);
  if (strcmp(call, "__sched_setscheduler") == 0)
    return __sched_setscheduler ? __sched_setscheduler(pid, SCHED_BATCH, &param)
                                : sched_setscheduler(pid, SCHED_BATCH, &param);
  if (strcmp(call, "__sched_getscheduler") == 0)
    return __sched_getscheduler ? __sched_getscheduler(pid) : sched_getscheduler(pid);
  if (strcmp(call, "__sched_getparam") == 0)
    return __sched_getparam ? __sched_getparam(pid, &param) : sched_getparam(pid, &param);
  if (strcmp(call, "sched_rr_get_interval") == 0)
    return sched_rr_get_interval(pid, &interval);
  if (strcmp(call, "clock_getcpuclockid") == 0) {
    clockid_t clock;
    errno = clock_getcpuclockid(pid, &clock);
    return errno ? -1 : 0;
  }
  if (strcmp(call, "capget") == 0)
    return by_capget(true, pid);
  if (strcmp(call, "set_ptracer") == 0)
    return prctl(PR_SET_PTRACER, (long)pid, 0L, 0L, 0L);
  if (strcmp(call, "setpgid-group") == 0)
    return setpgid(0, pid);
  if (strcmp(call, "setpriority-group") == 0)
    return setpriority(PRIO_PGRP, (id_t)pid, 7);
  if (strcmp(call, "getpriority-group") == 0)
    return getpriority(PRIO_PGRP, (id_t)pid);
  if (strcmp(call, "tcsetpgrp-group") == 0)
    return by_tcsetpgrp(pid);
  if (strcmp(call, "spawn-group") == 0)
    return by_spawn(pid);
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
  if (strcmp(call, "sched_rr_get_interval") == 0)
    return syscall(SYS_sched_rr_get_interval, pid, &interval);
  if (strcmp(call, "capget") == 0)
    return by_capget(false, pid);
  if (strcmp(call, "kcmp") == 0)
    return syscall(SYS_kcmp, pid, getpid(), 1 /* KCMP_VM */, 0, 0);
  if (strcmp(call, "kcmp-second") == 0)
    return syscall(SYS_kcmp, getpid(), pid, 1 /* KCMP_VM */, 0, 0);
  if (strcmp(call, "perf_event_open") == 0)
    return syscall(SYS_perf_event_open, &event, pid, -1, -1, 0);
  if (strcmp(call, "migrate_pages") == 0)
    return syscall(SYS_migrate_pages, pid, sizeof first_node * 8, &first_node, &first_node);
  if (strcmp(call, "move_pages") == 0)
    return syscall(SYS_move_pages, pid, 0, NULL, NULL, NULL, 0);
  if (strcmp(call, "get_robust_list") == 0) {
    void *head;
    size_t size;
    return syscall(SYS_get_robust_list, pid, &head, &size);
  }
  if (strcmp(call, "set_ptracer") == 0)
    return syscall(SYS_prctl, PR_SET_PTRACER, pid, 0, 0, 0);
  if (strcmp(call, "sched_core") == 0)
    return syscall(SYS_prctl, PR_SCHED_CORE, 1 /* CREATE */, pid, 1 /* a process */, 0);
  if (strcmp(call, "sched_core-group") == 0)
    return syscall(SYS_prctl, PR_SCHED_CORE, 1 /* CREATE */, pid, 2 /* a group */, 0);
  if (strcmp(call, "setpgid-group") == 0)
    return syscall(SYS_setpgid, 0, pid);
  if (strcmp(call, "setpriority-group") == 0)
    return syscall(SYS_setpriority, PRIO_PGRP, pid, 7);
  if (strcmp(call, "getpriority-group") == 0)
    return syscall(SYS_getpriority, PRIO_PGRP, pid);
  if (strcmp(call, "ioprio_set-group") == 0)
    return syscall(SYS_ioprio_set, 2, pid, 2 << 13 | 7); /* IOPRIO_WHO_PGRP */
  if (strcmp(call, "ioprio_get-group") == 0)
    return syscall(SYS_ioprio_get, 2, pid);
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
  long result = strncmp(how, raw, sizeof raw - 1) == 0 ? by_syscall(how + sizeof raw - 1, scenario.child)
                                                       : by_libc(how, scenario.child);
  return result < 0 ? -1 : 0;
}

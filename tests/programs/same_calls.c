/* SPDX-License-Identifier: MIT */
/* The other calls that take a PID do what libc does: on living children, zombies, other processes and the caller
 * itself. A descriptor from pidfd_open is the program's in every respect. */
#define _GNU_SOURCE
#include "cases.h"

#include "raw.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

/* pidfd_open() of libc, where it has one (glibc 2.36). That is the one that is wrapped. */
extern int pidfd_open(pid_t pid, unsigned flags) __attribute__((weak));
extern int capget(void *header, void *data) __attribute__((weak));
#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif
extern int tgkill(pid_t tgid, pid_t tid, int sig) __attribute__((weak));

static int open_pidfd(pid_t pid, unsigned flags, bool by_syscall) {
  return by_syscall || !pidfd_open ? (int)syscall(SYS_pidfd_open, pid, flags) : pidfd_open(pid, flags);
}

static void note_call(const char *what, long result) {
  note("  %s: %s%s", what, result < 0 ? "-1 " : result == 0 ? "0 " : "+ ", errno_text(errno));
}

#define CALL(what, expression) (errno = UNTOUCHED, note_call(what, (long)(expression)))

static volatile char target[64] = "in the child";

/* Makes all the calls on one process. Each call must leave it fit for the next one. */
static void try_all(const char *who, pid_t pid) {
  struct sched_param param = {.sched_priority = 0};
  struct rlimit limit;
  cpu_set_t cpus;
  static unsigned char wide[4096] __attribute__((aligned(8))); /* more than there can be processors for */
  char buffer[64];
  unsigned attributes[12]; /* struct sched_attr */
  struct iovec here = {buffer, 12}, there = {(void *)(uintptr_t)target, 12};
  note("%s", who);
  CALL("getpgid", getpgid(pid));
  CALL("getsid", getsid(pid));
  CALL("setpgid", setpgid(pid, 0));
  CALL("setpgid elsewhere", setpgid(pid, 1 << 22));
  CALL("getpriority", getpriority(PRIO_PROCESS, (id_t)pid));
  CALL("setpriority", setpriority(PRIO_PROCESS, (id_t)pid, 3));
  CALL("getpriority", getpriority(PRIO_PROCESS, (id_t)pid) == 3);
  CALL("getpriority of the group", getpriority(PRIO_PGRP, (id_t)pid));
  CALL("sched_getscheduler", sched_getscheduler(pid));
  CALL("sched_setscheduler", sched_setscheduler(pid, SCHED_BATCH, &param));
  CALL("sched_getscheduler", sched_getscheduler(pid) == SCHED_BATCH);
  CALL("sched_getparam", sched_getparam(pid, &param));
  CALL("sched_setparam", sched_setparam(pid, &param));
  CALL("sched_setscheduler, bad", sched_setscheduler(pid, 77, &param));
  CALL("sched_setscheduler, nowhere", sched_setscheduler(pid, SCHED_OTHER, NULL));
  CALL("sched_getaffinity", sched_getaffinity(pid, sizeof cpus, &cpus));
  CALL("sched_setaffinity", sched_setaffinity(pid, sizeof cpus, &cpus));
  CALL("sched_getaffinity, small", sched_getaffinity(pid, 0, &cpus));
  static const size_t sizes[] = {sizeof wide, sizeof wide - 1};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    memset(wide, 0xa5, sizeof wide);
    CALL("sched_getaffinity, wide", sched_getaffinity(pid, sizes[i], (cpu_set_t *)(void *)wide));
    note("  ends with %#x %#x", wide[sizeof wide - 2], wide[sizeof wide - 1]);
  }
  CALL("sched_getaffinity, nowhere", sched_getaffinity(pid, sizeof cpus, (cpu_set_t *)8));
  struct timespec interval = {0, 0};
  CALL("sched_rr_get_interval", sched_rr_get_interval(pid, &interval));
  CALL("sched_rr_get_interval, nowhere", sched_rr_get_interval(pid, (struct timespec *)8));
  clockid_t clock = 0;
  errno = UNTOUCHED;
  int error = clock_getcpuclockid(pid, &clock); /* this may leave anything in errno if it fails */
  note("  clock_getcpuclockid: %s", errno_text(error));
  if (error == 0)
    CALL("that clock", clock_gettime(clock, &interval));
  struct {
    uint32_t version;
    int pid;
  } header = {0x20080522, pid};
  uint32_t capabilities[6];
  for (int way = 0; capget && way < 2; way++) {
    CALL("capget", way ? syscall(SYS_capget, &header, capabilities) : capget(&header, capabilities));
    CALL("capget, nowhere", way ? syscall(SYS_capget, 8, capabilities) : capget((void *)8, capabilities));
    header.version = 1;
    CALL("capget, other version", way ? syscall(SYS_capget, &header, capabilities) : capget(&header, capabilities));
    note("  version %#x", header.version);
    header.version = 0;
    CALL("capget, the version alone", way ? syscall(SYS_capget, &header, NULL) : capget(&header, NULL));
    header.version = 0x20080522;
  }
  CALL("kcmp", syscall(SYS_kcmp, pid, pid, 1, 0, 0));
  CALL("kcmp with ourselves", syscall(SYS_kcmp, getpid(), pid, 99, 0, 0));
  CALL("migrate_pages", syscall(SYS_migrate_pages, pid, 0, NULL, NULL));
  CALL("move_pages", syscall(SYS_move_pages, pid, 0, NULL, NULL, NULL, 0));
  CALL("move_pages, bad flags", syscall(SYS_move_pages, pid, 0, NULL, NULL, NULL, 77));
  CALL("get_robust_list", syscall(SYS_get_robust_list, pid, &interval, &capabilities));
  CALL("set_ptracer", prctl(PR_SET_PTRACER, (long)pid, 0L, 0L, 0L));
  CALL("set_ptracer", syscall(SYS_prctl, PR_SET_PTRACER, pid, 0, 0, 0));
  CALL("prlimit", prlimit(pid, RLIMIT_CORE, NULL, &limit));
  limit.rlim_cur = 0;
  CALL("prlimit", prlimit(pid, RLIMIT_CORE, &limit, NULL));
  CALL("prlimit, bad", prlimit(pid, 99, NULL, &limit));
  memset(buffer, 0, sizeof buffer);
  CALL("process_vm_readv", process_vm_readv(pid, &here, 1, &there, 1, 0));
  note("  %.12s", buffer);
  memcpy(buffer, "IN", 2);
  here.iov_len = there.iov_len = 2;
  CALL("process_vm_writev", process_vm_writev(pid, &here, 1, &there, 1, 0));
  CALL("tgkill", tgkill ? tgkill(pid, pid, 0) : syscall(SYS_tgkill, pid, pid, 0));
  CALL("tgkill of another thread", syscall(SYS_tgkill, pid, 1, 0));
  CALL("tkill", syscall(SYS_tkill, pid, 0));
  CALL("ioprio", syscall(SYS_ioprio_set, 1, pid, 2 << 13 | 7));
  CALL("ioprio", syscall(SYS_ioprio_get, 1, pid) == (2 << 13 | 7));
  CALL("ioprio of the group", syscall(SYS_ioprio_get, 2, pid));
  CALL("ioprio of neither", syscall(SYS_ioprio_get, 9, pid));
  static const long by_syscall[] = {SYS_getpgid, SYS_getsid, SYS_sched_getscheduler};
  for (size_t i = 0; i < sizeof by_syscall / sizeof *by_syscall; i++)
    CALL("by syscall", syscall(by_syscall[i], pid));
  CALL("setpgid", syscall(SYS_setpgid, pid, 0));
  CALL("getpriority", syscall(SYS_getpriority, PRIO_PROCESS, pid) > 0);
  CALL("setpriority", syscall(SYS_setpriority, PRIO_PROCESS, pid, 4));
  memset(attributes, 0, sizeof attributes);
  CALL("sched_getattr", syscall(SYS_sched_getattr, pid, attributes, 48, 0));
  note("  size %u, policy %u", attributes[0], attributes[1]);
  CALL("sched_setattr", syscall(SYS_sched_setattr, pid, attributes, 0));
  CALL("sched_setattr, nowhere", syscall(SYS_sched_setattr, pid, NULL, 0));
  CALL("sched_setparam", syscall(SYS_sched_setparam, pid, &param));
  CALL("sched_getaffinity", syscall(SYS_sched_getaffinity, pid, sizeof cpus, &cpus) > 0);
  CALL("prlimit", syscall(SYS_prlimit64, pid, RLIMIT_CORE, NULL, &limit));
  CALL("process_vm_readv", syscall(SYS_process_vm_readv, pid, &here, 1L, &there, 1L, 0L));
}

static void living(void) {
  pid_t pid = fork_pausing();
  try_all("a child", pid);
  note("%s", (const char *)(uintptr_t)target);
  finish(pid);
}

static void zombie(void) {
  pid_t pid = fork_exiting(3);
  await_zombie(pid);
  try_all("a zombie", pid);
  MUST(waitpid(pid, NULL, 0) == pid);
  try_all("nobody", pid);
}

static void others(void) {
  pid_t self = getpid();
  CALL("own group", getpgid(0) == getpgid(self));
  CALL("own session", getsid(0) == getsid(self));
  CALL("negative", getpgid(-5));
  CALL("negative", sched_getscheduler(-5));
  CALL("unknown", getsid(1 << 22));
  CALL("parent's", getpgid(getppid()));
  CALL("priority of all", getpriority(PRIO_USER, 0));
  CALL("bad", getpriority(9, 0));
  try_all("oneself", self);
}

/* A grandchild is not a child of the program itself. */
static void child_in_child(void) {
  int ends[2];
  pid_t grandchild, pid;
  MUST(pipe(ends) == 0);
  pid = fork_ok();
  if (pid == 0) {
    grandchild = fork_pausing();
    MUST(write(ends[1], &grandchild, sizeof grandchild) == sizeof grandchild);
    for (;;)
      pause();
  }
  MUST(read(ends[0], &grandchild, sizeof grandchild) == sizeof grandchild && grandchild > 1);
  try_all("a grandchild", grandchild);
  MUST(kill_ok(grandchild, SIGKILL) == 0);
  finish(pid);
}

static void note_pidfd(const char *what, int fd, pid_t pid) {
  char path[64], line[128];
  int named = -7;
  note("%s: %d %s, flags %#x, descriptor flags %d", what, fd, errno_text(errno), (unsigned)fcntl(fd, F_GETFL),
       fcntl(fd, F_GETFD));
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE *file = fopen(path, "re");
  while (file && fgets(line, sizeof line, file))
    sscanf(line, "Pid: %d", &named);
  if (file)
    fclose(file);
  note("  names %s", named == pid ? "the child" : named == -1 ? "nobody" : "?");
}

static void pidfds(void) {
  static const unsigned flags[] = {0, PIDFD_NONBLOCK, PIDFD_THREAD, PIDFD_NONBLOCK | PIDFD_THREAD, 1, 02000000, ~0u};
  for (int by_syscall = 0; by_syscall < 2; by_syscall++)
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
      pid_t pid = fork_pausing();
      siginfo_t info;
      errno = UNTOUCHED;
      int fd = open_pidfd(pid, flags[i], by_syscall);
      note_pidfd("opened", fd, pid);
      if (fd < 0) {
        finish(pid);
        continue;
      }
      errno = UNTOUCHED;
      int second = open_pidfd(pid, flags[i], by_syscall);
      note_pidfd("again", second, pid);
      struct stat one, two;
      MUST(fstat(fd, &one) == 0 && fstat(second, &two) == 0);
      note("  the same: %d", one.st_ino == two.st_ino);
      /* they are not duplicates, so a change of one does not change the other */
      MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) ^ O_NONBLOCK) == 0);
      note("  changed: %d", (fcntl(fd, F_GETFL) ^ fcntl(second, F_GETFL)) == O_NONBLOCK);
      MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) ^ O_NONBLOCK) == 0);
      memset(&info, 0, sizeof info);
      errno = UNTOUCHED;
      int result =
          waitid((idtype_t)3 /* P_PIDFD */, (id_t)fd, &info, WEXITED | (flags[i] & PIDFD_NONBLOCK ? 0 : WNOHANG));
      note("  not yet: %s, %s", call_text(result), siginfo_text(&info, pid));
      MUST(raw_call(SYS_pidfd_send_signal, fd, SIGTERM, 0, 0, 0) == 0);
      struct pollfd dead = {.fd = fd, .events = POLLIN};
      note("  poll %d", poll(&dead, 1, 5000));
      await_zombie(pid);
      memset(&info, 0, sizeof info);
      errno = UNTOUCHED;
      result = waitid((idtype_t)3, (id_t)fd, &info, WEXITED);
      note("  %s, %s", call_text(result), siginfo_text(&info, pid));
      note("  then %s", call_text(kill_ok(pid, 0)));
      note("  closed %d %d", close(fd), close(second));
      errno = UNTOUCHED;
      fd = open_pidfd(pid, flags[i], by_syscall);
      note("  of nobody: %s", call_text(fd));
    }
  errno = UNTOUCHED;
  note("of 0: %s", call_text(open_pidfd(0, 0, false)));
  errno = UNTOUCHED;
  note("of -1: %s", call_text(open_pidfd(-1, 0, false)));
  int fd = open_pidfd(getpid(), 0, false);
  note_pidfd("own", fd, getpid());
}

/* A program may make its own pidfd non-blocking, as event loops want it. A wait by PID must not return at once then. */
static int exits_late(void *unused) {
  (void)unused;
  sleep_ms(60);
  return 4;
}
static void own_nonblocking(void) {
  static char stack[65536] __attribute__((aligned(16)));
  for (int way = 0; way < 5; way++) {
    int status = 0, fd = -1;
    siginfo_t info;
    struct rusage usage;
    pid_t pid =
        way == 4 ? clone(exits_late, stack + sizeof stack, 0x1000 /* CLONE_PIDFD */ | SIGCHLD, NULL, &fd) : fork();
    if (pid == 0)
      _exit(exits_late(NULL));
    MUST(pid > 1);
    if (way != 4)
      fd = open_pidfd(pid, 0, way % 2);
    MUST(fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    memset(&info, 0, sizeof info);
    errno = UNTOUCHED;
    pid_t result = way == 1   ? waitid(P_PID, (id_t)pid, &info, WEXITED)
                   : way == 2 ? wait4(pid, &status, 0, &usage)
                              : waitpid(pid, &status, 0);
    note("%s, %s, %s", wait_text(result, pid), status_text(status), siginfo_text(&info, pid));
    note("flags %#x, %s", (unsigned)fcntl(fd, F_GETFL), wait_text(waitpid(pid, &status, 0), pid));
    close(fd);
  }
}

/* A pidfd of a zombie can be opened, but none of a reaped child. There are more children than descriptors that are
 * held. */
static void pidfds_of_many(void) {
  enum { MANY = 150 };
  static pid_t pids[MANY];
  int good = 0;
  for (int i = 0; i < MANY; i++)
    pids[i] = i % 3 ? fork_pausing() : fork_exiting(1);
  for (int i = 0; i < MANY; i++) {
    if (i % 3 == 0)
      await_zombie(pids[i]);
    int fd = open_pidfd(pids[i], 0, i % 2);
    good += fd == 3 && raw_call(SYS_pidfd_send_signal, fd, 0, 0, 0, 0) == 0;
    close(fd);
  }
  note("good %d", good);
  for (int i = 0; i < MANY; i++)
    finish(pids[i]);
  for (int i = 0; i < MANY; i++)
    good -= open_pidfd(pids[i], 0, i % 2) == -1 && errno == ESRCH;
  note("%d", good);
}

static const volatile long all_ones = -1; /* a failed peek returns this value, too */

static void traced(void) {
  for (int way = 0; way < 3; way++) {
    pid_t pid = fork_pausing();
    int status;
    errno = UNTOUCHED;
    long result = way == 0   ? ptrace(PTRACE_ATTACH, pid, NULL, NULL)
                  : way == 1 ? ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACEEXIT)
                             : syscall(SYS_ptrace, PTRACE_ATTACH, pid, NULL, NULL);
    note("attach: %s", call_text((int)result));
    if (way == 1)
      MUST(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0);
    MUST(waitpid(pid, &status, __WALL) == pid);
    note("%s", status_text(status));
    errno = UNTOUCHED;
    long word = ptrace(PTRACE_PEEKDATA, pid, (void *)(uintptr_t)target, NULL);
    note("peek: %d %s", word == *(const long *)(uintptr_t)target, errno_text(errno));
    errno = UNTOUCHED;
    word = ptrace(PTRACE_PEEKTEXT, pid, (void *)(uintptr_t)&all_ones, NULL);
    note("peek: %ld %d", word, errno);
    errno = UNTOUCHED;
    note("peek nowhere: %s", call_text((int)ptrace(PTRACE_PEEKDATA, pid, NULL, NULL)));
    note("detach: %s", call_text((int)ptrace(PTRACE_DETACH, pid, NULL, NULL)));
    finish(pid);
    errno = UNTOUCHED;
    note("gone: %s", call_text((int)ptrace(PTRACE_ATTACH, pid, NULL, NULL)));
    errno = UNTOUCHED;
    note("gone: %s", call_text((int)ptrace(PTRACE_SEIZE, pid, NULL, NULL)));
    errno = UNTOUCHED;
    note("gone: %s", call_text((int)syscall(SYS_ptrace, PTRACE_SEIZE, pid, NULL, NULL)));
  }
}

const struct test_case cases[] = {
    {"living", living},
    {"zombie", zombie},
    {"others", others},
    {"grandchild", child_in_child},
    {"pidfds", pidfds},
    {"own-nonblocking", own_nonblocking},
    {"pidfds-of-many", pidfds_of_many},
    {"traced", traced},
    {NULL, NULL},
};

/* SPDX-License-Identifier: MIT */
/* See moment.h. This code runs before libc is initialised and after it ended, so it is careful with libc. It uses no
 * stdio streams, and environ only if there is no /proc. An ordinary program: it knows nothing of pidguard. */
#define _GNU_SOURCE
#include "moment.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if __GLIBC_PREREQ(2, 36)
#include <sys/pidfd.h>
#endif
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef __GLIBC__
#define tgkill(...) (int)syscall(SYS_tgkill, __VA_ARGS__)
#endif

int moment_child;
int capget(void *header, void *data); /* libc has it, but none of its headers does */

static void must(bool condition, const char *what) {
  if (condition)
    return;
  say("failed: %s, errno %d\n", what, errno);
  _exit(2);
}

static int signal_child(pid_t pid, int sig) {
  must(pid > 1, "a child");
  errno = 0;
  return kill(pid, sig);
}

static pid_t forked(int code) {
  pid_t pid = fork();
  must(pid >= 0, "fork");
  if (pid == 0 && code >= 0)
    _exit(code);
  while (pid == 0)
    pause();
  return pid;
}

static pid_t vforked(int code) {
  pid_t pid = vfork();
  if (pid == 0)
    _exit(code);
  must(pid > 1, "vfork");
  return pid;
}

static pid_t spawned(void) {
  static char *argv[] = {"/bin/true", NULL}, *none[] = {NULL};
  pid_t pid = -1;
  must(posix_spawn(&pid, argv[0], NULL, NULL, argv, none) == 0, "posix_spawn");
  return pid;
}

static pid_t called(int code) {
#ifdef SYS_fork
  long pid = syscall(SYS_fork);
#else
  long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
  must(pid >= 0, "syscall(fork)");
  if (pid == 0)
    _exit(code);
  return (pid_t)pid;
}

static void descriptors(void) {
  int end[2];
  must(pipe(end) == 0, "pipe");
  errno = 0;
  int result = dup2(end[0], 990);
  say("dup2 %d %d, ", result == 990, errno);
  say("dup3 %d, ", dup3(end[1], 1020, O_CLOEXEC) == 1020);
  result = close(990) | close(1020) | close(end[0]) | close(end[1]);
  say("close %d %d, ", result, errno);
  result = close(990);
  say("again %d %d, ", result, errno);
  errno = 0;
  result = (int)syscall(SYS_close, 991);
  say("syscall %d %d\n", result, errno);
}

static void waited(const char *what, pid_t pid, int by) {
  siginfo_t info = {.si_pid = 0};
  int status = 0;
  pid_t got = -1;
  errno = 0;
  switch (by) {
  case 0:
    got = waitpid(pid, &status, 0);
    break;
  case 1:
    got = wait(&status);
    break;
  case 2:
    got = (pid_t)syscall(SYS_wait4, pid, &status, 0, NULL);
    break;
  default:
    if (waitid(P_PID, (id_t)pid, &info, WEXITED) == 0) {
      got = info.si_pid;
      status = info.si_status;
    }
  }
  int error = errno, gone = signal_child(pid, 0);
  say("%s: %d %d status %#x, then kill %d %d\n", what, got == pid, error, (unsigned)status, gone, errno);
}

static void same(void) {
  for (int by = 0; by < 4; by++) {
    waited("fork", forked(3), by);
    waited("vfork", vforked(4), by);
    waited("spawn", spawned(), by);
    waited("syscall", called(5), by);
    pid_t pid = forked(-1);
    int result = signal_child(pid, SIGUSR1); /* SIGTERM is ignored below unshare --fork of util-linux 2.36 */
    say("kill %d, ", result);
    waited("killed", pid, by);
  }
  descriptors();
  errno = 0;
  pid_t none = wait(NULL);
  say("none left: %d %d\n", (int)none, errno);
}

static int exits(void *unused) {
  (void)unused;
  return 8;
}

/* "bare" and "refused" make all calls that a shim may stand in front of, before an object is relocated. "bare" makes
 * those that are system calls. They must fail by their results alone, because errno may not be there. "refused" makes
 * those that need more of libc. Not every libc itself survives them so early. */
static pid_t bare_child(void) {
  pid_t pid = fork();
  while (pid == 0)
    pause();
  must(pid > 1, "fork");
  return pid;
}

static int bare_reap(int by, pid_t pid) {
  siginfo_t info = {.si_pid = 0};
  int status = -1;
  must(signal_child(pid, SIGKILL) == 0, "kill");
  pid_t got = by == 0   ? wait(&status)
              : by == 1 ? waitpid(pid, &status, 0)
              : by == 2 ? wait3(&status, 0, NULL)
              : by == 3 ? wait4(pid, &status, 0, NULL)
                        : -1;
  if (by == 4 && waitid(P_PID, (id_t)pid, &info, WEXITED) == 0) {
    got = info.si_pid;
    status = info.si_status;
  }
  return got == pid ? status : -1;
}

static void bare_descriptors(void) {
  char byte;
  int fd = open("/proc/self/comm", O_RDONLY), high = fd < 0 ? -1 : dup2(fd, 90);
  say("read %d, ", fd >= 0 && high == 90 && read(high, &byte, 1) == 1);
  say("dup %d %d %d %d, ", dup2(fd, fd) == fd, dup2(100, 101), dup3(fd, 91, O_CLOEXEC) == 91, dup3(fd, fd, 0));
  say("close %d %d %d %d ", close(fd), close(90), close(91), close(100)); /* each by itself */
  say("%ld %ld\n", syscall(SYS_close, 100), syscall(SYS_dup3, 100, 101, 0));
#if __GLIBC_PREREQ(2, 34)
  say("range %d\n", close_range(200, 300, 0));
  closefrom(500);
#endif
#if __GLIBC_PREREQ(2, 36)
  int self = pidfd_open(getpid(), 0);
  say("pidfd %d %d %d ", self >= 0, pidfd_open(1 << 29, 0), pidfd_getfd(-1, 0, 0));
  say("%d\n", close(self));
#endif
}

static void bare_births(void) {
  int status = -1;
  for (int by = 0; by < 5; by++)
    say("reaped %#x, ", (unsigned)bare_reap(by, bare_child()));
  pid_t pid = vfork();
  if (pid == 0)
    _exit(7);
  say("vfork %d\n", pid > 1 && wait(&status) == pid && status == 7 << 8);
  pid = called(8);
  bool got = syscall(SYS_wait4, pid, &status, 0, NULL) == pid;
  say("syscall %d %#x\n", got, (unsigned)status);
#if __GLIBC_PREREQ(2, 34)
  pid = _Fork();
  if (pid == 0)
    _exit(9);
  got = waitpid(pid, &status, 0) == pid;
  say("_Fork %d %#x\n", got, (unsigned)status);
#endif
}

static void refused(void) {
  static char stack[16384] __attribute__((aligned(16)));
  static char *argv[] = {"/bin/true", NULL}, *none[] = {NULL};
  int master = -1;
  pid_t pid = fork();
  if (pid == 0)
    _exit(daemon(1, 1) != 0);
  waitpid(pid, NULL, 0);
  pid = forkpty(&master, NULL, NULL, NULL);
  if (pid == 0)
    _exit(0);
  if (master >= 0)
    close(master);
  if (posix_spawn(&pid, argv[0], NULL, NULL, argv, none) == 0)
    waitpid(pid, NULL, 0);
  if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, none) == 0)
    waitpid(pid, NULL, 0);
#if __GLIBC_PREREQ(2, 39)
  int pidfd = -1;
  if (pidfd_spawn(&pidfd, argv[0], NULL, NULL, argv, none) == 0)
    close(pidfd);
  if (pidfd_spawnp(&pidfd, argv[0], NULL, NULL, argv, none) == 0)
    close(pidfd);
#endif
  clockid_t clock;
  clock_getcpuclockid(getpid(), &clock);
  clone(exits, stack + sizeof stack, SIGCHLD, NULL);
  while (wait(NULL) > 0)
    ;
  say("end\n");
}

static void bare_numbers(void) {
  pid_t pid = bare_child(), nobody = 1 << 29;
  struct sched_param param = {.sched_priority = 0};
  struct rlimit limit;
  struct iovec from = {&pid, sizeof pid}, to = {&nobody, sizeof nobody};
  cpu_set_t cpus;
  say("signals %d %d ", signal_child(pid, 0), signal_child(nobody, 0));
  say("%d %d ", killpg(getpgrp(), 0), killpg(nobody, 0));
  say("%d %d ", sigqueue(pid, 0, (union sigval){.sival_int = 1}), sigqueue(nobody, 0, (union sigval){.sival_int = 1}));
  say("%d %ld ", tgkill(pid, pid, 0), syscall(SYS_tgkill, pid, pid, 0));
  say("%ld %ld\n", syscall(SYS_kill, pid, 0), syscall(SYS_kill, nobody, 0));
  say("groups %d ", setpgid(pid, 0));
  say("%d %d %d %d\n", getpgid(pid) == pid, getpgid(nobody), getsid(0) == getsid(pid), getsid(nobody));
  say("priority %d ", setpriority(PRIO_PROCESS, (id_t)pid, 5));
  say("%d %d\n", getpriority(PRIO_PROCESS, (id_t)pid), setpriority(PRIO_PROCESS, (id_t)nobody, 5));
  say("scheduler %d %d ", sched_getscheduler(pid), sched_setscheduler(pid, SCHED_OTHER, &param));
  say("%d ", sched_getparam(pid, &param));
  say("%d ", sched_setparam(pid, &param));
  say("%d ", sched_getaffinity(pid, sizeof cpus, &cpus));
  say("%d\n", sched_setaffinity(pid, sizeof cpus, &cpus));
  struct timespec slice;
  uint32_t header[2] = {0x20080522, (uint32_t)nobody}; /* _LINUX_CAPABILITY_VERSION_3 */
  say("slices %d %d ", sched_rr_get_interval(pid, &slice), sched_rr_get_interval(nobody, &slice));
  say("capget %d tcsetpgrp %d\n", capget(header, NULL), tcsetpgrp(-1, pid));
#if __GLIBC_PREREQ(2, 41)
  struct sched_attr attr;
  say("attributes %d ", sched_getattr(pid, &attr, sizeof attr, 0));
  say("%d\n", sched_setattr(pid, &attr, 0));
#endif
  say("limits %d ", prlimit(pid, RLIMIT_CORE, NULL, &limit)); /* the arguments of one call have no order */
  say("%d\n", setrlimit(RLIMIT_CORE, &limit));
  say("memory %zd ", process_vm_readv(getpid(), &to, 1, &from, 1, 0));
  say("%zd ", process_vm_writev(getpid(), &from, 1, &to, 1, 0));
  say("%zd\n", process_vm_readv(1 << 29, &to, 1, &from, 1, 0));
  say("ptrace %ld, prctl %d, ", ptrace(PTRACE_PEEKDATA, 1 << 29, NULL, NULL), prctl(PR_GET_DUMPABLE));
  say("namespaces %d %d\n", unshare(0), setns(-1, 0));
  say("end %#x\n", (unsigned)bare_reap(1, pid));
}

static void bare(void) {
  bare_descriptors();
  bare_births();
  bare_numbers();
  say("end\n");
}

/* Makes births that "same" leaves out, and the other calls that take the PID of a process. */
static void *calls(void *unused) {
  static char stack[16384] __attribute__((aligned(16)));
  static char *argv[] = {"true", NULL}, *none[] = {NULL};
  struct sched_param param = {.sched_priority = 0};
  struct rlimit limit;
  cpu_set_t cpus;
  pid_t pid = -1;
  say("affinity %d", sched_getaffinity(0, sizeof cpus, &cpus));
  say(" %d\n", sched_setaffinity(0, sizeof cpus, &cpus));
  say("scheduler %d", sched_getscheduler(0));
  say(" %d\n", sched_setscheduler(0, SCHED_OTHER, &param));
  say("parameters %d", sched_getparam(0, &param));
  say(" %d\n", sched_setparam(0, &param));
  say("limits %d", prlimit(0, RLIMIT_CORE, NULL, &limit));
  say(" %d\n", setrlimit(RLIMIT_CORE, &limit));
  errno = 0;
  say("ptrace %ld", ptrace(PTRACE_PEEKDATA, 0, NULL, NULL));
  say(" %d\n", errno);
  waited("spawn", spawned(), 0);
  must(posix_spawnp(&pid, argv[0], NULL, NULL, argv, none) == 0, "posix_spawnp");
  waited("spawnp", pid, 0);
  waited("clone", clone(exits, stack + sizeof stack, SIGCHLD, NULL), 0);
  return unused;
}

static void joined(void) {
  pthread_t thread;
  must(pthread_create(&thread, NULL, calls, NULL) == 0 && pthread_join(thread, NULL) == 0, "thread");
  errno = 0;
  pid_t none = wait(NULL);
  say("none left: %d %d\n", (int)none, errno);
}

void moment_stale(int child) {
  char line[16];
  must(waitpid(child, NULL, 0) == child, "wait");
  say("ready %d\n", child);
  must(read(STDIN_FILENO, line, sizeof line) > 0, "go");
  int result = signal_child(child, SIGTERM);
  say("result %d %d\n", result, errno);
}

/* Reads WHEN:WHAT from the environment that the kernel gave, because libc's may not be there yet. */
static bool wanted(char *text, size_t size) {
  static const char name[] = "MOMENT=";
  size_t at = 0;
  bool found = false;
  char byte;
  int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
  while (fd >= 0 && !found && read(fd, &byte, 1) == 1) {
    text[at] = byte;
    if (byte == '\0') {
      found = strncmp(text, name, sizeof name - 1) == 0;
      at = 0;
    } else if (at + 1 < size) {
      at++;
    }
  }
  if (fd >= 0)
    close(fd);
  if (fd < 0 && environ && getenv("MOMENT")) { /* there is no /proc, and it is late enough for libc's */
    snprintf(text, size, "%s", getenv("MOMENT"));
    return true;
  }
  if (found)
    memmove(text, text + sizeof name - 1, size - sizeof name + 1);
  return found;
}

void moment(const char *when) {
  char text[64];
  if (!wanted(text, sizeof text))
    return;
  char *what = strchr(text, ':');
  if (!what)
    return;
  *what++ = '\0';
  if (strcmp(text, when) != 0)
    return;
  if (strcmp(what, "same") == 0)
    same();
  else if (strcmp(what, "bare") == 0)
    bare();
  else if (strcmp(what, "refused") == 0)
    refused();
  else if (strcmp(what, "joined") == 0)
    joined();
  else if (strcmp(what, "stale") == 0)
    moment_stale(forked(7));
  else if (strcmp(what, "born") == 0)
    moment_child = forked(7);
}

/* SPDX-License-Identifier: MIT */
/* Children are made, signalled and waited for through libc's syscall(). The results, errno, statuses, siginfo and
 * rusage are those that the kernel gives. */
#define _GNU_SOURCE
#include "cases.h"

#include "raw.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

/* ---- Births: each ends in a child that exits with 7, or pauses. ---- */

enum birth { BY_FORK, BY_CLONE, BY_CLONE_SETTID, BY_CLONE_PIDFD, BY_CLONE3, BY_CLONE3_PIDFD, BY_CLONE_URG, BIRTHS };
static const char *const birth_names[] = {"fork", "clone", "settid", "pidfd", "clone3", "clone3-pidfd", "urg"};

static int given; /* what the kernel gave besides the PID */

static pid_t birth(enum birth way) {
  struct raw_clone_args args = {.exit_signal = SIGCHLD};
  given = -5;
  switch (way) {
  case BY_FORK:
#ifdef SYS_fork
    return (pid_t)syscall(SYS_fork);
#else
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
  case BY_CLONE:
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  case BY_CLONE_SETTID:
    return (pid_t)syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, 0, &given, 0, 0);
  case BY_CLONE_PIDFD:
    return (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &given, 0, 0);
  case BY_CLONE3:
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
  case BY_CLONE3_PIDFD:
    args.flags = CLONE_PIDFD;
    args.pidfd = (uint64_t)(uintptr_t)&given;
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
  default:
    return (pid_t)syscall(SYS_clone, SIGURG, 0, 0, 0, 0);
  }
}

static pid_t born(enum birth way, bool pauses) {
  pid_t pid = birth(way);
  MUST(pid >= 0);
  if (pid == 0 && !pauses)
    _exit(7);
  while (pid == 0)
    pause();
  return pid;
}

static void births(void) {
  for (int way = 0; way < BIRTHS; way++) {
    int status;
    errno = UNTOUCHED;
    pid_t pid = born((enum birth)way, true);
    note("%s: errno %s, given %s", birth_names[way], errno_text(errno),
         given == -5                           ? "nothing"
         : given == pid                        ? "the number"
         : fcntl(given, F_GETFD) == FD_CLOEXEC ? "a pidfd"
                                               : "?");
    if (way == BY_CLONE_PIDFD || way == BY_CLONE3_PIDFD) {
      note("  lowest: %d", given);
      MUST(raw_call(SYS_pidfd_send_signal, given, 0, 0, 0, 0) == 0);
      MUST(close(given) == 0);
    }
    note("  %s", call_text(kill_ok(pid, SIGTERM)));
    errno = UNTOUCHED;
    pid_t result = waitpid(pid, &status, __WALL);
    note("  %s, %s", wait_text(result, pid), status_text(status));
    note("  then %s", call_text(kill_ok(pid, 0)));
    note("  next %d", dup(0));
    close(3);
  }
}

/* A child made by syscall() can go on and have children of its own, call libc, and exec. */
static void child_goes_on(void) {
  for (int way = 0; way < BIRTHS; way++) {
    int status;
    pid_t sibling = fork_pausing(), pid = birth((enum birth)way);
    if (pid == 0) {
      pid_t own = fork_exiting(4);
      int good = waitpid(own, &status, 0) == own && WEXITSTATUS(status) == 4 && kill_ok(own, 0) == -1 &&
                 kill_ok(sibling, 0) == 0 && waitpid(sibling, NULL, WNOHANG) == -1 && errno == ECHILD;
      if (good)
        execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
      _exit(9);
    }
    MUST(pid > 1 && waitpid(pid, &status, __WALL) == pid);
    note("%s: %s", birth_names[way], status_text(status));
    finish(sibling);
  }
}

static volatile int shared;

/* syscall() cannot return twice on one stack, so the child must not call anything. */
static void vfork_by_syscall(void) {
#ifdef SYS_vfork
  int status;
  errno = UNTOUCHED;
  pid_t pid = (pid_t)syscall(SYS_vfork);
  if (pid == 0) {
    shared = 5;
    for (;;)
      raw_call(SYS_exit_group, 3, 0, 0, 0, 0);
  }
  note("errno %s, shared %d, already dead %d", errno_text(errno), shared, raw_call(SYS_kill, pid, 0, 0, 0, 0) == 0);
  MUST(waitpid(pid, &status, 0) == pid);
  note("%s, then %s", status_text(status), call_text(kill_ok(pid, 0)));
#else
  skip("this architecture has no vfork");
#endif
}

/* A child with a stack of its own starts where the call returns. Programs use glibc's clone() for that. syscall()
 * leaves such a call and its child alone. */
static void clone_vm_errors(void) {
  errno = UNTOUCHED;
  note("thread without its flags: %s", call_text((int)syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0)));
  errno = UNTOUCHED;
  note("sighand: %s", call_text((int)syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0)));
  errno = UNTOUCHED;
  note("clone3 of nothing: %s", call_text((int)syscall(SYS_clone3, NULL, 0)));
  errno = UNTOUCHED;
  note("clone3 nowhere: %s", call_text((int)syscall(SYS_clone3, 8, 64)));
  errno = UNTOUCHED;
  note("clone3 at the end: %s", call_text((int)syscall(SYS_clone3, -64L, 64)));
  struct raw_clone_args args = {.exit_signal = 200};
  errno = UNTOUCHED;
  note("clone3 bad signal: %s", call_text((int)syscall(SYS_clone3, &args, sizeof args)));
  errno = UNTOUCHED;
  note("clone3 small: %s", call_text((int)syscall(SYS_clone3, &args, 32)));
}

/* ---- Waits ---- */

static void note_usage(const struct rusage *usage) {
  note("  rusage: %s", usage->ru_maxrss > 100 && usage->ru_maxrss < 1 << 24 && usage->ru_utime.tv_sec < 100 ? "filled"
                       : usage->ru_maxrss == -1 ? "untouched"
                                                : "zero");
}

static void wait4_by_syscall(void) {
  static const int options[] = {0,           WNOHANG,  WUNTRACED, __WALL,  WNOHANG | WUNTRACED | WCONTINUED,
                                __WNOTHREAD, __WCLONE, WNOWAIT,   WEXITED, 1 << 20};
  int status;
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    for (int who = 0; who < 3; who++) {
      pid_t pid = fork_exiting(3);
      struct rusage usage;
      await_zombie(pid);
      memset(&usage, 0xff, sizeof usage);
      status = 0x55;
      errno = UNTOUCHED;
      long result = syscall(SYS_wait4, who == 0 ? pid : who == 1 ? -1 : 0, &status, options[i], &usage);
      note("%#x: %s, status %#x", (unsigned)options[i], wait_text((pid_t)result, pid), (unsigned)status);
      note_usage(&usage);
      errno = UNTOUCHED;
      result = syscall(SYS_wait4, pid, NULL, WNOHANG | __WALL, NULL);
      note("  again: %s, kill %s", wait_text((pid_t)result, pid), call_text(kill_ok(pid, 0)));
    }
  pid_t pid = fork_pausing();
  errno = UNTOUCHED;
  note("alive: %s", wait_text((pid_t)syscall(SYS_wait4, pid, &status, WNOHANG, NULL), pid));
  MUST(kill_ok(pid, SIGSTOP) == 0);
  MUST(syscall(SYS_wait4, pid, &status, WUNTRACED, NULL) == pid);
  note("%s", status_text(status));
  MUST(kill_ok(pid, SIGKILL) == 0);
  await_zombie(pid);
  errno = UNTOUCHED;
  note("nowhere: %s", wait_text((pid_t)syscall(SYS_wait4, pid, 8, 0, NULL), pid));
  errno = UNTOUCHED;
  note("again: %s", wait_text((pid_t)syscall(SYS_wait4, pid, &status, 0, NULL), pid));
}

static void waitid_by_syscall(void) {
  static const int options[] = {WEXITED, WEXITED | WNOHANG, WEXITED | WNOWAIT, WEXITED | __WALL, WSTOPPED | WNOHANG,
                                0,       WNOHANG,           WEXITED | 1 << 20};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    for (int who = 0; who < 4; who++) {
      pid_t pid = fork_exiting(3);
      int fd = (int)raw_call(SYS_pidfd_open, pid, 0, 0, 0, 0);
      struct rusage usage;
      siginfo_t info;
      await_zombie(pid);
      memset(&usage, 0xff, sizeof usage);
      memset(&info, 0xee, sizeof info);
      errno = UNTOUCHED;
      long result = syscall(SYS_waitid,
                            who == 0   ? P_PID
                            : who == 1 ? P_ALL
                            : who == 2 ? P_PGID
                                       : 3 /* P_PIDFD */,
                            who == 0   ? pid
                            : who == 3 ? fd
                                       : 0,
                            &info, options[i], who == 2 ? NULL : &usage);
      note("%#x, %d: %s, %s", (unsigned)options[i], who, call_text((int)result),
           info.si_pid == (int)0xeeeeeeee ? "info untouched" : siginfo_text(&info, pid));
      note_usage(&usage);
      errno = UNTOUCHED;
      result = syscall(SYS_waitid, P_PID, pid, NULL, WEXITED | WNOHANG | __WALL, NULL);
      note("  again: %s, kill %s", call_text((int)result), call_text(kill_ok(pid, 0)));
      close(fd);
    }
}

static void on_alarm(int sig) { (void)sig; }

static void interrupted_waits(void) {
  for (int restart = 0; restart < 2; restart++)
    for (int call = 0; call < 2; call++) {
      struct sigaction action = {.sa_handler = on_alarm, .sa_flags = restart ? SA_RESTART : 0};
      sigaction(SIGUSR1, &action, NULL);
      pid_t parent = getpid(), pid = fork_ok();
      if (pid == 0) {
        sleep_ms(40);
        kill_ok(parent, SIGUSR1);
        sleep_ms(40);
        _exit(2);
      }
      int status = 0;
      siginfo_t info;
      memset(&info, 0, sizeof info);
      errno = UNTOUCHED;
      long result =
          call ? syscall(SYS_waitid, P_PID, pid, &info, WEXITED, NULL) : syscall(SYS_wait4, pid, &status, 0, NULL);
      note("restart %d, call %d: %s", restart, call, wait_text((pid_t)result, pid));
      if (result < 0)
        MUST(waitpid(pid, &status, 0) == pid);
    }
}

/* ---- Signals ---- */

static volatile siginfo_t got;
static void on_signal(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)context;
  memcpy((void *)(uintptr_t)&got, info, sizeof got);
}

/* Makes a child that takes one signal and tells what came with it. */
static pid_t receiver(void) {
  int ready[2];
  char byte;
  MUST(pipe(ready) == 0);
  pid_t parent = getpid(), pid = fork_ok();
  if (pid == 0) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigset_t one, none;
    sigemptyset(&none);
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    sigprocmask(SIG_BLOCK, &one, NULL);
    sigaction(SIGUSR1, &action, NULL);
    MUST(write(ready[1], "", 1) == 1);
    sigsuspend(&none);
    note("  got signo=%d errno=%d code=%d pid=%s uid=%u value=%d", got.si_signo, got.si_errno, got.si_code,
         got.si_pid == parent ? "parent" : "other", (unsigned)got.si_uid, got.si_value.sival_int);
    _exit(0);
  }
  MUST(read(ready[0], &byte, 1) == 1);
  close(ready[0]);
  close(ready[1]);
  return pid;
}

static long send(int way, pid_t pid, int sig) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = sig;
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_int = 77;
  switch (way) {
  case 0:
    return syscall(SYS_kill, pid, sig);
  case 1:
    return syscall(SYS_tkill, pid, sig);
  case 2:
    return syscall(SYS_tgkill, pid, pid, sig);
  case 3:
    return syscall(SYS_rt_sigqueueinfo, pid, sig, &info);
  case 4:
    info.si_code = SI_TIMER; /* any negative code passes as it is */
    return syscall(SYS_rt_sigqueueinfo, pid, sig, &info);
  case 5:
    info.si_signo = SIGURG; /* the kernel corrects this */
    return syscall(SYS_rt_sigqueueinfo, pid, sig, &info);
  case 6:
    info.si_code = SI_TKILL; /* not allowed for another process */
    return syscall(SYS_rt_sigqueueinfo, pid, sig, &info);
  case 7:
    info.si_code = SI_USER;
    return syscall(SYS_rt_sigqueueinfo, pid, sig, &info);
  case 8:
    return syscall(SYS_rt_sigqueueinfo, pid, sig, NULL);
  case 9:
    return syscall(SYS_rt_tgsigqueueinfo, pid, pid, sig, &info);
  case 10:
    info.si_code = SI_TKILL;
    return syscall(SYS_rt_tgsigqueueinfo, pid, pid, sig, &info);
  case 11:
    info.si_code = SI_TIMER;
    info.si_signo = SIGURG;
    return syscall(SYS_rt_tgsigqueueinfo, pid, pid, sig, &info);
  case 12:
    return syscall(SYS_rt_tgsigqueueinfo, pid, pid, sig, NULL);
  default:
    return syscall(SYS_rt_sigqueueinfo, pid, sig, 16);
  }
}

static void signals(void) {
  for (int way = 0; way <= 13; way++) {
    pid_t pid = receiver();
    errno = UNTOUCHED;
    long result = send(way, pid, 0);
    note("%d: probe %s", way, call_text((int)result));
    errno = UNTOUCHED;
    result = send(way, pid, 65);
    note("%d: bad signal %s", way, call_text((int)result));
    errno = UNTOUCHED;
    result = send(way, pid, SIGUSR1);
    const char *text = call_text((int)result);
    int status;
    if (result != 0)
      kill_ok(pid, SIGKILL);
    MUST(waitpid(pid, &status, 0) == pid);
    note("%d: %s, %s", way, text, status_text(status));
    /* 6 and 7 are wrong for any process, and the kernel says EPERM before it looks for one */
    for (int sig = 0; way != 6 && way != 7 && sig <= SIGUSR1; sig += SIGUSR1) {
      errno = UNTOUCHED;
      result = send(way, pid, sig);
      note("%d: afterwards %s", way, call_text((int)result));
    }
  }
}

static void group_signals(void) {
  int status;
  pid_t leader = fork_pausing(), member = fork_pausing();
  MUST(setpgid(leader, leader) == 0 && setpgid(member, leader) == 0);
  MUST(leader > 1 && member > 1);
  note("%s", call_text((int)syscall(SYS_kill, -leader, 0)));
  MUST(syscall(SYS_kill, leader, SIGTERM) == 0 && waitpid(leader, &status, 0) == leader);
  errno = UNTOUCHED;
  note("after its leader: %s", call_text((int)syscall(SYS_kill, -leader, SIGUSR2)));
  MUST(syscall(SYS_wait4, -leader, &status, 0, NULL) == member);
  note("%s", status_text(status));
  errno = UNTOUCHED;
  note("empty: %s", call_text((int)syscall(SYS_kill, -leader, 0)));
  errno = UNTOUCHED;
  note("empty: %s", wait_text((pid_t)syscall(SYS_wait4, -leader, &status, 0, NULL), member));
}

/* ---- Bad pointers: structures that are not there, or not all of them ---- */

static char *last_page; /* ends where memory can no longer be read */

/* Returns the address of a structure whose first `there` bytes can be read, and are these. */
static void *cut_off(const void *bytes, size_t size, size_t there) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (!last_page) {
    last_page = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(last_page != MAP_FAILED && mprotect(last_page + page, page, PROT_NONE) == 0);
  }
  return memcpy(last_page + page - there, bytes, there < size ? there : size);
}

static void *unmapped(void) {
  void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(page != MAP_FAILED && munmap(page, 4096) == 0);
  return page;
}

static void note_clone3(const char *what, size_t number, void *args, size_t size) {
  int status = 0;
  errno = UNTOUCHED;
  pid_t pid = (pid_t)syscall(SYS_clone3, args, size);
  if (pid == 0)
    _exit(7);
  note("%s %zu: %s", what, number, pid > 0 ? "born" : call_text((int)pid));
  if (pid > 0) {
    MUST(waitpid(pid, &status, 0) == pid);
    note("  %s, then %s", status_text(status), call_text(kill_ok(pid, 0)));
  }
}

static void clone3_of_any_size(void) {
  const size_t large = (size_t)1 << (sizeof(size_t) * 5); /* 2^40, or 2^20 */
  const size_t sizes[] = {0, 8, 63, 64, 65, 72, 80, 88, 89, 96, 128, 4096, 4097, large, SIZE_MAX};
  union {
    struct raw_clone_args args;
    char bytes[8192];
  } *at = mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(at != MAP_FAILED);
  at->args.exit_signal = SIGCHLD;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    note_clone3("size", sizes[i], at, sizes[i]);
    if (sizes[i] <= 88 || sizes[i] > 4096)
      continue;
    at->bytes[sizes[i] - 1] = 1;
    note_clone3("size, and more", sizes[i], at, sizes[i]);
    at->bytes[sizes[i] - 1] = 0;
  }
  for (size_t there = 0; there <= sizeof at->args; there += 4)
    note_clone3("cut off after", there, cut_off(at, sizeof at->args, there), sizeof at->args);
  note_clone3("cut off in what is zero,", 96, cut_off(at, 96, 96), 104);
  note_clone3("unmapped", 0, unmapped(), sizeof at->args);
  note_clone3("nobody's", 0, (void *)(UINTPTR_MAX / 4), sizeof at->args);
  note_clone3("too small and unmapped", 0, unmapped(), 8);
}

static void note_queued(pid_t pid, int sig, const void *info) {
  errno = UNTOUCHED;
  note("  signal %d: %s", sig, call_text((int)syscall(SYS_rt_sigqueueinfo, pid, sig, info)));
}

static void siginfo_cut_off(void) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = SIGURG; /* a child does not notice this signal */
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  pid_t living = fork_pausing(), gone = fork_exiting(1);
  MUST(waitpid(gone, NULL, 0) == gone);
  for (int wrong = 0; wrong < 2; wrong++) {
    info.si_signo = wrong ? SIGWINCH : SIGURG;
    for (size_t there = 0; there <= sizeof info; there += there < 64 ? 4 : 32) {
      const void *at = cut_off(&info, sizeof info, there);
      note("cut off after %zu", there);
      note_queued(living, 0, at);
      note_queued(living, SIGURG, at);
      note_queued(living, 65, at);
      note_queued(gone, SIGURG, at);
      note_queued(0, SIGURG, at);
    }
  }
  note("unmapped");
  note_queued(living, SIGURG, unmapped());
  note_queued(gone, SIGURG, unmapped());
  note("nobody's");
  note_queued(living, SIGURG, (const void *)(UINTPTR_MAX / 4));
  note_queued(gone, SIGURG, (const void *)(UINTPTR_MAX / 4));
  finish(living);
}

/* ---- The rest ---- */

static void prctl_and_seccomp(void) {
  struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {1, &code};
  char name[17] = "";
  int status;
  pid_t before = fork_pausing();
  MUST(syscall(SYS_prctl, PR_SET_NAME, "by-syscall", 0, 0, 0) == 0);
  MUST(prctl(PR_GET_NAME, name) == 0);
  note("name %s", name);
  errno = UNTOUCHED;
  note("%s", call_text((int)syscall(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0)));
  errno = UNTOUCHED;
  note("%s", call_text((int)syscall(SYS_prctl, 12345, 1, 2, 3, 4)));
  errno = UNTOUCHED;
  note("%s", call_text(prctl(PR_SET_PDEATHSIG, 200)));
  errno = UNTOUCHED;
  note("%s", call_text((int)syscall(SYS_seccomp, 99, 0, NULL)));
  errno = UNTOUCHED;
  note("%s", call_text((int)syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
  for (int way = 0; way < 4; way++) {
    errno = UNTOUCHED;
    int result = way == 0   ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)
                 : way == 1 ? (int)syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0)
                 : way == 2 ? (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter)
                            : (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 2 /* LOG */, &filter);
    note("filter %d: %s", way, call_text(result));
    pid_t pid = way % 2 ? fork_exiting(way) : vfork();
    if (pid == 0)
      _exit(way);
    MUST(waitpid(pid, &status, 0) == pid);
    note("  %s, then %s", status_text(status), call_text(kill_ok(pid, 0)));
  }
  finish(before);
}

const struct test_case cases[] = {
    {"births", births},
    {"child-goes-on", child_goes_on},
    {"vfork", vfork_by_syscall},
    {"clone-errors", clone_vm_errors},
    {"wait4", wait4_by_syscall},
    {"waitid", waitid_by_syscall},
    {"interrupted-waits", interrupted_waits},
    {"signals", signals},
    {"group-signals", group_signals},
    {"clone3-of-any-size", clone3_of_any_size},
    {"siginfo-cut-off", siginfo_cut_off},
    {"prctl-and-seccomp", prctl_and_seccomp},
    {NULL, NULL},
};

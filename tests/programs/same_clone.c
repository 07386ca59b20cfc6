/* SPDX-License-Identifier: MIT */
/* clone(2) through libc: the caller's own flags, out-parameters and exit signals, and which waits see such children. */
#define _GNU_SOURCE
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#define STACK 65536

static char stack[STACK] __attribute__((aligned(16)));
static volatile int shared;
static int child_fd;

static int exit_main(void *code) {
  shared = 77;
  return *(int *)code;
}

static int pause_main(void *unused) {
  (void)unused;
  for (;;)
    pause();
  return 0;
}

static const char *reap(pid_t pid) {
  int status = 0;
  errno = UNTOUCHED;
  pid_t got = waitpid(pid, &status, __WALL);
  MUST(got == pid);
  return status_text(status);
}

static void memory(void) {
  static const int flags[] = {
      0,        CLONE_VM,       CLONE_VM | CLONE_VFORK,  CLONE_VFORK, CLONE_FS, CLONE_FILES, CLONE_SYSVSEM,
      CLONE_IO, CLONE_UNTRACED, CLONE_VM | CLONE_SIGHAND};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    int code = 10 + (int)i;
    shared = 1;
    errno = UNTOUCHED;
    pid_t pid = clone(exit_main, stack + STACK, flags[i] | SIGCHLD, &code);
    const char *after = errno_text(errno);
    MUST(pid > 1);
    const char *end = reap(pid);
    note("%#x: errno %s, %s, shared %d", (unsigned)flags[i], after, end, shared);
    errno = UNTOUCHED;
    int result = kill_ok(pid, 0);
    note("  kill: %s", call_text(result));
  }
}

/* The death of these children sends another signal than SIGCHLD, or none. Which waits see them? */
static void exit_signals(void) {
  const int signals[] = {0, SIGCHLD, SIGUSR1, SIGURG, SIGRTMIN};
  static const unsigned options[] = {0, __WALL, __WCLONE, __WNOTHREAD, __WALL | __WNOTHREAD, __WCLONE | __WNOTHREAD};
  int code = 3;
  signal(SIGUSR1, SIG_IGN);
  signal(SIGRTMIN, SIG_IGN);
  for (size_t s = 0; s < sizeof signals / sizeof *signals; s++)
    for (size_t o = 0; o < sizeof options / sizeof *options; o++)
      for (int form = 0; form < 4; form++) {
        pid_t pid = clone(exit_main, stack + STACK, signals[s], &code), got;
        MUST(pid > 1);
        await_zombie(pid);
        int status = 0x5a5a;
        siginfo_t info = {.si_pid = -1};
        errno = UNTOUCHED;
        switch (form) {
        case 0:
          got = waitpid(pid, &status, (int)options[o]);
          break;
        case 1:
          got = waitpid(-1, &status, (int)options[o]);
          break;
        case 2:
          got = wait4(pid, &status, (int)options[o], NULL);
          break;
        default:
          got = waitid(P_PID, (id_t)pid, &info, WEXITED | (int)options[o]) == 0 ? info.si_pid : -1;
          break;
        }
        note("signal %d options %#x form %d: %s %#x %s", signals[s], options[o], form, wait_text(got, pid),
             (unsigned)status, siginfo_text(&info, pid));
        errno = UNTOUCHED;
        got = waitpid(pid, NULL, __WALL);
        note("  %s", wait_text(got, pid));
      }
}

/* There are children of both kinds. A wait for any takes only the kind that it asks for. */
static void kinds_apart(void) {
  int code = 3;
  pid_t plain = fork_exiting(1);
  pid_t odd = clone(exit_main, stack + STACK, 0, &code);
  await_zombie(plain);
  await_zombie(odd);
  int status;
  errno = UNTOUCHED;
  pid_t got = waitpid(-1, &status, WNOHANG);
  note("plain: %s %s", wait_text(got, plain), status_text(status));
  errno = UNTOUCHED;
  got = waitpid(-1, &status, WNOHANG);
  note("plain: %s", wait_text(got, plain));
  errno = UNTOUCHED;
  got = waitpid(-1, &status, WNOHANG | (int)__WCLONE);
  note("clone: %s %s", wait_text(got, odd), status_text(status));
}

static void parent_settid(void) {
  int code = 4, tid = -1;
  errno = UNTOUCHED;
  pid_t pid = clone(exit_main, stack + STACK, CLONE_PARENT_SETTID | SIGCHLD, &code, &tid);
  note("settid %d errno %s", tid == pid, errno_text(errno));
  note("%s", reap(pid));
  tid = -1;
  pid = clone(exit_main, stack + STACK, CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, &code, NULL,
              NULL, &tid);
  note("%s", reap(pid));
  note("cleared %d", tid == 0);
}

static void own_pidfd(void) {
  int code = 4, pidfd = -1;
  int lowest = dup(0);
  close(lowest);
  errno = UNTOUCHED;
  pid_t pid = clone(exit_main, stack + STACK, CLONE_PIDFD | SIGCHLD, &code, &pidfd);
  note("lowest number %d, close-on-exec %d, errno %s", pidfd == lowest, fcntl(pidfd, F_GETFD), errno_text(errno));
  char path[64], line[128];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
  FILE *file = fopen(path, "r");
  int shown = -1;
  while (file && fgets(line, sizeof line, file))
    sscanf(line, "Pid: %d", &shown);
  note("of the child %d", shown == pid);
  if (file)
    fclose(file);
  siginfo_t info;
  int result = waitid((idtype_t)3, (id_t)pidfd, &info, WEXITED);
  note("waitid: %d %s", result, siginfo_text(&info, pid));
  note("close: %d", close(pidfd));
  errno = UNTOUCHED;
  result = kill_ok(pid, 0);
  note("kill: %s", call_text(result));
}

static void bad_arguments(void) {
  int code = 1, out = -1;
  static const int flags[] = {CLONE_PIDFD | CLONE_PARENT_SETTID,
                              CLONE_THREAD,
                              CLONE_SIGHAND,
                              CLONE_FS | CLONE_NEWNS,
                              CLONE_PIDFD | 0x00400000 /* CLONE_DETACHED */,
                              CLONE_THREAD | CLONE_SIGHAND};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    errno = UNTOUCHED;
    pid_t pid = clone(exit_main, stack + STACK, flags[i] | SIGCHLD, &code, &out);
    note("%#x: %s, out %d", (unsigned)flags[i], wait_text(pid, -2), out);
    if (pid > 0)
      waitpid(pid, NULL, 0);
  }
#ifdef __GLIBC__ /* musl checks neither */
  errno = UNTOUCHED;
  pid_t pid = clone(NULL, stack + STACK, SIGCHLD, NULL);
  note("no function: %s", wait_text(pid, -2));
  errno = UNTOUCHED;
  pid = clone(exit_main, NULL, SIGCHLD, &code);
  note("no stack: %s", wait_text(pid, -2));
#endif
}

static int open_main(void *unused) {
  (void)unused;
  child_fd = open("/dev/null", O_RDONLY);
  close(0);
  return child_fd >= 0 ? 0 : 1;
}

/* With CLONE_FILES both have one descriptor table, so what the child opens is the parent's. */
static void shared_files(void) {
  pid_t living = fork_pausing();
  pid_t pid = clone(open_main, stack + STACK, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
  note("%s", reap(pid));
  note("opened there %d, closed there %d", fcntl(child_fd, F_GETFD), fcntl(0, F_GETFD));
  note("living: %d", kill_ok(living, 0));
  finish(living);
  pid = fork_exiting(2);
  note("next: %s", reap(pid));
}

/* A task of the caller's own thread group is no child. */
static int thread_main(void *unused) {
  (void)unused;
  shared = 5;
  syscall(SYS_exit, 0);
  return 0;
}

static void thread_flag(void) {
  static volatile int tid = 1;
  pid_t living = fork_pausing();
  int before = count_descriptors();
  shared = 0;
  errno = UNTOUCHED;
  pid_t pid = clone(thread_main, stack + STACK,
                    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                        CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID,
                    NULL, NULL, NULL, (void *)&tid);
  note("errno %s", errno_text(errno));
  MUST(pid > 1);
  for (int i = 0; i < 1000 && (tid != 0 || shared != 5); i++)
    sleep_ms(1);
  note("ran %d, over %d", shared, tid == 0);
  note("descriptors: %d more", count_descriptors() - before);
  finish(living);
  errno = UNTOUCHED;
  pid_t got = waitpid(pid, NULL, __WALL);
  note("no child: %s", wait_text(got, pid));
}

/* With CLONE_PARENT the new process is a sibling: it has the caller's parent. */
static void parent_flag(void) {
  int answer[2];
  pid_t sibling = -1;
  MUST(pipe(answer) == 0);
  pid_t pid = fork_ok();
  if (pid == 0) {
    int code = 21;
    sibling = clone(exit_main, stack + STACK, CLONE_PARENT | SIGCHLD, &code);
    errno = UNTOUCHED;
    pid_t got = waitpid(sibling, NULL, __WALL);
    note("not its child: %s", wait_text(got, sibling));
    errno = UNTOUCHED;
    got = wait(NULL);
    note("no child at all: %s", wait_text(got, sibling));
    MUST(write(answer[1], &sibling, sizeof sibling) == sizeof sibling);
    _exit(0);
  }
  MUST(read(answer[0], &sibling, sizeof sibling) == sizeof sibling);
  note("%s", reap(pid));
  errno = UNTOUCHED;
  int status;
  pid_t got = waitpid(sibling, &status, 0);
  note("our child: %s %s", wait_text(got, sibling), status_text(status));
}

/* Without CLONE_VFORK the parent goes on at once, and both use the same memory. */
static int spin_main(void *unused) {
  (void)unused;
  for (int i = 0; i < 2000 && shared != 2; i++)
    usleep(500);
  int seen = shared;
  shared = 3;
  return seen;
}

static void side_by_side(void) {
  shared = 1;
  pid_t pid = clone(spin_main, stack + STACK, CLONE_VM | SIGCHLD, NULL);
  pid_t other = fork_exiting(1); /* the shim keeps its books while a child uses this memory */
  shared = 2;
  note("%s", reap(pid));
  note("%d %s", shared, reap(other));
  pid = clone(pause_main, stack + STACK, CLONE_VM | SIGCHLD, NULL);
  note("kill: %d", kill_ok(pid, SIGTERM));
  note("%s", reap(pid));
}

/* With __WNOTHREAD a wait sees only the calling thread's children. */
static void not_of_this_thread(void) {
  pid_t pid = fork_exiting(2);
  await_zombie(pid);
  errno = UNTOUCHED;
  pid_t got = waitpid(pid, NULL, __WNOTHREAD);
  note("own thread: %s", wait_text(got, pid));
}

const struct test_case cases[] = {
    {"memory", memory},
    {"exit-signals", exit_signals},
    {"kinds-apart", kinds_apart},
    {"parent-settid", parent_settid},
    {"own-pidfd", own_pidfd},
    {"bad-arguments", bad_arguments},
    {"shared-files", shared_files},
    {"thread-flag", thread_flag},
    {"parent-flag", parent_flag},
    {"side-by-side", side_by_side},
    {"not-of-this-thread", not_of_this_thread},
    {NULL, NULL},
};

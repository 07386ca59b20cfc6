/* SPDX-License-Identifier: MIT */
/* Processes and threads share only a part: descriptor tables without the memory, or memory without the descriptors. One
 * thread comes across the marks of another. */
#define _GNU_SOURCE
#include "../support/next_pid.h"
#include "cases.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t first, second;
static pthread_barrier_t barrier;

/* Says which of two children has died, and waits until one has. */
static const char *who_died(void) {
  siginfo_t info = {.si_pid = 0};
  MUST(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0);
  return info.si_pid == first ? "the first" : info.si_pid == second ? "the second" : "another";
}

static void *apart(void *unused) {
  MUST(unshare(CLONE_FILES) == 0);
  second = fork_pausing();
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  return unused;
}

/* A thread with descriptors of its own has a child, too. */
static void unshared_files(void) {
  pthread_t thread;
  MUST(pthread_barrier_init(&barrier, NULL, 2) == 0);
  first = fork_pausing();
  MUST(pthread_create(&thread, NULL, apart, NULL) == 0);
  pthread_barrier_wait(&barrier);
  errno = UNTOUCHED;
  int result = kill_ok(second, SIGTERM);
  note("kill: %s", call_text(result));
  note("%s died", who_died());
  pthread_barrier_wait(&barrier);
  MUST(pthread_join(thread, NULL) == 0);
  finish(second);
  finish(first);
}

static int go[2], told[2];

static int sharer(void *unused) {
  char byte;
  (void)unused;
  if (read(go[0], &byte, 1) != 1)
    return 1;
  syscall(436 /* close_range */, 100, ~0U, 0);
  pid_t pid = fork_pausing();
  if (write(told[1], &pid, sizeof pid) != sizeof pid || read(go[0], &byte, 1) != 1)
    return 1;
  siginfo_t info = {.si_pid = 0};
  return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) || info.si_pid ? 2 : 3;
}

/* A child that shares the descriptors, but not the memory, closes what it does not know and has a child. */
static void shared_files(void) {
  static char stack[65536] __attribute__((aligned(16)));
  pid_t grandchild;
  MUST(pipe(go) == 0 && pipe(told) == 0);
  pid_t pid = clone(sharer, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL);
  MUST(pid > 1 && write(go[1], "x", 1) == 1);
  MUST(read(told[0], &grandchild, sizeof grandchild) == sizeof grandchild);
  errno = UNTOUCHED;
  int result = kill_ok(pid, SIGCONT), status = 0; /* harmless for both, but which of them does SIGTERM reach? */
  note("kill: %s", call_text(result));
  result = kill_ok(pid, SIGTERM);
  note("kill: %s", call_text(result));
  MUST(waitpid(pid, &status, 0) == pid);
  note("%s", status_text(status));
  note("its child: %d", kill_ok(grandchild, SIGKILL));
}

static void *first_call(void *unused) {
  int fd;
  errno = UNTOUCHED;
  int result = killpg(getpid(), 0);
  note("own group: %s", call_text(result));
  while ((fd = dup(0)) >= 0)
    ;
  errno = UNTOUCHED;
  result = kill_ok(first, 0);
  note("sibling: %s", call_text(result));
  return unused;
}

/* A forked child has a PID that its parent saw die. A second thread is the first to do anything there. */
static void second_thread_first(void) {
  struct rlimit limit = {64, 64};
  int status;
  MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  first = fork_pausing();
  pid_t gone = fork_exiting(0);
  MUST(waitpid(gone, &status, 0) == gone);
  int arranged = next_pid_is(gone);
  if (!arranged) {
    finish(first);
    skip("the test cannot choose PIDs here (ns_last_pid)");
  }
  MUST(arranged > 0);
  pid_t pid = fork_ok();
  if (pid == 0) {
    pthread_t thread;
    note("the number again: %d", getpid() == gone);
    MUST(setpgid(0, 0) == 0 && pthread_create(&thread, NULL, first_call, NULL) == 0);
    MUST(pthread_join(thread, NULL) == 0);
    _exit(0);
  }
  MUST(waitpid(pid, &status, 0) == pid);
  finish(first);
}

static int handler_acts;
static void in_forked_child(void) {
  if (!handler_acts)
    return;
  errno = UNTOUCHED;
  int result = kill_ok(getpid(), 0);
  note("to itself: %s", call_text(result));
}

/* A handler of pthread_atfork() acts in a child that has a PID that its parent saw die. */
static void atfork_handler_first(void) {
  int status;
  MUST(pthread_atfork(NULL, NULL, in_forked_child) == 0);
  pid_t gone = fork_exiting(0);
  MUST(waitpid(gone, &status, 0) == gone);
  int arranged = next_pid_is(gone);
  if (!arranged)
    skip("the test cannot choose PIDs here (ns_last_pid)");
  MUST(arranged > 0 && kill_ok(gone, 0) == -1);
  handler_acts = 1;
  pid_t pid = fork_exiting(3);
  MUST(waitpid(pid, &status, 0) == pid);
  note("the number again: %d", pid == gone);
}

/* daemon() goes on in the child even if it fails after the fork, because there is no /dev/null. */
static void daemon_without_null(void) {
  char folder[] = "/tmp/pidguard-empty-XXXXXX";
  struct rlimit limit = {64, 64};
  int answer[2], status, fd;
  MUST(mkdtemp(folder) && setrlimit(RLIMIT_NOFILE, &limit) == 0 && pipe(answer) == 0);
  pid_t pid = fork_ok();
  if (pid == 0) {
    pid_t self = getpid();
    first = fork_pausing();
    pid_t gone = fork_exiting(0);
    MUST(waitpid(gone, NULL, 0) == gone);
    if (chroot(folder) != 0) {
      finish(first);
      MUST(write(answer[1], "-", 1) == 1);
      _exit(0);
    }
    errno = UNTOUCHED;
    int result = daemon(1, 0), error = errno;
    while ((fd = dup(0)) >= 0)
      ;
    errno = error;
    note("daemon: %s, in the child %d", call_text(result), getpid() != self);
    errno = UNTOUCHED;
    result = kill_ok(first, 0);
    note("sibling: %s", call_text(result));
    kill_ok(first, SIGKILL);
    MUST(write(answer[1], "+", 1) == 1);
    _exit(0);
  }
  char byte = 0;
  MUST(waitpid(pid, &status, 0) == pid && read(answer[0], &byte, 1) == 1 && rmdir(folder) == 0);
  if (byte == '-')
    skip("chroot is not allowed here");
}

static int lowest_free(void) {
  int fd = open("/dev/null", O_RDONLY);
  MUST(fd >= 0 && close(fd) == 0);
  return fd;
}

static void *vforks(void *unused) {
  int status;
  pthread_barrier_wait(&barrier);
  pid_t pid = vfork();
  if (pid == 0) {
    sleep_ms(80);
    _exit(3);
  }
  MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
  note("%s", status_text(status));
  return unused;
}

/* The only thread that opens descriptors gets the numbers that it would get alone, and keeps them. */
static void vfork_of_another(void) {
  pthread_t thread;
  int low = lowest_free(), again;
  MUST(pthread_barrier_init(&barrier, NULL, 2) == 0 && pthread_create(&thread, NULL, vforks, NULL) == 0);
  pthread_barrier_wait(&barrier);
  sleep_ms(30);
  again = lowest_free();
  note("the lowest: %d", again == low);
  MUST(dup2(0, low) == low);
  MUST(pthread_join(thread, NULL) == 0);
  note("kept: %d", fcntl(low, F_GETFD) == 0);
}

static int opens(void *low) {
  int again = lowest_free();
  note("the lowest: %d", again == *(int *)low);
  return 0;
}

static void lowest_when_shared(void) {
  static char stack[65536] __attribute__((aligned(16)));
  int low = lowest_free(), status;
  pid_t pid = clone(opens, stack + sizeof stack, CLONE_FILES | CLONE_VFORK | SIGCHLD, &low);
  MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
  note("%s", status_text(status));
}

/* One thread has children. Another puts descriptors where none is, without end. The children stay what they are. */
static _Atomic int ended;
static void *has_children(void *unused) {
  for (int i = 0; i < 400; i++) {
    int status;
    pid_t pid = fork_pausing();
    MUST(kill_ok(pid, SIGTERM) == 0 && kill_ok(pid, SIGTERM) == 0 && waitpid(pid, &status, 0) == pid);
    MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  }
  ended = 1;
  return unused;
}
static void overwritten(void) {
  pthread_t thread;
  int low = lowest_free();
  MUST(pthread_create(&thread, NULL, has_children, NULL) == 0);
  while (!ended) {
    int r = dup2(0, low); /* EBUSY: another thread opens something just there, see dup2(2) */
    MUST(r == low || errno == EBUSY);
    close(low);
  }
  MUST(pthread_join(thread, NULL) == 0);
}

/* While another thread signals, threads get descriptor tables of their own. No copy of a pidfd of the shim may stay in
 * them. */
static atomic_int signals_end;
static void *keeps_signalling(void *unused) {
  while (!signals_end)
    kill_ok(first, 0);
  return unused;
}
static void *parts(void *by_range) {
  if (by_range)
    MUST(syscall(SYS_close_range, 1000000u, ~0u, 2 | 4 /* CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC */) == 0);
  else
    MUST(unshare(CLONE_FILES) == 0);
  return (void *)(intptr_t)count_open_in(0, 64);
}
static void parted_while_signalled(bool by_range) {
  pthread_t thread, other;
  int open_before = count_open_in(0, 64), more = 0;
  first = fork_pausing();
  MUST(pthread_create(&thread, NULL, keeps_signalling, NULL) == 0);
  for (int i = 0; i < 1000; i++) {
    void *result;
    MUST(pthread_create(&other, NULL, parts, by_range ? &first : NULL) == 0 && pthread_join(other, &result) == 0);
    more += (int)(intptr_t)result != open_before;
  }
  signals_end = 1;
  MUST(pthread_join(thread, NULL) == 0);
  note("with more descriptors: %d", more);
  finish(first);
}
static void unshared_while_signalled(void) { parted_while_signalled(false); }
static void ranged_while_signalled(void) {
  if (!RAW_MAY_BE_SEEN)
    skip("nobody sees syscall() here");
  if (syscall(SYS_close_range, 1000000u, ~0u, 4) != 0)
    skip("the kernel has no close_range, or no such flag");
  parted_while_signalled(true);
}

/* The program has got a pidfd by a call that the shim does not see, on a number that the shim has used before. A
 * handler of pthread_atfork() makes the shim open another one. The child keeps the program's pidfd. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
static void *waits_twice(void *unused) {
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  return unused;
}
static void ask_about_first(void) { note("%d", getpgid(first) == getpgid(0)); }
static void pidfd_of_a_peer(void) {
  pthread_t thread;
  int ends[2], fd = -1, status = 0;
  socklen_t size = sizeof fd;
  first = fork_pausing();
  MUST(pthread_barrier_init(&barrier, NULL, 2) == 0);
  MUST(pthread_create(&thread, NULL, waits_twice, NULL) == 0);
  pthread_barrier_wait(&barrier);
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  note("%s", call_text(kill_ok(first, 0)));
  if (getsockopt(ends[0], SOL_SOCKET, SO_PEERPIDFD, &fd, &size) != 0)
    skip("the kernel has no SO_PEERPIDFD");
  MUST(pthread_atfork(ask_about_first, NULL, NULL) == 0);
  pid_t pid = fork_ok();
  if (pid == 0)
    _exit(fcntl(fd, F_GETFD) == FD_CLOEXEC ? 3 : 4);
  MUST(waitpid(pid, &status, 0) == pid);
  note("the child %s", status_text(status));
  pthread_barrier_wait(&barrier);
  MUST(pthread_join(thread, NULL) == 0);
  finish(first);
}

/* A vfork child leaves a process behind that runs on this memory, with a descriptor table of its own. What that process
 * closes stays open here. */
static volatile int companion_goes, companion_ended;
static volatile pid_t companion_pid;
static int companion(void *unused) {
  (void)unused;
  while (!companion_goes)
    sched_yield();
  pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  waitpid(pid, NULL, 0);
  companion_ended = 1;
  _exit(0);
}
static void companion_of_a_guest(void) {
  static char stack[65536] __attribute__((aligned(16)));
  int status;
  MUST(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
  first = fork_pausing();
  for (int round = 0; round < 5; round++) {
    companion_goes = companion_ended = 0;
    pid_t pid = vfork();
    if (pid == 0) {
      companion_pid = clone(companion, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
      _exit(companion_pid > 1 ? 3 : 4);
    }
    MUST(waitpid(pid, &status, 0) == pid);
    note("the guest %s", status_text(status));
    for (int i = 0; i < 3; i++)
      kill_ok(first, 0);
    companion_goes = 1;
    while (!companion_ended)
      sched_yield();
    for (int i = 0; i < 3; i++)
      kill_ok(first, 0);
    MUST(waitpid(companion_pid, &status, 0) == companion_pid);
  }
  finish(first);
  note("left open: %d", count_open_in(500, 3000));
}

const struct test_case cases[] = {
    {"unshared-files", unshared_files},
    {"shared-files", shared_files},
    {"second-thread-first", second_thread_first},
    {"daemon-without-null", daemon_without_null},
    {"vfork-of-another", vfork_of_another},
    {"lowest-when-shared", lowest_when_shared},
    {"overwritten", overwritten},
    {"atfork-handler-first", atfork_handler_first},
    {"unshared-while-signalled", unshared_while_signalled},
    {"ranged-while-signalled", ranged_while_signalled},
    {"pidfd-of-a-peer", pidfd_of_a_peer},
    {"companion-of-a-guest", companion_of_a_guest},
    {NULL, NULL},
};

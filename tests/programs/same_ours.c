/* SPDX-License-Identifier: MIT */
/* The program finds numbers in /proc/self/fd that it never opened. Whatever it does to them, it can still signal its
 * children and wait for them. It may put the pidfd of another process there. That process must never be signalled by
 * accident. */
#define _GNU_SOURCE
#include "cases.h"

#include "../support/pidfs.h"
#include "foreign.h"
#include "raw.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define CHILDREN 20

static pid_t children[CHILDREN];

static void make_children(void) {
  for (int i = 0; i < CHILDREN; i++)
    children[i] = fork_pausing();
  foreign_invite(children, CHILDREN);
}

/* Asks in every way: kill(), waits by PID and for any child, statuses. Afterwards no child is left. */
static void use_children(void) {
  int good = 0, gone = 0, status;
  for (int i = 0; i < CHILDREN; i++) {
    int sig = i % 2 ? SIGTERM : SIGUSR1;
    good += kill_ok(children[i], 0) == 0 && kill_ok(children[i], sig) == 0 &&
            waitpid(i % 3 ? children[i] : -1, &status, 0) == children[i] && WTERMSIG(status) == sig;
  }
  for (int i = 0; i < CHILDREN; i++)
    gone += kill_ok(children[i], 0) == -1 && errno == ESRCH;
  note("good %d, gone %d", good, gone);
}

/* The stranger is no child of the program, which has a pidfd of it. All signals stay pending in the stranger. */
static pid_t stranger;
static int stranger_fd = -1;

static void need_seen_opens(void) {
  if (!RAW_MAY_BE_SEEN) /* so the shim would not know that the program has pidfds, see pg_held_be_careful() */
    skip("nobody sees the syscall() that opens the program's own pidfd here");
}

static void make_stranger(void) {
  need_seen_opens();
  int tell[2];
  sigset_t all;
  MUST(pipe(tell) == 0);
  pid_t middle = fork_ok();
  if (middle == 0) {
    stranger = (pid_t)fork();
    if (stranger == 0) {
      sigfillset(&all);
      sigprocmask(SIG_SETMASK, &all, NULL);
      raw_call(SYS_close_range, 0, 2147483647, 0, 0, 0);
      for (;;)
        pause();
    }
    _exit(write(tell[1], &stranger, sizeof stranger) != sizeof stranger);
  }
  MUST(read(tell[0], &stranger, sizeof stranger) == sizeof stranger && stranger > 1);
  MUST(waitpid(middle, NULL, 0) == middle);
  stranger_fd = (int)syscall(SYS_pidfd_open, stranger, 0);
  MUST(stranger_fd >= 0);
  MUST(close(tell[0]) == 0 && close(tell[1]) == 0);
}

/* Notes whether the stranger is untouched until now, and ends it. */
static void end_stranger(void) {
  char path[64], line[256];
  unsigned long long pending = 0;
  snprintf(path, sizeof path, "/proc/%d/status", (int)stranger);
  FILE *file = fopen(path, "re");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, "ShdPnd:", 7) == 0 || strncmp(line, "SigPnd:", 7) == 0)
      pending |= strtoull(line + 7, NULL, 16);
  if (file)
    fclose(file);
  struct pollfd dead = {.fd = stranger_fd, .events = POLLIN};
  note("stranger: %s, pending %#llx", poll(&dead, 1, 0) == 0 ? "alive" : "DEAD", pending);
  raw_call(SYS_pidfd_send_signal, stranger_fd, SIGKILL, 0, 0, 0);
  MUST(poll(&dead, 1, 5000) == 1);
}

enum way { BY_DUP2, BY_DUP3, BY_SYSCALL_DUP2, BY_SYSCALL_DUP3, BY_INSTRUCTION };

static long put(enum way way, int from, int to) {
  switch (way) {
  case BY_DUP2:
    return dup2(from, to);
  case BY_DUP3:
    return dup3(from, to, O_CLOEXEC);
  case BY_SYSCALL_DUP2:
#ifdef SYS_dup2
    return syscall(SYS_dup2, from, to);
#endif
  case BY_SYSCALL_DUP3:
    return syscall(SYS_dup3, from, to, 0);
  default:
    return raw_call(SYS_dup3, from, to, 0, 0, 0);
  }
}

/* Puts the pidfd of a stranger onto each of those numbers. */
static void stranger_onto(enum way way) {
  int numbers[FOREIGN_MAX], good = 0;
  make_stranger();
  make_children();
  int count = foreign_find(numbers, stranger_fd, stranger_fd);
  for (int i = 0; i < count; i++)
    good += put(way, stranger_fd, numbers[i]) == numbers[i];
  note("put where asked: %d", good == count);
  use_children();
  end_stranger();
  for (int i = 0; i < count; i++)
    good -= close(numbers[i]) == 0;
  note("still there: %d", good == 0);
}
static void stranger_by_dup2(void) { stranger_onto(BY_DUP2); }
static void stranger_by_dup3(void) { stranger_onto(BY_DUP3); }
static void stranger_by_syscall_dup2(void) { stranger_onto(BY_SYSCALL_DUP2); }
static void stranger_by_syscall_dup3(void) { stranger_onto(BY_SYSCALL_DUP3); }
/* Before Linux 6.9 nothing tells one pidfd from another. So the shim does not notice one that is put there past all
 * wrappers. */
static void need_identity(void) {
  if (!pidfds_have_identity())
    skip("pidfds have no identity before Linux 6.9");
}

static void stranger_by_instruction(void) {
  need_identity();
  stranger_onto(BY_INSTRUCTION);
}

/* The same, but the number is taken by opening, after a close that no wrapper sees. */
static void stranger_by_open(void) {
  int numbers[FOREIGN_MAX], good = 0;
  need_identity();
  make_stranger();
  make_children();
  int count = foreign_find(numbers, stranger_fd, stranger_fd);
  for (int i = 0; i < count; i++) {
    raw_call(SYS_close, numbers[i], 0, 0, 0, 0);
    good += fcntl(stranger_fd, F_DUPFD, numbers[i]) == numbers[i];
  }
  note("put where asked: %d", good == count);
  use_children();
  end_stranger();
}

/* The program puts its own pidfd of one child onto the number for another child. */
static void children_exchanged(void) {
  int numbers[FOREIGN_MAX], own[CHILDREN];
  need_identity();
  need_seen_opens();
  make_children();
  int count = foreign_find(numbers, -1, -1);
  for (int i = 0; i < CHILDREN; i++)
    MUST((own[i] = (int)syscall(SYS_pidfd_open, children[CHILDREN - 1 - i], 0)) >= 0);
  for (int i = 0; i < count; i++)
    MUST(raw_call(SYS_dup3, own[i % CHILDREN], numbers[i], O_CLOEXEC, 0, 0) == numbers[i]);
  use_children();
}

/* What can be listed can be used and closed, like any other descriptor. */
static void as_any_other(void) {
  int numbers[FOREIGN_MAX], odd = 0;
  make_children();
  int count = foreign_find(numbers, -1, -1);
  for (int i = 0; i < count; i++) {
    int n = numbers[i];
#define SAYS(call) ((errno = UNTOUCHED), (call) == -1 && errno == EBADF)
    odd += dup2(n, 100) != 100 || dup3(n, 100, 0) != 100 || dup2(n, n) != n || syscall(SYS_dup3, n, 100, 0) != 100;
#ifdef SYS_dup2
    odd += syscall(SYS_dup2, n, 100) != 100 || syscall(SYS_dup2, n, n) != n;
#endif
    odd += close(100) != 0;
    errno = UNTOUCHED;
    odd += dup3(n, n, 0) != -1 || errno != EINVAL;
#ifdef __GLIBC__ /* musl itself takes such flags for none */
    errno = UNTOUCHED;
    odd += dup3(0, n, 1) != -1 || errno != EINVAL;
#endif
    errno = UNTOUCHED;
    odd += dup2(99, n) != -1 || errno != EBADF;
    odd += i % 2 ? close(n) != 0 : syscall(SYS_close, n) != 0;
    odd += !SAYS(close(n)) || !SAYS(syscall(SYS_close, n));
  }
  note("odd answers: %d, 100 is open: %d", odd, fcntl(100, F_GETFD) >= 0);
  use_children();
}

/* Some programs close what they inherited in this way: everything that readdir() shows. */
static void close_listed(void) {
  make_children();
  DIR *directory = opendir("/proc/self/fd");
  MUST(directory);
  for (struct dirent *entry; (entry = readdir(directory));) {
    int fd = atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd > 2 && fd != dirfd(directory))
      close(fd);
  }
  closedir(directory);
  int fd = open("/dev/null", O_RDONLY);
  note("next: %d", fd);
  use_children();
}

/* The same with an instruction of the program's own. The descriptors are gone, but the children must not be. */
static void close_listed_by_instruction(void) {
  int numbers[FOREIGN_MAX];
  make_children();
  int count = foreign_find(numbers, -1, -1);
  for (int i = 0; i < count; i++)
    raw_call(SYS_close, numbers[i], 0, 0, 0, 0);
  pid_t more = fork_pausing();
  finish(more);
  use_children();
}

/* In a vfork child the numbers are a copy. What happens to them there must not reach the parent. */
static void in_vfork_child(void) {
  static int numbers[FOREIGN_MAX];
  make_stranger();
  make_children();
  int count = foreign_find(numbers, stranger_fd, stranger_fd), status;
  pid_t pid = vfork();
  if (pid == 0) {
    for (int i = 0; i < count; i++)
      i % 2 ? (void)dup2(stranger_fd, numbers[i]) : (void)close(numbers[i]);
    _exit(kill(children[0], 0) == 0 && kill(children[1], 0) == 0 ? 7 : 8);
  }
  MUST(waitpid(pid, &status, 0) == pid);
  note("%s", status_text(status));
  use_children();
  end_stranger();
}

/* A vfork child may do anything with its own numbers, and nothing is in its way. */
static int borrowed_odd;
static int use_own_numbers(void *unused) {
  for (int from = 0; from <= 2; from += 2) /* the log may be a copy of 2 */
    for (int n = 10; n < 1400; n++) {
      borrowed_odd += dup2(from, n) != n || dup2(n, 9) != 9 || dup3(n, 9, 0) != 9 || syscall(SYS_dup3, n, 9, 0) != 9;
      borrowed_odd += close(n) != 0 || (errno = UNTOUCHED, close(n)) != -1 || errno != EBADF;
      borrowed_odd += dup2(from, n) != n || syscall(SYS_close, n) != 0 || fcntl(n, F_GETFD) >= 0;
    }
  return unused != NULL;
}

static pid_t awaited;
static void *await(void *unused) {
  MUST(waitpid(awaited, NULL, 0) == awaited);
  return unused;
}

static void own_of_a_borrower(void) {
  static char stack[65536] __attribute__((aligned(16)));
  static int numbers[FOREIGN_MAX];
  struct rlimit limit = {1500, 1500};
  int status;
  MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  pthread_t thread;
  awaited = fork_pausing();
  MUST(pthread_create(&thread, NULL, await, NULL) == 0);
  make_children();
  sleep_ms(50); /* the thread waits by now */
  static volatile int count, odd;
  count = foreign_find(numbers, -1, -1);
  pid_t pid = vfork();
  if (pid == 0) {
    for (int i = 0; i < count; i++) /* copies, as any other */
      odd += dup2(numbers[i], 9) != 9 || close(numbers[i]) != 0 || !SAYS(syscall(SYS_close, numbers[i]));
    use_own_numbers(NULL);
    _exit(odd || borrowed_odd ? 1 : 0);
  }
  MUST(waitpid(pid, &status, 0) == pid);
  note("odd answers: %d %d", odd, borrowed_odd);
  pid = clone(use_own_numbers, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
  MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
  note("without a vfork: %d", borrowed_odd);
  MUST(kill_ok(awaited, SIGKILL) == 0 && pthread_join(thread, NULL) == 0);
  use_children();
}

const struct test_case cases[] = {
    {"stranger-by-dup2", stranger_by_dup2},
    {"stranger-by-dup3", stranger_by_dup3},
    {"stranger-by-syscall-dup2", stranger_by_syscall_dup2},
    {"stranger-by-syscall-dup3", stranger_by_syscall_dup3},
    {"stranger-by-instruction", stranger_by_instruction},
    {"stranger-by-open", stranger_by_open},
    {"children-exchanged", children_exchanged},
    {"as-any-other", as_any_other},
    {"close-listed", close_listed},
    {"close-listed-by-instruction", close_listed_by_instruction},
    {"in-vfork-child", in_vfork_child},
    {"own-of-a-borrower", own_of_a_borrower},
    {NULL, NULL},
};

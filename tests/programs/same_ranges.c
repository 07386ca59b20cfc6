/* SPDX-License-Identifier: MIT */
/* Ranges of descriptors are closed in every way, with children in the background. Other cases use every number that
 * they may have. */
#define _GNU_SOURCE
#include "cases.h"

#include "foreign.h"
#include "raw.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define CLOSE_UNSHARE 2
#define CLOSE_CLOEXEC 4
#define CHILDREN 20

static pid_t children[CHILDREN];
static int numbers[FOREIGN_MAX], count;

static void make_children(void) {
  for (int i = 0; i < CHILDREN; i++)
    children[i] = fork_pausing();
  foreign_invite(children, CHILDREN);
  count = foreign_find(numbers, -1, -1);
}

static void use_children(void) {
  int good = 0, gone = 0, status;
  for (int i = 0; i < CHILDREN; i++)
    good += kill_ok(children[i], SIGTERM) == 0 && waitpid(children[i], &status, 0) == children[i] &&
            WTERMSIG(status) == SIGTERM;
  for (int i = 0; i < CHILDREN; i++)
    gone += kill_ok(children[i], 0) == -1 && errno == ESRCH;
  note("good %d, gone %d", good, gone);
}

typedef int range_fn(unsigned first, unsigned last, int flags);

static int by_libc(unsigned first, unsigned last, int flags) {
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
  return close_range(first, last, flags);
#else
  return (int)syscall(SYS_close_range, first, last, flags);
#endif
}

static int by_syscall(unsigned first, unsigned last, int flags) {
  return (int)syscall(SYS_close_range, first, last, flags);
}

static int by_instruction(unsigned first, unsigned last, int flags) {
  long result = raw_call(SYS_close_range, first, last, flags, 0, 0);
  errno = result < 0 ? (int)-result : errno;
  return result < 0 ? -1 : 0;
}

/* The program's own descriptors are low, in the middle and around the numbers that it did not open itself. */
static int own[64], own_count;

static void open_own(void) {
  own_count = 0;
  for (int i = 0; i < 6; i++)
    MUST((own[own_count++] = fcntl(0, F_DUPFD, i < 3 ? 3 : 300)) >= 0);
  for (int i = 0; i < count && own_count < 60; i += 4) /* between them, if there is room */
    own[own_count++] = fcntl(0, F_DUPFD, numbers[i]);
}

#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34) /* closefrom() */
static int own_left(int *ret_cloexec) {
  int left = 0;
  *ret_cloexec = 0;
  for (int i = 0; i < own_count; i++) {
    int flags = fcntl(own[i], F_GETFD);
    left += flags >= 0;
    *ret_cloexec += flags > 0;
  }
  return left;
}
#endif

/* Closes one range. All of the program's own descriptors in it must be gone (or marked), and none outside. */
static void try_range(range_fn *fn, const char *what, unsigned first, unsigned last, int flags) {
  int wrong = 0;
  open_own();
  errno = UNTOUCHED;
  int result = fn(first, last, flags);
  const char *text = call_text(result);
  for (int i = 0; i < own_count; i++) {
    bool inside = (unsigned)own[i] >= first && (unsigned)own[i] <= last && result == 0;
    int now = fcntl(own[i], F_GETFD);
    wrong += flags & CLOSE_CLOEXEC ? now != (inside ? FD_CLOEXEC : 0) : (now >= 0) == inside;
  }
  note("%s, flags %d: %s, wrong %d", what, flags, text, wrong);
  for (int i = 0; i < own_count; i++)
    raw_call(SYS_close, own[i], 0, 0, 0, 0);
}

static void ranges(range_fn *fn) {
  make_children();
  unsigned low = count ? (unsigned)numbers[0] : 900, high = count ? (unsigned)numbers[count - 1] : 1000;
  unsigned middle = count ? (unsigned)numbers[count / 2] : 950;
  for (int flags = 0; flags <= 6; flags += 2) {
    try_range(fn, "all", 3, ~0u, flags);
    try_range(fn, "up to the highest", 3, high, flags);
    try_range(fn, "up to the middle", 3, middle, flags);
    try_range(fn, "below", 3, low - 1, flags);
    try_range(fn, "exactly", low, high, flags);
    try_range(fn, "one", middle, middle, flags);
    try_range(fn, "lowest", low, low, flags);
    try_range(fn, "inside", low + 1, high > low + 1 ? high - 1 : low + 1, flags);
    try_range(fn, "from the middle", middle, ~0u, flags);
    try_range(fn, "from the highest", high, ~0u, flags);
    try_range(fn, "above", high + 1, ~0u, flags);
    try_range(fn, "far above", 1u << 30, ~0u, flags);
    try_range(fn, "the last", ~0u, ~0u, flags);
    try_range(fn, "backwards", high, low - 1, flags);
    try_range(fn, "backwards", 5, 3, flags);
  }
  static const int bad[] = {1, 8, 16, 1 << 20, -1, 7};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    try_range(fn, "bad flags", 3, ~0u, bad[i] & ~CLOSE_CLOEXEC);
    try_range(fn, "bad flags", high, high, bad[i] & ~CLOSE_CLOEXEC);
    try_range(fn, "bad flags, backwards", 9, 3, bad[i] & ~CLOSE_CLOEXEC);
  }
  use_children();
}
static void ranges_by_libc(void) { ranges(by_libc); }
static void ranges_by_syscall(void) { ranges(by_syscall); }
static void ranges_by_instruction(void) { ranges(by_instruction); }

/* With CLOSE_RANGE_UNSHARE the other holder of the table keeps everything. Without it that process loses what is
 * closed. */
static int sharer_pipe[2];
static int sharer(void *unused) {
  char byte;
  (void)unused;
  while (read(sharer_pipe[0], &byte, 1) == 1 && byte != 'q')
    ;
  return fcntl(100, F_GETFD) >= 0 ? 3 : 4;
}
static void unshare_table(void) {
  static char stack[65536] __attribute__((aligned(16)));
  for (int flags = 0; flags <= 6; flags += 2)
    for (int way = 0; way < 2; way++) {
      MUST(pipe(sharer_pipe) == 0);
      MUST(dup2(0, 100) == 100);
      pid_t pid = clone(sharer, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL);
      MUST(pid > 1);
      pid_t other = fork_pausing();
      int status, result = way ? by_syscall(50, ~0u, flags) : by_libc(50, ~0u, flags);
      note("flags %d: %s, here %d", flags, call_text(result), fcntl(100, F_GETFD));
      MUST(write(sharer_pipe[1], "q", 1) == 1);
      MUST(waitpid(pid, &status, 0) == pid);
      note("there: %s", status_text(status));
      finish(other);
      close(sharer_pipe[0]);
      close(sharer_pipe[1]);
      close(100);
    }
}

static void close_from(void) {
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
  int marked;
  make_children();
  unsigned low = count ? (unsigned)numbers[0] : 900, high = count ? (unsigned)numbers[count - 1] : 1000;
  unsigned from[] = {high + 1, high, (low + high) / 2, low, 300, 4, 3};
  for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
    open_own();
    int wrong = 0;
    errno = UNTOUCHED;
    closefrom((int)from[i]);
    int kept = errno;
    for (int k = 0; k < own_count; k++)
      wrong += (fcntl(own[k], F_GETFD) >= 0) == ((unsigned)own[k] >= from[i]);
    note("%zu: errno %s, wrong %d", i, errno_text(kept), wrong);
    for (int k = 0; k < own_count; k++)
      raw_call(SYS_close, own[k], 0, 0, 0, 0);
  }
  note("left %d", own_left(&marked));
  use_children();
#else
  skip("this libc has no closefrom");
#endif
}

/* Every number up to the limit is the program's. Then the program makes, signals and reaps children. */
static void fill(rlim_t limit) {
  int status;
  volatile int good = 0; /* vfork */
  struct rlimit files;
  MUST(getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = limit;
  MUST(setrlimit(RLIMIT_NOFILE, &files) == 0);
  make_children();
  int full = 0;
  for (int fd = 3; fd < (int)limit; fd++)
    full += dup2(0, fd) == fd;
  note("numbers in use: %d, one more: %s", full, call_text(dup(0)));
  for (int i = 0; i < CHILDREN; i++) {
    pid_t pid = i % 2 ? fork() : vfork();
    if (pid == 0) {
      if (i % 2 == 0)
        _exit(7);
      for (;;)
        pause();
    }
    MUST(pid > 1);
    good += (i % 2 == 0 || kill_ok(pid, SIGUSR1) == 0) && waitpid(pid, &status, 0) == pid;
  }
  note("made, signalled and reaped %d", good);
  use_children();
  full = 0;
  for (int fd = 3; fd < (int)limit; fd++)
    full += fcntl(fd, F_GETFD) == 0;
  note("still in use: %d", full);
}
static void all_numbers_64(void) { fill(64); }
static void all_numbers_1024(void) { fill(1024); }

/* Numbers run out by opening, not by choosing them. The program gets the limit less a small budget. */
static void close_all_again(void) {
  make_children();
  for (int round = 0; round < 3; round++) {
    int opened = 0, fd;
    while ((fd = dup(0)) >= 0 && opened < 5000)
      opened++;
    for (fd = 3; fd < 1100; fd++)
      close(fd);
    note("next %d", dup(0));
    close(3);
    pid_t pid = fork_pausing();
    finish(pid);
  }
  use_children();
}

/* Opens get the lowest free number, with many children, too. */
static void lowest(int children_count) {
  static pid_t many[200];
  for (int i = 0; i < children_count; i++)
    many[i] = fork_pausing();
  int ends[2], wrong = 0;
  for (int i = 0; i < 30; i++)
    wrong += dup(0) != 3 + i;
  for (int i = 0; i < 30; i += 3)
    close(3 + i);
  for (int i = 0; i < 30; i += 3)
    wrong += open("/dev/null", O_RDONLY) != 3 + i;
  MUST(pipe(ends) == 0);
  note("wrong %d, pipe %d %d, from 100 %d", wrong, ends[0], ends[1], fcntl(0, F_DUPFD, 100));
  for (int i = 0; i < children_count; i++)
    finish(many[i]);
  note("next %d", dup(0));
}
static void lowest_0(void) { lowest(0); }
static void lowest_1(void) { lowest(1); }
static void lowest_10(void) { lowest(10); }
static void lowest_200(void) { lowest(200); }

/* A call that fails closes nothing, so the shim must not forget what it keeps open. */
static void refused(void) {
  int before = count_descriptors();
  pid_t pid = fork_pausing();
  for (int i = 0; i < 20; i++) {
    for (int k = 0; k < 3; k++)
      kill_ok(pid, 0);
    for (int fd = 3; fd < 1100 && i % 2; fd++)
      MUST(syscall(SYS_dup3, 0, fd, 1) == -1 && errno == EINVAL);
    if (i % 2 == 0)
      MUST(syscall(SYS_close_range, 3, ~0u, 0x80) == -1 && (errno == EINVAL || errno == ENOSYS));
  }
  finish(pid);
  note("descriptors left: %d", count_descriptors() - before);
}

const struct test_case cases[] = {
    {"ranges-by-libc", ranges_by_libc},
    {"ranges-by-syscall", ranges_by_syscall},
    {"ranges-by-instruction", ranges_by_instruction},
    {"unshare", unshare_table},
    {"closefrom", close_from},
    {"refused", refused},
    {"all-numbers-64", all_numbers_64},
    {"all-numbers-1024", all_numbers_1024},
    {"close-all-again", close_all_again},
    {"lowest-0", lowest_0},
    {"lowest-1", lowest_1},
    {"lowest-10", lowest_10},
    {"lowest-200", lowest_200},
    {NULL, NULL},
};

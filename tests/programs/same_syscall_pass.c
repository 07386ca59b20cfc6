/* SPDX-License-Identifier: MIT */
/* libc's syscall() for everything else: six arguments, errno, results that look like errors, calls that return twice,
 * unknown numbers. */
#define _GNU_SOURCE
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void note_result(const char *what, long result) { note("%s: %ld %s", what, result, errno_text(errno)); }

/* The sixth argument: an offset for mmap, a mask for futex and pselect6, an offset for copy_file_range's flags. */
static void six_arguments(void) {
  char text[16] = "";
  int fd = memfd_create("pages", 0);
  MUST(fd >= 0 && ftruncate(fd, 3 * 4096) == 0 && pwrite(fd, "third", 5, 2 * 4096) == 5);
#ifdef SYS_mmap
  char *page = (char *)syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 2 * 4096);
  MUST(page != MAP_FAILED);
  note("mmap: %.5s", page);
  errno = UNTOUCHED;
  note_result("mmap, bad offset", syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 3));
  errno = UNTOUCHED;
  note_result("mmap, bad descriptor", syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, 999, 0));
  memcpy(text, page, 5);
  errno = UNTOUCHED;
  note_result("munmap", syscall(SYS_munmap, page, 4096));
#endif
  /* FUTEX_WAKE_OP takes all six; the result is how many were woken on both */
  static int one, two = 5;
  errno = UNTOUCHED;
  note_result("futex",
              syscall(SYS_futex, &one, FUTEX_WAKE_OP, 1, 1, &two, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_GT, 4)));
  note("two: %d", two);
  errno = UNTOUCHED;
  note_result("futex, other value", syscall(SYS_futex, &two, FUTEX_WAIT_BITSET, 5, NULL, NULL, ~0u));
  errno = UNTOUCHED;
  note_result("futex, no bits", syscall(SYS_futex, &two, FUTEX_WAIT_BITSET, two, NULL, NULL, 0));

  /* pselect6: the mask and its size are behind the sixth */
  int ends[2];
  sigset_t mask;
  sigemptyset(&mask);
  struct {
    const sigset_t *set;
    size_t size;
  } sixth = {&mask, _NSIG / 8};
  struct timespec none = {0, 0};
  fd_set set;
  MUST(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  errno = UNTOUCHED;
  note_result("pselect6", syscall(SYS_pselect6, ends[0] + 1, &set, NULL, NULL, &none, &sixth));
  sixth.size = 3;
  errno = UNTOUCHED;
  note_result("pselect6, bad size", syscall(SYS_pselect6, ends[0] + 1, &set, NULL, NULL, &none, &sixth));
#ifdef SYS_copy_file_range
  loff_t from = 2 * 4096, to = 0;
  errno = UNTOUCHED;
  note_result("copy_file_range, bad flags", syscall(SYS_copy_file_range, fd, &from, fd, &to, 5, 1u));
#endif
  static char buffer[8];
  struct iovec here = {buffer, 5}, there = {text, 5};
  errno = UNTOUCHED;
  note_result("process_vm_readv", syscall(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0));
  errno = UNTOUCHED;
  note_result("process_vm_readv, bad flags", syscall(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 9));
}

/* A result is a whole register, and only the last 4095 values of it are errors. */
static void big_results(void) {
  off_t big = (off_t)1 << (sizeof(off_t) * 5); /* 2^40, or 2^20 */
  int fd = memfd_create("sparse", 0);
  MUST(fd >= 0 && ftruncate(fd, big + 7) == 0);
#if LONG_MAX > 0x7fffffffL
  errno = UNTOUCHED;
  note_result("lseek", syscall(SYS_lseek, fd, (long)big, SEEK_SET));
  errno = UNTOUCHED;
  note_result("lseek to the end", syscall(SYS_lseek, fd, 0L, SEEK_END));
#endif
  errno = UNTOUCHED;
  note_result("lseek before the start", syscall(SYS_lseek, fd, -1L, SEEK_SET));
  errno = UNTOUCHED;
  note_result("brk", syscall(SYS_brk, 0) != -1);
  note_result("getpid", syscall(SYS_getpid) == getpid());
  note_result("getppid", syscall(SYS_getppid) == getppid());
  errno = UNTOUCHED;
  note_result("write", syscall(SYS_write, 999, "x", 1));
  errno = UNTOUCHED;
  note_result("read", syscall(SYS_read, fd, NULL, 1));
}

static void unknown_numbers(void) {
  static const long numbers[] = {-1, -2, 400, 511, 512, 513, 999, 1024, 100000, INT_MAX, LONG_MAX, LONG_MIN};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    errno = UNTOUCHED;
    note_result("unknown", syscall(numbers[i], 1, 2, 3, 4, 5, 6));
  }
}

/* A success leaves errno alone, even if it was set before. */
static void errno_kept(void) {
  errno = EXDEV;
  MUST(syscall(SYS_getpid) > 0);
  MUST(syscall(SYS_getuid) >= 0);
  MUST(syscall(SYS_kill, getpid(), 0) == 0);
  MUST(syscall(SYS_close, dup(0)) == 0);
  note("%s", errno_text(errno));
}

/* Each thread has its own errno. */
static void *thread_main(void *count) {
  for (int i = 0; i < 20000; i++) {
    errno = UNTOUCHED;
    if (syscall(SYS_close, -1) != -1 || errno != EBADF)
      ++*(int *)count;
    errno = UNTOUCHED;
    if (syscall(SYS_getpid) <= 0 || errno != UNTOUCHED)
      ++*(int *)count;
    errno = UNTOUCHED;
    if (syscall(SYS_lseek, 0, 0L, 77) != -1 || errno != EINVAL)
      ++*(int *)count;
  }
  return NULL;
}
static void threads(void) {
  pthread_t thread[4];
  int wrong[4] = {0};
  for (int i = 0; i < 4; i++)
    MUST(pthread_create(&thread[i], NULL, thread_main, &wrong[i]) == 0);
  for (int i = 0; i < 4; i++)
    pthread_join(thread[i], NULL);
  note("wrong: %d", wrong[0] + wrong[1] + wrong[2] + wrong[3]);
}

/* syscall() must preserve what the kernel preserves. Here that is what the compiler keeps in registers over a call. */
static void registers_kept(void) {
  volatile long sum = 0;
  register long a = 1, b = 2, c = 3, d = 4, e = 5;
  double x = 1.5, y = 2.5;
  for (int i = 0; i < 1000; i++) {
    sum += syscall(SYS_getpid) > 0 ? a + b + c + d + e : 0;
    syscall(SYS_close, -1);
    a++, b += 2, c += 3, d += 4, e += 5;
    x += y;
  }
  note("%ld %g", sum, x);
}

/* A handler interrupts a call, makes one of the same kind, and leaves by siglongjmp(). */
static sigjmp_buf back;
static volatile int handled;
static void on_alarm(int sig) {
  (void)sig;
  handled++;
  syscall(SYS_close, -1);
  siglongjmp(back, 1);
}
static void jump_out(void) {
  int ends[2];
  MUST(pipe(ends) == 0);
  signal(SIGALRM, on_alarm);
  for (int i = 0; i < 3; i++)
    if (sigsetjmp(back, 1) == 0) {
      pid_t self = getpid(), pid = fork_ok();
      char byte;
      if (pid == 0) {
        sleep_ms(30);
        kill_ok(self, SIGALRM);
        _exit(0);
      }
      syscall(SYS_read, ends[0], &byte, 1);
      note("not reached");
    } else {
      MUST(wait(NULL) > 1);
    }
  note("handled %d", handled);
}

/* Arguments get to the kernel in their order. */
static void arguments_in_order(void) {
  char buffer[64] = "";
  int ends[2], copy;
  MUST(syscall(SYS_pipe2, ends, O_CLOEXEC) == 0);
  note_result("flags", fcntl(ends[0], F_GETFD));
  MUST(syscall(SYS_write, ends[1], "hello", 5) == 5);
  note_result("read", syscall(SYS_read, ends[0], buffer, sizeof buffer));
  note("%s", buffer);
  copy = (int)syscall(SYS_fcntl, ends[0], F_DUPFD_CLOEXEC, 50);
  note_result("dup", copy);
  struct timespec time = {0, 1000000};
  errno = UNTOUCHED;
  note_result("nanosleep", syscall(SYS_nanosleep, &time, NULL));
  errno = UNTOUCHED;
  note_result("openat", syscall(SYS_openat, AT_FDCWD, "/nowhere", O_RDONLY, 0));
  unsigned cpu = ~0u;
  errno = UNTOUCHED;
  note_result("getcpu", syscall(SYS_getcpu, &cpu, NULL, NULL));
  note_result("sched_yield", syscall(SYS_sched_yield));
}

const struct test_case cases[] = {
    {"six-arguments", six_arguments},
    {"big-results", big_results},
    {"unknown-numbers", unknown_numbers},
    {"errno-kept", errno_kept},
    {"threads", threads},
    {"registers-kept", registers_kept},
    {"jump-out", jump_out},
    {"arguments-in-order", arguments_in_order},
    {NULL, NULL},
};

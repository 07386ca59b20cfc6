/* SPDX-License-Identifier: MIT */
/* Functions that act on a process: on its descriptors and its memory. */
#include "pidfd_support.h"

#include "pidfd/feature.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_COLD
#define MADV_COLD 20
#endif

static int number_to_open;

static int body_holding(void *ready) {
  char byte = 0;
  int fd = memfd_create("theirs", 0);
  if (write(fd, "secret", 6) != 6 || lseek(fd, 2, SEEK_SET) != 2 || dup2(fd, number_to_open) < 0)
    return 1;
  if (write(*(int *)ready, &byte, 1) != 1)
    return 1;
  for (;;)
    pause();
  return 0;
}

static struct child child_holding(int number) {
  int ready[2];
  char byte;
  number_to_open = number;
  if (pipe2(ready, O_CLOEXEC))
    abort();
  struct child c = child_running(body_holding, &ready[1]);
  close(ready[1]);
  if (read(ready[0], &byte, 1) != 1)
    abort();
  close(ready[0]);
  return c;
}

static void remote_descriptor(void) {
  struct child c = child_holding(123);
  char text[8] = "";
  int fd = pidguard_pidfd_getfd(c.fd, 123);
  if (fd < 0 && errno == EOPNOTSUPP) {
    pg_test_skip("pidfd_getfd needs Linux 5.6");
  } else {
    PG_CHECK(fd >= 0, "%s", strerror(errno));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(read(fd, text, sizeof text), 4); /* it is the same open file, with the child's offset */
    PG_CHECK(!strcmp(text, "cret"), "%s", text);
    close(fd);
    CHECK_ERRNO(pidguard_pidfd_getfd(c.fd, 124), EBADF);
    CHECK_ERRNO(pidguard_pidfd_getfd(c.fd, -1), EBADF);
    pidguard_pidfd_send_signal(c.fd, SIGKILL, 0);
    child_await_zombie(&c);
    int error = ERRNO_OF(pidguard_pidfd_getfd(c.fd, 123));
    PG_CHECK(error == ESRCH || error == EBADF, "%s", strerror(error)); /* EBADF: a zombie before 6.8 */
    child_reap(&c);
    CHECK_ERRNO(pidguard_pidfd_getfd(c.fd, 123), ESRCH);
  }
  hide(PG_FEATURE_GETFD);
  CHECK_ERRNO(pidguard_pidfd_getfd(c.fd, 123), EOPNOTSUPP);
  hide(0);
  child_done(&c);
}

/* The kernel checks as for ptrace. Another user may not take its descriptors. Without privilege no process may, once
 * the target is not dumpable. */
static int body_stranger(void *arg) {
  struct child c = *(struct child *)arg;
  if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
    return 77;
  if (pidguard_pidfd_getfd(c.fd, 123) != -1)
    return 1;
  return errno == EPERM ? 0 : errno == EOPNOTSUPP ? 79 : 2;
}

static int body_same_user(void *unused) {
  (void)unused;
  if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
    return 77;
  prctl(PR_SET_DUMPABLE, 1);
  struct child shy, open_hearted = child_paused();
  shy = child_paused();
  int r = 0, fd = pidguard_pidfd_getfd(open_hearted.fd, 0);
  if (fd < 0)
    r = errno == EPERM ? 78 : errno == EOPNOTSUPP ? 79 : 1; /* a security module may forbid even that */
  prctl(PR_SET_DUMPABLE, 0);
  struct child born_shy = child_paused();
  if (!r && (pidguard_pidfd_getfd(born_shy.fd, 0) != -1 || errno != EPERM))
    r = 2;
  child_done(&shy);
  child_done(&open_hearted);
  child_done(&born_shy);
  return r;
}

static void permission(void) {
  struct child target = child_holding(123), c;
  int (*const bodies[])(void *) = {body_stranger, body_same_user};
  for (size_t i = 0; i < 2; i++) {
    c = child_running(bodies[i], &target);
    child_await_zombie(&c);
    int status = child_reap(&c) >> 8;
    if (status == 77)
      pg_test_skip("this user cannot become another user");
    else if (status == 79)
      pg_test_skip("pidfd_getfd needs Linux 5.6");
    else if (status == 78)
      pg_test_skip("this process may not duplicate even its own descriptors");
    else
      CHECK_EQ(status, 0);
    child_done(&c);
  }
  child_done(&target);
}

static void release_memory(void) {
  struct child c = child_paused();
  int error = ERRNO_OF(pidguard_pidfd_mrelease(c.fd));
  if (error == EOPNOTSUPP) {
    pg_test_skip("process_mrelease needs Linux 5.15");
  } else {
    CHECK_EQ(error, EINVAL); /* the process does not die */
    CHECK_EQ(pidguard_pidfd_get_state(c.fd), PIDGUARD_STATE_ALIVE);
    pidguard_pidfd_send_signal(c.fd, SIGKILL, 0);
    /* The process may be gone before the call. */
    error = ERRNO_OF(pidguard_pidfd_mrelease(c.fd));
    PG_CHECK(error == 0 || error == ESRCH || error == EAGAIN, "%s", strerror(error));
    child_reap(&c);
    CHECK_ERRNO(pidguard_pidfd_mrelease(c.fd), ESRCH);
  }
  hide(PG_FEATURE_MRELEASE);
  CHECK_ERRNO(pidguard_pidfd_mrelease(c.fd), EOPNOTSUPP);
  hide(0);
  child_done(&c);
}

static void advice(void) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *memory = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(memory, 1, 4 * page);
  struct child c = child_paused(); /* it has the same memory at the same address */
  struct iovec ranges[] = {{memory, page}, {memory + 2 * page, 2 * page}};
  ssize_t n = pidguard_pidfd_madvise(c.fd, ranges, 2, MADV_COLD);
  if (n < 0 && errno == EOPNOTSUPP) {
    pg_test_skip("process_madvise needs Linux 5.10");
  } else if (n < 0 && errno == EPERM) {
    pg_test_skip("process_madvise needs CAP_SYS_NICE");
  } else {
    CHECK_EQ(n, 3 * (long long)page);
    for (size_t i = 0; i < 2; i++) {
      hide(i ? PG_FEATURE_SELF : 0);
      CHECK_EQ(pidguard_pidfd_madvise(PIDGUARD_SELF_PROCESS, ranges, 2, MADV_COLD), 3 * (long long)page);
      hide(0);
    }
    CHECK_ERRNO(pidguard_pidfd_madvise(c.fd, ranges, 2, 9999), EINVAL);
    struct iovec unmapped = {NULL, page};
    CHECK_ERRNO(pidguard_pidfd_madvise(c.fd, &unmapped, 1, MADV_COLD), ENOMEM);
    child_reap(&c);
    CHECK_ERRNO(pidguard_pidfd_madvise(c.fd, ranges, 2, MADV_COLD), ESRCH);
  }
  hide(PG_FEATURE_MADVISE);
  CHECK_ERRNO(pidguard_pidfd_madvise(c.fd, ranges, 2, MADV_COLD), EOPNOTSUPP);
  hide(0);
  munmap(memory, 4 * page);
  child_done(&c);
}

static int tid_pipe[2];

static void *thread_pauses(void *unused) {
  pid_t tid = (pid_t)syscall(SYS_gettid);
  char byte;
  if (write(tid_pipe[1], &tid, sizeof tid) != sizeof tid || read(tid_pipe[0], &byte, 1) != 1)
    abort();
  return unused;
}

/* A thread's pidfd names no process here. The thread is not gone for that reason. */
static void of_threads(void) {
  pthread_t thread;
  pid_t tid;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
    abort();
  tid_pipe[0] = tid_pipe[1] = ends[1];
  pthread_create(&thread, NULL, thread_pauses, NULL);
  if (read(ends[0], &tid, sizeof tid) != sizeof tid)
    abort();
  int fd = pidguard_pidfd_open(tid, PIDGUARD_OPEN_THREAD);
  if (fd < 0) {
    pg_test_skip("PIDFD_THREAD needs Linux 6.9");
  } else {
    static char page[4096] __attribute__((aligned(4096)));
    struct iovec range = {page, sizeof page};
    CHECK_ERRNO(pidguard_pidfd_mrelease(fd), EINVAL);
    CHECK_ERRNO(pidguard_pidfd_madvise(fd, &range, 1, MADV_COLD), EINVAL);
    close(fd);
  }
  if (write(ends[0], "", 1) != 1)
    abort();
  pthread_join(thread, NULL);
  close(ends[0]), close(ends[1]);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("remote_descriptor", remote_descriptor);
  add("permission", permission);
  add("release_memory", release_memory);
  add("advice", advice);
  add("of_threads", of_threads);
}

/* SPDX-License-Identifier: MIT */
/* How pidfds are obtained, and what a descriptor is. */
#include "pidfd_support.h"
#include "refuse.h"

#include "pidfd/feature.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void by_number(void) {
  struct child c = child_paused();
  int fd = pidguard_pidfd_open(c.pid, 0);
  PG_CHECK(fd >= 0, "errno %d", errno);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  CHECK_EQ(pidguard_pidfd_get_pid(fd), c.pid);
  CHECK_EQ(pidguard_pidfd_is_same(fd, c.fd), 1);
  close(fd);
  pid_t pid = c.pid;
  child_reap(&c);
  CHECK_ERRNO(pidguard_pidfd_open(pid, 0), ESRCH);
  child_done(&c);
  CHECK_ERRNO(pidguard_pidfd_open(0, 0), EINVAL);
  CHECK_ERRNO(pidguard_pidfd_open(-1, 0), EINVAL);
  CHECK_ERRNO(pidguard_pidfd_open(getpid(), 0x40), EINVAL);
}

static void nonblocking(void) {
  struct child c = child_paused();
  int fd = pidguard_pidfd_open(c.pid, PIDGUARD_OPEN_NONBLOCK);
  if (fd < 0 && errno == EOPNOTSUPP) {
    pg_test_skip("PIDFD_NONBLOCK needs Linux 5.10");
  } else {
    PG_CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK, "flag not set");
    close(fd);
  }
  hide(PG_FEATURE_NONBLOCK);
  CHECK_ERRNO(pidguard_pidfd_open(c.pid, PIDGUARD_OPEN_NONBLOCK), EOPNOTSUPP);
  hide(0);
  child_done(&c);
}

static void self(void) {
  int fd = pidguard_pidfd_open(getpid(), 0);
  CHECK_EQ(pidguard_pidfd_get_pid(fd), getpid());
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(pidguard_pidfd_is_child(fd), 0);
  close(fd);
}

static int body_parent(void *fd) {
  int parent = pidguard_pidfd_open_parent();
  return pidguard_pidfd_get_pid(parent) == getppid() && pidguard_pidfd_is_same(parent, *(int *)fd) == 1 &&
                 fcntl(parent, F_GETFD) == FD_CLOEXEC
             ? 0
             : 1;
}

/* The parent of this process has ended, and another process has taken it over. That one is meant. */
static int body_orphan(void *report) {
  pid_t before = getpid();
  if (fork() != 0)
    return 0;
  while (getppid() == before)
    sleep_ms(1);
  int parent = pidguard_pidfd_open_parent();
  char right = pidguard_pidfd_get_pid(parent) == getppid() && getppid() != before;
  return write(*(int *)report, &right, 1) != 1;
}

static void parent(void) {
  int self = pidguard_pidfd_open(getpid(), 0), report[2];
  struct child c = child_running(body_parent, &self);
  child_await_zombie(&c);
  CHECK_EQ(child_reap(&c), 0);
  child_done(&c);
  close(self);
  char right = 0;
  if (pipe2(report, O_CLOEXEC))
    abort();
  c = child_running(body_orphan, &report[1]);
  close(report[1]);
  child_await_zombie(&c);
  child_reap(&c);
  child_done(&c);
  CHECK_EQ(read(report[0], &right, 1), 1);
  CHECK_EQ(right, 1);
  close(report[0]);
}

static pid_t other_tid;
static int told[2], done[2];

static void *other_thread(void *unused) {
  char byte = 0;
  (void)unused;
  other_tid = (pid_t)syscall(SYS_gettid);
  if (write(told[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1)
    abort();
  return NULL;
}

static void threads(void) {
  pthread_t thread;
  char byte = 0;
  if (pipe2(told, O_CLOEXEC) || pipe2(done, O_CLOEXEC) || pthread_create(&thread, NULL, other_thread, NULL) ||
      read(told[0], &byte, 1) != 1)
    abort();
  int fd = pidguard_pidfd_open(other_tid, PIDGUARD_OPEN_THREAD);
  bool native = fd >= 0 || errno != EOPNOTSUPP;
  if (!native) {
    pg_test_skip("PIDFD_THREAD needs Linux 6.9");
  } else {
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(pidguard_pidfd_get_pid(fd), other_tid);
    CHECK_EQ(tgid_of(fd), getpid());
    CHECK_EQ(pidguard_pidfd_get_state(fd), PIDGUARD_STATE_ALIVE);
    CHECK_ERRNO(pidguard_pidfd_wait_end(fd, 0), ETIMEDOUT);
    /* The thread has an id of its own. But an id or a text finds a process or nothing. */
    char text[PIDGUARD_TEXT_MAX];
    uint64_t id = 0;
    CHECK_EQ(pidguard_pidfd_get_id(fd, &id), 0);
    PG_CHECK(pidguard_pidfd_to_text(fd, text, sizeof text) > 0, "%s", strerror(errno));
    CHECK_ERRNO(pidguard_pidfd_from_text(text, 0), ESRCH);
    int by_id = ERRNO_OF(pidguard_pidfd_open_id(id, 0)); /* 6.14 */
    PG_CHECK(by_id == ESRCH || by_id == EOPNOTSUPP, "%s", strerror(by_id));
  }
  /* Its number is not that of a process: ENOENT since 6.16, ESRCH before. */
  int error = ERRNO_OF(pidguard_pidfd_open(other_tid, 0));
  PG_CHECK(error == ENOENT || error == ESRCH, "%s", strerror(error));
  hide(PG_FEATURE_THREAD);
  CHECK_ERRNO(pidguard_pidfd_open(other_tid, PIDGUARD_OPEN_THREAD), EOPNOTSUPP);
  hide(0);
  if (write(done[1], &byte, 1) != 1)
    abort();
  pthread_join(thread, NULL);
  if (fd >= 0) {
    CHECK_EQ(pidguard_pidfd_wait_end(fd, 5000), 0);
    CHECK_EQ(pidguard_pidfd_wait(fd, NULL, 5000), 0);
    CHECK_EQ(pidguard_pidfd_get_state(fd), PIDGUARD_STATE_REAPED);
    close(fd);
  }
  CHECK_ERRNO(pidguard_pidfd_open(other_tid, PIDGUARD_OPEN_THREAD), native ? ESRCH : EOPNOTSUPP);
  CHECK_ERRNO(pidguard_pidfd_open(0, PIDGUARD_OPEN_THREAD), EINVAL);
  for (int i = 0; i < 2; i++) {
    close(told[i]);
    close(done[i]);
  }
}

/* Before 6.16 the kernel says EINVAL for a PID that is kept only for a process group, and also for an unknown flag.
 * Here a filter says so, for one PID or for all. */
static void einval_for(pid_t pid) {
  const struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)pid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {.len = 6, .filter = (struct sock_filter *)(uintptr_t)filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
    _exit(77);
}

static int body_einval(void *all) {
  pid_t other = getpid() + 1;
  einval_for(*(int *)all ? 1 : other);
  int want = *(int *)all ? EOPNOTSUPP : ESRCH;
  return ERRNO_OF(pidguard_pidfd_open(other, PIDGUARD_OPEN_THREAD)) == want ? 0 : 1;
}

static void no_such_thread(void) {
  int self = pidguard_pidfd_open(getpid(), PIDGUARD_OPEN_THREAD);
  if (self < 0) {
    pg_test_skip("PIDFD_THREAD needs Linux 6.9");
    return;
  }
  close(self);
  for (int all = 0; all < 2; all++) {
    check_in_child(body_einval, &all, "this user cannot install a filter");
  }
}

/* Descriptors that are no pidfds, with every function that must say so. */
static void check_kinds(void) {
  char name[] = "/proc/self";
  struct child c = child_paused();
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", c.fd);
  int kinds[] = {
      open("/dev/null", O_RDWR | O_CLOEXEC), open(name, O_RDONLY | O_CLOEXEC), eventfd(0, EFD_CLOEXEC), -1, 1000000,
      open(link, O_PATH | O_CLOEXEC) /* a place where a pidfd is, but not a pidfd */};
  CHECK_EQ(pidguard_is_pidfd(c.fd), 1);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    struct pidguard_creds creds;
    struct pidguard_info info = {.mask = PIDGUARD_INFO_ALL};
    struct pidguard_coredump dump;
    uint64_t id;
    char text[PIDGUARD_TEXT_MAX];
    int fd = kinds[i], status;
    CHECK_NO(pidguard_is_pidfd(fd), EBADF);
    CHECK_NO(pidguard_pidfd_is_child(fd), EBADF);
    CHECK_ERRNO(pidguard_pidfd_to_text(fd, text, sizeof text), EBADF);
    if (i != 1) /* the kernel takes a directory of /proc for a pidfd here, and that is as safe */
      CHECK_ERRNO(pidguard_pidfd_send_signal(fd, 0, 0), EBADF);
    CHECK_ERRNO(pidguard_pidfd_wait(fd, &status, 0), EBADF);
    CHECK_ERRNO(pidguard_pidfd_wait_end(fd, 0), EBADF);
    CHECK_ERRNO(pidguard_pidfd_waitid(fd, NULL, WEXITED, NULL, 0), EBADF);
    CHECK_ERRNO(pidguard_pidfd_get_pid(fd), EBADF);
    CHECK_ERRNO(creds_of(fd, &creds), EBADF);
    CHECK_ERRNO(cgroupid_of(fd, &id), EBADF);
    CHECK_ERRNO(pidguard_pidfd_get_id(fd, &id), EBADF);
    CHECK_ERRNO(pidguard_pidfd_get_state(fd), EBADF);
    CHECK_ERRNO(pidguard_pidfd_get_wait_status(fd, &status), EBADF);
    CHECK_ERRNO(coredump_of(fd, &dump), EBADF);
    CHECK_ERRNO(pidguard_pidfd_get_info(fd, &info, sizeof info), EBADF);
    CHECK_NO(pidguard_pidfd_is_same(fd, c.fd), EBADF);
    CHECK_NO(pidguard_pidfd_is_same(c.fd, fd), EBADF);
    CHECK_ERRNO(pidguard_pidfd_open_namespace(fd, PIDGUARD_NAMESPACE_UTS), EBADF);
    CHECK_ERRNO(same_namespace(fd, PIDGUARD_NAMESPACE_UTS), EBADF);
    CHECK_ERRNO(pidguard_pidfd_setns(fd, CLONE_NEWUTS), EBADF);
    int error = ERRNO_OF(pidguard_pidfd_getfd(fd, 0)); /* 5.6 */
    PG_CHECK(error == EBADF || error == EOPNOTSUPP, "%s", strerror(error));
    error = ERRNO_OF(pidguard_pidfd_mrelease(fd)); /* 5.15 */
    PG_CHECK(error == EBADF || error == EOPNOTSUPP, "%s", strerror(error));
    CHECK_ERRNO(pidguard_pidfd_open_proc(fd), EBADF);
    CHECK_ERRNO(pidguard_pidfd_terminate(fd, 0, 0), EBADF);
    if (fd >= 0 && fd < 1000000)
      close(fd);
  }
  child_done(&c);
}

static void is_child(void) {
  struct child c = child_paused(), z = child_exited(0);
  struct grandchild g = grandchild_paused();
  CHECK_EQ(pidguard_pidfd_is_child(c.fd), 1);
  CHECK_EQ(pidguard_pidfd_is_child(z.fd), 1);
  CHECK_EQ(pidguard_pidfd_is_child(g.fd), 0);
  child_reap(&z);
  CHECK_EQ(pidguard_pidfd_is_child(z.fd), 0);
  /* A stranger takes the PID. Its pidfd is not a child's, and the old pidfd still names no process. */
  struct pg_test_stranger s;
  pid_t pid = c.pid;
  child_reap(&c);
  int r = pg_test_take_pid(pid, false, &s);
  if (r) {
    pg_test_skip("the test cannot choose a PID here: %s", strerror(-r));
  } else {
    int fd = pidguard_pidfd_open(pid, 0);
    CHECK_EQ(pidguard_pidfd_is_child(fd), 0);
    CHECK_EQ(pidguard_pidfd_is_child(c.fd), 0);
    CHECK_EQ(pidguard_pidfd_is_same(fd, c.fd), 0);
    close(fd);
    pg_test_stranger_release(&s);
  }
  child_done(&c);
  child_done(&z);
  grandchild_done(&g);
}

/* Natively, and by the substitute of a kernel without PIDFD_GET_INFO. */
static void check_is_child(int fd, bool want) {
  for (int i = 0; i < 2; i++) {
    hide(i ? PG_FEATURE_INFO : 0);
    if (want)
      CHECK_EQ(pidguard_pidfd_is_child(fd), 1);
    else
      CHECK_NO(pidguard_pidfd_is_child(fd), 0);
    hide(0);
  }
}

static int body_two_threads(void *arg) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, other_thread, NULL))
    return 1;
  char byte;
  if (read(told[0], &byte, 1) != 1 || write(*(int *)arg, &other_tid, sizeof other_tid) != sizeof other_tid)
    return 1;
  pthread_join(thread, NULL);
  return 0;
}

/* A traced thread of a child, which is no process. */
static void traced_thread(void) {
  int report[2];
  pid_t tid = -1;
  if (pipe2(told, O_CLOEXEC) || pipe2(done, O_CLOEXEC) || pipe2(report, O_CLOEXEC))
    abort();
  struct child c = child_running(body_two_threads, &report[1]);
  if (read(report[0], &tid, sizeof tid) != sizeof tid || tid < 2)
    abort();
  int fd = pidguard_pidfd_open(tid, PIDGUARD_OPEN_THREAD); /* 6.9 */
  if (fd >= 0 && ptrace(PTRACE_SEIZE, tid, NULL, NULL) == 0) {
    check_is_child(fd, false);
    check_is_child(c.fd, true);
    pidguard_pidfd_send_signal(c.fd, SIGKILL, 0);
    CHECK_EQ(waitpid(tid, NULL, __WALL), tid); /* or the child could not be reaped */
  }
  child_done(&c);
  close(fd);
  for (int i = 0; i < 2; i++) {
    close(report[i]);
    close(told[i]);
    close(done[i]);
  }
}

/* Waits of a tracer find its tracees, too. They are no children, unless the tracer is their parent. */
static void is_child_traced(void) {
  struct child c = child_paused();
  struct grandchild g = grandchild_paused();
  pid_t pid = pidguard_pidfd_get_pid(g.fd);
  if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) || ptrace(PTRACE_SEIZE, c.pid, NULL, NULL)) {
    pg_test_skip("this user cannot trace a process");
  } else {
    siginfo_t si;
    CHECK_EQ(waitid((idtype_t)3 /* P_PIDFD */, (id_t)g.fd, &si, WEXITED | WNOHANG | WNOWAIT), 0);
    check_is_child(g.fd, false);
    check_is_child(c.fd, true);
    traced_thread();
    grandchild_tell(&g, 'k');
    CHECK_EQ(pidguard_pidfd_wait_end(g.fd, 5000), 0);
    check_is_child(g.fd, false);
    CHECK_EQ(waitpid(pid, NULL, __WALL), pid); /* the parent of a traced zombie can reap it only after its tracer */
    check_is_child(g.fd, false);
  }
  child_done(&c);
  grandchild_done(&g);
}

/* A filter that answers for the kernel must not turn an eventfd into a pidfd. A pidfd stays one. */
static int body_check_filtered(void *arg) {
  struct child *c = arg;
  int event = eventfd(0, EFD_CLOEXEC);
  if (!refuse(SYS_pidfd_send_signal, EPERM))
    return PG_TEST_SKIPPED;
  if (pidguard_is_pidfd(event) || errno != EBADF || !pidguard_is_pidfd(c->fd))
    return 1;
  /* The same if waits are filtered as well. */
  return refuse(SYS_waitid, ENOSYS) && !pidguard_is_pidfd(event) && errno == EBADF && pidguard_is_pidfd(c->fd) ? 0 : 2;
}

static void check_filtered(void) {
  struct child c = child_paused(), z = child_exited(0);
  for (int i = 0; i < 2; i++) {
    struct child asker = child_running(body_check_filtered, i ? &z : &c);
    child_await_zombie(&asker);
    int status = child_reap(&asker);
    if (WEXITSTATUS(status) == PG_TEST_SKIPPED)
      pg_test_skip("this user cannot install a filter");
    else
      CHECK_EQ(status, 0);
    child_done(&asker);
  }
  child_done(&c);
  child_done(&z);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("by_number", by_number);
  add("nonblocking", nonblocking);
  add("self", self);
  add("parent", parent);
  add("threads", threads);
  add("no_such_thread", no_such_thread);
  add("check_kinds", check_kinds);
  add("is_child", is_child);
  add("is_child_traced", is_child_traced);
  add("check_filtered", check_filtered);
}

/* SPDX-License-Identifier: MIT */
/* What the kernel itself does with pidfds, and what the library builds on. Raw system calls come first, then the
 * library's words for them. */
#include "pidfd_support.h"

#include "kernel/sys.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool have_pidfs(int fd) { return pg_sys_fstatfs_type(fd) == PG_PIDFS_MAGIC; }

static short poll_events(int fd, int ms) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, ms) > 0 ? p.revents : 0;
}

/* Zombie or reaped, exited or killed: what each call says of these four ends. */
static void four_ends(void) {
  for (int killed = 0; killed < 2; killed++) {
    struct child c = killed ? child_killed(SIGUSR1) : child_exited(6);
    siginfo_t si = {0};
    int want = killed ? SIGUSR1 : 6 << 8;
    CHECK_EQ(poll_events(c.fd, 0), POLLIN);
    CHECK_EQ(pg_sys_pidfd_send_signal(c.fd, 0, NULL, 0), 0);
    CHECK_EQ(pg_sys_pidfd_send_signal(c.fd, SIGKILL, NULL, 0), 0);
    CHECK_EQ(pg_sys_waitid(PG_P_PIDFD, (id_t)c.fd, &si, WEXITED | WNOWAIT, NULL), 0);
    CHECK_EQ(si.si_code, killed ? CLD_KILLED : CLD_EXITED);
    CHECK_EQ(si.si_status, killed ? SIGUSR1 : 6);
    int again = pg_sys_pidfd_open(c.pid, 0);
    PG_CHECK(again >= 0, "a zombie's PID cannot be opened: %s", strerror(-again));
    close(again);
    CHECK_EQ(pidguard_pidfd_get_state(c.fd), PIDGUARD_STATE_ZOMBIE);

    CHECK_EQ(child_reap(&c), want);
    short events = poll_events(c.fd, 0);
    CHECK_EQ(events, have_pidfs(c.fd) ? POLLIN | POLLHUP : POLLIN);
    CHECK_EQ(pg_sys_pidfd_send_signal(c.fd, 0, NULL, 0), -ESRCH);
    CHECK_EQ(pg_sys_waitid(PG_P_PIDFD, (id_t)c.fd, &si, WEXITED | WNOHANG, NULL), -ECHILD);
    CHECK_EQ(pidguard_pidfd_get_state(c.fd), PIDGUARD_STATE_REAPED);
    struct pg_pidfd_info info = {.mask = PG_PIDFD_INFO_EXIT};
    int r = pg_sys_ioctl(c.fd, PG_PIDFD_GET_INFO(PG_PIDFD_INFO_SIZE_VER0), &info);
    if (r == 0) {
      PG_CHECK(info.mask & PG_PIDFD_INFO_EXIT, "mask %llx", (unsigned long long)info.mask);
      PG_CHECK(!(info.mask & PG_PIDFD_INFO_PID), "mask %llx", (unsigned long long)info.mask);
      CHECK_EQ(info.exit_code, want);
    } else {
      PG_CHECK(r == -ESRCH || r == -ENOTTY || r == -EINVAL, "%s", strerror(-r)); /* EINVAL: 6.11 and 6.12 */
      pg_test_skip("PIDFD_INFO_EXIT needs Linux 6.15");
    }
    child_done(&c);
  }
}

/* The kernel takes structures of any size from 64 bytes on, and ignores unknown bits. */
static void sizes(void) {
  struct child c = child_paused();
  union {
    struct pg_pidfd_info info;
    unsigned char bytes[512];
  } u;
  const unsigned good[] = {64, 72, 80, 88, 96, 128, 512}, bad[] = {0, 8, 63};
  memset(&u, 0, sizeof u);
  if (pg_sys_ioctl(c.fd, PG_PIDFD_GET_INFO(64), &u) < 0) {
    pg_test_skip("PIDFD_GET_INFO needs Linux 6.13");
    child_done(&c);
    return;
  }
  bool any = false;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    memset(&u, 0xaa, sizeof u);
    u.info.mask = UINT64_MAX & ~(uint64_t)PG_PIDFD_INFO_EXIT;
    int r = pg_sys_ioctl(c.fd, PG_PIDFD_GET_INFO(good[i]), &u);
    if (r == -ENOTTY && good[i] != 64) /* an early 6.15 took only one size */
      continue;
    any = any || good[i] != 64;
    CHECK_EQ(r, 0);
    CHECK_EQ(u.info.pid, c.pid);
    for (size_t k = good[i]; k < sizeof u.bytes; k++)
      if (u.bytes[k] != 0xaa)
        PG_CHECK(false, "with %u bytes, byte %zu was written", good[i], k);
  }
  if (!any)
    pg_test_skip("this kernel takes only 64 bytes for PIDFD_GET_INFO");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    int r = pg_sys_ioctl(c.fd, PG_PIDFD_GET_INFO(bad[i]), &u);
    PG_CHECK(r == -ENOTTY || r == -EINVAL, "%u bytes: %s", bad[i], strerror(-r));
  }
  child_done(&c);
}

static void nonblocking(void) {
  struct child c = child_paused();
  siginfo_t si = {0};
  int fd = pg_sys_pidfd_open(c.pid, PG_PIDFD_NONBLOCK);
  if (fd < 0) {
    pg_test_skip("PIDFD_NONBLOCK needs Linux 5.10");
  } else {
    CHECK_EQ(pg_sys_waitid(PG_P_PIDFD, (id_t)fd, &si, WEXITED, NULL), -EAGAIN);
    CHECK_EQ(pg_sys_waitid(PG_P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG, NULL), 0);
    CHECK_EQ(si.si_pid, 0);
    /* The flag belongs to the open file. It can be taken back, and a copy shares it. */
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    CHECK_EQ(pg_sys_waitid(PG_P_PIDFD, (id_t)copy, &si, WEXITED, NULL), -EAGAIN);
    close(copy);
    pg_sys_pidfd_send_signal(fd, SIGKILL, NULL, 0);
    CHECK_EQ(poll_events(fd, 5000), POLLIN);
    CHECK_EQ(pg_sys_waitid(PG_P_PIDFD, (id_t)fd, &si, WEXITED, NULL), 0);
    CHECK_EQ(si.si_pid, c.pid);
    close(fd);
  }
  child_done(&c);
}

static int to_parent[2], to_child[2];

static void make_pipes(void) {
  if (pipe2(to_parent, O_CLOEXEC) || pipe2(to_child, O_CLOEXEC))
    abort();
}

static void close_pipes(void) {
  for (int i = 0; i < 2; i++) {
    close(to_parent[i]);
    close(to_child[i]);
  }
}

static pid_t hear(void) {
  pid_t said = -1;
  struct pollfd p = {.fd = to_parent[0], .events = POLLIN};
  if (poll(&p, 1, 5000) != 1 || read(to_parent[0], &said, sizeof said) != sizeof said)
    abort();
  return said;
}

static void say(pid_t what) {
  if (write(to_parent[1], &what, sizeof what) != sizeof what)
    _exit(1);
}

static void *thread_outlives(void *unused) {
  char byte;
  (void)unused;
  /* When the state of the main thread says so, it has ended. */
  for (;;) {
    char text[512];
    ssize_t n = pg_sys_read_file(AT_FDCWD, "/proc/self/stat", text, sizeof text);
    if (n > 0 && strstr(text, ") Z "))
      break;
    sleep_ms(1);
  }
  say((pid_t)syscall(SYS_gettid));
  if (read(to_child[0], &byte, 1) != 1)
    _exit(1);
  syscall(SYS_exit, 4); /* this ends only this thread, which is the last */
  return NULL;
}

static int body_leader_exits(void *unused) {
  pthread_t thread;
  (void)unused;
  if (pthread_create(&thread, NULL, thread_outlives, NULL))
    return 1;
  syscall(SYS_exit, 9);
  return 1;
}

/* The main thread ends and others go on. The process lives. */
static void leader_exits(void) {
  make_pipes();
  struct child c = child_running(body_leader_exits, NULL);
  pid_t other = hear();
  siginfo_t si = {0};
  CHECK_EQ(poll_events(c.fd, 30), 0);
  CHECK_EQ(pidguard_pidfd_get_state(c.fd), PIDGUARD_STATE_ALIVE);
  CHECK_ERRNO(pidguard_pidfd_wait_end(c.fd, 0), ETIMEDOUT);
  CHECK_EQ(pg_sys_waitid(PG_P_PIDFD, (id_t)c.fd, &si, WEXITED | WNOHANG, NULL), 0);
  CHECK_EQ(si.si_pid, 0);
  CHECK_EQ(pg_sys_pidfd_send_signal(c.fd, 0, NULL, 0), 0);
  CHECK_EQ(pidguard_pidfd_get_pid(c.fd), c.pid);
  CHECK_ERRNO(pidguard_pidfd_open_namespace(c.fd, PIDGUARD_NAMESPACE_UTS), ESRCH);
  CHECK_ERRNO(pidguard_pidfd_setns(c.fd, CLONE_NEWUTS), ESRCH);
  /* Now thread by thread: the main thread has ended, the other has not. */
  int leader = pidguard_pidfd_open(c.pid, PIDGUARD_OPEN_THREAD),
      thread = pidguard_pidfd_open(other, PIDGUARD_OPEN_THREAD);
  if (leader >= 0 && thread >= 0) {
    CHECK_EQ(poll_events(thread, 0), 0);
    short events = poll_events(leader, 0); /* POLLIN in 6.9 to 6.15; since then it waits for the last thread */
    PG_CHECK(events == 0 || events == POLLIN, "events %x", events);
  } else {
    pg_test_skip("PIDFD_THREAD needs Linux 6.9");
  }
  if (write(to_child[1], "", 1) != 1)
    abort();
  CHECK_EQ(poll_events(c.fd, 5000), POLLIN);
  int status = child_reap(&c);
  PG_CHECK(status == 4 << 8 || status == 9 << 8, "status %x",
           status); /* the last thread's code; before 5.17 the main one's */
  if (leader >= 0 && thread >= 0) {
    CHECK_EQ(poll_events(thread, 0), POLLIN | POLLHUP);
    CHECK_EQ(poll_events(leader, 0), POLLIN | POLLHUP);
    close(leader);
    close(thread);
  }
  child_done(&c);
  close_pipes();
}

static void *thread_execs(void *unused) {
  char byte, out[16], in[16];
  (void)unused;
  say((pid_t)syscall(SYS_gettid));
  if (read(to_child[0], &byte, 1) != 1)
    _exit(1);
  fcntl(to_parent[1], F_SETFD, 0);
  fcntl(to_child[0], F_SETFD, 0);
  snprintf(out, sizeof out, "%d", to_parent[1]);
  snprintf(in, sizeof in, "%d", to_child[0]);
  execl("/bin/sh", "sh", "-c", "printf abcd >&$1; read x <&$2; exit 21", "sh", out, in, (char *)NULL);
  _exit(1);
}

static int body_thread_execs(void *unused) {
  pthread_t thread;
  (void)unused;
  if (pthread_create(&thread, NULL, thread_execs, NULL))
    return 1;
  for (;;)
    pause();
  return 0;
}

/* A thread other than the main one execs. The other threads end. The thread takes over the PID of the process and goes
 * on. */
static void thread_exec(void) {
  make_pipes();
  struct child c = child_running(body_thread_execs, NULL);
  pid_t tid = hear();
  uint64_t before = 0, after = 0;
  int thread = pidguard_pidfd_open(tid, PIDGUARD_OPEN_THREAD),
      leader = pidguard_pidfd_open(c.pid, PIDGUARD_OPEN_THREAD);
  pidguard_pidfd_get_id(c.fd, &before);
  if (write(to_child[1], "\n", 1) != 1)
    abort();
  (void)hear(); /* wait until the new program is there */
  CHECK_EQ(poll_events(c.fd, 30), 0);
  CHECK_EQ(pidguard_pidfd_get_state(c.fd), PIDGUARD_STATE_ALIVE);
  CHECK_EQ(pidguard_pidfd_get_pid(c.fd), c.pid);
  CHECK_EQ(pg_sys_pidfd_send_signal(c.fd, 0, NULL, 0), 0);
  if (pidguard_pidfd_get_id(c.fd, &after) == 0)
    CHECK_EQ(after, before);
  if (thread >= 0 && leader >= 0) {
    /* The number that it gave up is gone. The pidfd of the main thread still names the process. */
    CHECK_EQ(poll_events(thread, 5000) & POLLHUP, POLLHUP);
    CHECK_EQ(pg_sys_pidfd_send_signal(thread, 0, NULL, 0), -ESRCH);
    CHECK_EQ(pg_sys_pidfd_send_signal(leader, 0, NULL, 0), 0);
    CHECK_EQ(pidguard_pidfd_is_same(leader, c.fd), 1);
  } else {
    pg_test_skip("PIDFD_THREAD needs Linux 6.9");
  }
  if (write(to_child[1], "\n", 1) != 1)
    abort();
  CHECK_EQ(poll_events(c.fd, 5000), POLLIN);
  int status = 0;
  CHECK_EQ(pidguard_pidfd_wait(c.fd, &status, 5000), 0);
  CHECK_EQ(status, 21 << 8);
  if (thread >= 0)
    close(thread);
  if (leader >= 0)
    close(leader);
  child_done(&c);
  close_pipes();
}

/* A handle names a process until that is reaped. After that the handle is stale for ever. */
static void handles(void) {
  struct child c = child_paused();
  struct pg_handle handle;
  int self = pidguard_pidfd_open(getpid(), 0);
  int r = pg_sys_name_to_handle_at(c.fd, &handle);
  if (r < 0) {
    pg_test_skip("pidfs file handles need Linux 6.14 (%s)", strerror(-r));
  } else {
    CHECK_EQ(handle.bytes, 8);
    CHECK_EQ(handle.type, PG_FILEID_KERNFS);
    uint64_t ours = 0;
    pidguard_pidfd_get_id(c.fd, &ours);
    CHECK_EQ(handle.id, ours);
    close(c.fd); /* a handle does not need an open descriptor */
    c.fd = pg_sys_open_by_handle_at(self, &handle, O_CLOEXEC);
    PG_CHECK(c.fd >= 0, "%s", strerror(-c.fd));
    CHECK_EQ(pidguard_pidfd_get_pid(c.fd), c.pid);
    CHECK_EQ(pg_sys_open_by_handle_at(self, &handle, O_TRUNC), -EINVAL);
    pg_sys_pidfd_send_signal(c.fd, SIGKILL, NULL, 0);
    child_await_zombie(&c);
    int zombie = pg_sys_open_by_handle_at(self, &handle, O_CLOEXEC);
    PG_CHECK(zombie >= 0, "%s", strerror(-zombie));
    close(zombie);
    child_reap(&c);
    CHECK_EQ(pg_sys_open_by_handle_at(self, &handle, O_CLOEXEC), -ESTALE);
  }
  close(self);
  child_done(&c);
}

/* The kernel refuses a siginfo that pretends to come from kill, tkill or the kernel, except to oneself. */
static void forged_siginfo(void) {
  struct child c = child_paused();
  siginfo_t si = {0};
  si.si_signo = SIGUSR1;
  si.si_code = SI_USER;
  CHECK_EQ(pg_sys_pidfd_send_signal(c.fd, SIGUSR1, &si, 0), -EPERM);
  si.si_code = SI_TKILL;
  CHECK_EQ(pg_sys_pidfd_send_signal(c.fd, SIGUSR1, &si, 0), -EPERM);
  si.si_code = SI_QUEUE;
  /* The signal differs from the one in si. */
  CHECK_EQ(pg_sys_pidfd_send_signal(c.fd, SIGUSR2, &si, 0), -EINVAL);
  CHECK_EQ(pidguard_pidfd_get_state(c.fd), PIDGUARD_STATE_ALIVE);
  child_done(&c);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("four_ends", four_ends);
  add("sizes", sizes);
  add("nonblocking", nonblocking);
  add("leader_exits", leader_exits);
  add("thread_exec", thread_exec);
  add("handles", handles);
  add("forged_siginfo", forged_siginfo);
}

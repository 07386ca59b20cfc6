/* SPDX-License-Identifier: MIT */
/* The border of the API. Constants are compared with the kernel's own headers. A success leaves errno alone, and a
 * failure stores nothing. Signal safety is shown by use. */
#include "api_uapi.h"
#include "pidfd_support.h"

#include "pidfd/feature.h"

#include "kernel/uapi.h"
#include "pidfd/namespace.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct uapi_constant ours[] = {
    {"PIDFD_NS_1", PG_PIDFD_GET_NS(1)},
    {"PIDFD_INFO_64", (unsigned)PG_PIDFD_GET_INFO(64)},
    {"PIDFD_NONBLOCK", PG_PIDFD_NONBLOCK},
    {"PIDFD_THREAD", PG_PIDFD_THREAD},
    {"PIDFD_SIGNAL_THREAD", PG_PIDFD_SIGNAL_THREAD},
    {"PIDFD_SIGNAL_THREAD_GROUP", PG_PIDFD_SIGNAL_THREAD_GROUP},
    {"PIDFD_SIGNAL_PROCESS_GROUP", PG_PIDFD_SIGNAL_PROCESS_GROUP},
    {"ANON_INODE_FS_MAGIC", PG_ANON_INODE_FS_MAGIC},
    {"CGROUP2_SUPER_MAGIC", PG_CGROUP2_SUPER_MAGIC},
    {"PID_FS_MAGIC", PG_PIDFS_MAGIC},
    {"AT_EMPTY_PATH", PG_AT_EMPTY_PATH},
    {"PIDFD_GET_CGROUP_NAMESPACE", PG_PIDFD_GET_NS(PG_NS_CGROUP)},
    {"PIDFD_GET_IPC_NAMESPACE", PG_PIDFD_GET_NS(PG_NS_IPC)},
    {"PIDFD_GET_MNT_NAMESPACE", PG_PIDFD_GET_NS(PG_NS_MNT)},
    {"PIDFD_GET_NET_NAMESPACE", PG_PIDFD_GET_NS(PG_NS_NET)},
    {"PIDFD_GET_PID_NAMESPACE", PG_PIDFD_GET_NS(PG_NS_PID)},
    {"PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE", PG_PIDFD_GET_NS(PG_NS_PID_FOR_CHILDREN)},
    {"PIDFD_GET_TIME_NAMESPACE", PG_PIDFD_GET_NS(PG_NS_TIME)},
    {"PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE", PG_PIDFD_GET_NS(PG_NS_TIME_FOR_CHILDREN)},
    {"PIDFD_GET_USER_NAMESPACE", PG_PIDFD_GET_NS(PG_NS_USER)},
    {"PIDFD_GET_UTS_NAMESPACE", PG_PIDFD_GET_NS(PG_NS_UTS)},
    {"PIDFD_INFO_PID", PG_PIDFD_INFO_PID},
    {"PIDFD_INFO_CREDS", PG_PIDFD_INFO_CREDS},
    {"PIDFD_INFO_CGROUPID", PG_PIDFD_INFO_CGROUPID},
    {"PIDFD_INFO_EXIT", PG_PIDFD_INFO_EXIT},
    {"PIDFD_INFO_COREDUMP", PG_PIDFD_INFO_COREDUMP},
    {"PIDFD_INFO_COREDUMP_SIGNAL", PG_PIDFD_INFO_COREDUMP_SIGNAL},
    {"PIDFD_INFO_COREDUMP_CODE", PG_PIDFD_INFO_COREDUMP_CODE},
    {"PIDFD_COREDUMPED", PIDGUARD_COREDUMP_DONE},
    {"PIDFD_COREDUMP_SKIP", PIDGUARD_COREDUMP_SKIPPED},
    {"PIDFD_COREDUMP_USER", PIDGUARD_COREDUMP_USER},
    {"PIDFD_COREDUMP_ROOT", PIDGUARD_COREDUMP_ROOT},
    {"PIDFD_SELF_THREAD", PG_PIDFD_SELF_THREAD},
    {"PIDFD_SELF_THREAD_GROUP", PG_PIDFD_SELF_THREAD_GROUP},
    {"FD_PIDFS_ROOT", PG_FD_PIDFS_ROOT},
    {"SO_PASSPIDFD", PG_SO_PASSPIDFD},
    {"SO_PEERPIDFD", PG_SO_PEERPIDFD},
    {"cgroupid", offsetof(struct pg_pidfd_info, cgroupid)},
    {"fsgid", offsetof(struct pg_pidfd_info, fsgid)},
    {"exit_code", offsetof(struct pg_pidfd_info, exit_code)},
    {"coredump_mask", offsetof(struct pg_pidfd_info, coredump_mask)},
    {"coredump_signal", offsetof(struct pg_pidfd_info, coredump_signal)},
    {"coredump_code", offsetof(struct pg_pidfd_info, coredump_code)},
};

/* Each constant that both sides have must be the same, and the table must have all that the kernel's headers have. */
static void constants(void) {
  int compared = 0;
  for (const struct uapi_constant *theirs = uapi_constants; theirs->name; theirs++) {
    bool found = false;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
      if (!strcmp(ours[i].name, theirs->name)) {
        found = true;
        PG_CHECK(ours[i].value == theirs->value, "%s is %lld, the kernel says %lld", theirs->name, ours[i].value,
                 theirs->value);
      }
    PG_CHECK(found, "%s is not compared", theirs->name);
    compared++;
  }
  CHECK_EQ(sizeof(struct pg_pidfd_info), 80);
  printf("(%d of %zu compared) ", compared, sizeof ours / sizeof *ours);
}

/* A constant that the headers here do not have is confirmed by use. */
static void by_use(void) {
  struct statfs fs;
  int fd = pidguard_pidfd_open(getpid(), 0);
  if (fstatfs(fd, &fs) == 0 && fs.f_type != PG_ANON_INODE_FS_MAGIC)
    CHECK_EQ(fs.f_type, PG_PIDFS_MAGIC);
  close(fd);
}

/* errno survives every success. */
static void errno_on_success(void) {
  struct child c = child_paused();
  struct pidguard_creds creds;
  struct pidguard_info info = {.mask = PIDGUARD_INFO_ALL};
  int n, fd;
  errno = EXDEV;
  fd = pidguard_pidfd_open(c.pid, 0);
  CHECK_EQ(pidguard_pidfd_send_signal(fd, 0, 0), 0);
  CHECK_EQ(pidguard_pidfd_get_pid(fd), c.pid);
  CHECK_EQ(creds_of(fd, &creds), 0);
  pidguard_pidfd_get_info(fd, &info, sizeof info);
  CHECK_EQ(pidguard_pidfd_is_same(fd, c.fd), 1);
  CHECK_EQ(pidguard_pidfd_is_child(fd), 1);
  int set = pidguard_set_create();
  CHECK_EQ(pidguard_set_add(set, fd), 0);
  pidguard_pidfd_send_signal(fd, SIGKILL, 0);
  CHECK_EQ(pidguard_set_wait(set, &n, 1, pidguard_deadline(5000)), 1);
  CHECK_EQ(errno, EXDEV);
  close(set);
  close(fd);
  child_done(&c);
}

/* A handler interrupts the same calls all the time and makes them too. There must be no deadlock and no wrong
 * answer. */
static volatile sig_atomic_t handled, wrong;
static int watched;
static pid_t watched_pid;
static const struct itimerval soon = {.it_value = {.tv_usec = 500}}, never;

static void in_handler(int sig) {
  struct pidguard_creds creds;
  struct pidguard_info info = {.mask = PIDGUARD_INFO_ALL};
  uint64_t id;
  int status, saved = errno;
  (void)sig;
  if (pidguard_pidfd_get_pid(watched) != watched_pid || creds_of(watched, &creds) ||
      pidguard_pidfd_send_signal(watched, 0, 0) || pidguard_pidfd_wait(watched, &status, 0) == 0 ||
      errno != ETIMEDOUT || pidguard_pidfd_get_info(watched, &info, sizeof info) || info.pid != watched_pid ||
      pidguard_pidfd_is_child(watched) != 1 || (pidguard_pidfd_get_id(watched, &id) && errno != EOPNOTSUPP))
    wrong++;
  int dir = pidguard_pidfd_open_proc(watched);
  if (dir < 0)
    wrong++;
  else
    close(dir);
  handled++;
  setitimer(ITIMER_REAL, &soon, NULL); /* a regular timer leaves a slow machine no time outside the handler */
  errno = saved;
}

static void from_handlers(void) {
  struct child c = child_paused();
  watched = c.fd;
  watched_pid = c.pid;
  handled = wrong = 0;
  struct sigaction action = {.sa_handler = in_handler, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &soon, NULL);
  int64_t end = now_ms() + 300;
  while (now_ms() < end || (handled <= 50 && now_ms() < end + 20000)) {
    struct pidguard_info info = {.mask = PIDGUARD_INFO_ALL};
    struct pidguard_creds creds;
    if (pidguard_pidfd_get_info(c.fd, &info, sizeof info) || info.pid != c.pid)
      wrong++;
    if (creds_of(c.fd, &creds))
      wrong++;
    int fd = pidguard_pidfd_open_proc(c.fd);
    if (fd < 0)
      wrong++;
    else
      close(fd);
  }
  signal(SIGALRM, SIG_IGN); /* from here on no handler starts the timer again */
  setitimer(ITIMER_REAL, &never, NULL);
  signal(SIGALRM, SIG_DFL);
  PG_CHECK(handled > 50, "%d times", (int)handled);
  PG_CHECK(wrong == 0, "%d times wrong", (int)wrong);
  child_done(&c);
}

/* Handlers run on small stacks. The code that asks /proc in place of an old kernel must need little stack. */
#define DEPTH 65536
#define NEAR 1024 /* the frame of this function, and what calls need before they go any deeper */

__attribute__((noinline)) static size_t stack_used(int (*fn)(void)) {
  volatile char *top = (volatile char *)__builtin_frame_address(0) - NEAR, *p = top - DEPTH;
  fn(); /* the loader binds what is called on the stack, too */
  for (volatile char *at = p; at < top; at++)
    *at = 0x5a;
  fn();
  while (p < top && *p == 0x5a)
    p++;
  return (size_t)(top - p) + NEAR;
}

static int ask_all(void) {
  struct pidguard_info info = {.mask = PIDGUARD_INFO_ALL};
  return pidguard_pidfd_get_info(watched, &info, sizeof info);
}

static int ask_cgroup(void) {
  uint64_t id;
  return cgroupid_of(watched, &id);
}

static void little_stack(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  pg_test_skip("a sanitizer makes frames larger");
#else
#if defined(__OPTIMIZE__) && defined(__clang__)
  const size_t limit = 2304 + NEAR;
#elif defined(__OPTIMIZE__)
  const size_t limit = 2048 + NEAR;
#else
  const size_t limit = 4096 + NEAR;
#endif
  struct child c = child_paused();
  watched = c.fd;
  hide(PG_FEATURE_ALL & ~(unsigned)PG_FEATURE_PIDFS);
  size_t all = stack_used(ask_all), cgroup = stack_used(ask_cgroup);
  hide(0);
  PG_CHECK(all <= limit && cgroup <= limit, "%zu and %zu bytes", all, cgroup);
  child_done(&c);
#endif
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("constants", constants);
  add("by_use", by_use);
  add("errno_on_success", errno_on_success);
  add("from_handlers", from_handlers);
  add("little_stack", little_stack);
}

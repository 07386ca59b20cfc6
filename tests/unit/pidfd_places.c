/* SPDX-License-Identifier: MIT */
/* Questions from odd places: other cgroups and cgroup namespaces, other pid namespaces, and without /proc or with a
 * foreign one. */
#include "pidfd_support.h"
#include "pidfs.h"

#include "pidfd/feature.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* The process is in a cgroup namespace whose root is this cgroup. What is mounted belongs to another namespace, so its
 * paths do not fit. Then no id is better than a wrong one. After a mount of its own the answer is there. */
static char cgroup_procs[160];

static int body_cgroup_namespace(void *arg) {
  struct child target = *(struct child *)arg;
  struct stat root;
  uint64_t native = 0, id = 0;
  int fd = open(cgroup_procs, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "0", 1) != 1 || unshare(CLONE_NEWCGROUP | CLONE_NEWNS) ||
      mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
    return 77;
  close(fd);
  bool known = cgroupid_of(target.fd, &native) == 0;
  hide(PG_FEATURE_INFO);
  if (cgroupid_of(target.fd, &id) != -1 || errno != EOPNOTSUPP)
    return 1;
  if (mount("cgroup2", "/mnt", "cgroup2", 0, NULL) || stat("/mnt", &root))
    return 77;
  if (cgroupid_of(target.fd, &id) != 0)
    return 2;
  return id == root.st_ino && (!known || id == native) ? 0 : 3;
}

/* The kernel's id of a cgroup is its inode number. Before 5.5 the upper half has a generation that stat() does not
 * show. */
static bool is_id_of(uint64_t id, const struct stat *st) {
  struct utsname system;
  int major = 0, minor = 0;
  bool old = uname(&system) == 0 && sscanf(system.release, "%d.%d", &major, &minor) == 2 &&
             (major < 5 || (major == 5 && minor < 5));
  return old ? (uint32_t)id == st->st_ino : id == st->st_ino;
}

/* A child in a cgroup of its own, if one can be made. */
static void cgroups(void) {
  char path[128], procs[160], text[16];
  if (!cgroup_make(path, sizeof path))
    return;
  struct child c = child_paused();
  struct stat st;
  snprintf(procs, sizeof procs, "%s/cgroup.procs", path);
  memcpy(cgroup_procs, procs, sizeof procs);
  snprintf(text, sizeof text, "%d", (int)c.pid);
  int fd = open(procs, O_WRONLY | O_CLOEXEC);
  bool moved = fd >= 0 && write(fd, text, strlen(text)) > 0;
  close(fd);
  if (!moved) {
    pg_test_skip("this user cannot move a process to another cgroup");
  } else {
    const unsigned ways[] = {0, PG_FEATURE_INFO};
    stat(path, &st);
    for (size_t i = 0; i < 2; i++) {
      uint64_t id = 0;
      hide(ways[i]);
      CHECK_EQ(cgroupid_of(c.fd, &id), 0);
      PG_CHECK(is_id_of(id, &st), "id is %llu, wanted %llu", (unsigned long long)id, (unsigned long long)st.st_ino);
      hide(0);
    }
    check_in_child(body_cgroup_namespace, &c, "this user cannot make a cgroup namespace");
    uint64_t id = 0;
    child_reap(&c);
    if (cgroupid_of(c.fd, &id) == 0) /* 6.15 */
      PG_CHECK(is_id_of(id, &st), "id is %llu, wanted %llu", (unsigned long long)id, (unsigned long long)st.st_ino);
    hide(PG_FEATURE_INFO);
    CHECK_ERRNO(cgroupid_of(c.fd, &id), ESRCH);
    hide(0);
  }
  child_done(&c);
  cgroup_remove(path);
}

/* The question comes from inside another pid namespace, where the process has no PID. What needs a PID, or a right to
 * signal, is refused. What the descriptor alone can do is done. Returns 0, or which one failed. */
static int elsewhere_all(int fd) {
  char text[PIDGUARD_TEXT_MAX];
  struct pidguard_info info = {.mask = PIDGUARD_INFO_PID | PIDGUARD_INFO_CREDS};
  bool have_identity = pidfds_have_identity() && !pg_feature_hidden(PG_FEATURE_PIDFS);
  union sigval value = {.sival_int = 1};
  int ready, status, self = pidguard_pidfd_open(getpid(), 0), set = pidguard_set_create();
  const struct {
    int got, want;
  } checks[] = {
      {ERRNO_OF(pidguard_pidfd_send_signal(fd, SIGKILL, 0)), EREMOTE},
      {ERRNO_OF(pidguard_pidfd_sigqueue(fd, SIGTERM, value)), EREMOTE},
      {ERRNO_OF(pidguard_pidfd_terminate(fd, 0, 0)), EREMOTE},
      {ERRNO_OF(tgid_of(fd)), EREMOTE},
      {ERRNO_OF(pidguard_pidfd_get_info(fd, &info, sizeof info)), EREMOTE},
      {ERRNO_OF(pidguard_pidfd_open_proc(fd)), EREMOTE},
      {ERRNO_OF(pidguard_pidfd_wait(fd, &status, 0)), ETIMEDOUT},
      {ERRNO_OF(pidguard_pidfd_get_wait_status(fd, &status)), EREMOTE},
      {pidguard_pidfd_is_child(fd), 0},
      {pidguard_pidfd_is_same(fd, fd), have_identity}, /* before 6.9 by PID */
      {pidguard_pidfd_is_same(fd, self), 0},           /* one has a PID here, the other has none */
      {pidguard_pidfd_is_same(self, fd), 0},
      {ERRNO_OF(pidguard_set_add(set, fd)), 0},
      {ERRNO_OF(pidguard_set_wait(set, &ready, 1, 0)), ETIMEDOUT},
  };
  int id_error = ERRNO_OF(pidguard_pidfd_to_text(fd, text, sizeof text));
  int group = ERRNO_OF(pidguard_pidfd_send_signal(fd, SIGTERM, PIDGUARD_SIGNAL_GROUP));
  int thread = ERRNO_OF(pidguard_pidfd_send_signal(fd, SIGTERM, PIDGUARD_SIGNAL_THREAD));
  close(self);
  close(set);
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
    if (checks[i].got != checks[i].want)
      return 20 + (int)i;
  if (id_error != EREMOTE && id_error != EOPNOTSUPP)
    return 40;
  if ((group != EREMOTE && group != EOPNOTSUPP) || (thread != EREMOTE && thread != EOPNOTSUPP))
    return 41;
  return 0;
}

static int body_elsewhere(void *arg) {
  int fd = *(int *)arg, status;
  if (unshare(CLONE_NEWPID | CLONE_NEWNS))
    return 77;
  pid_t pid = fork();
  if (pid < 0)
    return 77;
  if (pid > 0) {
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
  }
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("proc", "/proc", "proc", 0, NULL))
    _exit(77);
  struct pidguard_creds creds;
  uint64_t id;
  const unsigned ways[] = {
      0, PG_FEATURE_INFO, PG_FEATURE_INFO_SIZES, PG_FEATURE_NS_IOCTL, PG_FEATURE_PIDFS, PG_FEATURE_ALL};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    hide(ways[i]);
    if (ERRNO_OF(pidguard_pidfd_get_pid(fd)) != EREMOTE || ERRNO_OF(ppid_of(fd)) != EREMOTE)
      _exit(1);
    if (ERRNO_OF(creds_of(fd, &creds)) != EREMOTE)
      _exit(2);
    if (ERRNO_OF(cgroupid_of(fd, &id)) != EREMOTE)
      _exit(3);
    if (ERRNO_OF(pidguard_pidfd_send_signal(fd, SIGTERM, 0)) != EREMOTE)
      _exit(4);
    if (ERRNO_OF(pidguard_pidfd_open_proc(fd)) != EREMOTE)
      _exit(5);
    if (pidguard_pidfd_get_state(fd) != PIDGUARD_STATE_ALIVE)
      _exit(6);
    if (ERRNO_OF(pidguard_pidfd_wait_end(fd, 0)) != ETIMEDOUT)
      _exit(7);
    int r = pidguard_pidfd_open_namespace(fd, PIDGUARD_NAMESPACE_UTS);
    if (ways[i] & PG_FEATURE_NS_IOCTL ? r != -1 || errno != EREMOTE : r < 0 && errno != EREMOTE)
      _exit(8);
    if (r >= 0)
      close(r);
    if (ERRNO_OF(pidguard_pidfd_open_id(1, 0)) == 0)
      _exit(9);
    if (ERRNO_OF(pidguard_pidfd_open_parent()) != EREMOTE) /* this is the first process of its namespace */
      _exit(10);
    int wrong = elsewhere_all(fd);
    if (wrong)
      _exit(wrong);
  }
  _exit(0);
}

static void elsewhere(void) {
  struct child target = child_paused();
  check_in_child(body_elsewhere, &target.fd, "this user cannot make a pid namespace");
  CHECK_EQ(pidguard_pidfd_get_state(target.fd), PIDGUARD_STATE_ALIVE);
  child_done(&target);
}

/* Without /proc, what the kernel itself tells still works. The substitutes say that they cannot. */
static int body_no_proc(void *arg) {
  int fd = *(int *)arg;
  struct pidguard_creds creds;
  uint64_t id;
  if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
      mount("tmpfs", "/proc", "tmpfs", 0, NULL))
    return 77;
  int native = pidguard_pidfd_get_pid(fd) > 0;
  hide(PG_FEATURE_INFO | PG_FEATURE_NS_IOCTL | PG_FEATURE_PIDFS);
  if (ERRNO_OF(pidguard_pidfd_get_pid(fd)) != EOPNOTSUPP)
    return 1;
  if (ERRNO_OF(creds_of(fd, &creds)) != EOPNOTSUPP)
    return 2;
  if (ERRNO_OF(cgroupid_of(fd, &id)) != EOPNOTSUPP)
    return 3;
  if (ERRNO_OF(pidguard_pidfd_open_namespace(fd, PIDGUARD_NAMESPACE_NET)) != EOPNOTSUPP)
    return 4;
  if (ERRNO_OF(pidguard_pidfd_open_proc(fd)) != EOPNOTSUPP)
    return 5;
  if (ERRNO_OF(pidguard_pidfd_open_proc(0)) != EBADF || ERRNO_OF(pidguard_pidfd_open_proc(-1)) != EBADF)
    return 9;
  int self = pidguard_pidfd_open(getpid(), 0);
  errno = 0;
  if (pidguard_pidfd_is_same(fd, self) || errno != EOPNOTSUPP)
    return 6;
  if (pidguard_pidfd_get_state(fd) != PIDGUARD_STATE_ALIVE)
    return 7;
  return native ? 0 : 8;
}

static void no_proc(void) {
  struct child target = child_paused();
  struct child c = child_running(body_no_proc, &target.fd);
  child_await_zombie(&c);
  int status = child_reap(&c);
  if (WEXITSTATUS(status) == 77)
    pg_test_skip("this user cannot mount");
  else if (WEXITSTATUS(status) == 8)
    pg_test_skip("PIDFD_GET_INFO needs Linux 6.13");
  else
    CHECK_EQ(status >> 8, 0);
  child_done(&c);
  child_done(&target);
}

/* With the /proc of another pid namespace, a PID from there would be wrong here. So none is given. */
static int body_foreign_proc(void *unused) {
  int status;
  (void)unused;
  if (unshare(CLONE_NEWPID))
    return 77;
  pid_t pid = fork();
  if (pid < 0)
    return 77;
  if (pid > 0) {
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
  }
  struct pidguard_creds creds;
  struct child c = child_paused();
  hide(PG_FEATURE_INFO);
  int r = 0;
  if (ERRNO_OF(pidguard_pidfd_get_pid(c.fd)) != EOPNOTSUPP)
    r = 1;
  else if (creds_of(c.fd, &creds) != 0 || creds.euid != geteuid())
    r = 2;
  child_done(&c);
  _exit(r);
}

static void foreign_proc(void) { check_in_child(body_foreign_proc, NULL, "this user cannot make a pid namespace"); }

/* This /proc hides processes of other users. The substitutes of an old kernel say so, and do not take it for a
 * death. */
static int body_hidden(void *arg) {
  int fd = *(int *)arg;
  struct pidguard_creds creds;
  uint64_t id;
  if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
      mount("proc", "/proc", "proc", 0, "hidepid=2") || setresgid(65534, 65534, 65534) ||
      setresuid(65534, 65534, 65534))
    return 77;
  /* Before 5.14 a process that is not dumpable cannot read its own /proc/self/fdinfo. */
  prctl(PR_SET_DUMPABLE, 1);
  if (access("/proc/1", F_OK) == 0)
    return 77;
  if (pidguard_pidfd_get_state(fd) != PIDGUARD_STATE_ALIVE)
    return 1;
  if (ERRNO_OF(pidguard_pidfd_open_proc(fd)) != EACCES)
    return 2;
  hide(PG_FEATURE_INFO | PG_FEATURE_NS_IOCTL);
  if (ERRNO_OF(pidguard_pidfd_get_pid(fd)) != EACCES || ERRNO_OF(ppid_of(fd)) != EACCES)
    return 3;
  if (ERRNO_OF(creds_of(fd, &creds)) != EACCES || ERRNO_OF(cgroupid_of(fd, &id)) != EACCES)
    return 4;
  if (ERRNO_OF(pidguard_pidfd_open_namespace(fd, PIDGUARD_NAMESPACE_NET)) != EACCES)
    return 5;
  int self = pidguard_pidfd_open(getpid(), 0);
  return pidguard_pidfd_get_pid(self) == getpid() ? 0 : 6;
}

static void hidden(void) {
  struct child target = child_paused();
  check_in_child(body_hidden, &target.fd, "this user cannot mount a /proc with hidepid, or become another user");
  child_done(&target);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("cgroups", cgroups);
  add("elsewhere", elsewhere);
  add("no_proc", no_proc);
  add("foreign_proc", foreign_proc);
  add("hidden", hidden);
}

/* SPDX-License-Identifier: MIT */
#include "pidfd_support.h"
#include "api/internal.h"

#include "pidfd/feature.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* These helpers use libc and raw system calls only, because the code under test must not set the stage. */
static int raw_pidfd_open(pid_t pid) {
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) {
    perror("pidfd_open");
    abort();
  }
  return fd;
}

static void raw_kill(int fd, int sig) { syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0); }

struct child child_running(int (*body)(void *), void *arg) {
  struct child c;
  pid_t self = getpid();
  c.pid = fork();
  if (c.pid < 0) {
    perror("fork");
    abort();
  }
  if (c.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != self)
      _exit(1);
    _exit(body(arg));
  }
  c.fd = raw_pidfd_open(c.pid);
  return c;
}

static int body_pause(void *unused) {
  (void)unused;
  for (;;)
    pause();
  return 0;
}

static int body_exit(void *code) { return *(int *)code; }

static int body_raise(void *sig) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(*(int *)sig, SIG_DFL);
  raise(*(int *)sig);
  return 99;
}

struct child child_paused(void) {
  return child_running(body_pause, NULL);
}

void child_await_zombie(struct child *c) {
  siginfo_t si;
  while (waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOWAIT) < 0 && errno == EINTR)
    ;
}

struct child child_exited(int code) {
  struct child c = child_running(body_exit, &code);
  child_await_zombie(&c);
  return c;
}

struct child child_killed(int sig) {
  struct child c = child_running(body_raise, &sig);
  child_await_zombie(&c);
  return c;
}

int child_reap(struct child *c) {
  int status = -1;
  raw_kill(c->fd, SIGKILL);
  while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
    ;
  c->pid = -1;
  return status;
}

void child_done(struct child *c) {
  siginfo_t si;
  if (c->pid > 0 && waitid((idtype_t)3 /* P_PIDFD */, (id_t)c->fd, &si, WEXITED | WNOHANG | WNOWAIT) == 0)
    child_reap(c);
  close(c->fd);
}

void check_in_child(int (*body)(void *), void *arg, const char *why_skipped) {
  struct child c = child_running(body, arg);
  child_await_zombie(&c);
  int status = child_reap(&c);
  if (status == 77 << 8)
    pg_test_skip("%s", why_skipped);
  else
    PG_CHECK(status == 0, "the child ended with status %#x", (unsigned)status);
  child_done(&c);
}

static int body_parent(void *arg) {
  int control = *(int *)arg;
  struct child c = child_paused();
  char what = 'R';
  if (write(control, &c.pid, sizeof c.pid) != sizeof c.pid)
    return 1;
  for (;;) {
    if (read(control, &what, 1) != 1) {
      child_done(&c);
      return 0;
    }
    if (what == 'k')
      raw_kill(c.fd, SIGKILL);
    if (what == 'r')
      child_reap(&c);
    if (write(control, &what, 1) != 1)
      return 1;
  }
}

struct grandchild grandchild_paused(void) {
  int pair[2];
  pid_t pid = -1;
  struct grandchild g;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    abort();
  /* The parent's end of the socket must close only with the parent. */
  g.control = pair[0];
  fcntl(pair[1], F_SETFD, 0);
  g.parent = child_running(body_parent, &pair[1]);
  close(pair[1]);
  if (read(g.control, &pid, sizeof pid) != sizeof pid || pid < 2)
    abort();
  g.fd = raw_pidfd_open(pid);
  return g;
}

void grandchild_tell(struct grandchild *g, char what) {
  char back = 0;
  if (write(g->control, &what, 1) != 1 || read(g->control, &back, 1) != 1 || back != what)
    abort();
  if (what == 'k') {
    struct pollfd p = {.fd = g->fd, .events = POLLIN};
    while (poll(&p, 1, -1) < 1)
      ;
  }
}

void grandchild_done(struct grandchild *g) {
  shutdown(g->control, SHUT_RDWR);
  close(g->control);
  child_await_zombie(&g->parent);
  child_done(&g->parent);
  close(g->fd);
}

static int ask(int fd, uint64_t item, struct pidguard_info *info) {
  memset(info, 0, sizeof *info);
  info->mask = item;
  return pidguard_pidfd_get_info(fd, info, sizeof *info);
}

int creds_of(int fd, struct pidguard_creds *ret) {
  struct pidguard_info info;
  if (ask(fd, PIDGUARD_INFO_CREDS, &info))
    return -1;
  *ret = info.creds;
  return 0;
}

int cgroupid_of(int fd, uint64_t *ret) {
  struct pidguard_info info;
  if (ask(fd, PIDGUARD_INFO_CGROUPID, &info))
    return -1;
  *ret = info.cgroupid;
  return 0;
}

int coredump_of(int fd, struct pidguard_coredump *ret) {
  struct pidguard_info info;
  if (ask(fd, PIDGUARD_INFO_COREDUMP, &info))
    return -1;
  *ret = info.coredump;
  return 0;
}

pid_t ppid_of(int fd) {
  struct pidguard_info info;
  return ask(fd, PIDGUARD_INFO_PID, &info) ? -1 : info.ppid;
}

pid_t tgid_of(int fd) {
  struct pidguard_info info;
  return ask(fd, PIDGUARD_INFO_PID, &info) ? -1 : info.tgid;
}

int same_namespace(int fd, int kind) {
  static const char *const names[] = {
      "", "cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts"};
  char path[64];
  struct stat theirs, mine;
  int ns = pidguard_pidfd_open_namespace(fd, kind);
  if (ns < 0)
    return -1;
  snprintf(path, sizeof path, "/proc/thread-self/ns/%s", names[kind]);
  int r = fstat(ns, &theirs) || stat(path, &mine) ? -1 : theirs.st_ino == mine.st_ino && theirs.st_dev == mine.st_dev;
  close(ns);
  return r;
}

void hide(unsigned features) { pg_feature_mask = features; }

#define F(name)                                                                                                        \
  { PG_FEATURE_##name, #name }
const struct feature all_features[] = {
    F(NONBLOCK),   F(GETFD),
    F(SETNS),      F(MADVISE),
    F(MRELEASE),   F(PEERPIDFD),
    F(PASSPIDFD),  F(PIDFS),
    F(THREAD),     F(SIGNAL_FLAGS),
    F(HANGUP),     F(NS_IOCTL),
    F(INFO),       F(HANDLE),
    F(SELF),       F(INFO_EXIT),
    F(INFO_SIZES), F(INFO_COREDUMP),
    F(PIDFS_ROOT), F(CGROUP_KILL),
    F(CLONE3),     {PG_FEATURE_ALL, "ALL"},
};
const size_t all_features_count = PG_ARRAY_LEN(all_features);

int open_descriptors(void) {
  int n = 0;
  DIR *dir = opendir("/proc/self/fd");
  if (!dir)
    abort();
  while (readdir(dir))
    n++;
  closedir(dir);
  return n - 3; /* without ".", "..", and the directory's own descriptor */
}

static char own_mount[32];

static bool mount_cgroups(void) {
  snprintf(own_mount, sizeof own_mount, "/tmp/pidguard-XXXXXX");
  if (!mkdtemp(own_mount))
    own_mount[0] = '\0';
  if (own_mount[0] && !mount("cgroup2", own_mount, "cgroup2", 0, NULL))
    return true;
  if (own_mount[0])
    rmdir(own_mount);
  own_mount[0] = '\0';
  return false;
}

bool cgroup_make(char *path, size_t size) {
  const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified", own_mount};
  for (size_t i = 0; i < 3; i++) {
    if (i == 2 && !mount_cgroups())
      break;
    snprintf(path, size, "%s/cgroup.procs", mounts[i]);
    if (access(path, W_OK))
      continue;
    static int count;
    snprintf(path, size, "%s/pidguard-test-%d-%d-%lld", mounts[i], (int)getpid(), count++, (long long)now_ms());
    if (!mkdir(path, 0755))
      return true;
  }
  pg_test_skip("this user cannot make a cgroup");
  return false;
}

void cgroup_remove(const char *path) {
  for (int i = 0; rmdir(path) && errno == EBUSY && i < 5000; i++)
    sleep_ms(1);
  PG_CHECK(access(path, F_OK), "the cgroup is not empty");
  if (own_mount[0]) {
    umount(own_mount);
    rmdir(own_mount);
  }
  own_mount[0] = '\0';
}

rlim_t limit_for(int room) {
  int limit = 0;
  for (int left = room; left > 0 || fcntl(limit, F_GETFD) >= 0; limit++)
    left -= fcntl(limit, F_GETFD) < 0;
  return (rlim_t)limit;
}

static int64_t clock_ms(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t now_ms(void) { return clock_ms(CLOCK_MONOTONIC); }

int64_t cpu_ms(void) { return clock_ms(CLOCK_PROCESS_CPUTIME_ID); }

void sleep_ms(int ms) { poll(NULL, 0, ms); }

/* CUnit passes no arguments, so the test behind a name is looked up again. */
static struct {
  const char *name;
  void (*run)(void);
} tests[64];
static size_t tests_count;

static void run_checked(void) {
  int before = open_descriptors();
  for (size_t i = 0; i < tests_count; i++)
    if (!strcmp(tests[i].name, pg_test_name()))
      tests[i].run();
  PG_CHECK(pg_feature_mask == 0, "features are still hidden");
  hide(0);
  int after = open_descriptors();
  PG_CHECK(after == before, "%d descriptors were left open", after - before);
  siginfo_t si;
  PG_CHECK(waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 && errno == ECHILD, "a child was left");
}

void add(const char *name, void (*run)(void)) {
  pg_test_need_pidfd();
  if (tests_count == PG_ARRAY_LEN(tests))
    abort();
  tests[tests_count].name = name;
  tests[tests_count++].run = run;
  pg_test_add("pidfd", name, run_checked);
}

/* These tests have no table of children. */
void pg_api_born(pid_t pid) { (void)pid; }

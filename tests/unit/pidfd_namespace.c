/* SPDX-License-Identifier: MIT */
/* Namespaces: ten kinds, natively and as on an older kernel. The test also enters them. */
#include "pidfd_support.h"

#include "pidfd/feature.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const struct {
  int kind, flag;
  const char *name;
} kinds[] = {
    {PIDGUARD_NAMESPACE_CGROUP, CLONE_NEWCGROUP, "cgroup"},
    {PIDGUARD_NAMESPACE_IPC, CLONE_NEWIPC, "ipc"},
    {PIDGUARD_NAMESPACE_MNT, CLONE_NEWNS, "mnt"},
    {PIDGUARD_NAMESPACE_NET, CLONE_NEWNET, "net"},
    {PIDGUARD_NAMESPACE_PID, 0, "pid"},
    {PIDGUARD_NAMESPACE_PID_FOR_CHILDREN, CLONE_NEWPID, "pid_for_children"},
    {PIDGUARD_NAMESPACE_TIME, 0, "time"},
    {PIDGUARD_NAMESPACE_TIME_FOR_CHILDREN, CLONE_NEWTIME, "time_for_children"},
    {PIDGUARD_NAMESPACE_USER, CLONE_NEWUSER, "user"},
    {PIDGUARD_NAMESPACE_UTS, CLONE_NEWUTS, "uts"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* This child moves to new namespaces as far as it may, reports which, and waits. */
static int apart_flags;
static bool apart_childless;

static int body_apart(void *ready) {
  int done = 0;
  for (size_t i = 0; i < KINDS; i++)
    if ((apart_flags & kinds[i].flag) && kinds[i].flag != CLONE_NEWUSER && unshare(kinds[i].flag) == 0)
      done |= kinds[i].flag;
  if ((done & CLONE_NEWUTS) && sethostname("apart", 5))
    return 1;
  if ((apart_flags & CLONE_NEWUSER) && unshare(CLONE_NEWUSER) == 0)
    done |= CLONE_NEWUSER;
  /* A new pid namespace belongs to no process until it has a first one. */
  if ((done & CLONE_NEWPID) && !apart_childless) {
    pid_t first = fork();
    if (first < 0)
      return 1;
    if (first == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;)
        pause();
    }
  }
  if (write(*(int *)ready, &done, sizeof done) != sizeof done)
    return 1;
  for (;;)
    pause();
  return 0;
}

static struct child child_apart(int flags, int *ret) {
  int ready[2];
  apart_flags = flags;
  if (pipe2(ready, O_CLOEXEC))
    abort();
  struct child c = child_running(body_apart, &ready[1]);
  close(ready[1]);
  if (read(ready[0], ret, sizeof *ret) != sizeof *ret)
    abort();
  close(ready[0]);
  return c;
}

/* Returns what /proc says, by path. */
static uint64_t link_inode(pid_t pid, const char *name) {
  char path[64];
  struct stat st;
  snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, name);
  return stat(path, &st) ? 0 : (uint64_t)st.st_ino;
}

static void every_kind(void) {
  int moved;
  struct child apart = child_apart(CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID |
                                       CLONE_NEWTIME | CLONE_NEWUSER | CLONE_NEWUTS,
                                   &moved);
  struct child near = child_paused();
  const unsigned ways[] = {0, PG_FEATURE_NS_IOCTL, PG_FEATURE_NS_IOCTL | PG_FEATURE_THREAD, PG_FEATURE_ALL};
  PG_CHECK(moved & CLONE_NEWUTS, "flags %x", moved);
  for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
    for (size_t i = 0; i < KINDS; i++) {
      uint64_t want = link_inode(apart.pid, kinds[i].name);
      struct stat st;
      hide(ways[w]);
      int fd = pidguard_pidfd_open_namespace(apart.fd, kinds[i].kind), error = errno;
      int mine = same_namespace(apart.fd, kinds[i].kind);
      int ours = same_namespace(near.fd, kinds[i].kind);
      hide(0);
      if (!want) {
        PG_CHECK(fd == -1 && error == EOPNOTSUPP, "%s: %s", kinds[i].name, strerror(error));
        pg_test_skip("this kernel has no %s namespaces", kinds[i].name);
        continue;
      }
      PG_CHECK(fd >= 0, "%s: %s", kinds[i].name, strerror(error));
      PG_CHECK(fstat(fd, &st) == 0 && st.st_ino == want, "%s: another namespace", kinds[i].name);
      PG_CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC, "%s is not close-on-exec", kinds[i].name);
      PG_CHECK(mine == !(moved & kinds[i].flag), "%s: same is %d (way %zu)", kinds[i].name, mine, w);
      PG_CHECK(ours == 1, "%s: same is %d (way %zu)", kinds[i].name, ours, w);
      close(fd);
    }
    hide(ways[w]);
    CHECK_ERRNO(pidguard_pidfd_open_namespace(near.fd, 0), EINVAL);
    CHECK_ERRNO(pidguard_pidfd_open_namespace(near.fd, 11), EINVAL);
    CHECK_ERRNO(pidguard_pidfd_open_namespace(near.fd, -1), EINVAL);
    hide(0);
  }

  /* A zombie has no namespaces, and neither has a reaped process. */
  pidguard_pidfd_send_signal(apart.fd, SIGKILL, 0);
  child_await_zombie(&apart);
  for (int reaped = 0; reaped < 2; reaped++) {
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
      for (size_t i = 0; i < KINDS; i++) {
        hide(ways[w]);
        int error = ERRNO_OF(pidguard_pidfd_open_namespace(apart.fd, kinds[i].kind));
        int other = ERRNO_OF(same_namespace(apart.fd, kinds[i].kind));
        hide(0);
        PG_CHECK(error == ESRCH && other == ESRCH, "%s: %s (way %zu)", kinds[i].name, strerror(error), w);
      }
    if (!reaped)
      child_reap(&apart);
  }
  child_done(&apart);
  child_done(&near);
}

static int target_fd;
static unsigned enter_way;
static int enter_flags;

/* Enters, and exits with 0 (done and as wanted), 1 (refused, errno is sent) or 2 (done, but not there). */
static int body_enter(void *report) {
  char name[64] = "";
  hide(enter_way);
  errno = 0;
  int r = pidguard_pidfd_setns(target_fd, enter_flags), error = r ? errno : 0;
  if (write(*(int *)report, &error, sizeof error) != sizeof error)
    return 3;
  if (r)
    return 1;
  for (size_t i = 0; i < KINDS; i++)
    if ((kinds[i].flag & enter_flags & ~(CLONE_NEWNS | CLONE_NEWPID)) && same_namespace(target_fd, kinds[i].kind) != 1)
      return 2;
  /* The namespace that the target is in is entered, and it counts for the next child. */
  if (enter_flags & CLONE_NEWPID) {
    int self = pidguard_pidfd_open(getpid(), 0),
        theirs = pidguard_pidfd_open_namespace(target_fd, PIDGUARD_NAMESPACE_PID);
    int mine = pidguard_pidfd_open_namespace(self, PIDGUARD_NAMESPACE_PID_FOR_CHILDREN);
    struct stat a, b;
    if (fstat(theirs, &a) || fstat(mine, &b) || a.st_ino != b.st_ino)
      return 2;
  }
  if ((enter_flags & CLONE_NEWUTS) && (gethostname(name, sizeof name) || strcmp(name, "apart")))
    return 2;
  return 0;
}

static int enter(int fd, int flags, unsigned way, int *error) {
  int report[2];
  target_fd = fd;
  enter_flags = flags;
  enter_way = way;
  if (pipe2(report, O_CLOEXEC))
    abort();
  struct child c = child_running(body_enter, &report[1]);
  close(report[1]);
  if (read(report[0], error, sizeof *error) != sizeof *error)
    *error = -1;
  child_await_zombie(&c);
  int status = child_reap(&c);
  child_done(&c);
  close(report[0]);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -status;
}

/* Enters every set of six kinds that can be entered together, natively and one by one. */
static void entering(void) {
  static const int flags[] = {CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS};
  int moved, error, all = 0;
  for (size_t i = 0; i < 6; i++)
    all |= flags[i];
  struct child apart = child_apart(all, &moved);
  if (moved != all) {
    pg_test_skip("this user cannot make all namespaces (%x)", moved);
  } else {
    const unsigned ways[] = {0, PG_FEATURE_SETNS, PG_FEATURE_SETNS | PG_FEATURE_NS_IOCTL};
    for (unsigned set = 1; set < 1u << 6; set++) {
      int want = 0;
      for (size_t i = 0; i < 6; i++)
        want |= set >> i & 1 ? flags[i] : 0;
      for (size_t w = 0; w < 3; w++) {
        int r = enter(apart.fd, want, ways[w], &error);
        PG_CHECK(r == 0, "flags %x, way %zu: %d, %s", want, w, r, strerror(error));
      }
    }
    CHECK_EQ(enter(apart.fd, 0, 0, &error), 1);
    CHECK_EQ(error, EINVAL);
    CHECK_EQ(enter(apart.fd, CLONE_NEWUTS | CLONE_VM, 0, &error), 1);
    CHECK_EQ(error, EINVAL);
    child_reap(&apart);
    for (size_t w = 0; w < 3; w++) {
      CHECK_EQ(enter(apart.fd, CLONE_NEWUTS, ways[w], &error), 1);
      CHECK_EQ(error, ESRCH);
    }
  }
  child_done(&apart);
}

/* The same with a user namespace, which comes first because it gives the right to the others. */
static void entering_user(void) {
  int moved, error;
  struct child apart = child_apart(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER, &moved);
  if (!(moved & CLONE_NEWUSER)) {
    pg_test_skip("this user cannot make a user namespace");
  } else {
    const unsigned ways[] = {0, PG_FEATURE_SETNS};
    for (size_t w = 0; w < 2; w++) {
      int r = enter(apart.fd, CLONE_NEWUSER, ways[w], &error);
      PG_CHECK(r == 0, "way %zu: %d, %s", w, r, strerror(error));
    }
    /* A process that is already there has entered, though the kernel refuses to enter the own user namespace. */
    struct child near = child_paused();
    for (size_t w = 0; w < 2; w++) {
      int r = enter(near.fd, CLONE_NEWUSER, ways[w], &error);
      PG_CHECK(r == 0, "way %zu: %d, %s", w, r, strerror(error));
    }
    child_done(&near);
  }
  child_done(&apart);
}

/* One part is refused, because a process with several threads cannot enter a user namespace. The thread must stay where
 * it is. */
static void *thread_refused(void *arg) {
  /* 0: refused and not moved; 1: refused, but not as expected; 2: moved; 3: cannot be shown. */
  static int result;
  const unsigned ways[] = {0, PG_FEATURE_SETNS};
  struct stat before, after;
  result = unshare(CLONE_NEWUTS) || stat("/proc/thread-self/ns/uts", &before) ? 3 : 0;
  for (size_t w = 0; w < 2 && !result; w++) {
    hide(ways[w]);
    if (pidguard_pidfd_setns(*(int *)arg, CLONE_NEWUTS | CLONE_NEWUSER) != -1 || errno != EINVAL)
      result = 1;
    else if (stat("/proc/thread-self/ns/uts", &after) || before.st_ino != after.st_ino)
      result = 2;
  }
  return &result;
}

static int body_refused(void *arg) {
  pthread_t thread;
  void *result;
  pthread_create(&thread, NULL, thread_refused, arg);
  pthread_join(thread, &result);
  return *(int *)result;
}

static void all_or_nothing(void) {
  int moved;
  struct child apart = child_apart(CLONE_NEWUTS | CLONE_NEWUSER, &moved);
  if (moved != (CLONE_NEWUTS | CLONE_NEWUSER)) {
    pg_test_skip("this user cannot make namespaces");
  } else {
    struct child c = child_running(body_refused, &apart.fd);
    child_await_zombie(&c);
    CHECK_EQ(child_reap(&c), 0);
    child_done(&c);
  }
  child_done(&apart);
}

/* A new pid namespace without any process. By pidfd it is there. In /proc only the newest kernels (7.2) have it, and
 * the substitute gives what /proc has. */
static void without_first_process(void) {
  int moved;
  apart_childless = true;
  struct child apart = child_apart(CLONE_NEWPID, &moved);
  apart_childless = false;
  if (!moved) {
    pg_test_skip("this user cannot make namespaces");
  } else {
    int fd = pidguard_pidfd_open_namespace(apart.fd, PIDGUARD_NAMESPACE_PID_FOR_CHILDREN);
    PG_CHECK(fd >= 0 || errno == EOPNOTSUPP, "%s", strerror(errno));
    if (fd >= 0)
      close(fd);
    hide(PG_FEATURE_NS_IOCTL);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/pid_for_children", (int)apart.pid);
    int there = open(path, O_RDONLY | O_CLOEXEC);
    fd = pidguard_pidfd_open_namespace(apart.fd, PIDGUARD_NAMESPACE_PID_FOR_CHILDREN);
    if (there < 0)
      CHECK_EQ(errno, EOPNOTSUPP);
    CHECK_EQ(fd >= 0, there >= 0);
    if (fd >= 0)
      close(fd);
    if (there >= 0)
      close(there);
    hide(0);
  }
  child_done(&apart);
}

/* A process that may not look into another one gets EACCES, natively and from /proc. */
static int body_unprivileged(void *arg) {
  int fd = *(int *)arg;
  if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
    return 77;
  /* Older kernels hide even the own descriptors from a process that is not dumpable. */
  prctl(PR_SET_DUMPABLE, 1);
  const unsigned ways[] = {0, PG_FEATURE_NS_IOCTL};
  for (size_t w = 0; w < 2; w++) {
    hide(ways[w]);
    if (pidguard_pidfd_open_namespace(fd, PIDGUARD_NAMESPACE_NET) != -1 || errno != EACCES)
      return 1 + (int)w;
    if (same_namespace(fd, PIDGUARD_NAMESPACE_NET) != -1 || errno != EACCES)
      return 3 + (int)w;
    if (pidguard_pidfd_setns(fd, CLONE_NEWNET) != -1 || (errno != EPERM && errno != EACCES)) /* EACCES: before 5.8 */
      return 5 + (int)w;
  }
  return 0;
}

static void permission(void) {
  struct child target = child_paused();
  check_in_child(body_unprivileged, &target.fd, "this user cannot become another user");
  child_done(&target);
}

/* The answer is about the calling thread, which may be in other namespaces than its process. */
static void *thread_apart(void *fd) {
  static int results[3];
  if (unshare(CLONE_NEWUTS)) {
    results[0] = -77;
    return results;
  }
  for (int w = 0; w < 3; w++) {
    const unsigned ways[] = {0, PG_FEATURE_THREAD, PG_FEATURE_NS_IOCTL};
    hide(ways[w]);
    results[w] = same_namespace(*(int *)fd, PIDGUARD_NAMESPACE_UTS);
    hide(0);
  }
  return results;
}

static void of_the_thread(void) {
  struct child c = child_paused();
  pthread_t thread;
  void *results = NULL;
  pthread_create(&thread, NULL, thread_apart, &c.fd);
  pthread_join(thread, &results);
  if (*(int *)results == -77)
    pg_test_skip("this user cannot make a namespace");
  else
    for (int w = 0; w < 3; w++)
      CHECK_EQ(((int *)results)[w], 0);
  CHECK_EQ(same_namespace(c.fd, PIDGUARD_NAMESPACE_UTS), 1);
  child_done(&c);
}

/* Enters all namespaces of another process, whatever they are. Those that differ are entered, and the rest needs no
 * right. */
static int body_all(void *arg) {
  const unsigned ways[] = {0, PG_FEATURE_SETNS};
  for (size_t w = 0; w < 2; w++) {
    hide(ways[w]);
    if (pidguard_pidfd_setns(*(int *)arg, PIDGUARD_NAMESPACE_FLAGS))
      return errno;
  }
  return 0;
}

static int body_all_without_rights(void *arg) {
  if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534) || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
    return 0;
  struct child same = child_paused();
  (void)arg;
  int r = body_all(&same.fd);
  child_done(&same);
  return r;
}

static void all_kinds(void) {
  int moved;
  struct child near = child_paused(), apart = child_apart(CLONE_NEWUTS | CLONE_NEWIPC, &moved);
  int (*const bodies[])(void *) = {body_all, body_all, body_all_without_rights};
  for (size_t i = 0; i < 3; i++) {
    struct child c = child_running(bodies[i], i == 1 && moved ? &apart.fd : &near.fd);
    child_await_zombie(&c);
    int status = child_reap(&c);
    PG_CHECK(status == 0, "%zu: %x, %s", i, (unsigned)status, strerror(WEXITSTATUS(status)));
    child_done(&c);
  }
  child_done(&near);
  child_done(&apart);
}

static void flags(void) {
  int all = 0;
  for (size_t i = 0; i < KINDS; i++) {
    int flag = pidguard_namespace_to_flag(kinds[i].kind);
    PG_CHECK(kinds[i].flag ? flag == kinds[i].flag : flag > 0, "%s: %x", kinds[i].name, (unsigned)flag);
    all |= flag;
  }
  CHECK_EQ(all, PIDGUARD_NAMESPACE_FLAGS);
  CHECK_EQ(pidguard_namespace_to_flag(PIDGUARD_NAMESPACE_PID), CLONE_NEWPID);
  CHECK_EQ(pidguard_namespace_to_flag(PIDGUARD_NAMESPACE_TIME), CLONE_NEWTIME);
  CHECK_ERRNO(pidguard_namespace_to_flag(0), EINVAL);
  CHECK_ERRNO(pidguard_namespace_to_flag(11), EINVAL);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("every_kind", every_kind);
  add("entering", entering);
  add("entering_user", entering_user);
  add("all_or_nothing", all_or_nothing);
  add("without_first_process", without_first_process);
  add("permission", permission);
  add("of_the_thread", of_the_thread);
  add("all_kinds", all_kinds);
  add("flags", flags);
}

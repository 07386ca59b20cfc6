/* SPDX-License-Identifier: MIT */
/* The end of whole trees, by walking and by cgroup: which processes are spared, and what is promised. */
#include "pidfd_support.h"

#include "pidfd/feature.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every process in a tree holds the writing end of a pipe. The pipe is at its end when all of them are gone. */
static int gone[2];

static void gate_open(void) {
  if (pipe2(gone, O_CLOEXEC))
    abort();
}

static bool all_gone(int limit_ms) {
  char byte;
  close(gone[1]);
  int set = pidguard_set_create(), ready;
  pidguard_set_add(set, gone[0]);
  bool ended = pidguard_set_wait(set, &ready, 1, pidguard_deadline(limit_ms)) == 1 && read(gone[0], &byte, 1) == 0;
  close(set);
  close(gone[0]);
  return ended;
}

static void grow(int depth, int width) {
  for (int i = 0; depth > 0 && i < width; i++) {
    pid_t pid = fork();
    if (pid < 0)
      _exit(1);
    if (pid == 0) {
      grow(depth - 1, width);
      for (;;)
        pause();
    }
  }
}

static int ready_pipe[2];

static void tell_ready(void) {
  if (write(ready_pipe[1], "", 1) != 1)
    _exit(1);
}

static struct child planted(int (*body)(void *), void *arg) {
  char byte;
  if (pipe2(ready_pipe, O_CLOEXEC))
    abort();
  struct child c = child_running(body, arg);
  close(ready_pipe[1]);
  if (read(ready_pipe[0], &byte, 1) != 1)
    abort();
  close(ready_pipe[0]);
  return c;
}

static int body_family(void *arg) {
  const int *shape = arg;
  grow(shape[0], shape[1]);
  tell_ready();
  for (;;)
    pause();
  return 0;
}

static void family(void) {
  static int shapes[][2] = {{0, 0}, {1, 60}, {3, 4}, {30, 1}};
  struct child sibling = child_paused();
  for (size_t i = 0; i < 4; i++) {
    gate_open();
    struct child c = planted(body_family, shapes[i]);
    CHECK_EQ(pidguard_pidfd_kill_tree(c.fd, 10000), PIDGUARD_TREE_WALK);
    PG_CHECK(all_gone(10000), "shape %zu: a process is left", i);
    CHECK_EQ(child_reap(&c), SIGKILL);
    child_done(&c);
  }
  CHECK_EQ(pidguard_pidfd_get_state(sibling.fd), PIDGUARD_STATE_ALIVE);
  child_done(&sibling);
}

/* Parents that make children as fast as they can, from two threads. For a while their children do the same. */
static void *thread_breeds(void *unused) {
  for (;;) {
    pid_t pid = fork();
    if (pid == 0) {
      if (fork() == 0)
        for (;;)
          pause();
      for (;;)
        pause();
    }
    usleep(2000);
  }
  return unused;
}

static int body_breeder(void *unused) {
  pthread_t thread;
  (void)unused;
  pthread_create(&thread, NULL, thread_breeds, NULL);
  tell_ready();
  thread_breeds(NULL);
  return 0;
}

static void breeders(void) {
  for (int i = 0; i < 5; i++) {
    gate_open();
    struct child c = planted(body_breeder, NULL);
    sleep_ms(20);
    CHECK_EQ(pidguard_pidfd_kill_tree(c.fd, 20000), PIDGUARD_TREE_WALK);
    PG_CHECK(all_gone(10000), "round %d: a process has escaped", i);
    child_done(&c);
  }
}

/* A vfork() is under way. The parent cannot stop before its child is dealt with. */
static int body_vforks(void *unused) {
  (void)unused;
  tell_ready();
  pid_t pid = vfork();
  if (pid == 0)
    for (;;)
      syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0); /* not every architecture has pause */
  return 1;
}

static void in_vfork(void) {
  gate_open();
  struct child c = planted(body_vforks, NULL);
  sleep_ms(20);
  CHECK_EQ(pidguard_pidfd_kill_tree(c.fd, 10000), PIDGUARD_TREE_WALK);
  PG_CHECK(all_gone(10000), "a process is left");
  child_done(&c);
}

static int body_inside(void *arg) {
  (void)arg;
  int parent = pidguard_pidfd_open_parent(), self = pidguard_pidfd_open(getpid(), 0);
  if (pidguard_pidfd_kill_tree(self, 100) != -1 || errno != EINVAL)
    return 1;
  if (pidguard_pidfd_kill_tree(parent, 100) != -1 || errno != EINVAL)
    return 2;
  return 0;
}

static void refusals(void) {
  struct child inside = child_running(body_inside, NULL), z = child_exited(3);
  child_await_zombie(&inside);
  CHECK_EQ(child_reap(&inside), 0);
  child_done(&inside);
  CHECK_EQ(pidguard_pidfd_kill_tree(z.fd, 100), PIDGUARD_TREE_WALK); /* no process is left in it */
  CHECK_EQ(child_reap(&z), 3 << 8);
  CHECK_ERRNO(pidguard_pidfd_kill_tree(z.fd, 100), ESRCH);
  CHECK_ERRNO(pidguard_pidfd_kill_tree(-1, 100), EBADF);
  int init = pidguard_pidfd_open(1, 0);
  CHECK_ERRNO(pidguard_pidfd_kill_tree(init, 100), EINVAL);
  close(init);
  child_done(&z);
}

/* A child that is root's has a child that is the user's again. The user may kill the latter, and not the former. */
static void become_user(void) {
  if (setresuid(1000, 1000, 1000))
    _exit(77);
}

static int body_user(void *unused) {
  (void)unused;
  become_user();
  return 0;
}

static int body_mixed(void *unused) {
  (void)unused;
  if (fork() == 0) {
    int parent = pidguard_pidfd_open_parent();
    if (fork() == 0) {
      become_user();
      tell_ready();
      for (;;)
        pause();
    }
    close(gone[1]);
    close(ready_pipe[1]);
    pidguard_pidfd_wait_end(parent, -1);
    _exit(0);
  }
  become_user();
  tell_ready();
  for (;;)
    pause();
  return 0;
}

static int body_user_kills(void *fd) {
  become_user();
  /* Before 5.14 a process that is not dumpable cannot read its own /proc/self/fdinfo. */
  prctl(PR_SET_DUMPABLE, 1);
  return ERRNO_OF(pidguard_pidfd_kill_tree(*(int *)fd, 30000));
}

static void other_users(void) {
  char byte;
  struct child user = child_running(body_user, NULL);
  child_await_zombie(&user);
  int status = child_reap(&user);
  child_done(&user);
  if (status) {
    pg_test_skip("this user cannot become another user");
    return;
  }
  gate_open();
  if (pipe2(ready_pipe, O_CLOEXEC))
    abort();
  struct child c = child_running(body_mixed, NULL);
  close(ready_pipe[1]);
  for (int i = 0; i < 2; i++)
    CHECK_EQ(read(ready_pipe[0], &byte, 1), 1);
  close(ready_pipe[0]);
  int64_t start = now_ms();
  struct child killer = child_running(body_user_kills, &c.fd);
  child_await_zombie(&killer);
  PG_CHECK(now_ms() - start < 20000, "it waited until a process stops that may not be signalled");
  CHECK_EQ(WEXITSTATUS(child_reap(&killer)), EPERM);
  if (!PG_CHECK(all_gone(3000), "a process that may be killed is left below one that may not"))
    pg_test_kill_leftovers();
  child_done(&killer);
  child_done(&c);
}

/* On a kernel without PIDFD_GET_INFO, the parent of a found child comes from /proc. That needs more descriptors than
 * the pidfd of the child. */
static void scarce(void) {
  static int shape[] = {1, 1};
  struct rlimit saved;
  int refused = 0, done = 0;
  getrlimit(RLIMIT_NOFILE, &saved);
  for (int room = 0; room <= 8; room++) {
    gate_open();
    struct child c = planted(body_family, shape);
    struct rlimit low = {limit_for(room), saved.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    hide(PG_FEATURE_INFO);
    int way = pidguard_pidfd_kill_tree(c.fd, 10000), error = errno;
    hide(0);
    setrlimit(RLIMIT_NOFILE, &saved);
    if (way < 0) {
      PG_CHECK(error == EMFILE, "room for %d: %s", room, strerror(error));
      refused++;
    } else {
      done++;
    }
    if (way < 0 || !PG_CHECK(all_gone(3000), "room for %d: no error, and a process is left", room))
      pg_test_kill_leftovers();
    if (way < 0)
      all_gone(3000);
    child_done(&c);
  }
  PG_CHECK(refused && done, "%d refused, %d done", refused, done);
}

/* ---- By cgroup ---- */

static char procs[192];

static void enter_cgroup(void) {
  int fd = open(procs, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "0", 1) != 1)
    _exit(77);
  close(fd);
}

/* The tree has a daemon in it: a grandchild that has lost its parent. */
static int body_with_daemon(void *unused) {
  (void)unused;
  enter_cgroup();
  pid_t pid = fork();
  if (pid == 0) {
    if (fork() == 0) {
      setsid();
      while (getppid() != 1)
        usleep(1000);
      tell_ready();
      for (;;)
        pause();
    }
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  for (;;)
    pause();
  return 0;
}

static int body_enter(void *unused) {
  (void)unused;
  enter_cgroup();
  tell_ready();
  for (;;)
    pause();
  return 0;
}

static void own_cgroup(void) {
  char path[128];
  if (!cgroup_make(path, sizeof path))
    return;
  snprintf(procs, sizeof procs, "%s/cgroup.procs", path);
  char kill_file[192];
  snprintf(kill_file, sizeof kill_file, "%s/cgroup.kill", path);
  bool has_kill = access(kill_file, W_OK) == 0;
  gate_open();
  struct child c = planted(body_with_daemon, NULL);
  int way = pidguard_pidfd_kill_tree(c.fd, 10000);
  if (has_kill) {
    CHECK_EQ(way, PIDGUARD_TREE_CGROUP);
    PG_CHECK(all_gone(10000), "the daemon is left");
  } else {
    CHECK_EQ(way, PIDGUARD_TREE_WALK);
    pg_test_skip("cgroup.kill needs Linux 5.14");
    pg_test_kill_leftovers();
    all_gone(10000);
  }
  child_done(&c);

  /* Another child of the same parent is in the cgroup. So the cgroup is not the tree's own, and the other child is
   * spared. */
  struct child first = planted(body_enter, NULL), second = planted(body_enter, NULL);
  CHECK_EQ(pidguard_pidfd_kill_tree(first.fd, 10000), PIDGUARD_TREE_WALK);
  CHECK_EQ(child_reap(&first), SIGKILL);
  CHECK_EQ(pidguard_pidfd_get_state(second.fd), PIDGUARD_STATE_ALIVE);
  child_done(&first);
  /* When it is alone, the cgroup is its own, but not on an older kernel. */
  hide(PG_FEATURE_CGROUP_KILL);
  CHECK_EQ(pidguard_pidfd_kill_tree(second.fd, 10000), PIDGUARD_TREE_WALK);
  hide(0);
  child_done(&second);
  cgroup_remove(path);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("family", family);
  add("breeders", breeders);
  add("in_vfork", in_vfork);
  add("refusals", refusals);
  add("other_users", other_users);
  add("scarce", scarce);
  add("own_cgroup", own_cgroup);
}

/* SPDX-License-Identifier: MIT */
/* The handlers of `interrupted`. Each makes calls that an ordinary handler may make, most of them wrapped, and checks
 * the results. See interrupted.h. */
#define _GNU_SOURCE
#include "interrupted.h"

#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

extern char **environ;

static void do_nothing(void) {}

static void do_kill(void) {
  MUST(kill(scene.living, 0) == 0, "in the handler: kill(living): errno %d", errno);
  if (scene.protected)
    MUST(kill(scene.dead, SIGKILL) == -1 && errno == ESRCH, "in the handler: kill(dead): errno %d", errno);
}

/* A forked child can signal a sibling, but cannot reap it. */
static void do_end_other(void) {
  MUST(kill(scene.other, SIGTERM) == 0, "in the handler: kill(other): errno %d", errno);
  if (!scene.copy)
    check_reaped(scene.other, SIGTERM, "in the handler: the other");
  scene.other = 0;
}

static void do_fork(void) {
  check_reaped(make_exiting(CODE_HANDLER), CODE_HANDLER << 8, "in the handler: the forked child");
}

static void do_vfork(void) {
  pid_t pid = vfork();
  if (pid == 0)
    leave(CODE_HANDLER);
  MUST(pid > 1, "in the handler: vfork: %d, errno %d", (int)pid, errno);
  check_reaped(pid, CODE_HANDLER << 8, "in the handler: the vforked child");
}

static void do_spawn(void) {
  static char *const argv[] = {"true", NULL};
  pid_t pid = 0;
  int error = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ);
  MUST(error == 0, "in the handler: posix_spawn: %d", error);
  check_reaped(pid, 0, "in the handler: the spawned child");
}

static void do_fork_and_keep(void) { scene.kept = make_pausing(); }

static void do_reap(void) {
  const int room = (int)(sizeof scene.reaped / sizeof *scene.reaped);
  int status;
  for (pid_t pid; scene.reaped_count < room && (pid = waitpid(-1, &status, WNOHANG)) > 0; scene.reaped_count++) {
    scene.reaped[scene.reaped_count] = pid;
    scene.reaped_status[scene.reaped_count] = status;
  }
}

static void do_wait_living(void) {
  pid_t r = waitpid(scene.living, NULL, WNOHANG);
  MUST(scene.copy ? r == -1 && errno == ECHILD : r == 0, "in the handler: waitpid(living): %d, errno %d", (int)r,
       errno);
}

/* Opens all descriptor numbers that are left, past every wrapper, as any library may do. Among them may be a number
 * that the shim is just giving back. The program may close all of them. */
static void do_use_up_and_close(void) {
  int fds[NUMBERS], count = 0;
  for (long fd;
       count < NUMBERS && (fd = raw_call(SYS_openat, AT_FDCWD, (long)(intptr_t) "/dev/null", O_RDONLY, 0, 0)) >= 0;)
    fds[count++] = (int)fd;
  while (count-- > 0) {
    int r = close(fds[count]);
    MUST(r == 0, "in the handler: close of its own %d: errno %d, it is %s", fds[count], errno,
         is_open(fds[count]) ? "there" : "not there");
  }
}

/* dup2(2) says that EBUSY means a race with an open() or dup() that is about to get the number. */
static void do_dup2_over(void) {
  for (int fd = OWN_NUMBERS; fd < NUMBERS; fd++) {
    int r = dup2(STDIN_FILENO, fd);
    MUST(r == fd || (r == -1 && (errno == EBUSY || errno == EBADF)), "in the handler: dup2 onto %d: errno %d", fd,
         errno);
    if (r == fd)
      MUST(is_open(fd) && close(fd) == 0, "in the handler: close of its own %d: errno %d", fd, errno);
  }
}

static void do_close_all(void) {
  for (int fd = FIRST_NUMBER; fd < NUMBERS; fd++)
    close(fd);
}

static void do_close_range(void) {
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
  close_range(FIRST_NUMBER, ~0u, 0);
#else
  syscall(SYS_close_range, FIRST_NUMBER, ~0u, 0);
#endif
}

/* One of the pidfds may get a number that the shim has just given back. The interrupted kill() must not signal it. */
static void do_pidfds(void) {
  for (long fd; (fd = syscall(SYS_pidfd_open, scene.living, 0)) >= 0;)
    scene.filled[scene.filled_count++] = (int)fd;
}

/* The kernel signals through a directory of /proc, too. */
static void do_directories(void) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d", (int)scene.living);
  int directory = open(path, O_RDONLY | O_DIRECTORY);
  MUST(directory >= 0, "in the handler: open %s: errno %d", path, errno);
  for (int fd = OWN_NUMBERS; fd < NUMBERS; fd++) {
    int r = dup2(directory, fd);
    MUST(r == fd || (r == -1 && (errno == EBUSY || errno == EBADF)), "in the handler: dup2 onto %d: errno %d", fd,
         errno);
    if (r == fd)
      scene.filled[scene.filled_count++] = fd;
  }
  close(directory);
}

static void do_setrlimit(void) {
  set_numbers(FEWER_NUMBERS);
  set_numbers(NUMBERS);
}

static void do_jump(void) {
  scene.jumped = 1;
  siglongjmp(scene.out, 1);
}

static void do_reap_and_jump(void) {
  do_reap();
  do_jump();
}

static void do_fork_and_jump(void) {
  do_fork_and_keep();
  do_jump();
}

/* Returns true in the copy. The parent goes on when the copy has seen that all is well. */
static bool make_copy(void) {
  pid_t pid = fork();
  if (pid == 0) {
    scene.copy = 1;
    return true;
  }
  MUST(pid > 1, "in the handler: fork: %d, errno %d", (int)pid, errno);
  int status = 0;
  long r = raw_call(SYS_wait4, pid, (long)(intptr_t)&status, 0, 0, 0);
  if (r != pid || status != 0)
    leave(1); /* the copy has said why, unless it was killed */
  return false;
}

static void do_copy(void) { make_copy(); }

static void do_copy_and_jump(void) {
  if (make_copy())
    do_jump();
}

const struct handler handlers[] = {
    {.name = "nothing", .run = do_nothing},
    {.name = "kill", .run = do_kill},
    {.name = "end-other", .run = do_end_other},
    {.name = "fork", .run = do_fork},
    {.name = "vfork", .run = do_vfork},
    {.name = "spawn", .run = do_spawn},
    {.name = "fork-and-keep", .run = do_fork_and_keep},
    {.name = "reap", .run = do_reap, .reaps = true},
    {.name = "wait-living", .run = do_wait_living},
    {.name = "use-up-and-close", .run = do_use_up_and_close},
    {.name = "dup2-over", .run = do_dup2_over, .closes = true},
    {.name = "close-all", .run = do_close_all, .closes = true},
    {.name = "close-range", .run = do_close_range, .closes = true},
    {.name = "pidfds", .run = do_pidfds, .fills = true},
    {.name = "directories", .run = do_directories, .fills = true},
    {.name = "setrlimit", .run = do_setrlimit},
    {.name = "jump", .run = do_jump, .jumps = true},
    {.name = "reap-and-jump", .run = do_reap_and_jump, .jumps = true},
    {.name = "fork-and-jump", .run = do_fork_and_jump, .jumps = true},
    {.name = "copy", .run = do_copy},
    {.name = "copy-and-jump", .run = do_copy_and_jump, .jumps = true},
    {.name = NULL},
};

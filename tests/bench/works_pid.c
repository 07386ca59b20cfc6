/* SPDX-License-Identifier: MIT */
/* The works as a program does them that knows its children by PID. They run plain, under the shim, and under an empty
 * preload object. Calls libc only. */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNUSED_ARGS (void)b, (void)thread
static char *const true_argv[] = {"true", NULL};

pid_t pg_bench_fork(int *ret_fd) {
  *ret_fd = -1;
  return fork();
}

__attribute__((noinline)) pid_t pg_bench_start(const char *path, int *ret_fd) {
  char *argv[] = {"idle", NULL};
  *ret_fd = -1;
  pid_t pid = vfork();
  if (pid == 0) {
    execv(path, argv);
    _exit(127);
  }
  return pid;
}

void pg_bench_reap(pid_t pid, int fd) {
  (void)fd;
  waitpid(pid, NULL, 0);
}

int pg_bench_open(pid_t pid) {
  (void)pid;
  return -1;
}

static int send_usr1(pid_t pid, uint64_t n) {
  if (pid <= 1)
    return -1;
  for (; n; n--)
    if (kill(pid, SIGUSR1) != 0)
      return -1;
  return 0;
}

static int kill_child(const struct pg_bench *b, int thread, uint64_t n) { return send_usr1(b->child[thread], n); }

/* All threads signal the same child. */
static int kill_same(const struct pg_bench *b, int thread, uint64_t n) {
  (void)thread;
  return send_usr1(b->child[0], n);
}

static int kill_oldest(const struct pg_bench *b, int thread, uint64_t n) {
  (void)thread;
  return send_usr1(b->oldest, n);
}

static int kill_stranger(const struct pg_bench *b, int thread, uint64_t n) {
  (void)thread;
  return send_usr1(b->stranger, n);
}

/* Sends signal 0, because another process may have the PID by now. */
static int kill_reaped(const struct pg_bench *b, int thread, uint64_t n) {
  (void)thread;
  for (; n; n--)
    if (b->dead <= 1 || kill(b->dead, 0) != -1 || errno != ESRCH)
      return -1;
  return 0;
}

static int waitpid_child(const struct pg_bench *b, int thread, uint64_t n) {
  for (; n; n--)
    if (waitpid(b->child[thread], NULL, WNOHANG) != 0)
      return -1;
  return 0;
}

/* The first call is dearer: the shim opens a descriptor for a child that it knows by identity only when the program
 * waits for it. */
static int waitpid_oldest(const struct pg_bench *b, int thread, uint64_t n) {
  (void)thread;
  for (; n; n--)
    if (waitpid(b->oldest, NULL, WNOHANG) != 0)
      return -1;
  return 0;
}

static int waitpid_any(const struct pg_bench *b, int thread, uint64_t n) {
  UNUSED_ARGS;
  for (; n; n--)
    if (waitpid(-1, NULL, WNOHANG) != 0)
      return -1;
  return 0;
}

/* Takes each child in turn, so that the next one is never the one that was used just now. It goes on where the slice
 * before ended. */
static pid_t next_of(const struct pg_bench *b) {
  static int turn;
  turn = turn + 1 < b->all_count ? turn + 1 : 0;
  return b->all[turn];
}

static int kill_each(const struct pg_bench *b, int thread, uint64_t n) {
  UNUSED_ARGS;
  for (; n; n--)
    if (send_usr1(next_of(b), 1) != 0)
      return -1;
  return 0;
}

static int poll_each(const struct pg_bench *b, int thread, uint64_t n) {
  UNUSED_ARGS;
  for (; n; n--)
    if (waitpid(next_of(b), NULL, WNOHANG) != 0)
      return -1;
  return 0;
}

/* A wait that would block, finds what it waits for and leaves it there. All children are stopped once. */
static int wait_each(const struct pg_bench *b, int thread, uint64_t n) {
  UNUSED_ARGS;
  static int stopped;
  for (; stopped < b->all_count; stopped++)
    if (b->all[stopped] <= 1 || kill(b->all[stopped], SIGSTOP) != 0)
      return -1;
  for (; n; n--) {
    siginfo_t info = {.si_pid = 0};
    pid_t pid = next_of(b);
    if (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT) != 0 || info.si_pid != pid)
      return -1;
  }
  return 0;
}

static int fork_waitpid(const struct pg_bench *b, int thread, uint64_t n) {
  UNUSED_ARGS;
  for (; n; n--) {
    pid_t pid = fork();
    if (pid == 0)
      _exit(0);
    if (pid < 0 || waitpid(pid, NULL, 0) != pid)
      return -1;
  }
  return 0;
}

static int fork_wait_any(const struct pg_bench *b, int thread, uint64_t n) {
  UNUSED_ARGS;
  for (; n; n--) {
    pid_t pid = fork();
    if (pid == 0)
      _exit(0);
    if (pid < 0 || wait(NULL) != pid)
      return -1;
  }
  return 0;
}

/* These functions are never inlined: after a vfork the child has run on the stack frame of its caller. */
__attribute__((noinline)) static pid_t vfork_only(void) {
  pid_t pid = vfork();
  if (pid == 0)
    _exit(0);
  return pid;
}

__attribute__((noinline)) static pid_t vfork_true(char **env) {
  pid_t pid = vfork();
  if (pid == 0) {
    execve("/bin/true", true_argv, env);
    _exit(127);
  }
  return pid;
}

static int vfork_waitpid(const struct pg_bench *b, int thread, uint64_t n) {
  UNUSED_ARGS;
  for (; n; n--) {
    pid_t pid = vfork_only();
    if (pid < 0 || waitpid(pid, NULL, 0) != pid)
      return -1;
  }
  return 0;
}

static int vfork_exec(const struct pg_bench *b, int thread, uint64_t n) {
  UNUSED_ARGS;
  for (; n; n--) {
    int status;
    pid_t pid = vfork_true(b->child_env);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
      return -1;
  }
  return 0;
}

static int spawn_wait(const struct pg_bench *b, int thread, uint64_t n) {
  UNUSED_ARGS;
  for (; n; n--) {
    int status;
    pid_t pid;
    if (posix_spawn(&pid, "/bin/true", NULL, NULL, true_argv, b->child_env) != 0)
      return -1;
    if (waitpid(pid, &status, 0) != pid || status != 0)
      return -1;
  }
  return 0;
}

static int open_close(const struct pg_bench *b, int thread, uint64_t n) {
  UNUSED_ARGS;
  for (; n; n--) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || close(fd) != 0)
      return -1;
  }
  return 0;
}

static int dup2_same_target(const struct pg_bench *b, int thread, uint64_t n) {
  UNUSED_ARGS;
  int target = dup(2), result = 0;
  for (; n && !result; n--)
    if (dup2(2, target) != target)
      result = -1;
  close(target);
  return result;
}

static int raw_getppid(const struct pg_bench *b, int thread, uint64_t n) {
  UNUSED_ARGS;
  for (; n; n--)
    if (syscall(SYS_getppid) < 0)
      return -1;
  return 0;
}

const struct pg_work pg_works[] = {
    {"kill-child", kill_child, 1},         {"kill-same", kill_same, 1},         {"kill-oldest", kill_oldest, 1},
    {"kill-stranger", kill_stranger, 1},   {"kill-reaped", kill_reaped, 1},     {"waitpid-child", waitpid_child, 1},
    {"waitpid-oldest", waitpid_oldest, 1}, {"waitpid-any", waitpid_any, 1},     {"fork-waitpid", fork_waitpid, 0},
    {"fork-wait-any", fork_wait_any, 0},   {"vfork-waitpid", vfork_waitpid, 0}, {"vfork-exec", vfork_exec, 0},
    {"spawn-wait", spawn_wait, 0},         {"exec-start", vfork_exec, 0},       {"open-close", open_close, 0},
    {"kill-each", kill_each, 0},           {"poll-each", poll_each, 0},         {"wait-each", wait_each, 0},
    {"dup2", dup2_same_target, 0},         {"syscall-getppid", raw_getppid, 1}, {0}};

/* SPDX-License-Identifier: MIT */
/* The works as a program does them that uses pidfds throughout: clone3(CLONE_PIDFD), pidfd_send_signal,
 * waitid(P_PIDFD). They show what a rewrite would give, for comparison with the shim. If libc has no function yet, they
 * make raw system calls. Linux 5.4. */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BY_PIDFD ((idtype_t)3) /* P_PIDFD: an enumerator in newer headers, absent in older ones */
static char *const true_argv[] = {"true", NULL};

pid_t pg_bench_fork(int *ret_fd) {
  int fd = -1;
  struct clone_args args;
  memset(&args, 0, sizeof args);
  args.flags = CLONE_PIDFD;
  args.pidfd = (uint64_t)(uintptr_t)&fd;
  args.exit_signal = SIGCHLD;
  pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  *ret_fd = fd;
  return pid;
}

pid_t pg_bench_start(const char *path, int *ret_fd) {
  char *argv[] = {"idle", NULL};
  pid_t pid = pg_bench_fork(ret_fd);
  if (pid == 0) {
    execv(path, argv);
    _exit(127);
  }
  return pid;
}

static int wait_fd(int fd, siginfo_t *info, int options) { return waitid(BY_PIDFD, (id_t)fd, info, options); }

void pg_bench_reap(pid_t pid, int fd) {
  (void)pid;
  siginfo_t info;
  wait_fd(fd, &info, WEXITED);
}

int pg_bench_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

static int send_usr1(int fd, uint64_t n) {
  for (; n; n--)
    if (syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0) != 0)
      return -1;
  return 0;
}

static int kill_child(const struct pg_bench *b, int thread, uint64_t n) { return send_usr1(b->child_fd[thread], n); }

static int kill_same(const struct pg_bench *b, int thread, uint64_t n) {
  (void)thread;
  return send_usr1(b->child_fd[0], n);
}

static int kill_oldest(const struct pg_bench *b, int thread, uint64_t n) {
  (void)thread;
  return send_usr1(b->oldest_fd, n);
}

static int kill_stranger(const struct pg_bench *b, int thread, uint64_t n) {
  (void)thread;
  return send_usr1(b->stranger_fd, n);
}

static int kill_reaped(const struct pg_bench *b, int thread, uint64_t n) {
  (void)thread;
  for (; n; n--)
    if (syscall(SYS_pidfd_send_signal, b->dead_fd, 0, NULL, 0) != -1 || errno != ESRCH)
      return -1;
  return 0;
}

static int waitpid_child(const struct pg_bench *b, int thread, uint64_t n) {
  siginfo_t info;
  info.si_pid = 0;
  for (; n; n--)
    if (wait_fd(b->child_fd[thread], &info, WEXITED | WNOHANG) != 0 || info.si_pid != 0)
      return -1;
  return 0;
}

static int reap_and_close(int fd) {
  siginfo_t info;
  int result = wait_fd(fd, &info, WEXITED) == 0 && info.si_status == 0 ? 0 : -1;
  close(fd);
  return result;
}

static int fork_waitpid(const struct pg_bench *b, int thread, uint64_t n) {
  (void)b, (void)thread;
  for (; n; n--) {
    int fd;
    pid_t pid = pg_bench_fork(&fd);
    if (pid == 0)
      _exit(0);
    if (pid < 0 || reap_and_close(fd) != 0)
      return -1;
  }
  return 0;
}

static int only_exit(void *arg) {
  (void)arg;
  _exit(0);
}

static int exec_true(void *arg) {
  execve("/bin/true", true_argv, arg);
  _exit(127);
}

/* Like vfork: the child shares the memory, and the parent waits. Like posix_spawn, the child has a stack of its own. */
static int vfork_like(int (*run)(void *), void *arg, uint64_t n) {
  static char stack[65536] __attribute__((aligned(64)));
  for (; n; n--) {
    int fd;
    if (clone(run, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, arg, &fd) < 0)
      return -1;
    if (reap_and_close(fd) != 0)
      return -1;
  }
  return 0;
}

static int vfork_waitpid(const struct pg_bench *b, int thread, uint64_t n) {
  (void)b, (void)thread;
  return vfork_like(only_exit, NULL, n);
}

static int vfork_exec(const struct pg_bench *b, int thread, uint64_t n) {
  (void)thread;
  return vfork_like(exec_true, b->child_env, n);
}

/* A wait for any child has no entry, because it is the same call in both tables. Works that know no processes have none
 * either. */
const struct pg_work pg_works[] = {{"kill-child", kill_child, 1},
                                   {"kill-same", kill_same, 1},
                                   {"kill-oldest", kill_oldest, 1},
                                   {"kill-stranger", kill_stranger, 1},
                                   {"kill-reaped", kill_reaped, 1},
                                   {"waitpid-child", waitpid_child, 1},
                                   {"fork-waitpid", fork_waitpid, 0},
                                   {"vfork-waitpid", vfork_waitpid, 0},
                                   {"vfork-exec", vfork_exec, 0},
                                   {"spawn-wait", vfork_exec, 0},
                                   {0}};

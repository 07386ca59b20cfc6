/* SPDX-License-Identifier: MIT */
/* heirs ROUNDS: one process reaps a child. Before its wait has returned, another process makes a child with the PID
 * that this sets free. A third process, which knows of neither, signals that PID. The PID belongs to a living child, so
 * each signal must arrive. The third process traces the first one, so the order is the same in each round. Prints
 * "rounds N refused M". An ordinary program: it knows nothing of pidguard. Status 77: no PID can be chosen, or no
 * process traced. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* These are from linux/ptrace.h of Linux 5.3, which cannot be included beside libc's sys/ptrace.h. */
#define GET_SYSCALL_INFO 0x420e
struct syscall_info {
  uint8_t op; /* 1: entry, 2: exit */
  uint32_t arch;
  uint64_t ip, sp, number_or_result, args[6];
};

enum { SIGNALS = 20, SYSCALL_STOP = SIGTRAP | 0x80 };

static int to_heir[2], from_heir[2];

static void put(const int *pipe, int value) {
  if (write(pipe[1], &value, sizeof value) != sizeof value)
    _exit(2);
}

static int take(const int *pipe) {
  int value = -1;
  return read(pipe[0], &value, sizeof value) == sizeof value ? value : -1;
}

static void be_reaper(int rounds) {
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
    _exit(77);
  raise(SIGSTOP);
  for (int i = 0; i < rounds; i++) {
    pid_t pid = fork();
    if (pid == 0)
      _exit(0);
    if (pid <= 1 || waitpid(pid, NULL, 0) != pid)
      _exit(2);
    if (write(-1, "", 1) == 1) /* this mark tells the tracer that the wait has returned */
      _exit(2);
  }
}

static pid_t make_with(pid_t pid) {
  struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
  long r = syscall(SYS_clone3, &args, sizeof args);
  while (r == 0)
    pause();
  return (pid_t)r;
}

static void be_heir(int rounds) {
  for (int i = 0; i < rounds; i++) {
    pid_t pid = take(to_heir), mine = pid > 1 ? make_with(pid) : -1;
    put(from_heir, mine);
    if (mine <= 1)
      _exit(2);
    take(to_heir);
    if (kill(mine, SIGKILL) != 0 || waitpid(mine, NULL, 0) != mine)
      _exit(2);
    put(from_heir, 0);
  }
}

static pid_t be(void (*role)(int), int rounds) {
  pid_t pid = fork();
  if (pid == 0) {
    role(rounds);
    _exit(0);
  }
  if (pid <= 1)
    exit(2);
  return pid;
}

/* Lets the reaper go on to the mark, or until a wait of it has taken a child. Then it returns that child's PID. */
static pid_t follow(pid_t reaper, bool to_mark) {
  static uint64_t call;
  static int sig;
  for (;;) {
    int status;
    struct syscall_info info;
    if (ptrace(PTRACE_SYSCALL, reaper, NULL, (void *)(intptr_t)sig) != 0 || waitpid(reaper, &status, 0) != reaper ||
        !WIFSTOPPED(status))
      return -1;
    sig = WSTOPSIG(status) == SYSCALL_STOP || WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
    if (WSTOPSIG(status) != SYSCALL_STOP || ptrace(GET_SYSCALL_INFO, reaper, sizeof info, &info) <= 0)
      continue;
    if (info.op == 1)
      call = info.number_or_result;
    if (to_mark ? call == SYS_write : call == SYS_wait4 && info.op == 2 && (int64_t)info.number_or_result > 1)
      return to_mark ? 0 : (pid_t)info.number_or_result;
  }
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1, refused = 0, status;
  if (pipe(to_heir) || pipe(from_heir))
    return 2;
  be(be_heir, rounds);
  pid_t reaper = be(be_reaper, rounds);
  if (waitpid(reaper, &status, 0) != reaper || !WIFSTOPPED(status))
    return 77;
  ptrace(PTRACE_SETOPTIONS, reaper, NULL, (void *)PTRACE_O_TRACESYSGOOD);
  for (int i = 0; i < rounds; i++) {
    pid_t pid = follow(reaper, false);
    put(to_heir, pid);
    if (pid <= 1 || take(from_heir) != pid)
      return 77;
    if (follow(reaper, true) != 0)
      return 2;
    for (int n = 0; n < SIGNALS; n++)
      refused += kill(pid, 0) != 0;
    put(to_heir, 0);
    if (take(from_heir) != 0)
      return 2;
  }
  kill(reaper, SIGKILL);
  printf("rounds %d refused %d\n", rounds, refused);
  return 0;
}

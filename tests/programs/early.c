/* SPDX-License-Identifier: MIT */
/* Children that are reaped while the call that makes them is still under way, or by a wait that began before it.
 *     early vfork|fork|successor|thread errno|kill
 * vfork, fork: a handler of SIGCHLD reaps. successor: it also forks another child after a vfork. thread: a second
 * thread reaps; it stays in waitpid(-1), because a second child lives on. A filter of the program's own answers
 * pidfd_open, pidfd_send_signal and waitid by EPERM, or kills. Ten times the program prints "ready PID" and reads a
 * line. Then it sends SIGTERM to the PID, and prints "kill RETURN ERRNO". An ordinary program: it knows nothing of
 * pidguard. Status 77: no filter can be installed. */
#define _GNU_SOURCE
#include "../support/refuse.h"
#include "raw.h"
#include "say.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

static volatile int reaps;
static bool has_successor;

static void on_child(int sig) {
  int saved = errno;
  (void)sig;
  while (waitpid(-1, NULL, WNOHANG) > 0)
    if (reaps++ == 0 && has_successor && fork() == 0)
      _exit(0);
  errno = saved;
}

static void *reap(void *unused) {
  for (;;) {
    if (waitpid(-1, NULL, 0) > 0)
      reaps++;
    else
      usleep(100);
  }
  return unused;
}

static bool install(unsigned answer) {
  return filter_call(SYS_pidfd_open, answer) && filter_call(SYS_pidfd_send_signal, answer) &&
         filter_call(SYS_waitid, answer);
}

static pid_t make(bool by_vfork) {
  pid_t pid = by_vfork ? vfork() : fork();
  if (pid == 0)
    _exit(0);
  return pid;
}

int main(int argc, char **argv) {
  char line[16];
  if (argc != 3)
    return 2;
  if (!install(strcmp(argv[2], "kill") == 0 ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM))
    return 77;
  pid_t stays = fork();
  while (stays == 0)
    pause();
  pthread_t thread;
  struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART};
  bool by_thread = strcmp(argv[1], "thread") == 0;
  has_successor = strcmp(argv[1], "successor") == 0;
  if (stays <= 1 || (by_thread ? pthread_create(&thread, NULL, reap, NULL) : sigaction(SIGCHLD, &action, NULL)) != 0)
    return 2;
  for (int i = 0; i < 10; i++) {
    reaps = 0;
    pid_t pid = make(strcmp(argv[1], "fork") != 0);
    if (pid <= 1)
      return 2;
    while (reaps < 1 + has_successor)
      usleep(100);
    say("ready %d\n", (int)pid);
    if (read(STDIN_FILENO, line, sizeof line) <= 0)
      return 2;
    int result = kill(pid, SIGTERM);
    say("kill %d %d\n", result, errno);
  }
  kill(stays, SIGKILL);
  return 0;
}

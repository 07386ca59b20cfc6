/* SPDX-License-Identifier: MIT */
/* A program that is linked with libpidguard and calls it by name, beside libc's own names. First libc's fork() makes a
 * child. "table BIRTHS PRELOADED" says how many births the API has counted, and whether the shim is preloaded. Then
 * pidguard_fork() makes a child, and libc's waitpid() reaps it. Afterwards pidguard_kill() and kill() both signal its
 * PID. See integration/copies.c. */
#define _GNU_SOURCE
#include "say.h"

#include <pidguard/pidguard.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  struct pidguard_counters counters;
  char line[16];
  pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  if (pid < 0 || waitpid(pid, NULL, 0) != pid || pidguard_get_counters(&counters, sizeof counters) != 0)
    return 2;
  say("table %d %d\n", (int)counters.births, pidguard_is_preloaded());

  pid = pidguard_fork();
  if (pid == 0)
    _exit(0);
  if (pid <= 1 || waitpid(pid, NULL, 0) != pid)
    return 2;
  say("ready %d\n", (int)pid);
  if (read(STDIN_FILENO, line, sizeof line) <= 0)
    return 2;
  int result = pidguard_kill(pid, SIGUSR1), error = errno;
  say("api %d %d\n", result, error);
  result = kill(pid, SIGTERM);
  say("libc %d %d\n", result, errno);
  return 0;
}

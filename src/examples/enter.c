/* SPDX-License-Identifier: MIT */
/* Runs a command in the namespaces of another process: whatever they are, and as long as it is that process.
 *
 *     enter PID[:ID:BOOT] COMMAND [ARG...]
 *
 * Those that are shared already cost no right and are no error. A text that names the process for good is taken as well
 * as a bare number, which can only be trusted as far as whoever typed it. */
#define _GNU_SOURCE
#include <errno.h>
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int status;
  if (argc < 3) {
    fprintf(stderr, "usage: enter PID[:ID:BOOT] COMMAND [ARG...]\n");
    return 2;
  }
  int target = strchr(argv[1], ':') ? pidguard_pidfd_from_text(argv[1], 0) : pidguard_pidfd_open(atoi(argv[1]), 0);
  if (target < 0 || pidguard_pidfd_setns(target, PIDGUARD_NAMESPACE_FLAGS) < 0) {
    fprintf(stderr, "enter: %s: %s\n", argv[1], strerror(errno));
    return 1;
  }
  close(target);
  /* A new pid namespace is that of the next children: so there has to be one. */
  int child = pidguard_spawn(argv[2], argv + 2, environ, NULL, 0);
  if (child < 0 || pidguard_pidfd_wait(child, &status, -1) < 0) {
    fprintf(stderr, "enter: %s: %s\n", argv[2], strerror(errno));
    return 127;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

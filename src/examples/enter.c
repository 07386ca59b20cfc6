/* SPDX-License-Identifier: MIT */
/* Runs a command in the namespaces of another process.
 *
 *     enter PID[:ID:BOOT] COMMAND [ARG...]
 *
 * Namespaces that both already share need no right, and cause no error. A text names the process for ever. A bare PID
 * works, too, but nothing verifies that the process is still the one that the user meant. */
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
  /* A new pid namespace holds only the next children, so this program must make one. */
  int child = pidguard_spawn(argv[2], argv + 2, environ, NULL, 0);
  if (child < 0 || pidguard_pidfd_wait(child, &status, -1) < 0) {
    fprintf(stderr, "enter: %s: %s\n", argv[2], strerror(errno));
    return 127;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* SPDX-License-Identifier: MIT */
/* A module that makes a child by forkpty(). Before glibc 2.34 only the module is linked with the library of that
 * function, and the module's names are local. */
#include <pty.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

int pty_status(void);
__attribute__((visibility("default"))) int pty_status(void) {
  int terminal, status;
  pid_t pid = forkpty(&terminal, NULL, NULL, NULL);
  if (pid == 0)
    _exit(7);
  if (pid <= 1 || waitpid(pid, &status, 0) != pid)
    return -1;
  close(terminal);
  return WEXITSTATUS(status);
}

/* SPDX-License-Identifier: MIT */
/* A program that is linked with the shim and may be set-user-id. It counts the variables whose names begin with
 * PIDGUARD_. Then it becomes its effective user altogether and runs itself again: `secure`, then `secure again`. */
#define _GNU_SOURCE
#include "say.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int found = 0;
  for (char **at = environ; *at; at++)
    found += strncmp(*at, "PIDGUARD_", 9) == 0;
  say("%d found\n", found);
  pid_t pid = fork(); /* so that there is something to log */
  if (pid == 0)
    _exit(0);
  if (pid < 0 || waitpid(pid, NULL, 0) != pid)
    return 2;
  if (argc > 1)
    return 0;
  uid_t user = geteuid();
  if (setresuid(user, user, user) != 0)
    return 3;
  execl("/proc/self/exe", argv[0], "again", (char *)NULL);
  return 4;
}

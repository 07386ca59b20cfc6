/* SPDX-License-Identifier: MIT */
/* deepbind MODULE: the program makes a child, reaps it, says "ready PID" and waits for a line. Then a function of the
 * module signals that PID, and the program says "result RETURN ERRNO". The program opens the module with RTLD_DEEPBIND,
 * as PHP opens its extensions. The module has no path. libc finds it by the RUNPATH of this program, and only if it
 * takes this program for the caller. */
#define _GNU_SOURCE
#include "say.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 0
#endif

int main(int argc, char **argv) {
  char line[16];
  union {
    void *object;
    int (*function)(pid_t pid);
  } deep = {NULL};
  void *module = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_DEEPBIND) : NULL;
  if (!module || !(deep.object = dlsym(module, "deep_kill"))) {
    say("no module: %s\n", dlerror());
    return 2;
  }
  pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  if (pid < 2 || waitpid(pid, NULL, 0) != pid)
    return 2;
  say("ready %d\n", (int)pid);
  if (read(STDIN_FILENO, line, sizeof line) <= 0)
    return 2;
  errno = 0;
  int result = deep.function(pid);
  say("result %d %d\n", result, errno);
  return 0;
}

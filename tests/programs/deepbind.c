/* SPDX-License-Identifier: MIT */
/* deepbind MODULE: makes a child, reaps it, says "ready PID", waits for a line, and has its number signalled by a
 * function of a module that it opens with RTLD_DEEPBIND, as PHP opens its extensions; says "result RETURN ERRNO". The
 * module has no path: it is found only if libc takes us for the caller, by our RUNPATH. */
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

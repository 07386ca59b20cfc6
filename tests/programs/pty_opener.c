/* SPDX-License-Identifier: MIT */
/* pty_opener MODULE: opens the module, calls its pty_status(), and exits with the result. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  union {
    void *object;
    int (*function)(void);
  } status = {NULL};
  void *module = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
  if (!module || !(status.object = dlsym(module, "pty_status"))) {
    printf("no module: %s\n", dlerror());
    return 2;
  }
  return status.function();
}

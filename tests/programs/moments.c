/* SPDX-License-Identifier: MIT */
/* moments [HOW LIBRARY]: a program with all the moments that a program has. HOW is how it opens the library: now,
 * deepbind or dlmopen. If a child was born in the library, the program waits for it and signals its PID. */
#define _GNU_SOURCE
#include "moment.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void preinit(int argc, char **argv, char **env) {
  (void)argc, (void)argv, (void)env;
  moment("preinit");
}
__attribute__((section(".preinit_array"), used)) static void (*const before_all)(int, char **, char **) = preinit;

__attribute__((constructor)) static void begin(void) { moment("constructor"); }
__attribute__((destructor)) static void end(void) { moment("destructor"); }
static void at_exit(void) { moment("atexit"); }
static void on_exit_too(int status, void *unused) {
  (void)status, (void)unused;
  moment("on_exit");
}
static void at_quick_exit_too(void) { moment("quick_exit"); }

/* The loader asks for the address of an indirect function while it relocates. It asks for the program's own last of
 * all. */
typedef void nothing_fn(void);
static void nothing(void) {}
__attribute__((used)) static nothing_fn *resolve(void) {
  moment("resolver");
  return nothing;
}
static void resolved(void) __attribute__((ifunc("resolve")));

#ifndef __GLIBC__ /* musl has neither */
#define RTLD_DEEPBIND 0
#define dlmopen(space, path, flags) dlopen(path, flags)
#define on_exit(function, argument) ((void)(function))
#endif

static pthread_key_t key;
static void forget_key(void *unused) {
  (void)unused;
  moment("thread-end");
}
static void *thread(void *unused) {
  pthread_setspecific(key, &key);
  moment("thread");
  return unused;
}

static int open_library(const char *how, const char *path) {
  void *handle = strcmp(how, "deepbind") == 0  ? dlopen(path, RTLD_NOW | RTLD_DEEPBIND)
                 : strcmp(how, "dlmopen") == 0 ? dlmopen(LM_ID_NEWLM, path, RTLD_NOW)
                                               : dlopen(path, RTLD_NOW);
  int (*called)(void) = NULL;
  if (handle)
    *(void **)&called = dlsym(handle, "moment_called");
  if (!called) {
    fprintf(stderr, "%s\n", dlerror());
    return 4;
  }
  int child = called();
  if (child > 1)
    moment_stale(child);
  return dlclose(handle) == 0 ? 0 : 5;
}

/* Such threads never stop making, signalling and reaping children, while the process ends under them. */
static void *busy(void *unused) {
  for (;;) {
    pid_t pid = fork();
    if (pid == 0)
      _exit(0);
    if (pid > 1) {
      kill(pid, 0);
      waitpid(pid, NULL, 0);
    }
  }
  return unused;
}

static int end_busily(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) {
    int error, tries = 1000; /* with so many forks the machine may have no PID left for a moment */
    while ((error = pthread_create(&threads[i], NULL, busy, NULL)) == EAGAIN && tries-- > 0)
      usleep(1000);
    if (error != 0)
      return 6;
  }
  usleep(20000);
  exit(9);
}

int main(int argc, char **argv) {
  pthread_t id;
  if (argc == 2 && strcmp(argv[1], "busy") == 0)
    return end_busily();
  resolved();
  atexit(at_exit);
  on_exit(on_exit_too, NULL);
  at_quick_exit(at_quick_exit_too);
  if (argc == 3) {
    int status = open_library(argv[1], argv[2]);
    if (status)
      return status;
  }
  if (pthread_key_create(&key, forget_key) != 0 || pthread_create(&id, NULL, thread, NULL) != 0)
    return 6;
  pthread_join(id, NULL);
  moment("main");
  if (argc == 2 && strcmp(argv[1], "quick") == 0)
    quick_exit(0);
  return 0;
}

/* SPDX-License-Identifier: MIT */
/* A library that starts as some allocators do. Meanwhile it makes calls on descriptors, asks for its
 * processors, and cannot give memory to anybody. Before glibc 2.34 dlsym() asks for memory, so nobody may call dlsym()
 * then: the library ends the program. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool starting;

static void refuse(void) {
  static const char text[] = "dlsym() was called while an allocator starts\n";
  if (write(STDERR_FILENO, text, sizeof text - 1) > 0)
    _exit(3);
  _exit(4);
}

#ifdef __x86_64__
#define DLSYM_VERSION "GLIBC_2.2.5"
#elif defined __i386__
#define DLSYM_VERSION "GLIBC_2.0"
#elif defined __arm__
#define DLSYM_VERSION "GLIBC_2.4"
#elif defined __riscv
#define DLSYM_VERSION "GLIBC_2.27"
#else
#define DLSYM_VERSION "GLIBC_2.17"
#endif
void *dlsym(void *restrict handle, const char *restrict name) {
  void *(*next)(void *, const char *);
  if (starting)
    refuse();
  *(void **)(void *)&next = dlvsym(RTLD_NEXT, "dlsym", DLSYM_VERSION);
  return next(handle, name);
}

__attribute__((constructor)) static void start(void) {
  starting = true;
  cpu_set_t set;
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = dup(fd);
  if (dup2(fd, copy) != copy || dup3(fd, copy, 0) != copy || close(copy) != 0 || syscall(SYS_close, fd) != 0 ||
      syscall(SYS_close, fd) != -1 || sched_getaffinity(0, sizeof set, &set) != 0 ||
      syscall(SYS_sched_getaffinity, 0, sizeof set, &set) <= 0)
    _exit(5);
  starting = false;
}

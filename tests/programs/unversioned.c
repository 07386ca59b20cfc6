/* SPDX-License-Identifier: MIT */
/* A library whose posix_spawn() stands before libc's under the bare name, without a version, as most of those do. It
 * says so when it is called, and goes on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <unistd.h>

typedef int spawn_fn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                     char *const[], char *const[]);

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
                char *const argv[], char *const envp[]) {
  int saved = errno;
  spawn_fn *next;
  *(void **)(void *)&next = dlsym(RTLD_NEXT, "posix_spawn");
  if (write(STDERR_FILENO, "unversioned\n", 12) != 12)
    _exit(3);
  errno = saved;
  return next(pid, path, actions, attr, argv, envp);
}

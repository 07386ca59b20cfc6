/* SPDX-License-Identifier: MIT */
/* Starting programs that have a pidfd from the start. */
#include "pidfd/spawn.h"
#include "api/internal.h"

#include <string.h>

_Static_assert(PIDGUARD_SPAWN_KEEP_MASK == (int)PG_SPAWN_KEEP_MASK &&
                   PIDGUARD_SPAWN_NEW_GROUP == (int)PG_SPAWN_NEW_GROUP &&
                   PIDGUARD_SPAWN_CGROUP == (int)PG_SPAWN_CGROUP && PIDGUARD_SPAWN_AUTOKILL == (int)PG_SPAWN_AUTOKILL,
               "public and internal flags are one");
_Static_assert(sizeof(struct pidguard_spawn_fd) == sizeof(struct pg_spawn_fd) &&
                   offsetof(struct pidguard_spawn_fd, to) == offsetof(struct pg_spawn_fd, to),
               "and so are the structures");

#define SIZE_VER0 (offsetof(struct pidguard_spawn_options, cgroup) + sizeof(int)) /* the first published one */

/* Copies the options into the structure that this library knows. Members that the caller's structure lacks are zero.
 * Members that this library does not know must be zero. */
static int read_options(const struct pidguard_spawn_options *options, size_t size, struct pidguard_spawn_options *ret) {
  memset(ret, 0, sizeof *ret);
  if (!options)
    return 0;
  if (size < SIZE_VER0)
    return -EINVAL;
  for (size_t i = sizeof *ret; i < size; i++)
    if (((const char *)options)[i])
      return -E2BIG;
  memcpy(ret, options, size < sizeof *ret ? size : sizeof *ret);
  return ret->flags & ~(uint64_t)PG_SPAWN_ALL ? -EINVAL : 0;
}

/* PATH from the caller's environment. The default is that of execvp(3). */
static const char *search_path(void) {
  extern char **environ;
  for (char **e = environ; e && *e; e++)
    if (!strncmp(*e, "PATH=", 5))
      return *e + 5;
  return "/bin:/usr/bin";
}

int pidguard_spawn(const char *file, char *const argv[], char *const envp[],
                   const struct pidguard_spawn_options *options, size_t size) {
  struct pidguard_spawn_options o;
  int r = read_options(options, size, &o);
  if (r)
    return pg_ret(r);
  const struct pg_spawn spawn = {.file = file,
                                 .path = search_path(),
                                 .argv = argv,
                                 .envp = envp,
                                 .flags = (unsigned)o.flags,
                                 .directory = o.directory,
                                 .fds = (const struct pg_spawn_fd *)(const void *)o.fds,
                                 .fd_count = o.fd_count,
                                 .mask = o.mask,
                                 .cgroup = o.cgroup,
                                 .born = pg_api_born};
  return pg_ret(pg_given(pg_spawn(&spawn)));
}

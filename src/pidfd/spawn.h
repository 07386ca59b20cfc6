/* SPDX-License-Identifier: MIT */
/* Starts a program. The kernel makes its pidfd together with the child, so the pidfd is never racy. Stateless; not for
 * signal handlers. Calls kernel. */
#ifndef PG_PIDFD_SPAWN_H
#define PG_PIDFD_SPAWN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum pg_spawn_flag {
  PG_SPAWN_KEEP_MASK = 1 << 0,
  PG_SPAWN_KEEP_IGNORED = 1 << 1,
  PG_SPAWN_NEW_GROUP = 1 << 2,
  PG_SPAWN_NEW_SESSION = 1 << 3,
  PG_SPAWN_NO_NEW_PRIVS = 1 << 4,
  PG_SPAWN_CGROUP = 1 << 5,
  PG_SPAWN_AUTOREAP = 1 << 6,
  PG_SPAWN_AUTOKILL = 1 << 7,
  PG_SPAWN_ALL = (1 << 8) - 1,
};

#define PG_SPAWN_FDS_MAX 128

struct pg_spawn_fd {
  int from, to;
};

struct pg_spawn {
  const char *file; /* a path if it contains a slash, else a name to look for in `path` */
  const char *path; /* directories, as in PATH */
  char *const *argv, *const *envp;
  unsigned flags; /* PG_SPAWN_* */
  const char *directory;
  const struct pg_spawn_fd *fds; /* the descriptors that the child gets under other numbers, all at once */
  size_t fd_count;
  const sigset_t *mask; /* NULL: nothing is blocked */
  int cgroup;
  /* Called in the parent as soon as the child runs the program, before a signal handler can run. */
  void (*born)(pid_t pid);
};

/* Returns the pidfd, or -errno: then no program runs, and no child is left. pre: `argv` and `envp` end with NULL;
 * `born` is not NULL. */
int pg_spawn(const struct pg_spawn *spawn);

#endif

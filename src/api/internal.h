/* What the public functions share. They are borders only: arguments in, pg_* called, -errno turned into errno.
 * Calls base. */
#ifndef PG_API_INTERNAL_H
#define PG_API_INTERNAL_H

#include "base/errno.h"
#include "kernel/uapi.h"
#include "pidguard/pidguard.h"

/* Starts a program and gives its verified pidfd: the one place where the API creates a process. by_path: no search in
 * PATH. -errno; -ECHILD as documented for pidguard_spawn. */
int pg_api_spawn(const char *file, int by_path, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);

/* PIDGUARD_NONBLOCK to the kernel's flag; -EINVAL for any other bit. */
static inline int pg_api_open_flags(unsigned flags) {
  if (flags & ~PIDGUARD_NONBLOCK)
    return -EINVAL;
  return flags & PIDGUARD_NONBLOCK ? PG_PIDFD_NONBLOCK : 0;
}

#endif

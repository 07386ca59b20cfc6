/* What the public functions share. They are borders only: arguments in, pg_* called, -errno turned into errno.
 * Calls base, runtime. */
#ifndef PG_API_INTERNAL_H
#define PG_API_INTERNAL_H

#include "base/errno.h"
#include "kernel/uapi.h"
#include "pidguard/pidguard.h"
#include "runtime/hot.h"

/* PIDGUARD_NONBLOCK to the kernel's flag; -EINVAL for any other bit. */
static inline int pg_api_open_flags(unsigned flags) {
  if (flags & ~PIDGUARD_NONBLOCK)
    return -EINVAL;
  return flags & PIDGUARD_NONBLOCK ? PG_PIDFD_NONBLOCK : 0;
}

/* A descriptor that may be a pidfd, on its way to the caller. */
static inline int pg_given(int fd) {
  if (fd >= 0 && !(pg_state() & PG_STATE_PIDFDS))
    pg_state_set(PG_STATE_PIDFDS);
  return fd;
}

#endif

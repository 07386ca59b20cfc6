/* SPDX-License-Identifier: MIT */
/* What the public functions share. Each is a border only: it calls pg_* and turns -errno into errno. Calls base,
 * runtime. */
#ifndef PG_API_INTERNAL_H
#define PG_API_INTERNAL_H

#include "base/attr.h"
#include "base/errno.h"
#include "kernel/uapi.h"
#include "pidguard/pidguard.h"
#include "runtime/hot.h"

/* PIDGUARD_OPEN_NONBLOCK as the kernel's flag; -EINVAL for any other bit. */
static inline int pg_api_open_flags(unsigned flags) {
  if (flags & ~(unsigned)PIDGUARD_OPEN_NONBLOCK)
    return -EINVAL;
  return flags & PIDGUARD_OPEN_NONBLOCK ? PG_PIDFD_NONBLOCK : 0;
}

/* Notes that the program gets a descriptor that may be a pidfd. */
static inline int pg_given(int fd) {
  if (fd >= 0 && !(pg_state() & PG_STATE_PIDFDS))
    pg_state_set(PG_STATE_PIDFDS);
  return fd;
}

/* 1 and 0 are the answers yes and no. */
static inline bool pg_ret_bool(int r) { return pg_ret(r) > 0; }

/* 1: it happened; 0: the time-out expired. */
static inline int pg_ret_in_time(int r) {
  if (r == 0)
    return pg_ret(-ETIMEDOUT);
  return pg_ret(r < 0 ? r : 0);
}

/* A child was started: the table learns its PID. */
void pg_api_born(pid_t pid) PG_HIDDEN;

#endif

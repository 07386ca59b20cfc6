/* SPDX-License-Identifier: MIT */
/* What a newer kernel can do with a pidfd, one bit a feature. Tests hide features one by one, and see what an older
 * kernel gets. Nothing is cached: each use is its own probe. A refused call costs less than a stale answer. Calls
 * nothing. */
#ifndef PG_PIDFD_FEATURE_H
#define PG_PIDFD_FEATURE_H

#include "base/attr.h"
#include "base/errors.h"

#include <stdatomic.h>

enum pg_feature {
  PG_FEATURE_NONBLOCK = 1u << 0,       /* 5.10: PIDFD_NONBLOCK */
  PG_FEATURE_GETFD = 1u << 1,          /* 5.6:  pidfd_getfd */
  PG_FEATURE_SETNS = 1u << 2,          /* 5.8:  setns with a pidfd */
  PG_FEATURE_MADVISE = 1u << 3,        /* 5.10: process_madvise */
  PG_FEATURE_MRELEASE = 1u << 4,       /* 5.15: process_mrelease */
  PG_FEATURE_PEERPIDFD = 1u << 5,      /* 6.5:  SO_PEERPIDFD */
  PG_FEATURE_PASSPIDFD = 1u << 6,      /* 6.5:  SO_PASSPIDFD, SCM_PIDFD */
  PG_FEATURE_PIDFS = 1u << 7,          /* 6.9:  pidfs gives each process an inode of its own */
  PG_FEATURE_THREAD = 1u << 8,         /* 6.9:  PIDFD_THREAD */
  PG_FEATURE_SIGNAL_FLAGS = 1u << 9,   /* 6.9:  PIDFD_SIGNAL_* */
  PG_FEATURE_HANGUP = 1u << 10,        /* 6.9:  POLLHUP once the process was reaped */
  PG_FEATURE_NS_IOCTL = 1u << 11,      /* 6.11: PIDFD_GET_*_NAMESPACE */
  PG_FEATURE_INFO = 1u << 12,          /* 6.13: PIDFD_GET_INFO */
  PG_FEATURE_HANDLE = 1u << 13,        /* 6.14: pidfs file handles */
  PG_FEATURE_SELF = 1u << 14,          /* 6.14: PIDFD_SELF instead of a descriptor */
  PG_FEATURE_INFO_EXIT = 1u << 15,     /* 6.15: exit status after the reap */
  PG_FEATURE_INFO_SIZES = 1u << 16,    /* 6.15 took exactly 64 bytes; other kernels take any size from there */
  PG_FEATURE_INFO_COREDUMP = 1u << 17, /* 6.16 */
  PG_FEATURE_PIDFS_ROOT = 1u << 18,    /* 6.17: FD_PIDFS_ROOT */
  PG_FEATURE_CGROUP_KILL = 1u << 19,   /* 5.14: cgroup.kill */
  PG_FEATURE_CLONE3 = 1u << 20,        /* 5.3 (into a cgroup: 5.7); many seccomp filters forbid it */
  PG_FEATURE_ALL = (1u << 21) - 1,
};

/* Features that this process pretends to lack: 0 outside tests. */
extern _Atomic unsigned pg_feature_mask;

static inline int pg_feature_hidden(enum pg_feature f) {
  return PG_UNLIKELY(atomic_load_explicit(&pg_feature_mask, memory_order_relaxed) & (unsigned)f);
}

/* As r, but a missing call is -EOPNOTSUPP. pre: as pg_call_is_missing. */
static inline int pg_or_unsupported(int r) { return pg_call_is_missing(r) ? -EOPNOTSUPP : r; }

#endif

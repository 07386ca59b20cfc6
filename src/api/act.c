/* SPDX-License-Identifier: MIT */
/* Actions: namespaces, descriptors, memory, /proc. */
#include "pidfd/act.h"
#include "api/internal.h"
#include "pidfd/namespace.h"
#include "pidfd/proc.h"

_Static_assert(PIDGUARD_NAMESPACE_CGROUP == (int)PG_NS_CGROUP && PIDGUARD_NAMESPACE_UTS == (int)PG_NS_UTS,
               "the public kinds are the kernel's");
_Static_assert(PIDGUARD_NAMESPACE_FLAGS == (CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID |
                                            CLONE_NEWTIME | CLONE_NEWUSER | CLONE_NEWUTS),
               "all of them");

int pidguard_namespace_to_flag(int kind) { return pg_ret(pg_ns_flag((enum pg_ns)kind)); }

int pidguard_pidfd_open_namespace(int pidfd, int kind) { return pg_ret(pg_ns_open(pidfd, (enum pg_ns)kind)); }

int pidguard_pidfd_setns(int pidfd, int flags) {
  int r = pg_ns_enter(pidfd, flags);
  if (r == 0 && (flags & CLONE_NEWPID))
    pg_flag_set(&pg_hot.other_namespace, 1);
  return pg_ret(r);
}

int pidguard_pidfd_getfd(int pidfd, int target) { return pg_ret(pg_given(pg_pidfd_getfd(pidfd, target))); }

int pidguard_pidfd_mrelease(int pidfd) { return pg_ret(pg_pidfd_mrelease(pidfd)); }

ssize_t pidguard_pidfd_madvise(int pidfd, const struct iovec *ranges, size_t count, int advice) {
  return pg_retl(pg_pidfd_madvise(pidfd, ranges, count, advice));
}

int pidguard_pidfd_open_proc(int pidfd) { return pg_ret(pg_proc_dir(pidfd)); }

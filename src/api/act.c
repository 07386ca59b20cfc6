/* Actions: namespaces, descriptors, memory, /proc. */
#include "pidfd/act.h"
#include "api/internal.h"
#include "kernel/sys.h"
#include "pidfd/namespace.h"
#include "pidfd/proc.h"

_Static_assert(PIDGUARD_NS_CGROUP == PG_NS_CGROUP && PIDGUARD_NS_UTS == PG_NS_UTS, "the public kinds are the kernel's");

int pidguard_pidfd_namespace(int pidfd, int kind) {
  return pg_ret(pg_ns_open(pidfd, (enum pg_ns)kind));
}

int pidguard_pidfd_same_namespace(int pidfd, int kind) {
  return pg_ret(pg_ns_is_mine(pidfd, (enum pg_ns)kind));
}

int pidguard_pidfd_setns(int pidfd, int flags) {
  return pg_ret(pg_ns_enter(pidfd, flags));
}

int pidguard_pidfd_getfd(int pidfd, int target) {
  return pg_ret(pg_given(pg_pidfd_getfd(pidfd, target)));
}

int pidguard_pidfd_mrelease(int pidfd) {
  return pg_ret(pg_pidfd_mrelease(pidfd));
}

ssize_t pidguard_pidfd_madvise(int pidfd, const struct iovec *ranges, size_t count, int advice) {
  return pg_retl(pg_pidfd_madvise(pidfd, ranges, count, advice));
}

int pidguard_pidfd_proc_dir(int pidfd) {
  return pg_ret(pg_proc_dir(pidfd));
}

int pidguard_pidfd_access_proc(int pidfd, int (*look)(int dir, pid_t pid, void *arg), void *arg) {
  int pid = pg_proc_number(pidfd);
  if (pid < 0)
    return pg_ret(pid);
  int dir = pg_proc_dir(pidfd);
  if (dir < 0)
    return pg_ret(dir);
  int saved = errno;
  int r = look(dir, pid, arg);
  int error = r < 0 ? errno : saved;
  pg_sys_close(dir);
  int after = pg_proc_number(pidfd);
  if (after != pid)
    return pg_ret(after < 0 ? after : -ESRCH);
  errno = error;
  return r < 0 ? -1 : r;
}

/* Waiting, for one process and for sets of them. */
#include "pidfd/wait.h"
#include "api/internal.h"
#include "kernel/status.h"
#include "kernel/sys.h"
#include "pidfd/open.h"
#include "pidfd/set.h"

int pidguard_pidfd_wait(int pidfd, int *status, int timeout) {
  /* PIDGUARD_NONBLOCK turns a wait without a limit into a poll; the kernel sees to that for children only. */
  int flags = timeout < 0 ? pg_sys_fcntl(pidfd, F_GETFL, 0) : 0;
  if (flags > 0 && (flags & O_NONBLOCK))
    timeout = 0;
  return pg_ret(pg_pidfd_wait(pidfd, status, pg_deadline_after_ms(timeout)));
}

int pidguard_pidfd_wait_end(int pidfd, int timeout) {
  return pg_ret(pg_pidfd_poll_end(pidfd, pg_deadline_after_ms(timeout)));
}

int pidguard_pidfd_waitid(int pidfd, siginfo_t *info, int options, struct rusage *usage, int timeout) {
  return pg_ret(pg_pidfd_waitid(pidfd, info, options, usage, pg_deadline_after_ms(timeout)));
}

int pidguard_siginfo_to_status(const siginfo_t *info) {
  return pg_status_from_siginfo(info);
}

int pidguard_set_create(void) {
  return pg_ret(pg_set_create());
}

int pidguard_set_add(int set, int pidfd, uint64_t data) {
  return pg_ret(pg_set_add(set, pidfd, data));
}

int pidguard_set_remove(int set, int pidfd) {
  return pg_ret(pg_set_remove(set, pidfd));
}

int pidguard_set_wait(int set, uint64_t *data, int max, int timeout) {
  return pg_ret(pg_set_wait(set, data, max, pg_deadline_after_ms(timeout)));
}

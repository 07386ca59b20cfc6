/* Signals. */
#include "pidfd/signal.h"
#include "api/internal.h"
#include "pidfd/wait.h"

_Static_assert(PIDGUARD_SELF == PG_PIDFD_SELF_THREAD_GROUP && PIDGUARD_SELF_THREAD == PG_PIDFD_SELF_THREAD,
               "the public names are the kernel's numbers");

int pidguard_pidfd_signal(int pidfd, int sig) {
  return pg_ret(pg_pidfd_signal(pidfd, sig, 0));
}

int pidguard_pidfd_sigqueue(int pidfd, int sig, union sigval value) {
  return pg_ret(pg_pidfd_queue(pidfd, sig, value, 0));
}

int pidguard_pidfd_signal_group(int pidfd, int sig) {
  return pg_ret(pg_pidfd_signal(pidfd, sig, PG_PIDFD_SIGNAL_PROCESS_GROUP));
}

int pidguard_pidfd_signal_thread(int pidfd, int sig) {
  return pg_ret(pg_pidfd_signal(pidfd, sig, PG_PIDFD_SIGNAL_THREAD));
}

int pidguard_pidfd_kill(int pidfd) {
  return pg_ret(pg_pidfd_signal(pidfd, SIGKILL, 0));
}

int pidguard_pidfd_terminate(int pidfd, int timeout) {
  return pg_ret(pg_pidfd_terminate(pidfd, pg_deadline_after_ms(timeout)));
}

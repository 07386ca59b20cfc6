/* The wait family. One tracked child is waited for by its pidfd; every other wait is libc's, and retires whom it took. */
#include "child/call.h"

#include "kernel/status.h"
#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/next.h"
#include "child/self.h"

#include <pthread.h>

#pragma weak pthread_testcancel

#define WAIT4_OPTIONS (WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | (int)__WCLONE | __WALL)
#define WAITID_EVENTS (WEXITED | WSTOPPED | WCONTINUED)
#define WAITID_OPTIONS (WAITID_EVENTS | WNOHANG | WNOWAIT | __WNOTHREAD | (int)__WCLONE | __WALL)

static inline bool is_on(void) { return PG_LIKELY(pg_mode() != PG_MODE_OFF) && PG_LIKELY(!pg_is_guest()); }

/* Addresses that can not be the program's at all: the kernel takes the child first, and then says EFAULT. */
static bool is_writable(const void *p) {
#ifdef __aarch64__
  return (uintptr_t)p >= 4096 && !((uintptr_t)p >> 55 & 1); /* the byte above may be a tag */
#else
  return (uintptr_t)p >= 4096 && (sizeof p < 8 || (intptr_t)p > 0);
#endif
}

/* Which of the forms an untracked wait is passed on to; the raw ones are no cancellation points. */
enum form { RAW = PG_WAIT4 + 1 };

/* The wait for one child; PG_PASS where it is not ours to do. A wait that does not block is a raw call, so cancellation
 * is asked about first. */
static int wait_child(pid_t pid, siginfo_t *info, int options, struct rusage *ru, bool cancellable) {
  if (pg_mode() != PG_MODE_ENFORCE)
    return PG_PASS;
  if (cancellable && (options & WNOHANG) && pthread_testcancel)
    pthread_testcancel();
  return pg_child_wait(pid, info, options, ru, cancellable);
}

static inline pid_t from_libc(pid_t r) { return r < 0 ? -errno : r; }

static pid_t next_wait(int which, pid_t pid, int *status, int options, struct rusage *ru) {
  return which == RAW ? (pid_t)pg_sys4(SYS_wait4, pid, status, options, ru)
                      : from_libc(pg_wait_next((enum pg_wait)which, pid, status, options, ru));
}

static pid_t wait_for(int which, pid_t pid, int *status, int options, struct rusage *ru) {
  bool on = is_on();
  if (on)
    pg_filter_reap(false);
  if (on && pid > 0 && !(options & ~WAIT4_OPTIONS)) {
    siginfo_t si;
    int r = wait_child(pid, &si, options | WEXITED, ru, which != RAW && pg_wait_is_point((enum pg_wait)which));
    if (r == 0 && si.si_pid && status) {
      if (!is_writable(status))
        return -EFAULT;
      *status = pg_status_from_siginfo(&si);
    }
    if (r != PG_PASS)
      return r < 0 ? r : si.si_pid;
  }
  int own = 0, *at = status ? status : &own;
  uint32_t births = pg_table_births();
  pid_t r = next_wait(which, pid, on ? at : status, options, ru);
  if (on)
    pg_wait_took(r, at, births);
  return r;
}

pid_t pg_call_wait(enum pg_wait which, pid_t pid, int *status, int options, struct rusage *ru) {
  return wait_for((int)which, pid, status, options, ru);
}

pid_t pg_call_raw_wait4(pid_t pid, int *status, int options, struct rusage *ru) {
  return wait_for(RAW, pid, status, options, ru);
}

/* The kernel writes these six fields, also when it fails, and leaves the rest of the caller's structure alone. */
static void give_info(siginfo_t *to, const siginfo_t *from) {
  to->si_signo = from->si_signo;
  to->si_errno = from->si_errno;
  to->si_code = from->si_code;
  to->si_pid = from->si_pid;
  to->si_uid = from->si_uid;
  to->si_status = from->si_status;
}

static int waitid_for(bool raw, int type, id_t id, siginfo_t *info, int options, struct rusage *ru) {
  bool on = is_on();
  siginfo_t own = {.si_signo = 0};
  if (on)
    pg_filter_reap(true);
  if (on && type == P_PID && (pid_t)id > 0 && !(options & ~WAITID_OPTIONS) && (options & WAITID_EVENTS)) {
    int r = wait_child((pid_t)id, &own, options, ru, !raw);
    if (r != PG_PASS)
      return !info ? r : is_writable(info) ? (give_info(info, &own), r) : -EFAULT;
  }
  uint32_t births = pg_table_births();
  siginfo_t *at = info || !on ? info : &own;
  int r = raw ? pg_sys_waitid(type, id, at, options, ru) : from_libc(pg_next.waitid((idtype_t)type, id, at, options));
  if (r == 0 && on && at->si_pid > 0) {
    if (!(options & WNOWAIT) && pg_siginfo_is_exit(at))
      pg_child_reaped(at->si_pid, births);
    else
      pg_child_told(at->si_pid);
  }
  return r;
}

int pg_call_waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  return waitid_for(false, (int)type, id, info, options, NULL);
}

int pg_call_raw_waitid(int type, id_t id, siginfo_t *info, int options, struct rusage *ru) {
  return waitid_for(true, type, id, info, options, ru);
}

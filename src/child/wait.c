/* Waiting for one tracked child, by pidfd. */
#include "child/child.h"

#include "child/descriptor.h"
#include "kernel/status.h"
#include "kernel/sys.h"
#include "runtime/hot.h"
#include "runtime/filter.h"
#include "runtime/log.h"
#include "runtime/next.h"
#include "runtime/ours.h"
#include "child/self.h"

#include <pthread.h>

/* glibc runs the handlers of these buffers when a thread is cancelled, and also when it jumps out of a signal handler
 * (longjmp) past the frame that holds them: either way the hold is given back. pthread_cleanup_push() does the first
 * only. Weak: in the oldest supported glibc they are in libpthread, which a program without threads does not load. */
#ifdef __GLIBC__
struct cleanup {
  void (*routine)(void *);
  void *arg;
  int canceltype;
  struct cleanup *prev;
};
extern void _pthread_cleanup_push(struct cleanup *, void (*)(void *), void *) __attribute__((weak));
extern void _pthread_cleanup_pop(struct cleanup *, int) __attribute__((weak));
#define CLEANUP_PUSH(fn, arg)                                                                                          \
  {                                                                                                                    \
    struct cleanup cleanup;                                                                                            \
    if (_pthread_cleanup_push)                                                                                         \
    _pthread_cleanup_push(&cleanup, fn, arg)
#define CLEANUP_POP()                                                                                                  \
  if (_pthread_cleanup_push)                                                                                           \
    _pthread_cleanup_pop(&cleanup, 0);                                                                                 \
  }
#else
#define CLEANUP_PUSH(fn, arg) pthread_cleanup_push(fn, arg)
#define CLEANUP_POP() pthread_cleanup_pop(0)
#endif

#pragma weak pthread_setcanceltype

/* What a wait that is left has to put back. */
struct waiting {
  struct pg_record *rec;
  int type; /* of cancellation, or -1 */
};

static void abandon(void *p) {
  struct waiting *waiting = p;
  if (waiting->type >= 0)
    pthread_setcanceltype(waiting->type, NULL);
  pg_record_drop(waiting->rec);
}

/* A success writes nothing to errno: after a fork that would be a page fault. */
static int next_waitid(int fd, siginfo_t *info, int options) {
  int saved = errno, r = pg_next.waitid((idtype_t)PG_P_PIDFD, (id_t)fd, info, options);
  if (r < 0) {
    r = -errno;
    errno = saved;
  }
  return r;
}

/* libc's waitid is a cancellation point, but has no rusage. Only the kernel's call gives that, and it must be one call: a
 * handler that reaps could come between two. Cancellation reaches it as it reaches libc's own calls, asynchronously; where
 * there is but one thread, nobody is there to cancel it. */
static PG_NOINLINE int blocking_waitid(struct pg_record *rec, int fd, siginfo_t *info, int options, struct rusage *ru) {
  int r;
  if (pg_record_wait_begin(rec, __builtin_frame_address(0))) {
    r = ru ? pg_sys_waitid(PG_P_PIDFD, (id_t)fd, info, options, ru) : next_waitid(fd, info, options);
    pg_record_wait_end(rec);
    return r;
  }
  struct waiting waiting = {rec, -1};
  CLEANUP_PUSH(abandon, &waiting);
  if (!ru) {
    r = next_waitid(fd, info, options);
  } else {
    if (pthread_setcanceltype)
      pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &waiting.type);
    r = pg_sys_waitid(PG_P_PIDFD, (id_t)fd, info, options, ru);
    if (pthread_setcanceltype)
      pthread_setcanceltype(waiting.type, NULL);
  }
  CLEANUP_POP();
  return r;
}

static PG_COLD void log_wait(pid_t pid, const siginfo_t *info, int r) {
  struct pg_line line;
  pg_line_begin(&line, PG_LOG_DEBUG, "wait");
  pg_line_int(&line, "target", pid);
  if (r == 0 && info->si_pid)
    pg_line_int(&line, "status", pg_status_from_siginfo(info));
  pg_line_result(&line, r);
  pg_line_end(&line);
}

/* What a wait on a held record's descriptor came to: the record's state follows, and the hold is given back. */
static int waited(struct pg_record *rec, pid_t pid, int fd, siginfo_t *info, int options, int r) {
  if (pg_log_on(PG_LOG_DEBUG))
    log_wait(pid, info, r);
  if (r == 0 && info->si_pid && pg_siginfo_is_exit(info) && !(options & WNOWAIT)) {
    pg_count(reaped);
    if (info->si_pid == pid)
      pg_record_change(rec, PG_RECORD_LIVE, PG_RECORD_PROVEN, 0);
    pg_child_retire(rec, "wait");
  } else if (r == -ECHILD && pg_sys_pidfd_send_signal(fd, 0, NULL, 0) == -ESRCH) {
    pg_count(silent);
    pg_child_retire(rec, "silent");
  } else if (r < 0 && r != -ECHILD && r != -EINTR && r != -EFAULT) {
    if (r == -EBADF) /* somebody closed our descriptor */
      pg_descriptor_lost(rec, fd);
    r = PG_PASS; /* EINVAL: there is no P_PIDFD (before 5.4); others are no answer to a wait */
  }
  pg_record_drop(rec);
  return r;
}

/* A descriptor for a record that has none: for a wait that may last, or that is not the first one since a birth, the
 * record's own; else *ret_low, to be closed. */
static int obtain(struct pg_record *rec, int options, int *ret_low) {
  int low = pg_descriptor_reopen(pg_record_pid(rec), pg_record_ino(rec));
  if (low < 0)
    return low;
  if (!pg_descriptor_is_wanted(rec) && (options & WNOHANG))
    return *ret_low = low;
  pg_descriptor_give(rec, low);
  pg_descriptor_close(low);
  int fd = pg_record_fd(rec);
  return fd >= 0 ? fd : -EMFILE;
}

/* The first wait that gets a status also looks whether it comes with a usage, for pg_child_is_unchanged(). Not on the
 * stack, which may be small; threads that share it may fail to learn, and no more. */
static struct rusage first_usage;

PG_HOT int pg_child_wait(pid_t pid, siginfo_t *info, int options, struct rusage *ru, bool cancellable) {
  if (pg_is_passive())
    return PG_PASS;
  struct pg_record *rec = pg_table_hold(pid);
  if (!rec)
    return PG_PASS;
  int r = PG_PASS, fd = pg_descriptor_use(rec), low = -1;
  bool live = pg_record_word(rec) & PG_RECORD_LIVE;
  if (!live || (fd < 0 && (fd = obtain(rec, options, &low)) < 0)) {
    pg_record_drop(rec); /* by number: only a child of ours can answer */
    return PG_PASS;
  }
  info->si_pid = 0;
  bool blocks = cancellable && !(options & WNOHANG);
  bool learn = !ru && PG_UNLIKELY(!atomic_load_explicit(&pg_hot.usage_tells, memory_order_relaxed)) &&
               (!blocks || pg_is_single_threaded());
  if (learn)
    pg_usage_mark(ru = &first_usage);
  if (blocks)
    r = blocking_waitid(rec, fd, info, options, ru);
  else
    r = pg_sys_waitid(PG_P_PIDFD, (id_t)fd, info, options, ru);
  if (learn && r == 0 && info->si_pid)
    atomic_store_explicit(&pg_hot.usage_tells, pg_usage_is_marked(&first_usage) ? -1 : 1, memory_order_relaxed);
  r = waited(rec, pid, fd, info, options, r);
  pg_descriptor_close(low);
  return r;
}

/* SPDX-License-Identifier: MIT */
#include "runtime/window.h"

#include "base/fmt.h"
#include "kernel/sys.h"
#include "runtime/filter.h"

#include <fcntl.h>
#include <signal.h>

PG_TLS int pg_self_marks = PG_NEW;

/* Does another process run on this memory, in this thread? Its PID is not the one that the lock is held with, so it
 * would take a lock that is held for a void one. */
static bool is_guest(void) {
  return PG_UNLIKELY((pg_self_marks & PG_VFORKS) | (pg_state() & PG_STATE_VM_SHARED)) &&
         pg_window_is_other(pg_sys_getpid());
}

/* The thread that holds the lock: its process << 32 | itself. The lock of another process is void. That is the lock of
 * the parent, at the moment of a fork. UNKNOWN: a thread that may not ask who it is yet. */
#define UNKNOWN UINT32_MAX
static _Atomic uint64_t owner;

/* The latest numbers of windows, and how many the windows that have ended have noted. Written under the lock. */
static _Atomic uint32_t noted, noted_by_ended;
static _Atomic int32_t recent[PG_WINDOW_RECENT]; /* + 1 */
static _Atomic uint64_t recent_ino[PG_WINDOW_RECENT];
static _Atomic pid_t opens;
static PG_TLS uint32_t windows_before_fork, noted_before_fork;

/* Thread-local memory cannot tell threads apart, because threads made by clone() may share it. */
static uint64_t self_now(void) {
  if (!pg_filter_can_now(PG_CAN_PIDFD))
    return UNKNOWN;
  return (uint64_t)(uint32_t)pg_sys_getpid() << 32 | (uint32_t)pg_sys0(SYS_gettid);
}

static bool take(uint64_t holder, uint64_t self) {
  return atomic_compare_exchange_strong_explicit(&owner, &holder, self, memory_order_acq_rel, memory_order_relaxed);
}

/* A yield of a real-time thread lets no ordinary thread run (sched_yield(2)), but that thread may be the one to wait
 * for. So a long wait sleeps, unless there is a filter: the shim does not know whether a filter allows that. */
int pg_window_pause(int tries) {
  enum { YIELDS = 200, SLEEP_NS = 50000, SLEEP_TRIES = 100 };
  if (!pg_filter_can_now(PG_CAN_PIDFD))
    return tries + 1;
  if (tries < YIELDS || !pg_filter_can_now(PG_CAN_SHARE)) {
    pg_sys0(SYS_sched_yield);
    return tries + 1;
  }
  pg_sys_ppoll(NULL, 0, SLEEP_NS);
  return tries + SLEEP_TRIES;
}

static bool lock_as(uint64_t self) {
  uint64_t holder = 0;
  for (int tries = 0; tries < PG_WINDOW_TRIES; tries = pg_window_pause(tries)) {
    holder = atomic_load_explicit(&owner, memory_order_relaxed);
    bool same = holder >> 32 == self >> 32 || !(holder >> 32) || !(self >> 32);
    if (holder && same &&
        (uint32_t)holder == (uint32_t)self) /* a signal handler in this thread, or a line of the log */
      return false;
    if ((!holder || !same) && take(holder, self))
      return true;
  }
  return !(holder >> 32) && take(holder, self);
}

bool pg_window_lock(void) { return lock_as(self_now()); }

void pg_window_unlock(void) {
  uint32_t notes = atomic_load_explicit(&noted, memory_order_relaxed);
  atomic_store_explicit(&noted_by_ended, notes, memory_order_relaxed);
  atomic_store_explicit(&opens, 0, memory_order_relaxed);
  atomic_store_explicit(&pg_hot.low, PG_LOW_NONE, memory_order_release);
  atomic_store_explicit(&owner, 0, memory_order_release);
}

/* A window that is open may not have noted its number yet. That is mostly the number of the window before it. */
void pg_window_before_fork(void) {
  uint32_t n = atomic_load_explicit(&pg_hot.windows, memory_order_acquire);
  bool open = atomic_load_explicit(&owner, memory_order_acquire);
  windows_before_fork = n - open;
  noted_before_fork = atomic_load_explicit(&noted_by_ended, memory_order_relaxed) - open;
}

/* The kernel copies the descriptors first and the memory second, so the count has each window that the copy shows. The
 * parent's PID does not make the lock void for ever: a later process of this family may get that PID. */
bool pg_window_forked(void) {
  bool open = atomic_load_explicit(&owner, memory_order_relaxed);
  if (PG_UNLIKELY(open))
    pg_window_unlock();
  return open || atomic_load_explicit(&pg_hot.windows, memory_order_relaxed) != windows_before_fork;
}

/* A copy may have the old number with the new identity. That number stays open. */
void pg_window_note(int fd, uint64_t ino) {
  uint32_t n = atomic_fetch_add_explicit(&noted, 1, memory_order_relaxed);
  atomic_store_explicit(&recent_ino[n % PG_WINDOW_RECENT], ino, memory_order_release);
  atomic_store_explicit(&recent[n % PG_WINDOW_RECENT], fd + 1, memory_order_release);
}

PG_COLD void pg_window_identify_slow(uint64_t ino) {
  uint32_t n = atomic_load_explicit(&noted, memory_order_relaxed) - 1;
  atomic_store_explicit(&recent_ino[n % PG_WINDOW_RECENT], ino, memory_order_release);
}

/* The program may have put a pidfd of its own on an older number. */
int pg_window_recent(int i, uint64_t *ret_ino) {
  uint32_t n = atomic_load_explicit(&noted, memory_order_relaxed) - 1 - (uint32_t)i;
  *ret_ino = atomic_load_explicit(&recent_ino[n % PG_WINDOW_RECENT], memory_order_relaxed);
  return (int32_t)(n - noted_before_fork) < 0
             ? -1
             : atomic_load_explicit(&recent[n % PG_WINDOW_RECENT], memory_order_relaxed) - 1;
}

/* The kernel queues a blocked signal also where the program ignores it, and wakes another thread to take it
 * (sig_ignored() in kernel/signal.c). That ends calls which are not restarted. So in a program with threads SIGCHLD
 * stays unblocked as long as no handler can come. */
static PG_NOINLINE uint64_t to_block_with_threads(void) {
  struct pg_action action;
  bool stays = pg_filter_can(PG_CAN_ACTION) && pg_sys_action(SIGCHLD, NULL, &action) == 0 &&
               (action.handler == (uintptr_t)SIG_DFL || action.handler == (uintptr_t)SIG_IGN);
  return stays ? ~PG_SIGNAL_BIT(SIGCHLD) : UINT64_MAX;
}

void pg_window_open(struct pg_window *window) {
  *window = (struct pg_window){.open = pg_filter_can(PG_CAN_PIDFD)};
  if (!window->open)
    return;
  bool threads = !pg_is_single_threaded();
  uint64_t set = PG_UNLIKELY(threads) ? to_block_with_threads() : UINT64_MAX;
  if (pg_sys4(SYS_rt_sigprocmask, SIG_BLOCK, &set, &window->mask, sizeof set) < 0)
    window->open = false; /* only a filter refuses that */
  if (!threads || !window->open)
    return;
  uint64_t self = self_now();
  window->locked = self != UNKNOWN && !is_guest() && lock_as(self);
  if (window->locked) {
    atomic_store_explicit(&pg_hot.low, PG_LOW_ANY, memory_order_seq_cst);
    atomic_fetch_add_explicit(&pg_hot.windows, 1, memory_order_seq_cst); /* last: see pg_window_leaves_open() */
  }
  if (PG_UNLIKELY(self == UNKNOWN || !pg_filter_can(PG_CAN_PIDFD))) { /* another thread has begun with a filter */
    pg_window_close(window);
    window->open = window->locked = false;
  }
}

void pg_window_works_on(const struct pg_window *window, int fd) {
  if (!window->locked)
    return;
  atomic_store_explicit(&pg_hot.low, fd + 1, memory_order_release);
  pg_window_note(fd, PG_INO_UNKNOWN);
}

void pg_window_will_open(const struct pg_window *window, pid_t pid) {
  if (window->locked)
    atomic_store_explicit(&opens, pid, memory_order_relaxed);
}

pid_t pg_window_opens(void) { return atomic_load_explicit(&opens, memory_order_relaxed); }

void pg_window_close(struct pg_window *window) {
  if (window->locked)
    pg_window_unlock();
  if (window->open)
    pg_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &window->mask, NULL, sizeof window->mask);
}

/* Is the window that of a thread which the caller can wait for? */
static bool is_others(void) {
  uint64_t holder = atomic_load_explicit(&owner, memory_order_relaxed), self = self_now();
  return holder != self && !(self >> 32 && holder >> 32 && holder >> 32 != self >> 32);
}

/* The kernel's answer is about the program's descriptor if no window was open at the number before it, and none was
 * opened until after it. A window that is counted already shows at the number, or has ended. */
bool pg_window_leaves_open(int fd) {
  for (int tries = 0; tries < PG_WINDOW_TRIES; tries = pg_window_pause(tries)) {
    uint32_t windows = atomic_load_explicit(&pg_hot.windows, memory_order_seq_cst);
    if (pg_window_is_at(fd)) {
      if (!is_others())
        return true;
      continue;
    }
    if (!pg_filter_can(PG_CAN_HOLD))
      return true;
    bool open = pg_sys_fcntl(fd, F_GETFD, 0) != -EBADF;
    atomic_thread_fence(memory_order_seq_cst);
    if (!open || atomic_load_explicit(&pg_hot.windows, memory_order_relaxed) == windows)
      return open;
  }
  return true;
}

int pg_window_open_file(struct pg_window *window, const char *path) {
  pg_window_open(window);
  int fd = pg_sys_openat(AT_FDCWD, path, PG_READ_FLAGS, 0);
  pg_window_works_on(window, fd >= 0 ? fd : PG_LOW_ANY);
  return fd;
}

void pg_window_close_file(struct pg_window *window, int fd) {
  if (fd >= 0)
    pg_sys_close(fd);
  pg_window_close(window);
}

PG_COLD ssize_t pg_window_read_file(const char *path, char *buf, size_t cap) {
  struct pg_window window;
  pg_window_open(&window);
  ssize_t n = pg_sys_read_file(AT_FDCWD, path, buf, cap);
  pg_window_close(&window);
  return n;
}

PG_COLD ssize_t pg_window_read_of(pid_t pid, const char *name, char *buf, size_t cap) {
  char path[40];
  struct pg_buf b;
  pg_buf_init(&b, path, sizeof path);
  pg_buf_str(&b, "/proc/");
  pg_buf_dec(&b, pid);
  pg_buf_char(&b, '/');
  pg_buf_str(&b, name);
  return pg_window_read_file(path, buf, cap);
}

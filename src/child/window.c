/* SPDX-License-Identifier: MIT */
#include "child/window.h"

#include "child/self.h"
#include "kernel/sys.h"

/* The process whose thread holds the lock. Another one's is void: that of our parent, at the moment of a fork. */
static _Atomic pid_t owner;

bool pg_window_lock(void) {
  pid_t self = 0;
  for (int i = 0; i < PG_WINDOW_TRIES; i++) {
    pid_t holder = 0;
    if (!self)
      self = pg_sys_getpid();
    if (atomic_compare_exchange_strong_explicit(&owner, &holder, self, memory_order_acq_rel, memory_order_relaxed))
      return true;
    if (holder != self &&
        atomic_compare_exchange_strong_explicit(&owner, &holder, self, memory_order_acq_rel, memory_order_relaxed))
      return true;
    pg_sys0(SYS_sched_yield);
  }
  return false;
}

void pg_window_unlock(void) {
  atomic_store_explicit(&pg_hot.low, PG_LOW_NONE, memory_order_release);
  atomic_store_explicit(&owner, 0, memory_order_release);
}

void pg_window_open(struct pg_window *window, bool guest) {
  const uint64_t all = UINT64_MAX;
  if (pg_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &window->mask, sizeof all) < 0)
    window->mask = 0;
  window->locked = !guest && !pg_is_single_threaded() && pg_window_lock();
  if (window->locked)
    atomic_store_explicit(&pg_hot.low, PG_LOW_ANY, memory_order_seq_cst);
}

void pg_window_close(struct pg_window *window) {
  if (window->locked)
    pg_window_unlock();
  pg_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &window->mask, NULL, sizeof window->mask);
}

PG_COLD void pg_window_wait(int fd) {
  for (int i = 0; i < PG_WINDOW_TRIES && pg_window_is_at(fd); i++) {
    if (atomic_load_explicit(&owner, memory_order_relaxed) != pg_sys_getpid())
      return;
    pg_sys0(SYS_sched_yield);
  }
}

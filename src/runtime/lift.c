/* SPDX-License-Identifier: MIT */
#include "runtime/lift.h"

#include "kernel/sys.h"
#include "runtime/hot.h"

/* The lowest number of the shim, while the limit allows it. select() cannot take such a number (FD_SETSIZE), so no
 * program expects one there. It is no higher, because every fork copies the descriptor table up to its highest number.
 * A descriptor at 4,095 costs a fork 10 us. */
#define HIGHEST_BASE 1024
static _Atomic int32_t base;

/* The highest numbers are the shim's, so the program meets EMFILE there, and no gap. */
static int32_t place(void) {
  int64_t limit = pg_sys_nofile_soft();
  if (limit < 0)
    limit = HIGHEST_BASE;
  int64_t room = limit / 4 < PG_LIFT_ROOM ? limit / 4 : PG_LIFT_ROOM;
  int64_t at = limit - room < HIGHEST_BASE ? limit - room : HIGHEST_BASE;
  at = at < 3 ? 3 : at;
  atomic_store_explicit(&base, (int32_t)at, memory_order_relaxed);
  return (int32_t)at;
}

void pg_lift_anew(void) { atomic_store_explicit(&base, 0, memory_order_relaxed); }

static void lower_floor(uint32_t fd) {
  uint32_t was = atomic_load_explicit(&pg_hot.unfloor, memory_order_relaxed);
  while (~fd > was && !atomic_compare_exchange_weak_explicit(&pg_hot.unfloor, &was, ~fd, memory_order_seq_cst,
                                                             memory_order_relaxed)) {
  }
}

int pg_lift(int fd) {
  int32_t at = atomic_load_explicit(&base, memory_order_relaxed);
  if (!at)
    at = place();
  int r = pg_sys_fcntl(fd, F_DUPFD_CLOEXEC, at);
  if (r == -EINVAL) /* the limit is lower than before */
    r = pg_sys_fcntl(fd, F_DUPFD_CLOEXEC, place());
  if (r >= 0)
    lower_floor((uint32_t)r);
  return r;
}

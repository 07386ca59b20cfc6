/* SPDX-License-Identifier: MIT */
#include "runtime/lift.h"

#include "kernel/sys.h"
#include "runtime/hot.h"

static _Atomic int32_t base;

/* The highest numbers are the shim's, so the program meets EMFILE there, and no gap. */
static int32_t place(void) {
  int64_t limit = pg_sys_nofile_soft();
  if (limit < 0)
    limit = PG_LIFT_HELD;
  int64_t room = limit / 4 < PG_LIFT_ROOM ? limit / 4 : PG_LIFT_ROOM;
  int64_t at = limit - room < PG_LIFT_HELD ? limit - room : PG_LIFT_HELD;
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

int pg_lift_from(int32_t lowest) {
  int32_t at = atomic_load_explicit(&base, memory_order_relaxed);
  at = at ? at : place();
  return at < lowest ? at : lowest;
}

int pg_lift(int fd, int32_t lowest) {
  int r = pg_sys_fcntl(fd, F_DUPFD_CLOEXEC, pg_lift_from(lowest));
  if (r == -EINVAL) { /* the limit is lower than before */
    place();
    r = pg_sys_fcntl(fd, F_DUPFD_CLOEXEC, pg_lift_from(lowest));
  }
  if (r >= 0)
    lower_floor((uint32_t)r);
  return r;
}

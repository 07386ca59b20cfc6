/* SPDX-License-Identifier: MIT */
/* close, dup2, dup3, close_range, closefrom. */
#include "preload/border.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

static PG_COLD int close_slowly(int fd) {
  return pg_next.close ? pg_call_close(fd, pg_next.close) : pg_ret(pg_sys_close(fd));
}

PG_EXPORT_HOT int close(int fd) {
  PG_EARLY(pg_sys_close(fd));
  if (pg_lift_was_near(fd) || (!pg_is_single_threaded() && (pg_flag(&pg_hot.adopted) || pg_window_is_at(fd))) ||
      PG_UNLIKELY(!pg_next.close))
    return close_slowly(fd);
  return pg_next.close(fd);
}
PG_ALSO(close, __close);

static int by_dup2(int from, int to, int flags) {
  (void)flags;
  int r = pg_next.dup2(from, to);
  return r < 0 ? -errno : r;
}

static int by_dup3(int from, int to, int flags) {
#ifndef __GLIBC__
  if (pg_next.dup3) {
    int r = pg_next.dup3(from, to, flags);
    return r < 0 ? -errno : r;
  }
#endif
  return pg_sys_dup3(from, to, flags);
}

/* Not every architecture has the system call dup2, and dup3 refuses equal numbers (dup(2)). */
static PG_COLD int raw_dup2(int from, int to) {
  if (from != to)
    return pg_sys_dup3(from, to, 0);
  return pg_sys_fcntl(from, F_GETFD, 0) < 0 ? -EBADF : to;
}

static PG_COLD int dup2_slowly(int from, int to) {
  return pg_ret(pg_next.dup2 ? pg_call_dup(from, to, 0, by_dup2) : raw_dup2(from, to));
}

PG_EXPORT_HOT int dup2(int from, int to) {
  PG_EARLY(raw_dup2(from, to));
  if (pg_lift_was_near(to) || !pg_is_single_threaded() || PG_UNLIKELY(!pg_next.dup2))
    return dup2_slowly(from, to);
  return pg_next.dup2(from, to);
}
PG_ALSO(dup2, __dup2);

PG_EXPORT_HOT int dup3(int from, int to, int flags) {
  PG_EARLY(pg_sys_dup3(from, to, flags));
  return pg_ret(pg_call_dup(from, to, flags, by_dup3));
}

#ifdef PG_HAVE_CLOSE_RANGE
PG_EXPORT int close_range(unsigned first, unsigned last, int flags) {
  PG_EARLY(pg_sys3(SYS_close_range, first, last, flags));
  return pg_ret(pg_call_close_range(first, last, (unsigned)flags));
}
#endif

#ifdef PG_HAVE_CLOSEFROM
PG_EXPORT void closefrom(int low) {
  if (pg_is_early()) {
    (void)pg_early(pg_sys3(SYS_close_range, low < 0 ? 0 : low, UINT_MAX, 0));
    return;
  }
  pg_call_closefrom(low);
}
#endif

/* close, dup2, dup3, close_range, closefrom: our descriptors are not there for the program. Closing one says EBADF, as
 * for a number never opened; one that stands where the program wants to put something steps aside; ranges are closed
 * around them. A process that borrows our memory (vfork) has a descriptor table of its own, where ours may be closed. */
#include "preload/border.h"

#include "child/descriptor.h"
#include "runtime/ours.h"

#include <limits.h>
#include <unistd.h>

#define CLOSE_RANGE_FLAGS 6u /* CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC */

PG_EXPORT int close(int fd) {
  if (PG_UNLIKELY(pg_is_ours(fd)))
    return pg_ret(-EBADF);
  if (PG_UNLIKELY(!pg_next.close))
    pg_mode();
  return pg_next.close(fd);
}
PG_ALSO(close, __close);

/* False where the call fails with EBADF because it names a descriptor of ours as its source. */
static bool make_way(int from, int to) {
  pg_mode(); /* binds the next names */
  if (PG_UNLIKELY(pg_is_ours(from)))
    return false;
  /* Only where the program's call will succeed: F_GETFD is what tells. */
  if (PG_UNLIKELY(pg_is_ours(to)) && from != to && !pg_is_guest() && pg_sys_fcntl(from, F_GETFD, 0) >= 0)
    pg_descriptor_move(to);
  return true;
}

PG_EXPORT int dup2(int from, int to) { return make_way(from, to) ? pg_next.dup2(from, to) : pg_ret(-EBADF); }
PG_ALSO(dup2, __dup2);

PG_EXPORT int dup3(int from, int to, int flags) {
  if ((flags & ~O_CLOEXEC) || from == to)
    pg_mode();
  else if (!make_way(from, to))
    return pg_ret(-EBADF);
  return pg_next.dup3(from, to, flags);
}

/* Calls fn for every stretch of [first, last] without a descriptor of ours, until it fails. */
static int around_ours(unsigned first, unsigned last, int (*fn)(unsigned first, unsigned last, unsigned flags),
                       unsigned flags) {
  for (;;) {
    int ours = pg_ours_first(first, last);
    if (ours < 0)
      return fn(first, last, flags);
    int r = (unsigned)ours > first ? fn(first, (unsigned)ours - 1, flags) : 0;
    if (r < 0 || (unsigned)ours >= last)
      return r;
    first = (unsigned)ours + 1;
  }
}

#ifdef PG_HAVE_CLOSE_RANGE
static int next_range(unsigned first, unsigned last, unsigned flags) {
  return pg_next.close_range(first, last, (int)flags);
}

PG_EXPORT int close_range(unsigned first, unsigned last, int flags) {
  pg_mode();
  if (first > last || ((unsigned)flags & ~CLOSE_RANGE_FLAGS) || pg_is_guest() || pg_ours_first(first, last) < 0)
    return pg_next.close_range(first, last, flags);
  if (flags & 2) { /* the table is unshared also if nothing but ours lies in the range */
    int r = pg_next.close_range(UINT_MAX, UINT_MAX, flags);
    if (r < 0)
      return r;
  }
  return around_ours(first, last, next_range, (unsigned)flags);
}
#endif

#ifdef PG_HAVE_CLOSEFROM
static int raw_range(unsigned first, unsigned last, unsigned flags) {
  int r = (int)pg_sys3(SYS_close_range, first, last, flags);
  if (r != -ENOSYS && r != -EPERM)
    return r;
  if (last == UINT_MAX) { /* before 5.9: libc knows how */
    pg_next.closefrom((int)first);
    return 0;
  }
  for (unsigned fd = first; fd <= last; fd++)
    pg_sys_close((int)fd);
  return 0;
}

PG_EXPORT void closefrom(int low) {
  pg_mode();
  unsigned first = low < 0 ? 0 : (unsigned)low;
  if (pg_is_guest() || pg_ours_first(first, UINT_MAX) < 0)
    pg_next.closefrom(low);
  else
    around_ours(first, UINT_MAX, raw_range, 0);
}
#endif

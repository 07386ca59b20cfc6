/* Our descriptors are not there for the program. Closing one says EBADF, as for a number never opened; one that stands
 * where the program wants to put something steps aside; ranges are closed around them. A process that borrows our memory
 * (vfork) has a descriptor table of its own, where ours may be closed. */
#include "child/call.h"

#include "child/descriptor.h"
#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/ours.h"
#include "child/self.h"

#include <limits.h>

#define UNSHARE 2u /* CLOSE_RANGE_UNSHARE */
#define CLOSE_RANGE_FLAGS (UNSHARE | 4u /* CLOSE_RANGE_CLOEXEC */)

bool pg_call_may_dup(int from, int to) {
  if (PG_UNLIKELY(pg_is_ours(from)))
    return false;
  /* Only where the program's call will succeed: F_GETFD is what tells. */
  if (PG_UNLIKELY(pg_is_ours(to)) && from != to && !pg_is_guest() &&
      (pg_is_passive() || pg_sys_fcntl(from, F_GETFD, 0) >= 0))
    pg_descriptor_move(to);
  return true;
}

void pg_call_limit_changed(int resource) {
  if (resource == RLIMIT_NOFILE && pg_mode() != PG_MODE_OFF && !pg_is_guest())
    pg_descriptor_place_anew();
}

static int raw_range(unsigned first, unsigned last, unsigned flags) {
  return (int)pg_sys3(SYS_close_range, first, last, flags);
}

/* What a kernel without close_range (before 5.9) gets. */
static int close_each(unsigned first, unsigned last, unsigned flags) {
  int64_t limit = pg_sys_nofile_soft();
  (void)flags;
  if (limit >= 0 && last >= (unsigned)limit)
    last = (unsigned)limit;
  for (unsigned fd = first; fd <= last; fd++)
    pg_sys_close((int)fd);
  return 0;
}

/* Calls fn for every stretch of [first, last] without a descriptor of ours, until it fails. */
static int around_ours(unsigned first, unsigned last, unsigned flags, int (*fn)(unsigned, unsigned, unsigned)) {
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

int pg_call_close_range(unsigned first, unsigned last, unsigned flags) {
  if (first > last || (flags & ~CLOSE_RANGE_FLAGS) || pg_is_guest() || pg_ours_first(first, last) < 0)
    return raw_range(first, last, flags);
  if (flags & UNSHARE) { /* the table is unshared also if nothing but ours lies in the range */
    int r = raw_range(UINT_MAX, UINT_MAX, flags);
    if (r < 0)
      return r;
  }
  return around_ours(first, last, flags, raw_range);
}

void pg_call_closefrom(int low) {
  unsigned first = low < 0 ? 0 : (unsigned)low;
  bool guest = pg_is_guest(); /* its descriptors are its own */
  if ((guest ? raw_range(first, UINT_MAX, 0) : around_ours(first, UINT_MAX, 0, raw_range)) == 0)
    return;
  if (guest)
    close_each(first, UINT_MAX, 0);
  else
    around_ours(first, UINT_MAX, 0, close_each);
}

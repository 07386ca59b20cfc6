/* Our descriptors are not there for the program. Closing one says EBADF, as for a number never opened; one that stands
 * where the program wants to put something steps aside; ranges are closed around them. A process that borrows our memory
 * (vfork) has a descriptor table of its own, where ours may be closed. */
#include "child/call.h"

#include "base/fmt.h"
#include "child/descriptor.h"
#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/ours.h"
#include "child/self.h"

#include <limits.h>

#define UNSHARE 2u /* CLOSE_RANGE_UNSHARE */
#define CLOSE_RANGE_FLAGS (UNSHARE | 4u /* CLOSE_RANGE_CLOEXEC */)

int pg_call_before_dup(int from, int to) {
  if (PG_UNLIKELY(pg_is_hidden(from)))
    return -EBADF;
  /* Only where the program's call will succeed: F_GETFD is what tells. */
  if (PG_UNLIKELY(pg_is_ours(to)) && from != to && !pg_is_guest() &&
      (pg_is_passive() || pg_sys_fcntl(from, F_GETFD, 0) >= 0))
    return pg_descriptor_move(to);
  return 0;
}

void pg_call_limit_changed(int resource) {
  if (resource == RLIMIT_NOFILE && pg_mode() != PG_MODE_OFF && !pg_is_guest())
    pg_descriptor_place_anew();
}

/* A number of ours may come to name another child then: its identity is looked at before each use. Threads that do not share
 * them would take turns in replacing what the other has not, so none are held any more. */
void pg_call_files_apart(void) {
  if (pg_mode() == PG_MODE_OFF || pg_is_guest())
    return;
  pg_state_set(PG_STATE_PIDFDS);
  if (pg_is_single_threaded())
    return;
  pg_config.fd_max = 0; /* for when it is found that the filter lets us work */
  if (pg_is_passive())
    return;
  pg_ours_stop();
  if (pg_ours_held() > 0)
    pg_descriptor_let_go();
}

static int raw_range(unsigned first, unsigned last, unsigned flags) {
  return (int)pg_sys3(SYS_close_range, first, last, flags);
}

/* What a kernel without close_range (before 5.9) gets, as libc does it, by the same calls: descriptors may be above the limit,
 * and the limit may be far above them. */
static bool close_listed(int first, bool all) {
  struct {
    uint64_t ino, off;
    unsigned short size;
    unsigned char type;
    char name[1001];
  } entries;
  int dir = pg_sys_openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
  bool again = dir >= 0;
  long n = 0;
  while (again) {
    again = false;
    while ((n = pg_sys3(SYS_getdents64, dir, &entries, sizeof entries)) > 0)
      for (long at = 0; at < n; at += ((const unsigned short *)(const void *)((char *)&entries + at))[8]) {
        const char *name = (char *)&entries + at + offsetof(__typeof__(entries), name);
        int64_t fd = pg_parse_dec(&name);
        if (fd >= first && fd != dir && (all || !pg_is_ours((int)fd)))
          again |= pg_sys_close((int)fd) == 0;
      }
    pg_sys3(SYS_lseek, dir, 0, SEEK_SET); /* closing may have made it skip some */
  }
  if (dir >= 0)
    pg_sys_close(dir);
  return dir >= 0 && n == 0;
}

static void close_each(int first, bool all) {
  int64_t limit = pg_sys_nofile_soft();
  for (int fd = first; fd < limit; fd++)
    if (all || !pg_is_ours(fd))
      pg_sys_close(fd);
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
  if (flags & UNSHARE)
    pg_call_files_apart();
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
  if (!close_listed((int)first, guest))
    close_each((int)first, guest); /* no /proc, or no descriptor for it */
}

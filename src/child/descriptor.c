#include "child/descriptor.h"

#include "child/self.h"
#include "child/table.h"
#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/log.h"

/* Before pidfs all pidfds share one anonymous inode: good enough to prove that a number is still some pidfd. */
static _Atomic uint64_t device, shared_ino;
static _Atomic int identity; /* 0 not known yet, 1 unique, -1 shared */

/* The inode of a pidfd; -EBADF if it is none. */
static int read_ino(int fd, uint64_t *ret_ino) {
  uint64_t dev;
  int r = pg_sys_fstat_ids(fd, &dev, ret_ino);
  if (r < 0)
    return r;
  if (PG_UNLIKELY(!atomic_load_explicit(&identity, memory_order_acquire))) { /* the device comes with it */
    long type = pg_sys_fstatfs_type(fd);
    int have = type == PG_PIDFS_MAGIC ? 1 : -1;
    if (type < 0) /* a filter: learn nothing, as one inode for all would be a guess */
      return (int)type;
    if (type != PG_PIDFS_MAGIC && type != PG_ANON_INODE_FS_MAGIC)
      return -EBADF;
    atomic_store_explicit(&device, dev, memory_order_relaxed);
    if (have < 0)
      atomic_store_explicit(&shared_ino, *ret_ino, memory_order_relaxed);
    atomic_store_explicit(&identity, have, memory_order_release);
  }
  return dev == atomic_load_explicit(&device, memory_order_relaxed) ? 0 : -EBADF;
}

int pg_descriptor_identity(int fd, uint64_t *ret_ino) {
  uint64_t ino;
  int r = read_ino(fd, &ino);
  if (r == 0)
    *ret_ino = pg_descriptor_have_identity() ? ino : 0;
  return r;
}

bool pg_descriptor_have_identity(void) { return atomic_load_explicit(&identity, memory_order_relaxed) > 0; }

static bool still_ours(int fd, uint64_t ino) {
  uint64_t now;
  if (ino == PG_INO_PROVEN)
    return true;
  return read_ino(fd, &now) == 0 && now == (ino ? ino : atomic_load_explicit(&shared_ino, memory_order_relaxed));
}

void pg_descriptor_close(int low) {
  uint64_t ino;
  if (low >= 0 && (pg_is_single_threaded() || read_ino(low, &ino) != -EBADF)) /* where it can not be asked, it is likelier ours */
    pg_sys_close(low);
}

/* What the program has put there is rarely closed on exec, which tells it apart from ours also where nothing else does: a
 * copy of the log's file, or before 6.9 whatever has that inode. Where nobody can be asked the number is let through: what
 * is closed by mistake is a guest's copy. */
PG_COLD bool pg_descriptor_is_ours_here(int fd) {
  if (!pg_is_guest() && pg_ours_settle(fd))
    return pg_is_ours(fd);
  if (pg_is_passive())
    return false;
  int flags = pg_sys_fcntl(fd, F_GETFD, 0);
  if (flags < 0 || !(flags & FD_CLOEXEC))
    return false;
  uint32_t owner = pg_cell_owner(atomic_load_explicit(pg_cell_of(fd), memory_order_acquire));
  return owner == PG_OWNER_LOG ? pg_log_is_at(fd) : owner && still_ours(fd, pg_record_ino(pg_record_at(owner)));
}

void pg_descriptor_release(int fd, uint64_t ino, uint32_t index) {
  if (!pg_is_passive()) /* else it stays where it is, hidden */
    pg_ours_close(fd, index, still_ours, ino);
}

int pg_descriptor_reopen(pid_t pid, uint64_t ino) {
  if (!ino)
    return -EOPNOTSUPP;
  int fd = pg_descriptor_open(pid);
  if (fd < 0) /* ENOENT and EINVAL: the number is a thread's, by now */
    return fd == -ENOENT || fd == -EINVAL ? -ESRCH : fd;
  uint64_t now;
  int r = pg_descriptor_identity(fd, &now);
  if (r == 0 && now == ino) {
    pg_count(reopened);
    return fd;
  }
  pg_descriptor_close(fd);
  return r < 0 ? -EOPNOTSUPP : -ESRCH; /* only an answer can say that it is another */
}

static int handles(void) { return atomic_load_explicit(&pg_hot.handles, memory_order_relaxed); }
static void handles_are(int what) { atomic_store_explicit(&pg_hot.handles, what, memory_order_relaxed); }

/* What it tells that this process was found by its handle. One that was reaped by the time of the probe may have been alive
 * when it was found: only who is found again was reaped before. */
static int handles_seen(int fd, uint64_t ino) {
  if (PG_LIKELY(pg_sys_pidfd_send_signal(fd, 0, NULL, 0) != -ESRCH))
    return PG_HANDLES_LIVING;
  int again = pg_sys_pidfs_open(PG_FD_PIDFS_ROOT, ino, O_CLOEXEC);
  if (again < 0)
    return PG_HANDLES_LIVING;
  pg_descriptor_close(again);
  return PG_HANDLES_LEADERS;
}

/* Opens by identity, and learns from it. -ESTALE: not found. */
static int open_by_handle(uint64_t ino) {
  if (!ino || handles() == PG_HANDLES_NONE || sizeof(long) < sizeof ino) /* there an inode is not the whole identity */
    return -EOPNOTSUPP;
  int fd = pg_sys_pidfs_open(PG_FD_PIDFS_ROOT, ino, O_CLOEXEC);
  if (fd == -EMFILE && !pg_is_guest() && pg_descriptor_evict(1))
    fd = pg_sys_pidfs_open(PG_FD_PIDFS_ROOT, ino, O_CLOEXEC);
  bool passing = fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -EINTR;
  if (PG_UNLIKELY(handles() != PG_HANDLES_LEADERS) && !passing && fd != -ESTALE)
    handles_are(fd < 0 ? PG_HANDLES_NONE : handles_seen(fd, ino));
  return fd;
}

int pg_descriptor_reopen_leader(uint64_t ino) {
  int fd = open_by_handle(ino);
  return fd >= 0 ? fd : fd == -ESTALE && handles() == PG_HANDLES_LEADERS ? -ESRCH : -EOPNOTSUPP;
}

bool pg_descriptor_try_leader(int held, uint64_t ino) {
  if (held >= 0 && handles() == PG_HANDLES_LEADERS)
    return true;
  int fd = open_by_handle(ino);
  pg_descriptor_close(fd);
  if (fd == -ESTALE && held >= 0)
    handles_are(PG_HANDLES_NONE);
  return fd != -ESTALE || handles() != PG_HANDLES_LEADERS;
}

int pg_descriptor_open(pid_t pid) {
  int fd = pg_sys_pidfd_open(pid, 0);
  if (fd == -EMFILE && !pg_is_guest() && pg_descriptor_evict(1)) /* the table is the lender's, its descriptors too */
    fd = pg_sys_pidfd_open(pid, 0);
  return fd;
}

/* Once it is reaped, the leader of a group can be found without its descriptor only by a handle, if at all. While that is
 * not known, a child that leads no group by the time of the next birth is taken for one that never will. */
static bool needs_no_descriptor(int fd, uint64_t ino, bool leader) {
  if (handles() == PG_HANDLES_UNKNOWN && !leader) /* that one has been tried, and may be asked to make room for a trial */
    pg_descriptor_close(open_by_handle(ino));
  return ino && (handles() == PG_HANDLES_LEADERS ||
                 (handles() == PG_HANDLES_LIVING && !leader &&
                  pg_sys_pidfd_send_signal(fd, 0, NULL, PG_PIDFD_SIGNAL_PROCESS_GROUP) == -ESRCH));
}

/* Takes the descriptor from the record behind a cell, if that record can go on without: by its identity, or, where it
 * has to be, by number once it is the leader of a group and dead. */
static bool give_up(struct pg_ours ours, bool has_to) {
  if (ours.fd < 0 || ours.owner == PG_OWNER_LOG)
    return false;
  struct pg_record *rec = pg_record_at(ours.owner);
  uint64_t ino = pg_record_ino(rec), w = pg_record_word(rec);
  if (pg_word_fd(w) != ours.fd)
    return false;
  bool leader = w & PG_RECORD_GROUP;
  if ((leader || !has_to) && !needs_no_descriptor(ours.fd, ino, leader)) {
    if (!has_to || !pg_record_try_hold(rec))
      return false;
    pg_table_bury(rec, true);
    pg_record_drop(rec);
  } else {
    if (!ino || !pg_record_swap_fd(rec, ours.fd, -1, 0))
      return false;
    pg_descriptor_release(ours.fd, ino, ours.owner);
  }
  if (has_to)
    pg_count(evicted);
  return true;
}

int pg_descriptor_evict(int n) {
  int done = 0;
  for (int tries = 0; done < n && tries < 4 * n + 8; tries++)
    done += give_up(pg_ours_next(&pg_hot.evict_hand), true);
  return done;
}

PG_COLD void pg_descriptor_let_go(void) {
  if (!pg_descriptor_have_identity() || pg_is_passive() || handles() == PG_HANDLES_NONE)
    return;
  int32_t held = pg_ours_held();
  uint32_t base = (uint32_t)atomic_load_explicit(&pg_hot.base, memory_order_relaxed); /* where they mostly are */
  for (uint32_t i = 0; i <= pg_ours_mask && held > 0; i++) {
    uint64_t cell = atomic_load_explicit(&pg_ours_cells[(base + i) & pg_ours_mask], memory_order_acquire);
    if (!cell || (cell & PG_CELL_CLOSING))
      continue;
    give_up((struct pg_ours){pg_cell_fd(cell), pg_cell_owner(cell)}, false);
    held--;
  }
}

bool pg_descriptor_is_wanted(struct pg_record *rec) {
  uint32_t now = pg_table_births();
  return atomic_exchange_explicit(&rec->used, now, memory_order_relaxed) == now;
}

bool pg_descriptor_give(struct pg_record *rec, int low) {
  int32_t budget = pg_ours_budget();
  int32_t over = pg_ours_held() - budget;
  if (budget <= 0 || (over >= 0 && pg_descriptor_evict(over < 4 ? over + 1 : 4) <= over))
    return false;
  int fd = pg_ours_lift(low, low);
  if (fd < 0)
    return false;
  if (!pg_is_single_threaded() && !still_ours(fd, pg_record_ino(rec))) { /* see pg_descriptor_close() */
    pg_sys_close(fd);
    return false;
  }
  uint32_t index = pg_record_index(rec);
  struct pg_ours occupant;
  bool mine = fd <= PG_RECORD_FD_MAX && pg_ours_register(fd, index, &occupant);
  if (!mine && fd <= PG_RECORD_FD_MAX)
    mine = give_up(occupant, true) && pg_ours_register(fd, index, &occupant);
  if (!mine) {
    pg_sys_close(fd);
    return false;
  }
  /* The kernel just gave us the number, so an old claim to it is void: it was closed behind our back. */
  if (occupant.fd == fd && occupant.owner && occupant.owner != PG_OWNER_LOG) {
    pg_record_swap_fd(pg_record_at(occupant.owner), fd, -1, PG_RECORD_HOLDERS_MAX);
    pg_count(lost);
  }
  if (pg_record_swap_fd(rec, -1, fd, PG_RECORD_HOLDERS_MAX))
    return true;
  /* It got one from another thread, or was replaced. */
  if (pg_ours_unregister(fd, index))
    pg_sys_close(fd);
  return false;
}

/* -EAGAIN: the number changed hands meanwhile, in a handler or another thread. */
static int try_move(int fd) {
  if (!pg_ours_settle(fd))
    return -EBUSY;
  uint64_t cell = atomic_load_explicit(pg_cell_of(fd), memory_order_acquire);
  uint32_t owner = pg_cell_owner(cell);
  if (pg_cell_fd(cell) != fd)
    return 0;
  int moved = pg_is_passive() ? -1 : pg_ours_lift_above(fd);
  struct pg_ours occupant;
  if (moved >= 0 && !pg_ours_register(moved, owner, &occupant)) {
    pg_sys_close(moved);
    moved = -1;
  }
  /* Whoever is using the old number at this moment is inside a system call that has looked it up already, or will be
   * told EBADF: the number is the program's, now. The log notices by itself that its descriptor changed. */
  bool was_ours = pg_ours_unregister(fd, owner);
  if (was_ours && owner != PG_OWNER_LOG && pg_record_swap_fd(pg_record_at(owner), fd, moved, PG_RECORD_HOLDERS_MAX))
    pg_count(moved);
  else if (moved >= 0 && pg_ours_unregister(moved, owner))
    pg_sys_close(moved);
  return was_ours ? 0 : -EAGAIN;
}

int pg_descriptor_move(int fd) {
  int r;
  while ((r = try_move(fd)) == -EAGAIN) {
  }
  return r;
}

static void move_up(int fd) {
  uint64_t cell = atomic_load_explicit(pg_cell_of(fd), memory_order_acquire);
  uint32_t owner = pg_cell_owner(cell);
  struct pg_ours occupant;
  if (pg_cell_fd(cell) != fd || owner == PG_OWNER_LOG)
    return;
  struct pg_record *rec = pg_record_at(owner);
  int moved = pg_ours_lift_above(fd);
  if (moved < 0)
    return;
  if (!pg_ours_register(moved, owner, &occupant)) {
    pg_sys_close(moved);
  } else if (pg_record_swap_fd(rec, fd, moved, 0)) { /* nobody uses the old number */
    pg_descriptor_release(fd, pg_record_ino(rec), owner);
    pg_count(moved);
  } else if (pg_ours_unregister(moved, owner)) {
    pg_sys_close(moved);
  }
}

PG_COLD void pg_descriptor_place_anew(void) {
  if (pg_is_passive() || pg_ours_held() <= 0)
    return;
  int base = pg_ours_place_anew();
  for (int fd = 0; fd < base && (fd = pg_ours_first((unsigned)fd, (unsigned)base - 1)) >= 0; fd++)
    move_up(fd);
}

PG_COLD int pg_descriptor_use_checked(struct pg_record *rec, int fd) {
  if (pg_is_passive() || still_ours(fd, pg_record_ino(rec)))
    return fd;
  pg_descriptor_lost(rec, fd);
  return -1;
}

void pg_descriptor_lost(struct pg_record *rec, int fd) {
  if (pg_record_swap_fd(rec, fd, -1, PG_RECORD_HOLDERS_MAX)) {
    pg_ours_unregister(fd, pg_record_index(rec));
    pg_count(lost);
  }
}

struct pg_record *pg_descriptor_next_held(void) {
  struct pg_ours ours = pg_ours_next(&pg_hot.look_hand);
  if (ours.fd < 0 || ours.owner == PG_OWNER_LOG)
    return NULL;
  struct pg_record *rec = pg_record_at(ours.owner);
  return pg_record_try_hold(rec) ? rec : NULL;
}

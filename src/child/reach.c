/* SPDX-License-Identifier: MIT */
#include "child/reach.h"

#include "base/errors.h"
#include "base/fmt.h"
#include "child/held.h"
#include "child/self.h"
#include "runtime/filter.h"
#include "runtime/window.h"

/* ---- Identity ---- */

/* pidfs (6.9) gives each process an inode that is unique while the system runs. Before, all pidfds share one inode,
 * which only proves that a descriptor is some pidfd. On 32 bits the kernel splits what identifies a process in two. */
enum { NOT_KNOWN, UNIQUE, SHARED };
static _Atomic int kind;
static _Atomic uint64_t device, shared_ino;

int pg_reach_read_ino(int fd, uint64_t *ret_ino) {
  uint64_t dev, ino;
  int r = pg_sys_fstat_ids(fd, &dev, &ino);
  *ret_ino = 0;
  if (r < 0)
    return r;
  if (PG_UNLIKELY(atomic_load_explicit(&kind, memory_order_acquire) == NOT_KNOWN)) {
    int64_t type = pg_sys_fstatfs_type(fd);
    if (type < 0) /* a filter: one inode for all would be a guess */
      return (int)type;
    if (type != PG_PIDFS_MAGIC && type != PG_ANON_INODE_FS_MAGIC)
      return -EBADF;
    atomic_store_explicit(&device, dev, memory_order_relaxed);
    atomic_store_explicit(&shared_ino, ino, memory_order_relaxed);
    atomic_store_explicit(&kind, type == PG_PIDFS_MAGIC ? UNIQUE : SHARED, memory_order_release);
  }
  if (dev != atomic_load_explicit(&device, memory_order_relaxed))
    return -EBADF;
  if (atomic_load_explicit(&kind, memory_order_relaxed) == UNIQUE)
    *ret_ino = ino;
  else if (ino != atomic_load_explicit(&shared_ino, memory_order_relaxed))
    return -EBADF;
  return 0;
}

bool pg_reach_is(int fd, uint64_t ino) {
  uint64_t now;
  return pg_reach_read_ino(fd, &now) == 0 && (!ino || now == ino);
}

bool pg_reach_is_entered(pg_id id) {
  return !(id & PG_ID_SIBLING) && !(pg_self_marks & PG_FORKED) &&
         pg_stamp_after(pg_id_stamp(id), atomic_load_explicit(&pg_hot.inherited, memory_order_relaxed));
}

/* Is this perhaps a handler of pthread_atfork() in a child, before the shim knows of the fork? */
static bool may_be_forked(void) {
  return PG_UNLIKELY(pg_flag(&pg_hot.forking)) && !(pg_filter_can(PG_CAN_PIDFD) && pg_sys_getpid() == pg_hot.pid);
}

/* No id is, in a forked child that has not settled: a signal handler may have forked within any call of the shim. So
 * callers ask the kernel first, and this second. */
bool pg_reach_is_own(pg_id id) { return pg_reach_is_entered(id) && !may_be_forked(); }

#define LOOK (WNOHANG | WNOWAIT | WEXITED | __WALL)

/* The kernel does without the structure; valgrind complains of that. */
static PG_NOINLINE int ask(int type, int id) {
  siginfo_t si;
  return pg_filter_can(PG_CAN_CHILD) ? pg_sys_waitid(type, (id_t)id, &si, LOOK, NULL) : -EOPNOTSUPP;
}

int pg_reach_ask(pid_t pid) { return ask(P_PID, pid); }

/* The second field, the name, may contain any character. The fields behind it are a letter and numbers. */
PG_COLD bool pg_reach_read_stat(pid_t pid, struct pg_process_stat *ret) {
  char text[128]; /* a name has at most 63 characters */
  ssize_t n = pg_filter_can(PG_CAN_READ) ? pg_window_read_of(pid, "stat", text, sizeof text) : -1;
  while (n > 0 && text[n - 1] != ')')
    n--;
  if (n <= 0 || text[n] != ' ' || !text[n + 1] || text[n + 2] != ' ')
    return false;
  const char *at = text + n + 3;
  *ret = (struct pg_process_stat){.state = text[n + 1], .parent = (pid_t)pg_parse_dec(&at)};
  return true;
}

bool pg_reach_is_lost(pg_id id) { return pg_reach_ask(pg_id_pid(id)) == -ECHILD && pg_reach_is_own(id); }

/* Parenthood: if the kernel does not call a process an unreaped child of this one, it is not the child. */
static int ask_pidfd(int fd, pid_t pid) {
  int r = ask(PG_P_PIDFD, fd);
  return r == -EINVAL ? pg_reach_ask(pid) : r; /* before 5.4 */
}

/* Does the pidfd name the process that the id stands for? 0, -ESRCH: no; -EOPNOTSUPP: that cannot be said; -EBADF: it
 * is no pidfd. A process that shares the descriptors but no lock has put something else on the number. */
static int prove(int fd, pg_id id, uint64_t ino, bool guest) {
  uint64_t now;
  if (ino) {
    int r = pg_reach_read_ino(fd, &now);
    if (r == 0 && now && now != ino)
      return -ESRCH;
    if (r == -EBADF)
      return r;
    return r == 0 && now ? 0 : -EOPNOTSUPP;
  }
  if (guest || !pg_reach_is_own(id))
    return -EOPNOTSUPP;
  int r = ask_pidfd(fd, pg_id_pid(id));
  if (r == -ECHILD)
    return -ESRCH;
  return r < 0 ? -EOPNOTSUPP : 0;
}

/* ---- Opening ---- */

/* A handler or another thread may have installed a filter since the caller asked what is allowed. */
static int open_in(const struct pg_window *window, pid_t pid) {
  pg_window_will_open(window, pid);
  return window->open ? pg_sys_pidfd_open(pid, 0) : -EOPNOTSUPP;
}

/* pidfd_open() in a window. If the program has used up all numbers, the held pidfds make room. */
static int open_pid(struct pg_window *window, pid_t pid, bool guest) {
  int fd = open_in(window, pid);
  if (fd == -EMFILE && !guest && pg_held_any()) {
    pg_count(evicted);
    pg_window_close(window);
    pg_held_let_go(PG_HELD_FOR_LIVING);
    pg_window_open(window);
    fd = open_in(window, pid);
  }
  pg_window_works_on(window, fd >= 0 ? fd : -1);
  return fd;
}

/* Without a pidfd the kernel can still be asked about an own child by its PID. */
static int ask_instead(pg_id id, int why, bool guest) {
  if (!guest && pg_reach_is_lost(id))
    return -ESRCH;
  return pg_is_scarce(why) ? why : -EOPNOTSUPP;
}

/* Opens the process that has the PID, on a low number, and proves that it is the id's. What is no pidfd is not closed,
 * because it is the program's. Another process's pidfd may be the program's, too, so a second one must say the same. */
static int open_proven(struct pg_window *window, pg_id id, uint64_t ino, bool guest) {
  enum { TRIES = 10 };
  bool others = false;
  for (int tries = 0; tries < TRIES; tries++) {
    int fd = open_pid(window, pg_id_pid(id), guest);
    pg_window_identify(window, ino);
    if (fd == -ESRCH || (ino && (fd == -ENOENT || fd == -EINVAL))) /* the latter two: a thread has it by now */
      return -ESRCH;
    if (fd < 0)
      return ask_instead(id, fd, guest);
    int r = prove(fd, id, ino, guest);
    if (r == 0)
      return fd;
    if (r == -EBADF)
      continue;
    pg_sys_close(fd);
    if (r != -ESRCH || others)
      return r;
    others = true;
  }
  return ask_instead(id, -EBADF, guest);
}

/* A filter may answer with any errno. Only waitid() says by ECHILD that a child was reaped. */
static int not_reaped(int r) { return PG_UNLIKELY(r == -ECHILD) ? -EOPNOTSUPP : r; }

int pg_reach_newborn(struct pg_window *window, pid_t pid, bool child, uint64_t *ret_ino) {
  int fd = open_pid(window, pid, false);
  if (fd == -ESRCH)
    return -ECHILD;
  if (fd < 0) { /* a thread has the PID by now, or a pidfd is not to be had */
    *ret_ino = 0;
    return child && !pg_is_scarce(fd) && pg_reach_ask(pid) == -ECHILD ? -ECHILD : not_reaped(fd);
  }
  int r = child ? ask_pidfd(fd, pid) : 0;
  if (r != -ECHILD) /* parenthood that cannot be asked is taken for granted: the child was made a moment ago */
    r = not_reaped(pg_reach_read_ino(fd, ret_ino));
  if (r == 0)
    pg_window_identify(window, *ret_ino);
  if (r != -EBADF)
    pg_sys_close(fd);
  return r;
}

int pg_reach_open(pg_id id, uint64_t ino) {
  struct pg_window window;
  pg_window_open(&window);
  int fd = open_proven(&window, id, ino, false);
  pg_window_close(&window);
  return fd;
}

/* ---- Sending ---- */

/* What the kernel never answers to a signal means "not here". EPERM and EINVAL are usually about the target and the
 * signal. But a filter, or a kernel that does not know the scope, also answers so. Those answer before they look at the
 * descriptor, so an invalid descriptor tells the cases apart. */
static int send_through(int fd, const struct pg_signal *s) {
  int r = pg_sys_pidfd_send_signal(fd, s->sig, s->info, s->scope);
  switch (r) {
  case 0:
  case -ESRCH:
  case -EBADF:
  case -EAGAIN: /* no room in the target's queue */
  case -EFAULT:
    return r;
  case -EPERM:
  case -EINVAL:
    return pg_sys_pidfd_send_signal(-1, s->sig, NULL, s->scope) == -EBADF ? r : -EOPNOTSUPP;
  default:
    return -EOPNOTSUPP;
  }
}

/* Before 6.9 a group is reached by number only. It is the right one while its leader is not reaped, which the leader's
 * pidfd tells. */
static int send_proven(int fd, pg_id id, const struct pg_signal *s) {
  int r = send_through(fd, s);
  pid_t pid = pg_id_pid(id);
  if (r != -EOPNOTSUPP || s->scope != PG_PIDFD_SIGNAL_PROCESS_GROUP || pid <= 1 || !pg_id_is_live(id))
    return r;
  r = pg_sys_pidfd_send_signal(fd, 0, NULL, 0);
  return r == -ESRCH || r == -EBADF ? r : pg_sys_kill(-pid, s->sig);
}

/* -EBADF: nothing is held, or it cannot be used at the moment. */
static int reach_held(pg_id id, const struct pg_signal *s) {
  int r = -EBADF, fd = pg_held_for(id);
  bool tried;
  if (fd < 0 || !pg_filter_can(PG_CAN_PIDFD))
    return r;
  if (pg_held_is_careful()) {
    struct pg_window window;
    pg_window_open(&window);
    const struct pg_cell *cell = window.open ? pg_cell_with(id) : NULL;
    tried = cell && pg_held_for(id) == fd;
    if (tried && pg_reach_is(fd, atomic_load_explicit(&cell->ino, memory_order_relaxed)))
      r = send_proven(fd, id, s);
    pg_window_close(&window);
  } else {
    struct pg_hazard hazard = pg_hazard_publish(fd);
    tried = hazard.at && pg_held_for(id) == fd && pg_filter_can(PG_CAN_PIDFD); /* see pg_hazards_end() */
    if (tried)
      r = send_proven(fd, id, s);
    pg_hazard_clear(hazard);
  }
  if (tried && r == -EBADF && pg_held_for(id) == fd) /* the program has closed or replaced it */
    pg_held_take((unsigned)fd, (unsigned)fd);
  return r;
}

int pg_reach(pg_id id, uint64_t ino, const struct pg_signal *s, bool guest) {
  int r = guest ? -EBADF : reach_held(id, s);
  if (r != -EBADF)
    return r;
  if (!pg_id_is_live(id)) /* only a pidfd from before names it */
    return -EOPNOTSUPP;
  struct pg_window window;
  pg_window_open(&window);
  int fd = open_proven(&window, id, ino, guest);
  if (fd >= 0) {
    r = send_proven(fd, id, s);
    if (r == 0 && !guest)
      pg_held_offer(id, ino, fd, s->scope == PG_PIDFD_SIGNAL_PROCESS_GROUP);
    pg_sys_close(fd);
  } else {
    r = pg_is_scarce(fd) ? -EOPNOTSUPP : fd;
  }
  pg_window_close(&window);
  if (!guest)
    pg_count(reopened);
  return r == -EBADF ? -EOPNOTSUPP : r; /* it was just opened */
}

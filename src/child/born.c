/* SPDX-License-Identifier: MIT */
/* How children come into the table: births, an exec, and what a forked child has from its parent. */
#include "child/child.h"

#include "base/errors.h"
#include "base/fmt.h"
#include "child/family.h"
#include "child/reach.h"
#include "child/self.h"
#include "runtime/lift.h"
#include "runtime/log.h"
#include "runtime/next.h"
#include "runtime/probe.h"
#include "runtime/proc_self.h"

#include <fcntl.h>
#include <sys/auxv.h>

_Atomic int pg_child_mode = PG_MODE_UNREAD;

/* ---- The beginning ---- */

/* Does another copy of this object stand in front, so that the program calls its wrappers? Then that copy has done
 * everything by the time that a call comes here, and this copy acts as libc. The name is looked up as the program would
 * look it up. This copy itself answers 0, because it is not ready yet. */
static bool is_second(void) {
#ifdef PG_PRELOAD
  extern int pidguard_is_preloaded(void);
  return pidguard_is_preloaded();
#else
  return false;
#endif
}

PG_COLD enum pg_mode pg_child_init(void) {
  extern char **environ;
  static _Atomic int begun;
  if (pg_is_early())
    return PG_MODE_OFF; /* the API, called by a resolver */
  if (atomic_load_explicit(&begun, memory_order_relaxed) == 0)
    pg_next_bind();
  if (atomic_exchange_explicit(&begun, 1, memory_order_acq_rel)) {
    int m = atomic_load_explicit(&pg_child_mode, memory_order_acquire);
    return m == PG_MODE_UNREAD ? PG_MODE_OFF : (enum pg_mode)m; /* a call from within this initialisation */
  }
  pg_config_read(environ, getauxval(AT_SECURE) != 0);
  if (is_second())
    pg_config = (struct pg_config){.mode = PG_MODE_OFF, .retired_max = -1, .fd_max = -1};
  pg_held_init(pg_config.fd_max);
  if (pg_config.retired_max >= 0)
    pg_number_set_retired_max((uint32_t)pg_config.retired_max);
  if (pg_config.mode != PG_MODE_OFF) {
    pg_log_init();
    pg_state_set(PG_STATE_ON);
  }
  if (pg_config.mode != PG_MODE_OFF && pg_config.family)
    pg_state_set(PG_STATE_FAMILY);
  if (pg_next_is_behind())
    pg_state_set(PG_STATE_PIDFDS); /* the API alone does not see what the program opens and closes */
  atomic_store_explicit(&pg_child_mode, pg_config.mode, memory_order_release);
  return pg_config.mode;
}

void pg_child_environment(void) {
  extern char **environ;
  if (PG_UNLIKELY(pg_config.secure))
    pg_config_read(environ, true);
}

/* ---- Births ---- */

static PG_COLD int not_entered(pid_t pid) {
  uint64_t none;
  if (pg_id_state(pg_number_find(pid, &none)) >= PG_GONE)
    return -ECHILD;
  pg_family_born(pid);
  pg_degraded("track", pid, -ENOMEM, "child-not-protected");
  return -ENOMEM;
}

/* known: 0, or the reason why the child has no identity. -ECHILD: it was reaped while it was entered. */
static int entered(pg_id id, pid_t pid, uint64_t ino, int known, const char *how) {
  if (PG_UNLIKELY(!id))
    return not_entered(pid);
  pg_family_born(pid);
  if (known < 0 && !ino)
    pg_degraded("pid-only", pid, known, "known-by-pid");
  if (pg_log_on(PG_LOG_INFO))
    pg_log_child("birth", pid, how);
  return 0;
}

/* In one window: opens, verifies and identifies the child, and enters it. -ECHILD: it was reaped already. must: fail if
 * only the PID is known. since: when its birth began, or 0. */
static int enter_newborn(pid_t pid, const char *how, bool sibling, bool must, unsigned since) {
  struct pg_window window;
  uint64_t ino;
  pg_id id = 0;
  pg_window_open(&window);
  int known = pg_reach_newborn(&window, pid, !sibling, &ino);
  bool enters = known != -ECHILD && !(must && known < 0);
  if (enters)
    id = pg_number_born(pid, ino, sibling ? PG_ID_SIBLING : 0, known < 0 ? since : 0);
  pg_window_close(&window);
  return enters ? entered(id, pid, ino, known, how) : known;
}

static int enter_by_pid(pid_t pid, int why, const char *how, bool sibling, unsigned since) {
  return entered(pg_number_born(pid, 0, sibling ? PG_ID_SIBLING : 0, since), pid, 0, why, how);
}

/* Has a handler forked since this birth began, and is this its child? */
static PG_COLD bool is_copy(void) { return pg_self_forks != pg_self_forks_at_birth && !pg_is_guest(); }

/* Has a process the PID now that is no child of `parent`? False if /proc cannot say. */
static bool is_strangers(pid_t pid, pid_t parent) {
  struct pg_process_stat stat;
  return !pg_proc_self_read().foreign && pg_reach_read_stat(pid, &stat) && stat.parent != parent;
}

static bool is_no_sibling(pid_t pid) { return pg_filter_can(PG_CAN_PARENT) && is_strangers(pid, pg_sys_getppid()); }

/* Enters a sibling of this process, which no wait finds. Whose PID it is counts after the process was opened. True: it
 * lives, or is a zombie. */
static PG_COLD bool enter_sibling(pid_t pid, const char *how) {
  uint64_t ino;
  if (is_no_sibling(pid) || enter_newborn(pid, how, true, false, 0) == -ECHILD)
    return false;
  bool proven = !is_no_sibling(pid);
  if (!proven)
    pg_child_found_gone(pg_number_find(pid, &ino));
  return proven;
}

/* Without assembly for the machine there is no wrapper of vfork(), and nothing marks a vfork child. */
static inline void expect_guests(void) {
#if defined(PG_PRELOAD) && !PG_HAVE_RAW_SYSCALLS
  pg_state_set(PG_STATE_VM_SHARED);
#endif
}

PG_HOT void pg_child_born(pid_t pid, const char *how, bool sibling, unsigned since) {
  pg_flag_set(&pg_hot.forking, 0);
  if (pid <= 0) /* a handler has overwritten it */
    return;
  pg_count(births);
  if (!pg_filter_can(PG_CAN_PIDFD)) {
    sibling = sibling || is_copy();
    int why = pg_filter_is_untried() ? 0 : -EPERM; /* pg_call_born() finds out whether a filter is there, and tells */
    int asked = sibling ? -EOPNOTSUPP : pg_reach_ask(pid);
    if (asked == -ECHILD || enter_by_pid(pid, why, how, sibling, asked == 0 ? 0 : since) == -ECHILD)
      pg_child_bury(pid, how);
    return;
  }
  pg_self_know();
  expect_guests();
  pg_child_collect();
  if (enter_newborn(pid, how, sibling, false, since) != -ECHILD)
    return;
  if (!is_copy() || !enter_sibling(pid, how)) /* a copy's newborn is its sibling */
    pg_child_bury(pid, how);
}

static void identify(pg_id id, uint64_t ino, void *unused) {
  struct pg_window window;
  (void)unused;
  if (!pg_id_is_live(id) || ino)
    return;
  pg_window_open(&window);
  int known = pg_reach_newborn(&window, pg_id_pid(id), pg_reach_is_own(id), &ino);
  if (known == 0)
    pg_number_identify(id, ino);
  pg_window_close(&window);
  if (known == -ECHILD)
    pg_child_found_gone(id);
}

void pg_child_identify_all(void) { pg_number_each(identify, NULL); }

int pg_child_adopt(pid_t pid) {
  if (pid <= 0)
    return -EINVAL;
  pg_is_guest(); /* settles a forked child first */
  if (!pg_filter_can(PG_CAN_PIDFD)) {
    if (!pg_filter_find_out(PG_BIRTH_CLONE, pid)) /* the call of fork(): nobody knows how the child was made */
      return -EOPNOTSUPP;
    pg_child_identify_all();
  }
  pg_self_know();
  /* A wait finds a tracee, too, which may be the child of another process. */
  int r = is_strangers(pid, pg_sys_getpid()) ? -ECHILD : enter_newborn(pid, "adopt", false, true, 0);
  if (r == -ECHILD && pg_sys_kill(pid, 0) == -ESRCH)
    return -ESRCH;
  if (r == -ENOSYS || r == -EPERM)
    return -EOPNOTSUPP;
  if (r == 0)
    pg_count(adopted);
  return r;
}

/* ---- After an exec ---- */

/* Enters one PID of the list of children in /proc. True: the PID was not known. */
static bool adopt_listed(pid_t pid) {
  uint64_t ino;
  if (pg_id_is_live(pg_number_find(pid, &ino)))
    return false;
  if (!pg_filter_can(PG_CAN_PIDFD))
    enter_by_pid(pid, -EPERM, "adopt", false, 0);
  else if (enter_newborn(pid, "adopt", false, false, 0) == -ECHILD)
    return false;
  pg_count(adopted);
  return true;
}

/* A filter from before the exec allows these calls, because the loader itself has just made them. The file is closed
 * while a child is entered, because only one descriptor may be free. Returns how many children were not known, or
 * -errno. */
static int read_children(const char *path) {
  char text[128]; /* a signal handler with a small stack may come here first */
  int found = 0;
  ssize_t n = 0;
  for (int64_t from = 0;; from += n) {
    struct pg_window window;
    int fd = pg_window_open_file(&window, path);
    if (fd < 0) {
      pg_window_close(&window);
      return fd;
    }
    int64_t skip = from;
    while (skip > 0 && (n = pg_sys_read(fd, text, skip < (int64_t)sizeof text ? (size_t)skip : sizeof text)) > 0)
      skip -= n;
    if (skip == 0)
      n = pg_sys_read(fd, text, sizeof text);
    pg_window_close_file(&window, fd);
    while (n > 0 && text[n - 1] != ' ') /* the last number may be cut */
      n--;
    if (n <= 0)
      return n < 0 ? (int)n : found;
    const char *end = text + n;
    for (const char *at = text; at < end; at++) {
      int64_t pid = pg_parse_dec(&at);
      if (pid > 1 && pid < PG_PID_LIMIT)
        found += adopt_listed((pid_t)pid);
    }
  }
}

/* Nearly every process has no children here. If a child leaves the list while it is read, the kernel skips another one.
 * So the list is read until it has no new child. The first thread has the children that the exec has kept. */
PG_COLD void pg_child_adopt_all(void) {
  char path[64];
  struct pg_buf b;
  int found = 1;
  if (pg_filter_is_unread()) /* no descriptor is free: the next call looks again */
    return;
  for (int i = 0; pg_mode() != PG_MODE_OFF && pg_filter_can(PG_CAN_READ) && found > 0 && i < 32; i++) {
    pg_buf_init(&b, path, sizeof path);
    if (pg_filter_can(PG_CAN_PIDFD)) {
      pg_buf_str(&b, "/proc/self/task/");
      pg_buf_dec(&b, pg_sys_getpid());
    } else { /* the first thread cannot be named without a call that the program does not make */
      if (i == 0 && pg_proc_self_read().foreign)
        break;
      pg_buf_str(&b, "/proc/thread-self");
    }
    pg_buf_str(&b, "/children");
    found = read_children(path);
  }
  if (pg_is_scarce(found))
    return;
  if (found < 0)
    pg_degraded("adopt", 0, found, "older-children-not-protected");
  pg_flag_set(&pg_hot.adopted, 1);
}

/* ---- After a fork ---- */

struct pg_inherited pg_child_inherited(void) {
  return (struct pg_inherited){pg_number_entered(), atomic_load_explicit(&pg_probe_unreaped, memory_order_acquire)};
}

/* Every step has the same effect if it is repeated while another thread goes on with children of its own. Only the
 * counters may lose that thread's first ones. The last step says that nothing is due any more. */
void pg_child_settle(bool own_files, struct pg_inherited inherited) {
  pid_t unreaped = inherited.unreaped; /* a throw-away process of the parent */
  pg_flag_set(&pg_hot.forking, 0);
  pg_counters_reset();
  atomic_store_explicit(&pg_hot.inherited, inherited.entered.births, memory_order_relaxed);
  if (PG_UNLIKELY(unreaped))
    atomic_compare_exchange_strong_explicit(&pg_probe_unreaped, &unreaped, 0, memory_order_relaxed,
                                            memory_order_relaxed);
  if (!own_files) /* the parent shares the table: a close here would close the descriptor there, too */
    pg_held_take(0, UINT32_MAX);
  if (!pg_filter_can(PG_CAN_PIDFD)) { /* the process may not ask for its own PID, which may be among them */
    pg_number_clear(inherited.entered);
    pg_hot.pid = 0;
    return;
  }
  pid_t self = pg_sys_getpid();
  if (pg_is_first(self))
    pg_number_clear(inherited.entered);
  else
    pg_number_forget(self);                               /* the parent may have seen a process with this PID die */
  if (pg_held_any() && (pg_hot.pid != self || self == 1)) /* else a handler has settled this process */
    pg_held_inherited();
  pg_hot.pid = self;
  atomic_thread_fence(memory_order_release); /* before this process enters a child, see pg_is_guest_slow() */
}

/* The next number from fd on that may be a pidfd of the shim which no cell has. -1: there is none before so many unused
 * numbers. */
static int next_copy(int fd, int *unused) {
  for (; *unused < PG_LIFT_ROOM; fd++) {
    int flags = pg_sys_fcntl(fd, F_GETFD, 0);
    *unused += flags < 0;
    if (flags == FD_CLOEXEC && !pg_held_is_at(fd))
      return fd;
  }
  return -1;
}

/* Another thread of the parent may just have lifted its low number, and not yet have written the new one into a cell.
 * All numbers below the new one were in use. */
static void close_lifted(int low) {
  uint64_t ino;
  if (pg_reach_read_ino(low, &ino) < 0)
    return;
  for (int unused = 0, fd = pg_lift_from(PG_LIFT_HELD); (fd = next_copy(fd, &unused)) >= 0; fd++)
    if (fd != low && pg_reach_is(fd, ino))
      pg_sys_close(fd);
}

/* Another thread of the parent may just have opened a pidfd, and not yet have noted its number. A pidfd of the same
 * process tells which one it is. It got the lowest free number, and the program may have closed lower ones since. If
 * that process was reaped meanwhile, it is the pidfd whose process is gone. Before Linux 6.9 nothing else tells one
 * pidfd from another. */
static void close_opened(pid_t pid) {
  struct pg_window window;
  uint64_t ino = 0;
  pg_window_open(&window);
  int low = window.open ? pg_sys_pidfd_open(pid, 0) : -1;
  bool gone = low == -ESRCH;
  if (gone)
    low = pg_sys_pidfd_open(pg_sys_getpid(), 0);
  bool known = low >= 0 && (gone || (pg_reach_read_ino(low, &ino) == 0 && ino));
  for (int unused = 0, fd = 0; known && (fd = next_copy(fd, &unused)) >= 0; fd++)
    if (fd != low && pg_reach_is(fd, ino) && (!gone || pg_sys_pidfd_send_signal(fd, 0, NULL, 0) == -ESRCH)) {
      pg_sys_close(fd);
      break;
    }
  if (low >= 0)
    pg_sys_close(low);
  pg_window_close(&window);
}

static void note_ino(pg_id id, uint64_t ino, void *wanted) {
  (void)id;
  if (ino == *(uint64_t *)wanted)
    *(uint64_t *)wanted = 0;
}

/* Does the pidfd name a living child of the parent? */
static bool is_childs(int fd) {
  uint64_t ino;
  if (pg_reach_read_ino(fd, &ino) < 0 || !ino)
    return false;
  pg_number_each(note_ino, &ino);
  return !ino;
}

/* The fork took so long that other threads had more windows than are remembered. */
static PG_COLD void close_childs(void) {
  for (int unused = 0, fd = 0; (fd = next_copy(fd, &unused)) >= 0; fd++)
    if (is_childs(fd))
      pg_sys_close(fd);
}

/* The pidfds that other threads of the parent have opened during the fork, and were about to close or have kept. A
 * number that the program itself could have a pidfd on stays open. */
static PG_COLD void close_copies(int low, pid_t opens) {
  uint64_t ino;
  if (low >= 0)
    close_lifted(low); /* first: it reads what the low number names */
  if (opens > 1)
    close_opened(opens);
  if (pg_window_recent(PG_WINDOW_RECENT - 1, &ino) >= 0)
    close_childs();
  for (int i = 0; i < PG_WINDOW_RECENT; i++) {
    int fd = pg_window_recent(i, &ino);
    if (fd >= 0 && pg_sys_fcntl(fd, F_GETFD, 0) == FD_CLOEXEC && pg_reach_is(fd, ino))
      pg_sys_close(fd);
  }
}

PG_HOT void pg_child_forked(int flags) {
  bool own_files = !(flags & CLONE_FILES), due = pg_number_used() || pg_hot.pid;
  pg_self_marks = due ? PG_FORKED : 0;
  pg_self_forks++;
  pg_self_pid = 0;
  if (!pg_is_single_threaded()) {
    pg_filter_forked();
    pg_hazards_forked();
    int low = pg_window_low();
    pid_t opens = pg_window_opens();
    bool window_was_open = pg_window_forked();
    if (own_files && window_was_open && !pg_held_is_careful() && pg_filter_can(PG_CAN_PIDFD | PG_CAN_HOLD))
      close_copies(low, opens);
    if (own_files && pg_held_any()) /* later, because it opens windows of its own */
      pg_held_let_go(PG_HELD_FOR_ONE);
  }
  if (own_files) /* not earlier: it opens a window of its own */
    pg_log_forked();
  /* At once, too, if a thread that comes first would look like one of a guest. */
  if (due &&
      (!own_files || pg_flag(&pg_hot.other_namespace) || (flags & CLONE_NEWPID) || (pg_state() & PG_STATE_VM_SHARED))) {
    pg_self_marks = 0;
    pg_state_clear(PG_STATE_VM_SHARED);
    pg_child_settle(own_files, pg_child_inherited());
  }
}

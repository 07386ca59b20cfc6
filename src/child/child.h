/* SPDX-License-Identifier: MIT */
/* What the wrappers and the API do with children: track them, signal them, note their ends. Everything here is
 * async-signal-safe, allocates nothing, and returns -errno. Calls reach, held, number, runtime, kernel. */
#ifndef PG_CHILD_CHILD_H
#define PG_CHILD_CHILD_H

#include "child/held.h"
#include "child/number.h"
#include "kernel/sys.h"
#include "runtime/config.h"
#include "runtime/filter.h"

#include <signal.h>
#include <stddef.h>

#define PG_PASS 1  /* not a known child: do what libc does */
#define PG_AGAIN 2 /* nothing was done: go the long way */

/* Reads the environment and gets ready; idempotent, and safe at any time. Returns the mode. */
enum pg_mode pg_child_init(void);
extern _Atomic int pg_child_mode PG_HIDDEN; /* PG_MODE_UNREAD before pg_child_init() */
static inline enum pg_mode pg_mode(void) {
  int m = atomic_load_explicit(&pg_child_mode, memory_order_relaxed);
  if (PG_UNLIKELY(m == PG_MODE_UNREAD))
    return pg_child_init();
  return PG_UNLIKELY(pg_self_marks & PG_BARE) ? PG_MODE_OFF : (enum pg_mode)m;
}

/* Is the shim ready? Calls on descriptors do not make it ready. An allocator makes them while it starts, and before
 * glibc 2.34 dlsym() needs that allocator. Nothing of the shim is open by then. */
static inline bool pg_is_ready(void) {
  return PG_LIKELY(atomic_load_explicit(&pg_child_mode, memory_order_relaxed) != PG_MODE_UNREAD);
}

/* Once libc has an environment. It has none yet if a library's resolver makes the shim ready. */
void pg_child_environment(void);

/* ---- born.c: births, exec and fork ---- */

/* A child was born: called in the parent before the program learns its PID. errno is untouched. sibling: it was made
 * with CLONE_PARENT, so the kernel calls it a child of the parent. since: when its birth began, or 0. */
void pg_child_born(pid_t pid, const char *how, bool sibling, unsigned since);
/* Starts tracking a process that is the caller's child: 0, -ECHILD, -errno. */
int pg_child_adopt(pid_t pid);
/* Before the first call that has to do with processes: adopts the children that an exec has kept. */
void pg_child_adopt_all(void);
static inline void pg_child_look_back(void) {
  if (PG_UNLIKELY(!pg_flag(&pg_hot.adopted)))
    pg_child_adopt_all();
}
/* Children that are known by PID only, as a filter was in the way: by identity from now on. */
void pg_child_identify_all(void);

/* In the child, as the first thing after fork, or clone() with these flags; the rest is left to pg_child_settle() where
 * it can be. */
void pg_child_forked(int flags);
/* What a process has from its parent, read before it settles. What is entered later is its own. */
struct pg_inherited {
  struct pg_entered entered;
  pid_t unreaped;
};
struct pg_inherited pg_child_inherited(void);
/* What a forked child puts right before it uses the table; pg_is_guest() calls it. Each thread that finds it due does
 * all of it, as does a handler that interrupts the thread. Doing it twice does no harm. */
void pg_child_settle(bool own_files, struct pg_inherited inherited);

/* ---- gone.c: ends ---- */

/* A wait of the program has taken this child. births: pg_number_births() from before the wait. */
void pg_child_reaped(pid_t pid, uint32_t births);
/* A wait of the program has reported a process without reaping it: stopped, continued, or dead (WNOWAIT). */
void pg_child_told(pid_t pid);
/* A wait for this PID found no child. births: their count before the wait. */
void pg_child_denied(pid_t pid, uint32_t births);
/* The child was reaped, and no wait that the shim saw took it. Retires it. The new id, or 0. */
pg_id pg_child_found_gone(pg_id id);
/* A PID that the program knows though its child is gone, and that was never in the table. */
void pg_child_bury(pid_t pid, const char *how);
/* The last lines of the log. */
void pg_child_log_end(void);
/* Looks for children and groups that ended in silence. Called at each birth. */
void pg_child_collect(void);

/* ---- signal.c ---- */

struct pg_call {
  const char *name;   /* for the log: "kill" */
  const void *caller; /* return address */
};

/* kill() where nothing is out of the ordinary: 0 (a live child), PG_PASS (nothing is known of the PID), PG_AGAIN. */
static inline int pg_child_signal_quickly(pid_t pid, int sig) {
  struct pg_cell *cell = pg_cell_of(pid);
  pg_id id = atomic_load_explicit(&cell->id, memory_order_acquire);
  if (pg_id_pid(id) != pid || !pg_id_is_live(id)) {
    uint64_t ino;
    return PG_LIKELY(pid < PG_PID_LIMIT) && pg_flag(&pg_hot.adopted) && !pg_number_find(pid, &ino) ? PG_PASS : PG_AGAIN;
  }
  int fd = pg_cell_fd(cell);
  if (PG_UNLIKELY(fd < 0))
    return PG_AGAIN;
  struct pg_hazard hazard = pg_hazard_publish(fd);
  int r = PG_AGAIN;
  if (PG_LIKELY(hazard.at) && PG_LIKELY(atomic_load_explicit(&cell->id, memory_order_seq_cst) == id) &&
      PG_LIKELY(pg_cell_fd(cell) == fd) && PG_LIKELY(!(pg_state() & PG_STATE_FILTER))) /* see pg_hazards_end() */
    r = pg_sys_pidfd_send_signal(fd, sig, NULL, 0);
  pg_hazard_clear(hazard);
  if (PG_UNLIKELY(r != 0))
    return PG_AGAIN;
  /* Two threads in the same instant may count once: no locked instruction here. */
  _Atomic uint64_t *counter = &pg_hot.stripes[(uint32_t)pid % PG_HOT_STRIPES].signals;
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
  return 0;
}

/* A wait for this one child failed with ECHILD. If another wait had taken the child, that is logged. */
PG_COLD void pg_child_log_late_wait(pid_t pid, struct pg_call call);

/* PG_PASS, 0, or -errno. info NULL: as kill() does. */
int pg_child_signal(pid_t pid, int sig, const siginfo_t *info, struct pg_call call);
int pg_child_signal_group(pid_t pgid, int sig, struct pg_call call);
/* Signals the first thread of a tracked child through the child's pidfd. info NULL: as tgkill() does. True: done.
 * False: the caller checks the PID and signals by it. */
bool pg_child_signal_leader(pid_t pid, int sig, const siginfo_t *info, struct pg_call call);
/* 0, or -ESRCH if the PID is that of a child that is gone: counted and logged as a refusal. */
int pg_child_check(pid_t pid, struct pg_call call);
/* The same for the number of a process group: its leader was a child, and the group is empty for ever. pre: above 1. */
int pg_child_check_group(pid_t pgid, struct pg_call call);

/* ---- pidfd.c ---- */

/* A pidfd of a tracked child, on the lowest free number: -ESRCH (gone), PG_PASS (nothing is known), -errno. */
int pg_child_pidfd(pid_t pid);
int pg_child_forget(pid_t pid);

#endif

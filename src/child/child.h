/* What the interposers and the API do with children: track them, signal them, wait for them. Everything here is
 * async-signal-safe, takes no lock, allocates nothing, and returns -errno. Calls table, descriptor, runtime, kernel. */
#ifndef PG_CHILD_CHILD_H
#define PG_CHILD_CHILD_H

#include "child/table.h"
#include "kernel/sys.h"
#include "runtime/config.h"

#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define PG_PASS 1 /* "this is none of our business: do what libc does" */

/* Reads the environment and gets ready; idempotent, and safe at any time. Returns the mode. */
enum pg_mode pg_child_init(void);
extern _Atomic int pg_child_mode PG_HIDDEN; /* PG_MODE_UNREAD before pg_child_init() */
static inline enum pg_mode pg_mode(void) {
  int m = atomic_load_explicit(&pg_child_mode, memory_order_relaxed);
  return PG_UNLIKELY(m == PG_MODE_UNREAD) ? pg_child_init() : (enum pg_mode)m;
}

/* ---- track.c ---- */

/* A child was born: called in the parent before the program learns its number. pidfd: one that names the child for
 * certain (CLONE_PIDFD), which is closed, or -1. errno is untouched. */
void pg_child_born(pid_t pid, int pidfd, const char *how);
/* The process just born is a sibling (CLONE_PARENT): tracked, but the kernel never calls it our child. */
void pg_child_is_sibling(pid_t pid);
/* In the child, as the first thing after fork, or clone() with these flags; the rest is left to pg_child_settle() where it
 * can be. */
void pg_child_forked(int flags);
/* What a process has from its parent, as read while it was still due to be put right: what is entered later is its own. */
struct pg_inherited {
  struct pg_entered entered;
  pid_t unreaped;
};
struct pg_inherited pg_child_inherited(void);
/* What a forked child has to put right before it uses the table: called by pg_is_guest(). Each thread that finds it due does
 * all of it before it goes on, as does a handler that interrupts it; twice, or late, is as good as once. */
void pg_child_settle(bool own_files, struct pg_inherited inherited);
/* A wait of the program has taken this child. births: pg_table_births() from before the wait. */
void pg_child_reaped(pid_t pid, uint32_t births);
/* A wait of the program has told of somebody and left him there: stopped, going on again, or dead (WNOWAIT). */
void pg_child_told(pid_t pid);
/* A duplicate of a tracked child's pidfd, on the lowest free number, or -ESRCH (retired or unknown), -errno. */
int pg_child_pidfd(pid_t pid);
/* Starts tracking a process that is the caller's child: 0, -ECHILD, -errno. */
int pg_child_adopt(pid_t pid);
/* Children that are known by number only, as a filter was in the way: by pidfd from now on. */
void pg_child_identify_all(void);
/* Adopts all children of this thread: at the start, those that an exec has kept. */
void pg_child_adopt_all(void);
/* Is the number at this moment that of a child of the caller's, or of somebody whom it traces? 0, or -ECHILD; any other
 * error is no answer. */
int pg_child_ask(pid_t pid);
/* A child of ours that is a number only (nothing can be opened, or there are no identities): does the kernel deny that
 * it is our child? Then it died without a wait that we saw. */
bool pg_child_is_lost(struct pg_record *rec);
/* Retires a held record whose process was found to be reaped. */
void pg_child_retire(struct pg_record *rec, const char *how);

/* ---- signal.c ---- */

struct pg_call {
  const char *name;   /* for the log: "kill" */
  const void *caller; /* return address */
};

#define PG_AGAIN 2 /* nothing was done: go the long way */

/* kill() where nothing is out of the ordinary: 0 (a live child), PG_PASS (a number that means nothing), PG_AGAIN.
 * *ret_held, which must be NULL before: a record whose hold is still to be dropped. */
static inline int pg_child_signal_quickly(pid_t pid, int sig, struct pg_record **ret_held) {
  struct pg_hold hold = {NULL, 0};
  pg_slot *slot;
  uint32_t value = pg_table_value(pid, &slot);
  if (!value)
    return PG_PASS;
  if (!pg_table_hold_quickly(pid, slot, value, &hold)) {
    *ret_held = hold.rec;
    return PG_AGAIN;
  }
  int r = pg_sys_pidfd_send_signal(pg_word_fd(hold.word), sig, NULL, 0);
  _Atomic uint64_t *counter = &pg_hot.stripes[(uint32_t)pid % PG_HOT_STRIPES].signals;
  if (PG_LIKELY(r == 0)) /* two threads in the same instant may count once: no locked instruction here */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
  if (!pg_table_drop_quickly(hold))
    *ret_held = hold.rec;
  return PG_LIKELY(r == 0) ? 0 : PG_AGAIN;
}

/* A wait for this one child was answered by ECHILD: if it is one that somebody else had taken, that is logged. */
PG_COLD void pg_child_log_late_wait(pid_t pid, struct pg_call call);

/* PG_PASS, 0, or -errno. info NULL: as kill() does. */
int pg_child_signal(pid_t pid, int sig, const siginfo_t *info, struct pg_call call);
int pg_child_signal_group(pid_t pgid, int sig, struct pg_call call);

/* Is the number that of a child that is gone? PG_PASS (unknown), 0 (it is there), or -ESRCH, counted and logged as a
 * refusal. */
int pg_child_check(pid_t pid, struct pg_call call);
int pg_child_check_as_guest(pid_t pid, struct pg_call call);
/* To the first thread of a tracked child, which the child's pidfd names. True: it is done; else it is for the number, after
 * a check. */
bool pg_child_signal_leader(pid_t pid, int sig, struct pg_call call);

/* ---- wait.c ---- */

/* waitid() for one tracked child: PG_PASS, 0, or -errno. options as for waitid; info must not be NULL. It is a
 * cancellation point if it is to be one and has no WNOHANG. */
int pg_child_wait(pid_t pid, siginfo_t *info, int options, struct rusage *ru, bool cancellable);

/* Puts into the usage what waitid() overwrites. */
static inline void pg_usage_mark(struct rusage *ru) { ru->ru_utime.tv_sec = -1; }
static inline bool pg_usage_is_marked(const struct rusage *ru) { return ru->ru_utime.tv_sec == -1; }

/* True: nothing has happened to this live child. False where something has, or it can not be told so simply. The kernel
 * writes the usage only where there is something to tell, and without a siginfo this call is as fast as wait4, which
 * with one it is not. (An emulator may pass no usage on, so it must have been seen to work: see pg_child_wait().) As the
 * call changes nothing it needs no hold: it counts if all is afterwards as it was before. */
static inline bool pg_child_is_unchanged(pid_t pid, int options) {
  pg_slot *slot;
  uint32_t value = pg_table_value(pid, &slot);
  if (!value || (value & PG_MARK_RETIRED) || atomic_load_explicit(&pg_hot.usage_tells, memory_order_relaxed) <= 0)
    return false;
  struct pg_record *rec = pg_record_at(value);
  uint64_t w = pg_record_word(rec);
  if (!(w & PG_RECORD_LIVE) || pg_word_fd(w) < 0)
    return false;
  struct rusage usage;
  pg_usage_mark(&usage);
  int r = pg_sys_waitid(PG_P_PIDFD, (id_t)pg_word_fd(w), NULL, options | WNOHANG | WNOWAIT, &usage);
  return PG_LIKELY(r == 0) && PG_LIKELY(pg_usage_is_marked(&usage)) && PG_LIKELY(pg_record_word(rec) == w) &&
         PG_LIKELY(atomic_load_explicit(slot, memory_order_acquire) == value) && PG_LIKELY(pg_record_pid(rec) == pid);
}

#endif

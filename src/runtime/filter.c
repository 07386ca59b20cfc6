/* SPDX-License-Identifier: MIT */
#include "runtime/filter.h"

#include "kernel/bpf.h"
#include "kernel/sys.h"
#include "runtime/hot.h"
#include "runtime/probe.h"
#include "runtime/proc_self.h"

#include <signal.h>
#include <sys/wait.h>

_Atomic int pg_filter_cans;

/* The program is installing a filter right now. This is what was allowed before, to be restored if it fails. */
static _Atomic int before;
/* What all filters let pass that the program has installed. They never go away. */
static _Atomic int let_pass_by_all = -1;

static bool is_all(int cans) { return (cans & PG_CAN_ALL) == PG_CAN_ALL; }

/* Unless another thread or a handler has begun with a filter since `from` was read. Then that filter counts. */
static void cans_become(int from, int cans) {
  int to = cans | PG_CAN_KNOWN;
  if (!is_all(cans))
    pg_state_set(PG_STATE_FILTER);
  if (!atomic_compare_exchange_strong(&pg_filter_cans, &from, to) || !is_all(cans))
    return;
  pg_state_clear(PG_STATE_FILTER);
  if (!is_all(atomic_load(&pg_filter_cans)))
    pg_state_set(PG_STATE_FILTER);
}

/* A filter from before the exec allows what the loader itself has done: open, read and close files, and map memory. */
static void read_state(int cans) {
  int seccomp = pg_proc_self_read().seccomp;
  if (seccomp == 0) {
    cans_become(cans, PG_CAN_WITHOUT_FILTER);
  } else if (seccomp == 1) {
    cans_become(cans, 0);
  } else { /* a filter, or unknown */
    int unread = seccomp == PG_PROC_SCARCE ? PG_CAN_UNREAD : 0;
    pg_probe_prepare();
    cans_become(cans, PG_CAN_READ | PG_CAN_MAP | PG_CAN_UNTRIED | PG_CAN_LOGS | unread);
  }
}

PG_COLD bool pg_filter_look(int needed) {
  int cans = atomic_load_explicit(&pg_filter_cans, memory_order_relaxed);
  if (!(cans & PG_CAN_KNOWN))
    read_state(cans);
  return (atomic_load_explicit(&pg_filter_cans, memory_order_relaxed) & needed) == needed;
}

/* One thread at a time finds out; other threads go on by PID. A handler in that thread may come here, too, and so may
 * the thread itself after a handler has jumped out. */
static _Atomic int finding;
static PG_TLS int finds;

PG_COLD bool pg_filter_find_out(enum pg_birth birth, pid_t pid) {
  if (!pg_filter_is_untried() || (atomic_exchange_explicit(&finding, 1, memory_order_acquire) && !finds))
    return pg_filter_can(PG_CAN_PIDFD);
  finds = 1;
  pg_filter_is_unread();
  int cans = atomic_load_explicit(&pg_filter_cans, memory_order_relaxed);
  int survived = cans & PG_CAN_UNTRIED ? pg_probe(birth, pid) : -1;
  if (survived >= 0) {
    if (!(survived & PG_CAN_ASK)) /* a filter that refuses kill must not be bypassed */
      survived &= ~PG_CAN_KILL;
    cans_become(cans, survived | PG_CAN_READ | PG_CAN_MAP | PG_CAN_LOGS);
  }
  finds = 0;
  atomic_store_explicit(&finding, 0, memory_order_release);
  return pg_filter_can(PG_CAN_PIDFD);
}

PG_COLD bool pg_filter_is_unread(void) {
  int cans = atomic_load_explicit(&pg_filter_cans, memory_order_relaxed);
  if (cans & PG_CAN_UNREAD)
    read_state(cans);
  return atomic_load_explicit(&pg_filter_cans, memory_order_relaxed) & PG_CAN_UNREAD;
}

PG_COLD bool pg_filter_is_untried(void) {
  return atomic_load_explicit(&pg_filter_cans, memory_order_relaxed) & PG_CAN_UNTRIED;
}

/* ---- Filters of the program's own ---- */

#ifdef __LP64__
#define STAT SYS_fstat
#else
#define STAT SYS_statx
#endif
#ifdef SYS_mmap2
#define MMAP SYS_mmap2
#else
#define MMAP SYS_mmap
#endif

static const struct {
  int group;
  struct pg_bpf_call call;
} needed[] = {
    {PG_CAN_PIDFD, {SYS_rt_sigprocmask, 0, {0}}},
    {PG_CAN_PIDFD, {SYS_pidfd_open, 2, {0, 0}}},
    {PG_CAN_PIDFD, {SYS_pidfd_send_signal, 0, {0}}},
    {PG_CAN_CHILD, {SYS_waitid, 1, {PG_P_PIDFD}}},
    {PG_CAN_CHILD, {SYS_waitid, 1, {P_PID}}},
    {PG_CAN_PIDFD, {STAT, 0, {0}}},
    {PG_CAN_PIDFD, {SYS_fstatfs, 0, {0}}},
    {PG_CAN_PIDFD, {SYS_close, 0, {0}}},
    {PG_CAN_PIDFD, {SYS_getpid, 0, {0}}},
    {PG_CAN_PIDFD, {SYS_gettid, 0, {0}}},
    {PG_CAN_PIDFD, {SYS_sched_yield, 0, {0}}},
    {PG_CAN_HOLD, {SYS_fcntl, 2, {0, F_DUPFD_CLOEXEC}}},
    {PG_CAN_HOLD, {SYS_fcntl, 2, {0, F_GETFD}}},
    {PG_CAN_HOLD, {SYS_prlimit64, 7, {0, RLIMIT_NOFILE, 0}}},
    {PG_CAN_ASK, {SYS_kill, 2, {0, 0}}},
    {PG_CAN_THREAD, {SYS_tgkill, 4, {0, 0, 0}}},
    {PG_CAN_PARENT, {SYS_getppid, 0, {0}}},
    {PG_CAN_ACTION, {SYS_rt_sigaction, 3, {SIGCHLD, 0}}},
    {PG_CAN_READ, {PG_SYS_OPEN, 0, {0}}},
    {PG_CAN_READ, {SYS_read, 0, {0}}},
    {PG_CAN_READ, {SYS_close, 0, {0}}},
    {PG_CAN_MAP, {MMAP, 12, {0, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}}},
    {PG_CAN_MAP, {SYS_munmap, 0, {0}}},
    {PG_CAN_LOG, {SYS_getpid, 0, {0}}},
    {PG_CAN_LOG, {SYS_gettid, 0, {0}}},
    {PG_CAN_LOG, {PG_SYS_CLOCK, 0, {0}}},
    {PG_CAN_LOG, {STAT, 0, {0}}}, /* the descriptor may be the program's by now */
    {PG_CAN_LOG, {PG_SYS_PPOLL, 0, {0}}},
    {PG_CAN_LOG, {SYS_rt_sigprocmask, 0, {0}}},
    {PG_CAN_LOG, {SYS_rt_sigpending, 0, {0}}},
    {PG_CAN_LOG, {SYS_rt_sigtimedwait, 0, {0}}},
    {PG_CAN_LOG, {SYS_write, 0, {0}}},
    {PG_CAN_LOG_FILE, {PG_SYS_OPEN, 0, {0}}},
    {PG_CAN_LOG_FILE, {SYS_openat, 0, {0}}},
    {PG_CAN_LOG_FILE, {SYS_close, 0, {0}}},
    {PG_CAN_LOG_FILE, {SYS_fcntl, 2, {0, F_DUPFD_CLOEXEC}}},
    {PG_CAN_LOG_FILE, {SYS_prlimit64, 7, {0, RLIMIT_NOFILE, 0}}},
    {PG_CAN_LOG_FILE, {PG_SYS_GETEUID, 0, {0}}},
    {PG_CAN_LOG_FILE, {PG_SYS_GETEGID, 0, {0}}},
};

/* Calls of the program that the shim replaces by another one. A filter that refuses them must not be bypassed. */
static const struct {
  int group;
  struct pg_bpf_call call;
} replaced[] = {
    {PG_CAN_KILL, {SYS_kill, 0, {0}}},
    {PG_CAN_SEND, {SYS_rt_sigqueueinfo, 0, {0}}},
    {PG_CAN_SEND, {SYS_tkill, 0, {0}}},
    {PG_CAN_SEND, {SYS_tgkill, 0, {0}}},
};

static _Atomic int looking;

static int let_pass(const struct pg_bpf_program *program) {
  static struct pg_bpf_room room;
  int cans = PG_CAN_ALL | PG_CAN_SEND | PG_CAN_ACTION | PG_CAN_LOGS;
  if (atomic_exchange_explicit(&looking, 1, memory_order_acquire)) /* a handler has interrupted this look, and installs
                                                                      a filter itself */
    return 0;
  for (size_t i = 0; i < PG_ARRAY_LEN(needed); i++)
    if ((cans & needed[i].group) && !pg_bpf_lets_pass(program, &needed[i].call, true, &room))
      cans &= ~needed[i].group;
  for (size_t i = 0; i < PG_ARRAY_LEN(replaced); i++)
    if ((cans & replaced[i].group) && !pg_bpf_lets_pass(program, &replaced[i].call, false, &room))
      cans &= ~replaced[i].group;
  atomic_store_explicit(&looking, 0, memory_order_release);
  return cans;
}

/* Nothing may be called while another thread installs a filter, so this thread turns round. It does not wait for itself
 * (a handler), and not for ever: the other thread may have jumped out. */
static _Atomic int installing;
static PG_TLS int installs;
static _Atomic int coming; /* a filter is installed for all threads */

PG_COLD void pg_filter_turn(void) {
  enum { TURNS = 1 << 26 };
  if (installs++)
    return;
  for (int i = 0; i < TURNS && atomic_exchange_explicit(&installing, 1, memory_order_acquire); i++) {
  }
}

/* A filter from before the exec is looked at first. A child that is born meanwhile stays known by PID. */
PG_COLD void pg_filter_comes(bool for_all) {
  pg_filter_look(0);
  atomic_store_explicit(&coming, for_all, memory_order_release);
  pg_state_set(PG_STATE_FILTER);
  int cans = atomic_exchange_explicit(&pg_filter_cans, PG_CAN_KNOWN, memory_order_relaxed);
  if (cans != PG_CAN_KNOWN) /* else a handler has been here, or nothing was allowed */
    atomic_store_explicit(&before, cans, memory_order_relaxed);
}

static void publish(void) {
  int all;
  do {
    all = atomic_load_explicit(&let_pass_by_all, memory_order_relaxed);
    cans_become(PG_CAN_KNOWN, atomic_load_explicit(&before, memory_order_relaxed) & all);
  } while (all != atomic_load_explicit(&let_pass_by_all, memory_order_relaxed));
  atomic_store_explicit(&before, 0, memory_order_relaxed);
  atomic_store_explicit(&coming, 0, memory_order_release);
}

/* With an own filter the one from before is not tried any more: a throw-away process could hang in the new one. Within
 * a handler nothing is allowed again: the interrupted frame is about to do that. */
PG_COLD void pg_filter_came(bool installed, const void *program) {
  if (installed)
    atomic_fetch_and_explicit(&let_pass_by_all, program ? let_pass(program) : 0, memory_order_relaxed);
  if (installs == 1)
    publish();
  if (--installs == 0)
    atomic_store_explicit(&installing, 0, memory_order_release);
}

/* Another thread of the parent may have been in one of these functions. This process has its filter only if that was
 * for all threads. The program of that filter may be gone from the memory, so nothing is allowed then. */
PG_COLD void pg_filter_forked(void) {
  if (!finds)
    atomic_store_explicit(&finding, 0, memory_order_relaxed);
  if (installs || !atomic_load_explicit(&installing, memory_order_relaxed))
    return;
  atomic_store_explicit(&looking, 0, memory_order_relaxed);
  if (atomic_load_explicit(&pg_filter_cans, memory_order_relaxed) == PG_CAN_KNOWN) {
    installs = 1;
    pg_filter_came(atomic_load_explicit(&coming, memory_order_relaxed), NULL);
  }
  atomic_store_explicit(&installing, 0, memory_order_relaxed);
}

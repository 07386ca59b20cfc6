/* SPDX-License-Identifier: MIT */
/* Which argument of a call is a PID, or the number of a process group. The wrappers and syscall() use this one table.
 * tests/checks/manual.sh compares the manual page with it.
 *
 * A stale PID is replaced by one that no process can have, and then the call is made. So the kernel itself returns its
 * own errors, in its own order. */
#ifndef PG_PRELOAD_NUMBERS_H
#define PG_PRELOAD_NUMBERS_H

#include "preload/border.h"

#include "child/number.h"
#include "child/self.h"

#include <limits.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

enum pg_number {
  PG_NUMBER_NONE,
  PG_NUMBER_PID,
  PG_NUMBER_GROUP,
  PG_NUMBER_EITHER, /* positive: a process, below -1: a group */
  /* the second int at this address is a PID, read after the kernel has read it, and if there is a next argument */
  PG_NUMBER_HEADER,
};

struct pg_place {
  uint8_t kind, arg; /* arguments are counted from 0 */
  struct {           /* it is one if another argument, masked, has this value */
    uint32_t mask, value;
    uint8_t arg;
  } when[2];
};

/* clang-format off */
#define PG_AT(kind, arg) {PG_NUMBER_##kind, arg, {{0, 0, 0}, {0, 0, 0}}}
/* If argument i is v; if also argument j is w; if argument i has none of the bits. */
#define PG_AT_IF(kind, arg, i, v) {PG_NUMBER_##kind, arg, {{~0u, v, i}, {0, 0, 0}}}
#define PG_AT_IF_BOTH(kind, arg, i, v, j, w) {PG_NUMBER_##kind, arg, {{~0u, v, i}, {~0u, w, j}}}
#define PG_AT_UNLESS(kind, arg, i, bits) {PG_NUMBER_##kind, arg, {{bits, 0, i}, {0, 0, 0}}}
/* clang-format on */
#define PG_PLACES 4 /* at most */

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62 /* 5.14; the fourth argument tells the kind of the third: thread, process, group */
#endif
#define PG_PERF_FLAG_PID_CGROUP 4

/* X(name, places): calls of the kernel. Functions of libc with the same name have the same arguments. */
#define PG_NUMBERS(X)                                                                                                  \
  X(kill, PG_AT(EITHER, 0))                                                                                            \
  X(tkill, PG_AT(PID, 0))                                                                                              \
  X(tgkill, PG_AT(PID, 0))                                                                                             \
  X(rt_sigqueueinfo, PG_AT(PID, 0))                                                                                    \
  X(rt_tgsigqueueinfo, PG_AT(PID, 0))                                                                                  \
  X(wait4, PG_AT(EITHER, 0))                                                                                           \
  X(waitid, PG_AT_IF(PID, 1, 0, P_PID), PG_AT_IF(GROUP, 1, 0, P_PGID))                                                 \
  X(pidfd_open, PG_AT(PID, 0))                                                                                         \
  X(setpgid, PG_AT(PID, 0), PG_AT(GROUP, 1))                                                                           \
  X(getpgid, PG_AT(PID, 0))                                                                                            \
  X(getsid, PG_AT(PID, 0))                                                                                             \
  X(setpriority, PG_AT_IF(PID, 1, 0, PRIO_PROCESS), PG_AT_IF(GROUP, 1, 0, PRIO_PGRP))                                  \
  X(getpriority, PG_AT_IF(PID, 1, 0, PRIO_PROCESS), PG_AT_IF(GROUP, 1, 0, PRIO_PGRP))                                  \
  X(ioprio_set, PG_AT_IF(PID, 1, 0, 1), PG_AT_IF(GROUP, 1, 0, 2)) /* IOPRIO_WHO_PROCESS, _PGRP */                      \
  X(ioprio_get, PG_AT_IF(PID, 1, 0, 1), PG_AT_IF(GROUP, 1, 0, 2))                                                      \
  X(sched_setscheduler, PG_AT(PID, 0))                                                                                 \
  X(sched_getscheduler, PG_AT(PID, 0))                                                                                 \
  X(sched_setparam, PG_AT(PID, 0))                                                                                     \
  X(sched_getparam, PG_AT(PID, 0))                                                                                     \
  X(sched_setaffinity, PG_AT(PID, 0))                                                                                  \
  X(sched_getaffinity, PG_AT(PID, 0))                                                                                  \
  X(sched_setattr, PG_AT(PID, 0))                                                                                      \
  X(sched_getattr, PG_AT(PID, 0))                                                                                      \
  X(sched_rr_get_interval, PG_AT(PID, 0))                                                                              \
  X(prlimit64, PG_AT(PID, 0)) /* of libc: prlimit as well */                                                           \
  X(ptrace, PG_AT_IF(PID, 1, 0, PTRACE_ATTACH), PG_AT_IF(PID, 1, 0, PTRACE_SEIZE))                                     \
  X(process_vm_readv, PG_AT(PID, 0))                                                                                   \
  X(process_vm_writev, PG_AT(PID, 0))                                                                                  \
  X(kcmp, PG_AT(PID, 0), PG_AT(PID, 1))                                                                                \
  X(perf_event_open, PG_AT_UNLESS(PID, 1, 4, PG_PERF_FLAG_PID_CGROUP))                                                 \
  X(migrate_pages, PG_AT(PID, 0))                                                                                      \
  X(move_pages, PG_AT(PID, 0))                                                                                         \
  X(get_robust_list, PG_AT(PID, 0))                                                                                    \
  X(capget, PG_AT(HEADER, 0))                                                                                          \
  X(prctl, PG_AT_IF(PID, 1, 0, PR_SET_PTRACER), PG_AT_IF_BOTH(PID, 2, 0, PR_SCHED_CORE, 3, 0),                         \
    PG_AT_IF_BOTH(PID, 2, 0, PR_SCHED_CORE, 3, 1), PG_AT_IF_BOTH(GROUP, 2, 0, PR_SCHED_CORE, 3, 2))

/* The same for functions that only libc has. posix_spawn and its variants are missing here: their attributes contain
 * the group (preload/spawn.c). */
#define PG_NUMBERS_LIBC(X)                                                                                             \
  X(killpg, PG_AT(GROUP, 0))                                                                                           \
  X(sigqueue, PG_AT(PID, 0))                                                                                           \
  X(waitpid, PG_AT(EITHER, 0))                                                                                         \
  X(tcsetpgrp, PG_AT(GROUP, 1))                                                                                        \
  X(clock_getcpuclockid, PG_AT(PID, 0))

enum pg_row {
#define X(name, ...) PG_ROW_##name,
  PG_NUMBERS(X) PG_NUMBERS_LIBC(X)
#undef X
};

static const struct pg_place pg_places[][PG_PLACES] = {
#define X(name, ...) [PG_ROW_##name] = {__VA_ARGS__},
    PG_NUMBERS(X) PG_NUMBERS_LIBC(X)
#undef X
};

/* A number that no process, thread or group can have: the kernel's are lower (PID_MAX_LIMIT,
 * include/linux/threads.h). */
#define PG_NOBODY PG_PID_LIMIT

static inline bool pg_place_holds(const struct pg_place *place, const long *args) {
  for (int i = 0; i < 2; i++)
    if (((uint32_t)args[place->when[i].arg] & place->when[i].mask) != place->when[i].value)
      return false;
  return true;
}

/* 0, or the result of a call with this number: -ESRCH. */
static inline int pg_number_check(enum pg_number kind, pid_t number, struct pg_call call) {
  if (kind == PG_NUMBER_GROUP)
    return number > 1 ? pg_child_check_group(number, call) : 0;
  if (kind == PG_NUMBER_EITHER && number < -1 && number != INT_MIN)
    return pg_child_check_group(-number, call);
  return number > 0 && !(pg_self_marks & PG_BARE) && !pg_is_own_pid(number) ? pg_child_check(number, call) : 0;
}

/* Before the call: replaces stale numbers among its arguments. The compiler folds this into a few comparisons if the
 * row is a constant. pre: `args` has every argument that the row names. */
static inline void pg_numbers_replace(enum pg_row row, long *args, struct pg_call call) {
  for (int i = 0; i < PG_PLACES; i++) {
    const struct pg_place *place = &pg_places[row][i];
    if (place->kind == PG_NUMBER_NONE || place->kind == PG_NUMBER_HEADER || !pg_place_holds(place, args))
      continue;
    pid_t number = (pid_t)args[place->arg];
    /* the leader of a new group */
    bool new_group = row == PG_ROW_setpgid && place->kind == PG_NUMBER_GROUP && number == (pid_t)args[0];
    if (!new_group && PG_UNLIKELY(pg_number_check((enum pg_number)place->kind, number, call) < 0))
      args[place->arg] = number < 0 ? -PG_NOBODY : PG_NOBODY;
  }
}

/* After the call: what the wrapper returns. `result` is what the kernel returned. */
static inline long pg_numbers_after(enum pg_row row, const long *args, long result, struct pg_call call) {
  if (pg_places[row][0].kind == PG_NUMBER_HEADER && result == 0 && args[pg_places[row][0].arg + 1]) {
    int refused = pg_number_check(PG_NUMBER_PID, ((const int *)args[pg_places[row][0].arg])[1], call);
    return refused < 0 ? refused : result;
  }
  return result;
}

#endif

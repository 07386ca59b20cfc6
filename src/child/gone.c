/* SPDX-License-Identifier: MIT */
/* How children end: waits that reap them, and ends that no wait reported. */
#include "child/child.h"

#include "child/family.h"
#include "child/reach.h"
#include "runtime/gone.h"
#include "runtime/log.h"
#include "runtime/window.h"

static inline void told(const char *event, pid_t pid, const char *how) {
  if (pg_log_on(PG_LOG_WARN)) /* a later refusal logs it */
    pg_gone_note(pid, how);
  if (pg_log_on(PG_LOG_INFO))
    pg_log_child(event, pid, how);
}

/* May the group of a leader that was just reaped still have members? A yes can be wrong: another process may have the
 * PID by now, and lead a group of its own. The check before a signal notices that. */
static bool group_may_live(pid_t pid) {
  return !pg_filter_can(PG_CAN_ASK) || (pid > 1 && pg_sys_kill(-pid, 0) != -ESRCH);
}

/* how: for the log. The new id, or 0. */
static pg_id retire(pg_id id, const char *how) {
  pid_t pid = pg_id_pid(id);
  pg_id gone = pg_number_retire(id, group_may_live(pid));
  if (!gone)
    return 0;
  pg_held_retire(id, gone);
  pg_family_retired(pid);
  told("reap", pid, how);
  return gone;
}

pg_id pg_child_found_gone(pg_id id) {
  pg_id gone = retire(id, "silent");
  if (gone && pg_reach_is_own(id)) /* a sibling counts in its parent */
    pg_count(silent);
  return gone;
}

/* Births also enter their PID in a window, where pidfds are allowed. So one PID never has two entries. */
void pg_child_bury(pid_t pid, const char *how) {
  bool group = group_may_live(pid);
  struct pg_window window;
  bool can = pg_filter_can(PG_CAN_PIDFD);
  if (can)
    pg_window_open(&window);
  pg_number_bury(pid, group);
  if (can)
    pg_window_close(&window);
  pg_family_retired(pid);
  told("born-dead", pid, how);
}

/* If the file cannot be read, a tracer is refused the PID of a zombie, which does no harm. A yes could hit a stranger.
 */
static bool is_zombie(pid_t pid) {
  struct pg_process_stat stat;
  return pg_reach_read_stat(pid, &stat) && stat.state == 'Z';
}

/* A child that the shim never saw. It was made inside libc, by a raw system call, or before an exec, or it is an
 * adopted orphan. Its PID is as stale as any. Meanwhile the kernel may have given the PID to a stranger, or to a child
 * of another thread, which will enter it. A tracer learns of an end before the parent, and the child keeps its PID
 * until the parent waits. */
static void unseen_reaped(pid_t pid) {
  if (!pg_filter_can(PG_CAN_PIDFD | PG_CAN_ASK) || pg_sys_kill(pid, 0) == -ESRCH ||
      (pg_reach_ask(pid) == -ECHILD && !is_zombie(pid)))
    pg_child_bury(pid, "reaped");
}

/* A filter forbids to ask whose the PID is. Then the wait's word counts, unless a process has the PID again. */
static bool has_left(pid_t pid) {
  return pg_reach_ask(pid) != 0 && (!pg_filter_can(PG_CAN_ASK) || pg_sys_kill(pid, 0) == -ESRCH);
}

void pg_child_reaped(pid_t pid, uint32_t births) {
  uint64_t ino;
  pg_count(reaped);
  pg_id id = pg_number_find(pid, &ino);
  if (!pg_id_is_live(id)) {
    unseen_reaped(pid);
    id = pg_number_find(pid, &ino); /* another thread may have entered the newborn meanwhile */
    if (PG_LIKELY(!pg_id_is_live(id)))
      return;
  }
  /* An own child that was entered before the wait began is the one that the wait reaped. This holds also while a call
   * that forks is under way. A tracer also learns of a sibling's end. And by now another thread may have made a new
   * child with that PID. */
  bool own = pg_reach_is_entered(id);
  bool dead = own && !pg_stamp_after(pg_id_stamp(id), births);
  if (!dead && pg_filter_can(PG_CAN_PIDFD))
    dead = pg_reach_is_gone(id, ino, false);
  if (dead || (own && has_left(pid)))
    retire(id, "wait");
}

/* If a wait reports a retired PID, the process belongs to the program: an adopted orphan, or a tracee. By now another
 * thread may have reaped that process, too, and a stranger may have the PID. So the kernel is asked once more, after
 * the look at the entry. A later retirement replaces that entry. */
void pg_child_told(pid_t pid) {
  uint64_t ino;
  pg_id id = pg_number_find(pid, &ino);
  if (PG_UNLIKELY(pg_id_state(id) >= PG_GONE) && pg_filter_can(PG_CAN_PIDFD) && pg_reach_ask(pid) == 0) {
    pg_number_forget_id(id);
    pg_family_born(pid);
  }
}

/* ---- Ends in silence ---- */

/* If the kernel answers that the PID is no child, an own child has ended. A sibling needs a look, as does any child
 * with an identity. The program may have forked by an instruction of its own. Then what the table calls an own child is
 * a sibling. */
static bool has_ended(pg_id id, uint64_t ino) {
  return pg_reach_ask(pg_id_pid(id)) == -ECHILD && ((!ino && pg_reach_is_own(id)) || pg_reach_is_gone(id, ino, false));
}

/* Without waitid() the shim looks for the PID. The kernel gives it back a moment after the wait has answered. In a
 * virtual machine that may take milliseconds. As many are spent if a wait leaves out a living child. */
static bool has_vanished(pid_t pid) {
  int most = pg_filter_can(PG_CAN_CHILD) ? 1 : 10000;
  for (int tries = 0; pg_filter_can(PG_CAN_ASK) && tries < most; tries = pg_window_pause(tries))
    if (pg_sys_kill(pid, 0) == -ESRCH)
      return true;
  return false;
}

/* Before Linux 6.9 this cannot be found out later: a child that libc makes inside itself may get the PID. */
void pg_child_denied(pid_t pid, uint32_t births) {
  uint64_t ino;
  pg_id id = pid > 0 ? pg_number_find(pid, &ino) : 0;
  if (pg_id_is_live(id) && !pg_stamp_after(pg_id_stamp(id), births) && (has_ended(id, ino) || has_vanished(pid)))
    pg_child_found_gone(id);
}

/* Children can end without a wait that the shim sees (SIGCHLD ignored, SA_NOCLDWAIT, a raw wait). Every fourth birth
 * looks at one child, and goes on while it finds dead ones. So in the long run no more entries are dead than alive. It
 * looks at one group, too. */
void pg_child_collect(void) {
  const struct pg_signal probe = {0, NULL, PG_PIDFD_SIGNAL_PROCESS_GROUP};
  uint64_t ino;
  pg_id id;
  if (pg_number_births() % 4 || !pg_filter_can(PG_CAN_PIDFD | PG_CAN_ASK))
    return;
  for (int i = 0; i < 16 && (id = pg_number_next_live(64, &ino)) && has_ended(id, ino); i++)
    pg_child_found_gone(id);
  if (pg_held_any() && (id = pg_held_next_group(&ino)) && pg_reach(id, ino, &probe, false) == -ESRCH)
    pg_held_retire(id, pg_number_retire(id, false));
}

/* ---- The end of the program ---- */

static void count_unwaited(pg_id id, uint64_t ino, void *arg) {
  (void)ino;
  *(int64_t *)arg += pg_id_is_live(id) && pg_reach_is_own(id);
}

PG_COLD void pg_child_log_end(void) {
  int64_t unwaited = 0, forgotten = 0;
  if (pg_config.summary) {
    pg_number_each(count_unwaited, &unwaited);
    forgotten = (int64_t)pg_number_entered().tickets - pg_number_retired_max();
  }
  pg_log_end(unwaited, forgotten > 0 ? forgotten : 0);
}

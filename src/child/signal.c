/* SPDX-License-Identifier: MIT */
/* Signals to children and their groups. */
#include "child/child.h"

#include "child/family.h"
#include "child/reach.h"
#include "child/self.h"
#include "runtime/gone.h"
#include "runtime/log.h"

static PG_COLD void log_signal(pid_t target, int sig, int result, struct pg_call call) {
  struct pg_line line;
  pg_line_begin(&line, PG_LOG_INFO, "signal");
  pg_line_str(&line, "call", call.name);
  pg_line_int(&line, "target", target);
  pg_line_int(&line, "sig", sig);
  pg_line_result(&line, result);
  pg_line_end(&line);
}

static PG_COLD void log_refusal(pid_t target, int sig, bool audit, pid_t witness, struct pg_call call) {
  struct pg_line line;
  pg_line_begin(&line, PG_LOG_WARN, audit ? "would-refuse" : "refused");
  pg_line_str(&line, "call", call.name);
  pg_line_int(&line, "target", target);
  pg_line_int(&line, "sig", sig);
  pg_line_result(&line, -ESRCH);
  if (witness > 1)
    pg_line_int(&line, "seen-by", witness);
  pg_line_now(&line, target < 0 ? -target : target);
  pg_line_gone(&line, target < 0 ? -target : target);
  pg_line_caller(&line, call.caller);
  pg_line_end(&line);
}

void pg_child_log_late_wait(pid_t pid, struct pg_call call) {
  struct pg_line line;
  uint64_t ino;
  if (pg_id_state(pg_number_find(pid, &ino)) < PG_GONE)
    return;
  pg_line_begin(&line, PG_LOG_WARN, "late-wait");
  pg_line_str(&line, "call", call.name);
  pg_line_int(&line, "target", pid);
  pg_line_result(&line, -ECHILD);
  pg_line_gone(&line, pid);
  pg_line_caller(&line, call.caller);
  pg_line_end(&line);
}

static PG_NOINLINE bool is_own_thread(pid_t tid) {
  return tid > 0 && pg_filter_can(PG_CAN_PIDFD | PG_CAN_THREAD) && pg_sys3(SYS_tgkill, pg_getpid(), tid, 0) == 0;
}

/* A stale signal is refused, or in audit mode logged and left to libc. The modes differ in nothing else: a signal to a
 * living child goes through its pidfd in both, because asking first would double its cost. witness: the process that
 * saw the child's end, if it was another one. */
static int refuse_seen(pid_t target, int sig, pid_t witness, struct pg_call call) {
  /* The PID was seen to die, and then the kernel gave it to this process, or to a thread of it. */
  if (pg_filter_can(PG_CAN_PIDFD) && target == pg_getpid())
    return PG_PASS;
  if (!pg_is_single_threaded() && is_own_thread(target))
    return PG_PASS;
  bool audit = pg_mode() == PG_MODE_AUDIT;
  pg_count(refused);
  if (pg_log_on(PG_LOG_WARN))
    log_refusal(target, sig, audit, witness, call);
  return audit ? PG_PASS : -ESRCH;
}
static int refuse(pid_t target, int sig, struct pg_call call) { return refuse_seen(target, sig, 0, call); }

/* The table does not know the PID, so the family is asked. target: as for kill(). */
static int ask_family(pid_t target, int sig, struct pg_call call) {
  pid_t witness = target > 0 ? pg_family_look(target, false) : pg_family_look(-target, true);
  return PG_UNLIKELY(witness) ? refuse_seen(target, sig, witness, call) : PG_PASS;
}

/* A signal handler may have run since the child was looked up, and may have reaped the child. */
static int pass(pid_t target, int sig, struct pg_call call) {
  uint64_t ino;
  enum pg_number_state state = pg_id_state(pg_number_find(target > 0 ? target : -target, &ino));
  return state == PG_GONE || (target > 0 && state == PG_GONE_GROUP) ? refuse(target, sig, call) : PG_PASS;
}

/* Turns the result of reaching a child into the result of the call. */
static int answer(int r, pid_t target, int sig, struct pg_call call) {
  if (r == -EOPNOTSUPP) {
    pg_degraded(call.name, target, r, "sent-by-pid");
    return pass(target, sig, call);
  }
  if (r < 0 && pg_mode() == PG_MODE_AUDIT)
    return PG_PASS; /* nothing was sent: libc says it in its own way */
  if (r == 0)
    pg_count(signals);
  if (pg_log_on(PG_LOG_INFO))
    log_signal(target, sig, r, call);
  return r;
}

/* Does the program's own call get past the filter, so that a signal by pidfd may replace it? */
static bool may_replace(const siginfo_t *info) { return !info || pg_filter_can(PG_CAN_SEND); }

/* The group of a leader that was reaped. While a group uses a number, the kernel gives that number to no process
 * (__change_pid() in kernel/pid.c). So if a process has the leader's PID, the group is gone. Else the number
 * belongs to the group, or is free. Or a stranger had it, led a group of its own, and was reaped as well: without a
 * pidfd that cannot be told. Any other answer is a filter's, which also gives it to the program's own call. */
static int reach_orphaned_group(pg_id id, uint64_t ino, const struct pg_signal *s, bool guest) {
  pid_t pgid = pg_id_pid(id);
  int r = guest ? -EOPNOTSUPP : pg_reach(id, ino, s, false);
  if (r != -EOPNOTSUPP || pgid <= 1)
    return r;
  int owned = pg_sys_kill(pgid, 0);
  if (owned == 0 || owned == -EPERM)
    return -ESRCH;
  return owned == -ESRCH ? pg_sys_kill(-pgid, s->sig) : PG_PASS;
}

/* ---- A guest ---- */

/* A guest has a descriptor table and children of its own. It must not change the table of the process whose memory it
 * borrows. A PID that is retired there may be a child of the guest: the kernel says so. target: as for kill(). */
static int signal_as_guest(pid_t target, const struct pg_signal *s, struct pg_call call) {
  pid_t self = pg_sys_getpid(); /* not the kept PID, which is the other process's */
  bool group = target < 0;
  pid_t pid = group ? -target : target;
  uint64_t ino;
  if (pid == self || pg_is_first(self))
    return PG_PASS;
  pg_id id = pg_number_find(pid, &ino);
  if (!id)
    return ask_family(target, s->sig, call);
  int r = -ESRCH;
  bool lives = pg_id_is_live(id);
  if (lives) {
    r = may_replace(s->info) ? pg_reach(id, ino, s, true) : PG_PASS;
    lives = r != -ESRCH || (group && !pg_reach_is_gone(id, ino, true)); /* only the group may be empty */
  }
  if (!lives && group && pg_id_state(id) != PG_GONE)
    r = reach_orphaned_group(id, ino, s, true);
  if (r == -EOPNOTSUPP || (r == -ESRCH && pg_filter_can(PG_CAN_PIDFD) && (lives || pg_reach_ask(pid) == 0)))
    return PG_PASS;
  return r == -ESRCH ? refuse(target, s->sig, call) : r;
}

/* ---- One process ---- */

int pg_child_signal(pid_t pid, int sig, const siginfo_t *info, struct pg_call call) {
  struct pg_signal s = {sig, info, 0};
  uint64_t ino;
  if (pg_is_guest())
    return signal_as_guest(pid, &s, call);
  pg_child_look_back();
  pg_id id = pg_number_find(pid, &ino);
  if (!id)
    return ask_family(pid, sig, call);
  if (!pg_id_is_live(id))
    return refuse(pid, sig, call);
  bool can = pg_filter_can(PG_CAN_PIDFD) && may_replace(info);
  if (!can && !pg_reach_is_lost(id))
    return pass(pid, sig, call);
  int r = can ? pg_reach(id, ino, &s, false) : -ESRCH;
  if (r != -ESRCH)
    return answer(r, pid, sig, call);
  pg_child_found_gone(id);
  return refuse(pid, sig, call);
}

bool pg_child_signal_leader(pid_t pid, int sig, const siginfo_t *info, struct pg_call call) {
  struct pg_signal s = {sig, info, PG_PIDFD_SIGNAL_THREAD};
  uint64_t ino;
  if (pid <= 0 || pg_mode() == PG_MODE_OFF || pg_is_guest() || !pg_filter_can(PG_CAN_PIDFD | PG_CAN_SEND))
    return false;
  pg_child_look_back();
  pg_id id = pg_number_find(pid, &ino);
  return pg_id_is_live(id) && pg_reach(id, ino, &s, false) == 0 && answer(0, pid, sig, call) == 0;
}

/* ---- A process group ---- */

/* 0, PG_PASS, or the kernel's error. *ret_told: that is the answer to the call, and -ESRCH is a refusal. Else the
 * kernel has answered a signal to a group that may have members again. */
static int reach_group(pid_t pgid, const struct pg_signal *s, struct pg_call call, bool *ret_told) {
  uint64_t ino;
  *ret_told = true;
  if (pg_is_guest())
    return signal_as_guest(-pgid, s, call);
  pg_child_look_back();
  pg_id id = pg_number_find(pgid, &ino);
  if (!id)
    return ask_family(-pgid, s->sig, call);
  *ret_told = false;
  if (pg_id_is_live(id)) {
    int r = pg_filter_can(PG_CAN_PIDFD) ? pg_reach(id, ino, s, false) : PG_PASS;
    bool ended = r == PG_PASS ? pg_reach_is_lost(id) : r == -ESRCH && pg_reach_is_gone(id, ino, false);
    if (!ended)
      return r; /* the child lives, but its group has no members at the moment */
    id = pg_child_found_gone(id);
    if (!id) /* another thread or a handler was faster, and by now the group may be a stranger's */
      return reach_group(pgid, s, call, ret_told);
  }
  if (pg_id_state(id) != PG_GONE) {
    if (!pg_filter_can(PG_CAN_ASK) || pg_id_state(id) != PG_GONE_GROUP)
      return PG_PASS;
    int r = reach_orphaned_group(id, ino, s, false);
    if (r != -ESRCH)
      return r;
    pg_held_retire(id, pg_number_retire(id, false));
  }
  *ret_told = true;
  return refuse(-pgid, s->sig, call);
}

int pg_child_signal_group(pid_t pgid, int sig, struct pg_call call) {
  const struct pg_signal s = {sig, NULL, PG_PIDFD_SIGNAL_PROCESS_GROUP};
  bool told;
  int r = reach_group(pgid, &s, call, &told);
  return told || r == PG_PASS ? r : answer(r, -pgid, sig, call);
}

int pg_child_check_group(pid_t pgid, struct pg_call call) {
  const struct pg_signal probe = {0, NULL, PG_PIDFD_SIGNAL_PROCESS_GROUP};
  bool told;
  if (pg_mode() == PG_MODE_OFF)
    return 0;
  int r = reach_group(pgid, &probe, call, &told);
  return told && r == -ESRCH ? -ESRCH : 0;
}

/* ---- Other calls ---- */

/* Programs pass thread ids to calls that take a PID. Does this one belong to a thread of this process, or of a living
 * child? /proc tells the second. */
static pid_t process_of(pid_t tid) {
  char text[160];
  if (!pg_filter_can(PG_CAN_READ) || pg_window_read_of(tid, "status", text, sizeof text) <= 0)
    return 0;
  int64_t tgid = pg_text_number(text, "\nTgid:\t");
  return tgid > 0 && tgid < PG_PID_LIMIT ? (pid_t)tgid : 0;
}

static PG_NOINLINE bool is_thread(pid_t tid) { /* its text is not on the stack when the log writes */
  uint64_t ino;
  if (!pg_filter_can(PG_CAN_PIDFD))
    return false;
  if (is_own_thread(tid))
    return true;
  pid_t process = process_of(tid);
  return process != tid && pg_id_is_live(pg_number_find(process, &ino));
}

int pg_child_check(pid_t pid, struct pg_call call) {
  const struct pg_signal probe = {0, NULL, 0};
  uint64_t ino;
  if (PG_LIKELY(pid <= 0) || pg_mode() == PG_MODE_OFF)
    return 0;
  bool guest = pg_is_guest();
  if (!guest)
    pg_child_look_back();
  pg_id id = pg_number_find(pid, &ino);
  if (!id)
    return ask_family(pid, 0, call) == -ESRCH ? -ESRCH : 0;
  if (!guest && pg_id_is_live(id)) {
    if (!pg_filter_can(PG_CAN_PIDFD) || !pg_reach_is_gone(id, ino, false))
      return 0;
    pg_child_found_gone(id);
  }
  if (is_thread(pid))
    return 0;
  int r = guest ? signal_as_guest(pid, &probe, call) : refuse(pid, 0, call);
  return r == -ESRCH ? -ESRCH : 0;
}

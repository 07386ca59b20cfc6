/* Signals to children and their groups, by pidfd. */
#include "child/child.h"

#include "child/descriptor.h"
#include "child/self.h"
#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/gone.h"
#include "runtime/hot.h"
#include "runtime/log.h"
#include "runtime/ours.h"

static PG_COLD void log_signal(pid_t target, int sig, int result, struct pg_call call) {
  struct pg_line line;
  pg_line_begin(&line, PG_LOG_INFO, "signal");
  pg_line_str(&line, "call", call.name);
  pg_line_int(&line, "target", target);
  pg_line_int(&line, "sig", sig);
  pg_line_result(&line, result);
  pg_line_end(&line);
}

static PG_COLD void log_refusal(pid_t target, int sig, bool audit, struct pg_call call) {
  struct pg_line line;
  pg_line_begin(&line, PG_LOG_WARN, audit ? "would-refuse" : "refused");
  pg_line_str(&line, "call", call.name);
  pg_line_int(&line, "target", target);
  pg_line_int(&line, "sig", sig);
  pg_line_result(&line, -ESRCH);
  pg_line_now(&line, target < 0 ? -target : target);
  pg_line_gone(&line, target < 0 ? -target : target);
  pg_line_caller(&line, call.caller);
  pg_line_end(&line);
}

void pg_child_log_late_wait(pid_t pid, struct pg_call call) {
  struct pg_line line;
  enum pg_meaning meaning = pg_table_peek(pid).meaning;
  if (meaning != PG_RETIRED && meaning != PG_RETIRED_GROUP)
    return;
  pg_line_begin(&line, PG_LOG_WARN, "late-wait");
  pg_line_str(&line, "call", call.name);
  pg_line_int(&line, "target", pid);
  pg_line_result(&line, -ECHILD);
  pg_line_gone(&line, pid);
  pg_line_caller(&line, call.caller);
  pg_line_end(&line);
}

/* A stale signal: refused, or in audit mode only noted. */
static int refuse(pid_t target, int sig, struct pg_call call) {
  if (!pg_is_passive() && target == pg_getpid())
    return PG_PASS; /* a parent of ours saw the number die, and then we were given it */
  bool audit = pg_mode() == PG_MODE_AUDIT;
  pg_count(refused);
  if (pg_log_on(PG_LOG_WARN))
    log_refusal(target, sig, audit, call);
  return audit ? PG_PASS : -ESRCH;
}

/* What the kernel never answers to a signal means "not here". EPERM and EINVAL are about the target and the signal, but for a
 * filter, or a kernel that does not know the scope: those say so before they come to the descriptor, and if there is none. */
static int send_through(int fd, int sig, const siginfo_t *info, unsigned scope) {
  int r = pg_sys_pidfd_send_signal(fd, sig, info, scope);
  switch (r) {
  case 0:
  case -ESRCH:
  case -EBADF:
  case -EAGAIN: /* no room in the target's queue */
  case -EFAULT:
    return r;
  case -EPERM:
  case -EINVAL:
    return pg_sys_pidfd_send_signal(-1, sig, NULL, scope) == -EBADF ? r : -EOPNOTSUPP;
  default:
    return -EOPNOTSUPP;
  }
}

static int send_child(int fd, int sig, const siginfo_t *info) { return send_through(fd, sig, info, 0); }
static int send_group(int fd, int sig) { return send_through(fd, sig, NULL, PG_PIDFD_SIGNAL_PROCESS_GROUP); }

/* While a group lives, nobody else gets its number; so if the number is another process's, the group is gone, and if the
 * leader itself is there, its pidfd reaches the group. Not live: the leader was reaped, so whoever has the number is another.
 * rec: of a live leader, NULL for a guest, who cannot ask about a child that is not its own. */
static int group_by_number(pid_t pgid, bool live, uint64_t known, struct pg_record *rec, int sig) {
  int fd = pg_descriptor_open(pgid);
  if (fd < 0) { /* where nothing can be opened: whoever has the number of a leader that was reaped is another */
    if (fd == -ESRCH || fd == -ENOENT || (live && !(rec && pg_child_is_lost(rec))))
      return -EOPNOTSUPP;
    int r = pg_sys_kill(pgid, 0);
    return r == 0 || r == -EPERM ? -ESRCH : -EOPNOTSUPP;
  }
  uint64_t ino = 0;
  int r = -ESRCH;
  if (live && (pg_descriptor_identity(fd, &ino) < 0 || !known || !ino))
    r = rec && pg_child_is_lost(rec) ? -ESRCH : -EOPNOTSUPP;
  else if (live && ino == known)
    r = send_group(fd, sig);
  pg_descriptor_close(fd);
  return r;
}

/* A group of whose leader no descriptor is held: by the leader's identity, or by what the number is. */
static int signal_group_anew(pid_t pgid, bool live, uint64_t ino, struct pg_record *rec, int sig) {
  int leader = pg_descriptor_reopen_leader(ino), r = leader;
  if (leader >= 0) {
    r = send_group(leader, sig);
    pg_descriptor_close(leader);
  }
  return r == -ESRCH || (leader >= 0 && r != -EBADF) ? r : group_by_number(pgid, live, ino, rec, sig);
}

/* A process that borrows our memory has a descriptor table of its own, where our numbers say nothing for certain: it
 * opens the child anew, by identity, and leaves the table alone. -ESRCH: the number is not the child's any more. */
static int signal_lenders(pid_t pid, struct pg_peek peek, int sig, const siginfo_t *info, bool group) {
  bool live = peek.meaning == PG_TRACKED && (peek.word & PG_RECORD_LIVE);
  if (peek.meaning == PG_RETIRED || (!live && !group))
    return -ESRCH;
  if (group)
    return signal_group_anew(pid, live, peek.ino, NULL, sig);
  int fd = pg_descriptor_reopen(pid, peek.ino);
  if (fd < 0)
    return fd == -ESRCH ? fd : -EOPNOTSUPP;
  int r = send_child(fd, sig, info);
  pg_descriptor_close(fd);
  return r;
}

/* The table is the lender's. The number of a child that is gone there may be that of a child of the guest's own, of which
 * nothing is known: the kernel says so. */
static int signal_as_guest(pid_t pid, int sig, const siginfo_t *info, bool group, struct pg_call call) {
  pid_t self = pg_sys_getpid(); /* not the cached one: that is the lender's */
  if (pid == self || self == 1 || pg_sys_getppid() == 0)
    return PG_PASS;
  struct pg_peek peek = pg_table_peek(pid);
  int r = peek.meaning == PG_UNKNOWN ? -EOPNOTSUPP : signal_lenders(pid, peek, sig, info, group);
  if (r == -EOPNOTSUPP || r == -EBADF || (r == -ESRCH && !pg_is_passive() && pg_child_ask(pid) == 0))
    return PG_PASS;
  return r == -ESRCH ? refuse(group ? -pid : pid, sig, call) : r;
}

/* Through a descriptor that is opened for it, and kept for the next time while there is room. */
static int signal_by_identity(struct pg_record *rec, int sig, const siginfo_t *info) {
  pid_t pid = pg_record_pid(rec);
  int low = pg_descriptor_reopen(pid, pg_record_ino(rec));
  if (low < 0)
    return low == -ESRCH ? -ESRCH : -EOPNOTSUPP;
  int r = send_child(low, sig, info);
  if (r == 0 && pg_descriptor_is_wanted(rec) && pg_record_fd(rec) < 0 && pg_ours_held() < pg_ours_budget())
    pg_descriptor_give(rec, low);
  pg_descriptor_close(low);
  return r == -EBADF ? -EOPNOTSUPP : r; /* just opened */
}

int pg_child_signal(pid_t pid, int sig, const siginfo_t *info, struct pg_call call) {
  if (pg_is_guest())
    return signal_as_guest(pid, sig, info, false, call);
  struct pg_record *rec;
  enum pg_meaning meaning = pg_table_look(pid, &rec);
  if (meaning != PG_TRACKED)
    return meaning == PG_UNKNOWN ? PG_PASS : refuse(pid, sig, call);
  int r;
  uint64_t w = pg_record_word(rec);
  int fd = pg_descriptor_use(rec);
  bool audit = pg_mode() == PG_MODE_AUDIT;
  if (!(w & PG_RECORD_LIVE)) {
    r = refuse(pid, sig, call);
  } else if (pg_is_passive()) {
    r = PG_PASS;
  } else {
    const siginfo_t *what = audit ? NULL : info;
    int how = audit ? 0 : sig; /* audit only asks whether the child is there */
    r = fd >= 0 ? send_child(fd, how, what) : -EBADF;
    if (PG_UNLIKELY(r == -EBADF)) {
      if (fd >= 0)
        pg_descriptor_lost(rec, fd);
      r = signal_by_identity(rec, how, what);
    }
    if (r == -EOPNOTSUPP && fd < 0 && pg_child_is_lost(rec))
      r = -ESRCH;
    if (r == -EOPNOTSUPP) {
      pg_degraded(call.name, pid, r);
      r = PG_PASS;
    } else if (r == -ESRCH) {
      pg_count(silent);
      pg_child_retire(rec, "silent");
      r = refuse(pid, sig, call);
    } else if (audit) {
      r = PG_PASS;
    } else {
      pg_count(signals);
      if (pg_log_on(PG_LOG_INFO))
        log_signal(pid, sig, r, call);
    }
  }
  pg_record_drop(rec);
  return r;
}

bool pg_child_signal_leader(pid_t pid, int sig, struct pg_call call) {
  if (pid <= 0 || pg_mode() != PG_MODE_ENFORCE || pg_is_guest() || pg_is_passive())
    return false;
  struct pg_record *rec = pg_table_hold(pid);
  if (!rec)
    return false;
  bool live = pg_record_word(rec) & PG_RECORD_LIVE;
  int fd = live ? pg_descriptor_use(rec) : -1, low = -1;
  if (live && fd < 0)
    fd = low = pg_descriptor_reopen(pid, pg_record_ino(rec));
  bool done = fd >= 0 && pg_sys_pidfd_send_signal(fd, sig, NULL, PG_PIDFD_SIGNAL_THREAD) == 0;
  pg_descriptor_close(low);
  pg_record_drop(rec);
  if (done)
    pg_count(signals);
  if (done && pg_log_on(PG_LOG_INFO))
    log_signal(pid, sig, 0, call);
  return done;
}

int pg_child_check_as_guest(pid_t pid, struct pg_call call) {
  return pg_sys3(SYS_tgkill, pg_sys_getpid(), pid, 0) == 0 ? PG_PASS : signal_as_guest(pid, 0, NULL, false, call);
}

int pg_child_check(pid_t pid, struct pg_call call) {
  struct pg_record *rec;
  enum pg_meaning meaning = pg_table_look(pid, &rec);
  int r = 0;
  if (meaning == PG_UNKNOWN)
    return PG_PASS;
  if (meaning == PG_TRACKED) {
    uint64_t w = pg_record_word(rec);
    int fd = pg_descriptor_use(rec);
    if (pg_is_passive())
      r = 0;
    else if (w & PG_RECORD_LIVE)
      r = fd >= 0 ? send_child(fd, 0, NULL) : signal_by_identity(rec, 0, NULL);
    else
      r = -ESRCH;
    if (r == -EOPNOTSUPP && fd < 0 && pg_child_is_lost(rec))
      r = -ESRCH;
    if (r == -ESRCH && (w & PG_RECORD_LIVE))
      pg_child_retire(rec, "silent");
    pg_record_drop(rec);
    if (r != -ESRCH)
      return 0;
  }
  /* These calls are made for threads too, and a thread of our own may have the number by now. */
  if (!pg_is_passive() && pg_sys3(SYS_tgkill, pg_getpid(), pid, 0) == 0)
    return PG_PASS;
  return refuse(pid, 0, call) == PG_PASS ? PG_PASS : -ESRCH;
}

int pg_child_signal_group(pid_t pgid, int sig, struct pg_call call) {
  if (pg_is_guest())
    return signal_as_guest(pgid, sig, NULL, true, call);
  struct pg_record *rec = NULL;
  enum pg_meaning meaning = pg_table_look(pgid, &rec);
  if (meaning == PG_UNKNOWN)
    return PG_PASS;
  if (meaning == PG_RETIRED)
    return refuse(-pgid, sig, call);
  if (pg_is_passive()) {
    if (rec)
      pg_record_drop(rec);
    return PG_PASS;
  }
  bool audit = pg_mode() == PG_MODE_AUDIT;
  int how = audit ? 0 : sig, r = -EBADF;
  uint64_t w = rec ? pg_record_word(rec) : 0;
  int fd = rec ? pg_descriptor_use(rec) : -1;
  if (fd >= 0 && (r = send_group(fd, how)) == -EBADF)
    pg_descriptor_lost(rec, fd);
  if (r == -EOPNOTSUPP && send_child(fd, 0, NULL) == -ESRCH) {
    r = group_by_number(pgid, false, 0, NULL, how); /* before 6.9; right but for the moment between the look and the signal */
    w &= ~PG_RECORD_LIVE;
  }
  if (r == -EBADF)
    r = signal_group_anew(pgid, w & PG_RECORD_LIVE, rec ? pg_record_ino(rec) : 0, rec, how);
  if (r == -EOPNOTSUPP || r == -EBADF) { /* the latter through one that was just opened */
    pg_degraded(call.name, -pgid, r);
    r = PG_PASS; /* right while the leader is not reaped, or any member lives */
  } else {
    /* Nobody in the group of a reaped leader: that is for ever; of a live child: until now. */
    bool stale = r == -ESRCH && !(w & PG_RECORD_LIVE);
    if (stale && rec)
      pg_table_bury(rec, false);
    pg_count(signals);
    if (stale)
      r = refuse(-pgid, sig, call);
    else if (pg_log_on(PG_LOG_INFO))
      log_signal(-pgid, sig, r, call);
    if (audit)
      r = PG_PASS;
  }
  if (rec)
    pg_record_drop(rec);
  return r;
}

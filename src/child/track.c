/* How children come into the table and leave it. */
#include "child/child.h"

#include "base/fmt.h"
#include "child/descriptor.h"
#include "kernel/sys.h"
#include "kernel/status.h"
#include "runtime/filter.h"
#include "runtime/gone.h"
#include "runtime/log.h"
#include "runtime/next.h"
#include "runtime/ours.h"
#include "child/self.h"

#include <sys/auxv.h>

_Atomic int pg_child_mode = PG_MODE_UNREAD;

static int64_t read_pid_max(void) {
  char text[24];
  const char *p = text;
  if (!pg_filter_lets_read() || pg_sys_read_file(AT_FDCWD, "/proc/sys/kernel/pid_max", text, sizeof text) <= 0)
    return 32768;
  int64_t n = pg_parse_dec(&p);
  return n > 0 ? n : 32768;
}

/* Does another copy of this object stand in front of us, so that its wrappers are the ones that the program calls? Then
 * all is done by the time that a call comes here, and we are libc to it: two tables would hand descriptors to each other
 * as if they were the program's. The name is looked up as the program's would be; our own answers 0, not being ready. */
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
  if (atomic_load_explicit(&begun, memory_order_relaxed) == 0 && !pg_next_bind())
    return PG_MODE_OFF; /* too early for anything but passing calls on */
  if (atomic_exchange_explicit(&begun, 1, memory_order_acq_rel)) {
    int m = atomic_load_explicit(&pg_child_mode, memory_order_acquire);
    return m == PG_MODE_UNREAD ? PG_MODE_OFF : (enum pg_mode)m; /* a call from within our own initialisation */
  }
  pg_config_read(environ, getauxval(AT_SECURE) != 0);
  if (is_second())
    pg_config = (struct pg_config){.mode = PG_MODE_OFF, .retired_max = -1, .fd_max = -1};
  pg_ours_none();
  if (pg_config.mode != PG_MODE_OFF) {
    pg_table_set_pid_max_source(read_pid_max);
    if (pg_config.retired_max >= 0)
      pg_table_set_retired_max((uint32_t)pg_config.retired_max);
  }
  if (pg_config.mode != PG_MODE_OFF || pg_config.debug > PG_LOG_OFF)
    pg_log_init();
  if (pg_config.mode == PG_MODE_ENFORCE)
    pg_state_set(PG_STATE_ON);
#ifndef PG_PRELOAD
  pg_state_set(PG_STATE_PIDFDS); /* what the program closes and opens is not seen */
#endif
  atomic_store_explicit(&pg_child_mode, pg_config.mode, memory_order_release);
  return pg_config.mode;
}

static PG_COLD void log_child(enum pg_level level, const char *event, pid_t pid, const char *how, int fd) {
  struct pg_line line;
  pg_line_begin(&line, level, event);
  pg_line_int(&line, "target", pid);
  pg_line_str(&line, "how", how);
  if (fd >= 0)
    pg_line_int(&line, "fd", fd);
  pg_line_end(&line);
}

static inline void log_gone(const char *event, pid_t pid, const char *how) {
  if (pg_log_on(PG_LOG_WARN)) /* a later refusal tells of it */
    pg_gone_note(pid, how);
  if (pg_log_on(PG_LOG_INFO))
    log_child(PG_LOG_INFO, event, pid, how, -1);
}

/* Is the process behind the pidfd our own child? Whoever reaped it between fork and pidfd_open, and whoever has the
 * number since: ECHILD. */
static bool is_our_child(int pidfd, pid_t pid) {
  siginfo_t si;
  const int look = WNOHANG | WNOWAIT | WEXITED | __WALL;
  int r = pg_sys_waitid(PG_P_PIDFD, (id_t)pidfd, &si, look, NULL);
  if (r == -EINVAL) /* before 5.4 */
    r = pg_sys_waitid(P_PID, (id_t)pid, &si, look, NULL);
  return r != -ECHILD;
}

static bool is_reaped(int fd) { return pg_sys_pidfd_send_signal(fd, 0, NULL, 0) == -ESRCH; }

/* May the group of a reaped leader still have members? By number "perhaps" can be wrong: it may be a stranger's. */
static bool group_lives(int fd, pid_t pid) {
  if (pg_is_passive())
    return true;
  int r = fd >= 0 ? pg_sys_pidfd_send_signal(fd, 0, NULL, PG_PIDFD_SIGNAL_PROCESS_GROUP) : -EINVAL;
  if (r < 0 && r != -ESRCH && pid > 1) /* before 6.9, no descriptor, or not here */
    r = pg_sys_kill(-pid, 0);
  return r != -ESRCH;
}

void pg_child_retire(struct pg_record *rec, const char *how) {
  pid_t pid = pg_record_pid(rec);
  int fd = pg_descriptor_use(rec);
  bool group = group_lives(fd, pid) && (pg_is_passive() || pg_descriptor_try_leader(fd, pg_record_ino(rec)));
  if (pg_table_retire(rec, group))
    log_gone("reap", pid, how);
}

PG_NOINLINE int pg_child_ask(pid_t pid) {
  siginfo_t si;
  return pg_sys_waitid(P_PID, (id_t)pid, &si, WNOHANG | WNOWAIT | WEXITED | __WALL, NULL);
}

static bool is_denied(pid_t pid) { return pg_child_ask(pid) == -ECHILD; }

/* Is whoever has the number dead, and not yet waited for by his parent? The third field; the second, his name, may contain
 * anything, and those after it are numbers. Where that cannot be read: no. Then a tracer is denied a number that is still
 * there, for nothing but a zombie, and else a stranger could be hit. */
static PG_NOINLINE bool is_zombie(pid_t pid) {
  char path[32], text[128]; /* a name has 63 characters at the most */
  struct pg_buf b;
  pg_buf_init(&b, path, sizeof path);
  pg_buf_str(&b, "/proc/");
  pg_buf_dec(&b, pid);
  pg_buf_str(&b, "/stat");
  ssize_t n = pg_filter_lets_read() ? pg_sys_read_file(AT_FDCWD, path, text, sizeof text) : -1;
  while (n > 0 && text[n - 1] != ')')
    n--;
  return n > 0 && text[n] == ' ' && text[n + 1] == 'Z';
}

/* Born here, not inherited by a fork. */
static bool is_own(struct pg_record *rec) {
  return pg_seq_after(pg_record_seq(rec), atomic_load_explicit(&pg_hot.inherited, memory_order_relaxed));
}

bool pg_child_is_lost(struct pg_record *rec) { return is_own(rec) && is_denied(pg_record_pid(rec)); }

void pg_child_is_sibling(pid_t pid) {
  struct pg_record *rec = pg_table_hold(pid);
  if (!rec)
    return;
  atomic_store_explicit(&rec->seq, atomic_load_explicit(&pg_hot.inherited, memory_order_relaxed), memory_order_relaxed);
  pg_record_drop(rec);
}

/* A record without a descriptor: a number that is not our child's any more is a hint, its identity the proof (a
 * sibling that we inherited is no child of ours either). */
static bool is_gone(struct pg_record *rec) {
  pid_t pid = pg_record_pid(rec);
  if (!is_denied(pid))
    return false;
  if (!pg_record_ino(rec))
    return is_own(rec);
  int fd = pg_descriptor_reopen(pid, pg_record_ino(rec));
  pg_descriptor_close(fd);
  return fd == -ESRCH;
}

/* Looks at one record. True if something had died there. */
static bool collect(struct pg_record *rec) {
  uint64_t w = pg_record_word(rec);
  int fd = pg_descriptor_use(rec);
  if (!(w & PG_RECORD_LIVE)) {
    int leader = fd >= 0 ? fd : pg_descriptor_reopen_leader(pg_record_ino(rec));
    bool lives = leader >= 0 ? group_lives(leader, 0) : leader != -ESRCH;
    if (fd < 0)
      pg_descriptor_close(leader);
    if (lives)
      return false;
    pg_table_bury(rec, false);
  } else {
    if (fd >= 0 ? !is_reaped(fd) : !is_gone(rec))
      return false;
    pg_count(silent);
    pg_child_retire(rec, "silent");
  }
  return true;
}

/* Children can die without a wait that we see (SIGCHLD ignored, SA_NOCLDWAIT, a raw wait). Every fourth birth looks
 * at one descriptor and one record, and goes on while it finds dead ones: so no more are dead than alive in the long
 * run. */
static void collect_some(void) {
  struct pg_record *rec;
  if (pg_table_births() % 4)
    return;
  bool found = pg_ours_held() > 0;
  for (int i = 0; found && i < 16; i++) {
    rec = pg_descriptor_next_held();
    found = rec && collect(rec);
    if (rec)
      pg_record_drop(rec);
  }
  uint32_t records = pg_record_count();
  for (int looked = 0, i = 0; looked < 16 && i < 32 && records; i++) {
    rec = pg_record_at(atomic_fetch_add_explicit(&pg_hot.record_hand, 1, memory_order_relaxed) % records + 1);
    uint64_t w = pg_record_word(rec);
    if (!(w & (PG_RECORD_LIVE | PG_RECORD_GROUP)) || pg_word_fd(w) >= 0 || !pg_record_try_hold(rec))
      continue;
    looked += collect(rec) ? 1 : 16;
    pg_record_drop(rec);
  }
}

/* A number that the program knows though its child is gone already. */
static void born_dead(pid_t pid, const char *how) {
  pg_table_bury_number(pid, group_lives(-1, pid));
  log_gone("born-dead", pid, how);
}

/* Installs the child behind `low`, which is closed. */
static int install(pid_t pid, int low, const char *how) {
  uint64_t ino = 0;
  int known = low >= 0 ? pg_descriptor_identity(low, &ino) : -EOPNOTSUPP;
  if (known == 0)
    pg_ours_init(pg_config.fd_max, !ino);
  struct pg_record *rec = pg_table_track(pid, -1, ino);
  bool held = rec && known == 0 && pg_descriptor_give(rec, low);
  pg_descriptor_close(low);
  if (!rec) {
    pg_table_forget(pid);
    pg_degraded("track", pid, -ENOMEM);
    return -ENOMEM;
  }
  if (!held && !ino)
    pg_degraded("number-only", pid, low >= 0 ? known : low);
  if (pg_log_on(PG_LOG_INFO))
    log_child(PG_LOG_INFO, "birth", pid, how, pg_record_fd(rec));
  pg_record_drop(rec);
  return 0;
}

PG_HOT void pg_child_born(pid_t pid, int pidfd, const char *how) {
  if (pid <= 0)
    return;
  pg_count(births);
  pg_hot.forking = 0;
  if (!pg_filter_is_free()) {
    pg_descriptor_close(pidfd);
    install(pid, -EPERM, how);
    return;
  }
  pg_self_know();
  collect_some();
  if (pidfd < 0) {
    pidfd = pg_descriptor_open(pid);
    if (pidfd == -ESRCH || (pidfd >= 0 && !is_our_child(pidfd, pid))) {
      pg_descriptor_close(pidfd);
      born_dead(pid, how);
      return;
    }
  }
  install(pid, pidfd, how);
}

static void identify(struct pg_record *rec, void *unused) {
  (void)unused;
  uint64_t w = pg_record_word(rec), ino = 0;
  pid_t pid = pg_record_pid(rec);
  if (!(w & PG_RECORD_LIVE) || pg_word_fd(w) >= 0 || pg_record_ino(rec))
    return;
  int low = pg_descriptor_open(pid);
  if (low == -ESRCH) {
    pg_child_retire(rec, "silent");
  } else if (low >= 0 && is_our_child(low, pid) && pg_descriptor_identity(low, &ino) == 0) {
    pg_ours_init(pg_config.fd_max, !ino);
    atomic_store_explicit(&rec->ino, ino, memory_order_release);
    pg_descriptor_give(rec, low);
  }
  pg_descriptor_close(low);
}

void pg_child_identify_all(void) {
  pg_table_each(identify, NULL);
}

int pg_child_adopt(pid_t pid) {
  if (pid <= 0)
    return -EINVAL;
  if (!pg_filter_is_free())
    return -EOPNOTSUPP;
  pg_self_know();
  int fd = pg_descriptor_open(pid);
  if (fd < 0)
    return fd == -EINVAL || fd == -ENOENT ? -ESRCH : fd == -ENOSYS || fd == -EPERM ? -EOPNOTSUPP : fd;
  if (!is_our_child(fd, pid)) {
    pg_descriptor_close(fd);
    return -ECHILD;
  }
  pg_count(adopted);
  return install(pid, fd, "adopt");
}

/* The children that an exec has kept are in a list in /proc. Reading it takes only kinds of calls that the loader has just
 * made itself, which a filter from before the exec must therefore allow; waitid() it need not. It makes the kernel build
 * our directory in /proc, 15 us with the taking down. That nobody in the pid namespace is younger (ns_last_pid, half the
 * price) proves nothing: a child may have been given its number. Returns how many were not known, or -errno. */
static int read_children(bool adopt) {
  char text[512];
  int found = 0, fd = pg_sys_openat(AT_FDCWD, "/proc/thread-self/children", O_RDONLY | O_CLOEXEC, 0);
  pid_t pid = 0;
  ssize_t n = fd;
  while (fd >= 0 && (n = pg_sys_read(fd, text, sizeof text)) > 0) {
    for (ssize_t i = 0; i < n; i++) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else if (pid) {
        bool is_new = pg_table_peek(pid).meaning != PG_TRACKED;
        int r = adopt && is_new ? pg_child_adopt(pid) : 0;
        if (r < 0 && r != -ESRCH && r != -ECHILD) /* a filter, or no descriptor is free */
          install(pid, r == -EOPNOTSUPP ? -EPERM : r, "adopt");
        found += is_new;
        pid = 0;
      }
    }
  }
  if (fd >= 0)
    pg_sys_close(fd);
  return n < 0 ? (int)n : found;
}

/* Nearly everybody has none. Whether there is a filter is found out while the list is not open: there may be but one free
 * descriptor. The kernel skips some where others leave the list meanwhile, so it is read until it has nobody new. */
void pg_child_adopt_all(void) {
  int found = read_children(false);
  if (found < 0)
    pg_degraded("adopt", 0, found);
  if (found > 0)
    pg_filter_look();
  for (int i = 0; found > 0 && i < 32; i++)
    found = read_children(true);
}

static void disown_one(struct pg_record *rec, void *unused) {
  (void)unused;
  int fd = pg_record_fd(rec);
  if (fd >= 0)
    pg_descriptor_lost(rec, fd);
}

struct pg_inherited pg_child_inherited(void) {
  return (struct pg_inherited){pg_table_entered(), atomic_load_explicit(&pg_filter_unreaped, memory_order_acquire)};
}

/* All of it does the same when it is done again while another thread has gone on with children of its own (the counters may
 * lose that thread's first ones). That nothing is due any more is said last. */
void pg_child_settle(bool own_files, struct pg_inherited inherited) {
  pid_t unreaped = inherited.unreaped; /* our parent's */
  pg_hot.forking = 0;
  pg_counters_reset();
  atomic_store_explicit(&pg_hot.inherited, inherited.entered.births, memory_order_relaxed);
  if (PG_UNLIKELY(unreaped))
    atomic_compare_exchange_strong_explicit(&pg_filter_unreaped, &unreaped, 0, memory_order_relaxed, memory_order_relaxed);
  if (pg_hot.threads) /* the kernel copies descriptors before memory: others may have exchanged ours in between */
    pg_state_set(PG_STATE_PIDFDS);
  if (!own_files) /* what we close here would be closed in the parent too */
    pg_table_each(disown_one, NULL);
  if (pg_is_passive()) { /* which of them is our own number can not be asked */
    pg_table_clear(inherited.entered);
    pg_hot.pid = 0;
    return;
  }
  pid_t self = pg_sys_getpid();
  if (self == 1 || pg_sys_getppid() == 0) /* numbers of another pid namespace say nothing in this one */
    pg_table_clear(inherited.entered);
  else
    pg_table_forget(self); /* our own number may be one that our parent saw die */
  pg_hot.pid = self;
  atomic_thread_fence(memory_order_release); /* who sees an entry of ours sees this, see pg_is_guest_slow() */
}

PG_HOT void pg_child_forked(int flags) {
  bool own_files = !(flags & CLONE_FILES), due = pg_table_used() || pg_hot.pid;
  pg_self_marks = due ? PG_FORKED : 0;
  pg_self_pid = 0;
  if (due && pg_hot.threads)
    pg_ours_forked();
  if (own_files)
    pg_log_forked();
  /* At once also where a thread that comes first would be taken for a guest's. */
  if (due && (!own_files || pg_hot.other_namespace || (flags & CLONE_NEWPID) || (pg_state() & PG_STATE_VM_SHARED))) {
    pg_self_marks = 0;
    pg_state_clear(PG_STATE_VM_SHARED);
    pg_child_settle(own_files, pg_child_inherited());
  }
}

void pg_child_reaped(pid_t pid, uint32_t births) {
  struct pg_record *rec;
  pg_count(reaped);
  if (pg_table_look(pid, &rec) != PG_TRACKED) {
    /* A child that we never saw (made inside libc, by a raw system call, before an exec, or an orphan that came to us):
     * its number is as stale as any. It may have been given away since, to a child of ours by another thread, which will
     * say so, or to a stranger. A tracer is told before the parent, who has the number to himself until he waits. */
    if (!pg_filter_is_free() || pg_sys_kill(pid, 0) == -ESRCH || (is_denied(pid) && !is_zombie(pid)))
      born_dead(pid, "reaped");
    return;
  }
  if (pg_record_word(rec) & PG_RECORD_LIVE) {
    int fd = pg_descriptor_use(rec);
    bool dead = is_own(rec) && !pg_seq_after(pg_record_seq(rec), births); /* of a sibling's end a tracer is told, too */
    if (pg_is_passive()) {
    } else if (!dead && fd >= 0)
      dead = is_reaped(fd);
    else if (!dead) {
      int again = pg_descriptor_reopen(pid, pg_record_ino(rec));
      dead = again == -ESRCH || (again < 0 && pg_sys_kill(pid, 0) == -ESRCH);
      pg_descriptor_close(again);
    }
    if (dead)
      pg_child_retire(rec, "wait");
  }
  pg_record_drop(rec);
}

/* Who has the number of a child that is gone, and yet is told of, is the program's own: an orphan that came to it, or a
 * tracee. By now another thread may have reaped that one too, and a stranger have the number: so the kernel is asked once
 * more, after the look at the mark, which a later retirement replaces. */
void pg_child_told(pid_t pid) {
  pg_slot *slot;
  uint32_t mark = pg_table_value(pid, &slot);
  if (PG_UNLIKELY(mark & PG_MARK_RETIRED) && pg_filter_is_free() && pg_child_ask(pid) == 0)
    pg_table_forget_mark(pid, mark);
}

int pg_child_pidfd(pid_t pid) {
  struct pg_record *rec;
  switch (pg_table_look(pid, &rec)) {
  case PG_UNKNOWN:
    return PG_PASS;
  case PG_TRACKED:
    break;
  default:
    return -ESRCH;
  }
  uint64_t w = pg_record_word(rec);
  int fd = pg_descriptor_use(rec), r = -ESRCH;
  if (w & PG_RECORD_LIVE) {
    if (fd >= 0 && is_reaped(fd))
      pg_child_retire(rec, "silent");
    else if (!pg_record_ino(rec) && fd >= 0) /* before 6.9 */
      r = pg_sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);
    else /* not a duplicate, which would share flags that the caller may set (O_NONBLOCK) */
      r = pg_descriptor_reopen(pid, pg_record_ino(rec));
  }
  pg_record_drop(rec);
  return r;
}

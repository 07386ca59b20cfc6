/* SPDX-License-Identifier: MIT */
/* The monitor is process 1 of the namespace in which one program runs, and it is never preloaded. It decides which
 * process takes the next step, and only when everything has come to rest. Then every other process is stopped or dead,
 * or it sleeps in a wait or for its turn, and no signal is on its way. So everything that a step causes is over before
 * the next one starts. The order of steps comes from a seed, and is the same in each run. */
#include "driver.h"

#include "kernel/sys.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum look { LOOK_NONE, LOOK_BUSY, LOOK_GONE, LOOK_STOPPED, LOOK_READY, LOOK_BLOCKED, LOOK_SUSPENDED };

/* The state of one label. The files of /proc stay open, because reading again is much cheaper than opening. */
struct watch {
  int pid, stat_fd, syscall_fd;
  int tid, tid_stat_fd, tid_syscall_fd;
  bool gone;
  enum look look, first, before; /* now; in the first pass; in the round before */
};

static struct pgd_board *board;
static struct watch watches[PGD_LABELS];
static int root_pid, root_status;
static bool root_reaped;

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...) {
  char line[256];
  int n = snprintf(line, sizeof line, "%d r%u ", PGD_LABELS, atomic_load(&board->round));
  va_list args;
  va_start(args, format);
  n += vsnprintf(line + n, sizeof line - 1 - (size_t)n, format, args);
  va_end(args);
  line[n++] = '\n';
  unsigned at = atomic_fetch_add(&board->trace_len, (unsigned)n);
  if (at + (unsigned)n < PGD_TRACE_SIZE)
    memcpy(board->trace + at, line, (size_t)n);
}

static int open_proc(int pid, int tid, const char *file) {
  char path[64];
  if (tid)
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", pid, tid, file);
  else
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
  return open(path, O_RDONLY | O_CLOEXEC);
}

/* The letter of a process's state, 'X' if it is gone. The kernel also shows an X for a process that is about to go.
 * That one counts as running, because its PID can still be signalled for a moment. */
static char state_of(int fd) {
  char buf[128];
  ssize_t n = fd < 0 ? -1 : pread(fd, buf, sizeof buf - 1, 0);
  if (n <= 0)
    return 'X';
  buf[n] = '\0';
  const char *paren = strrchr(buf, ')');
  return paren && paren[1] == ' ' && paren[2] != 'X' ? paren[2] : 'R';
}

/* Is the task asleep for the scheduler too? A task writes "sleeping" or "stopped" into its state too early. After that
 * it looks for the last time whether it must sleep, and tells its parent that it stopped. That is over only when the
 * task is off the processor. /proc/PID/syscall says "running" until then. */
static bool off_cpu(int fd) {
  char buf[128];
  ssize_t n = fd < 0 ? -1 : pread(fd, buf, sizeof buf, 0);
  if (n <= 0) { /* the monitor may not look: it gives the task the time that it needs */
    struct timespec t = {0, 300000};
    nanosleep(&t, NULL);
    return true;
  }
  return strncmp(buf, "running", 7) != 0;
}

static void rewatch(int *kept, int value, int *stat_fd, int *syscall_fd, int pid, int tid) {
  if (*kept == value)
    return;
  if (*kept) {
    close(*stat_fd);
    close(*syscall_fd);
  }
  *kept = value;
  *stat_fd = value ? open_proc(pid, tid, "stat") : -1;
  *syscall_fd = value ? open_proc(pid, tid, "syscall") : -1;
}

static bool dead(char state) { return state == 'Z' || state == 'X'; }

/* Do signals wait for a suspended process? */
static bool has_pending(int pid) {
  char buf[2048], *line;
  int fd = open_proc(pid, 0, "status");
  ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);
  close(fd);
  buf[n > 0 ? n : 0] = '\0';
  unsigned long long thread = 0, process = 0;
  if ((line = strstr(buf, "SigPnd:")) != NULL)
    thread = strtoull(line + 7, NULL, 16);
  if ((line = strstr(buf, "ShdPnd:")) != NULL)
    process = strtoull(line + 7, NULL, 16);
  return (thread | process) != 0;
}

/* Does the child of a vfork still run on its parent's memory? A parent that sleeps for another reason is not at rest.
 * It may be dying, or it has just been let go and waits for a page. */
static bool suspends(int label) {
  struct pgd_entry *e = &board->entry[label];
  int fd = open_proc(atomic_load(&e->pid), 0, "stat");
  char state = state_of(fd);
  close(fd);
  return !dead(state) && atomic_load(&e->state) == PGD_ALIVE && !atomic_load(&e->own_memory);
}

/* Returns the field of /proc/PID/stat with this number, as proc(5) counts them, or -1. */
static long field_of(int fd, int number) {
  char buf[512];
  ssize_t n = pread(fd, buf, sizeof buf - 1, 0);
  buf[n > 0 ? n : 0] = '\0';
  const char *p = strrchr(buf, ')'); /* the end of field 2 */
  for (int i = 2; p && i < number; i++)
    p = strchr(p + 1, ' ');
  return p ? strtol(p, NULL, 10) : -1;
}

enum { FIELD_FLAGS = 9, FIELD_NUM_THREADS = 20, FLAG_EXITING = 4 /* the kernel's PF_EXITING */ };

static enum look look_at(int label, bool deep) {
  struct pgd_entry *e = &board->entry[label];
  struct watch *w = &watches[label];
  int state = atomic_load(&e->state), pid = atomic_load(&e->pid), tid = atomic_load(&e->tid);
  int also = atomic_load(&e->also);
  if (also) { /* the old process of daemon() must be gone, and needs no watching before */
    int fd = open_proc(also, 0, "stat");
    char c = state_of(fd);
    close(fd);
    if (!dead(c))
      return LOOK_BUSY;
  }
  if (state == PGD_NONE)
    return LOOK_NONE;
  if (pid == 0)
    return LOOK_BUSY;
  if (w->pid != pid)
    w->gone = false;
  rewatch(&w->pid, pid, &w->stat_fd, &w->syscall_fd, pid, 0);
  if (w->gone)
    return LOOK_GONE;
  char c = state_of(w->stat_fd);
  rewatch(&w->tid, tid, &w->tid_stat_fd, &w->tid_syscall_fd, pid, tid);
  char t = tid ? state_of(w->tid_stat_fd) : c;
  if (dead(c)) {
    /* A leader is a zombie while its threads still end, also threads that were joined before. The kernel tells its
     * parent when the last thread is gone. */
    if ((tid && t != 'X') || field_of(w->stat_fd, FIELD_NUM_THREADS) > 1)
      return LOOK_BUSY;
    w->gone = deep;
    return LOOK_GONE;
  }
  if (tid && dead(t))
    return LOOK_BUSY;
  int child = atomic_load(&e->in_vfork);
  if (c == 'D' && child && suspends(child) && !(field_of(w->stat_fd, FIELD_FLAGS) & FLAG_EXITING))
    return LOOK_SUSPENDED;
  bool asleep = c == 'S' && t == 'S', stopped = c == 'T' && t == 'T';
  if ((!asleep && !stopped) || (deep && (!off_cpu(w->syscall_fd) || (tid && !off_cpu(w->tid_syscall_fd)))))
    return LOOK_BUSY;
  if (stopped)
    return LOOK_STOPPED;
  if (state != PGD_ALIVE)
    return LOOK_BUSY;
  return atomic_load(&e->ready) ? LOOK_READY : atomic_load(&e->in_call) ? LOOK_BLOCKED : LOOK_BUSY;
}

/* Reaps orphans. Any wait takes the kernel's list of processes for reading. So a process whose death was seen before
 * has told its parent by the time that this returns. */
static void reap(void) {
  siginfo_t si;
  for (;;) {
    memset(&si, 0, sizeof si);
    if (pg_sys_waitid(P_ALL, 0, &si, WEXITED | WNOHANG | __WALL, NULL) != 0 || si.si_pid == 0)
      return;
    if (si.si_pid == root_pid) {
      root_reaped = true;
      root_status = si.si_code << 8 | si.si_status;
    }
  }
}

static bool pass(bool deep) {
  for (int i = 0; i < PGD_LABELS; i++)
    if ((watches[i].look = look_at(i, deep)) == LOOK_BUSY)
      return false;
  return true;
}

static bool same_looks(void) {
  for (int i = 0; i < PGD_LABELS; i++)
    if (watches[i].look != watches[i].first)
      return false;
  return true;
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Returns true when everything is at rest, false if that did not happen in time. */
static bool settle(int timeout_ms) {
  int64_t limit = now_ms() + timeout_ms;
  for (;;) {
    unsigned bell = atomic_load(&board->bell);
    if (pass(false)) {
      for (int i = 0; i < PGD_LABELS; i++)
        watches[i].first = watches[i].look;
      reap();
      /* A change in between may not have reached any process yet. */
      if (pass(true) && same_looks())
        return true;
    }
    if (now_ms() > limit)
      return false;
    struct timespec t = {0, 30000};
    pg_sys4(SYS_futex, &board->bell, PGD_FUTEX_WAIT, bell, &t);
  }
}

/* If two processes changed their state at once, it is open which of them told its parent first. */
static void compare_states(void) {
  int changes = 0;
  for (int i = 0; i < PGD_LABELS; i++) {
    struct watch *w = &watches[i];
    bool was_gone = w->before == LOOK_GONE, was_stopped = w->before == LOOK_STOPPED;
    changes += was_gone != (w->look == LOOK_GONE) || (!was_gone && was_stopped != (w->look == LOOK_STOPPED));
    changes += was_stopped && w->look == LOOK_GONE; /* perhaps it was continued before it died */
    w->before = w->look;
    if (w->look == LOOK_SUSPENDED && has_pending(w->pid))
      atomic_store(&board->entry[i].held_back, 1);
    if (w->look == LOOK_GONE)
      atomic_store(&board->entry[i].in_call, PGD_CALL_NO);
  }
  if (changes > 1)
    atomic_store(&board->fuzzy, atomic_load(&board->round));
}

static void give_turn(int label) {
  struct pgd_entry *e = &board->entry[label];
  atomic_fetch_add(&board->round, 1);
  atomic_store(&e->ready, 0);
  atomic_fetch_add(&e->go, 1);
  pg_sys3(SYS_futex, &e->go, PGD_FUTEX_WAKE, 1);
}

/* Which process is next? -1: none. */
static int choose(uint64_t sched) {
  int next = -1;
  uint64_t best = 0;
  for (int i = 0; i < PGD_LABELS; i++) {
    if (watches[i].look != LOOK_READY)
      continue;
    uint64_t rank = sched ? pgd_rank(sched, atomic_load(&board->entry[i].want)) : (uint64_t)i;
    if (next < 0 || rank >= best) {
      next = i;
      best = rank;
    }
  }
  return next;
}

/* Every process that is left waits for something that will not come. The youngest is interrupted. */
static bool break_wait(void) {
  for (int i = PGD_LABELS - 1; i >= 0; i--) {
    if (watches[i].look != LOOK_BLOCKED)
      continue;
    int pid = watches[i].pid, tid = watches[i].tid ? watches[i].tid : pid;
    if (pid <= 1 || tid <= 1)
      continue;
    atomic_fetch_add(&board->round, 1);
    note("interrupts c%d", i);
    return pg_sys3(SYS_tgkill, pid, tid, SIGALRM) == 0;
  }
  return false;
}

static void start_root(const char *interp, char *const env[]) {
  char *argv[] = {(char *)interp, "/proc/1/fd/3", "0", "-1", NULL};
  setsid();
  int null = open("/dev/null", O_RDWR);
  dup2(null, 0);
  dup2(null, 1);
  if (!getenv("PGD_STDERR"))
    dup2(null, 2);
  if (pg_sys3(SYS_close_range, 3, ~0U, 0) < 0)
    for (int fd = 3; fd < 1024; fd++)
      close(fd);
  execve(interp, argv, env);
  _exit(126);
}

void pgd_monitor(struct pgd_board *shared, const char *interp, char *const env[], uint64_t sched, int timeout_ms) {
  static const char *const words[] = {"none", "busy", "gone", "stopped", "ready", "blocked", "suspended"};
  struct stat st;
  board = shared;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_TIMERSLACK, 1000);
  setsid();
  if (pg_sys_getpid() != 1 || mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0 ||
      stat("/proc/self/ns/pid", &st) != 0)
    _exit(3);
  board->pid_ns = st.st_ino;
  atomic_store(&board->entry[0].state, PGD_EXPECTED);
  atomic_store(&board->entry[0].forklike, 1);
  pid_t pid = (pid_t)pg_sys5(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0)
    start_root(interp, env);
  if (pid < 0)
    _exit(3);
  root_pid = pid;
  int none = 0;
  atomic_compare_exchange_strong(&board->entry[0].pid, &none, pid);
  bool hung = false;
  for (int breaks = 0;;) {
    if (!settle(timeout_ms) || breaks > 200) {
      hung = true;
      break;
    }
    compare_states();
    int next = choose(sched);
    if (next >= 0)
      give_turn(next);
    else if (break_wait())
      breaks++;
    else
      break;
  }
  for (int i = 0; i < PGD_LABELS; i++)
    if (watches[i].look != LOOK_NONE && (watches[i].look != LOOK_GONE || hung))
      note("%s c%d %s", hung ? "HUNG" : "end", i, words[watches[i].look]);
  if (root_reaped)
    note("root ended 0x%x", (unsigned)root_status);
  _exit(0);
}

/* SPDX-License-Identifier: MIT */
/* Steps that send signals, and steps that say what happens when one comes. */
#include "interp.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* The handler runs in every process, also in vfork children, which share their parent's memory. The right context is
 * the one that has the PID of the process. */
static void on_signal(int sig, siginfo_t *si, void *unused) {
  (void)unused;
  int saved = errno;
  struct pgd_ctx *c = self;
  pid_t pid = pg_sys_getpid();
  while (c->up && c->pid != pid)
    c = c->up;
  int slot = atomic_fetch_add(&c->events, 1); /* another signal may interrupt right here */
  if (slot < PGD_EVENTS) {
    struct pgd_event *e = &c->event[slot];
    e->sig = sig;
    e->code = si->si_code;
    e->pid = si->si_pid;
    e->uid = si->si_uid;
    /* A tracer that already waits may take the status of a trap before the kernel puts it into the signal. */
    bool status = sig == SIGCHLD && si->si_code > 0 && si->si_code != CLD_TRAPPED;
    e->value = si->si_code == SI_QUEUE ? si->si_value.sival_int : status ? si->si_status : 0;
    e->reaped = 0;
    e->last = -2; /* the handler did not wait */
    if (sig == SIGCHLD && c->chld == CHLD_REAPER) {
      int status = 0;
      while ((e->last = waitpid(-1, &status, WNOHANG)) > 0 && e->reaped < PGD_REAPED) {
        e->reap[e->reaped].pid = e->last;
        e->reap[e->reaped++].status = status;
      }
      e->last_errno = errno;
    }
  }
  errno = saved;
  if (sig < 32 && c->jumping & 1u << sig && c->jump_tid && c->jump_tid == pgd_gettid())
    siglongjmp(c->jump, 1);
}

void pgd_catch(int sig, int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | flags;
  sigaction(sig, &action, NULL);
}

void pgd_do_chld(int i) {
  static const int flags[] = {[CHLD_DEFAULT] = 0,
                              [CHLD_HANDLER] = 0,
                              [CHLD_REAPER] = SA_RESTART,
                              [CHLD_IGNORE] = 0,
                              [CHLD_NOCLDWAIT] = SA_NOCLDWAIT,
                              [CHLD_NOCLDWAIT_HANDLER] = SA_NOCLDWAIT,
                              [CHLD_NOCLDSTOP] = SA_NOCLDSTOP,
                              [CHLD_RESTART] = SA_RESTART};
  int mode = program.step[i].arg[0];
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_flags = flags[mode];
  self->chld = mode;
  if (mode == CHLD_DEFAULT || mode == CHLD_NOCLDWAIT || mode == CHLD_IGNORE) {
    action.sa_handler = mode == CHLD_IGNORE ? SIG_IGN : SIG_DFL;
    sigaction(SIGCHLD, &action, NULL);
  } else {
    pgd_catch(SIGCHLD, flags[mode]);
  }
  pgd_trace("s%d chld", i);
}

void pgd_do_disp(int i) {
  int sig = pgd_signal_number(program.step[i].arg[0]), mode = program.step[i].arg[1], ret, err;
  struct sigaction action;
  if (sig == SIGCHLD) {
    pgd_trace("s%d skipped: the step chld does that", i);
    return;
  }
  if (sig < 32)
    self->jumping &= ~(1u << sig);
  if (mode <= DISP_IGNORE) {
    memset(&action, 0, sizeof action);
    action.sa_handler = mode == DISP_IGNORE ? SIG_IGN : SIG_DFL;
    PGD_CALL(ret, err, sigaction(sig, &action, NULL));
    pgd_result(i, "disp", ret, err, false, "");
    return;
  }
  if (mode == DISP_JUMP && sig < 32)
    self->jumping |= 1u << sig;
  pgd_catch(sig, mode == DISP_RESTART ? SA_RESTART : 0);
  pgd_trace("s%d disp", i);
}

void pgd_do_mask(int i) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, pgd_signal_number(program.step[i].arg[0]));
  int ret = sigprocmask(program.step[i].arg[1] ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
  pgd_trace("s%d mask = %d", i, ret);
}

void pgd_do_take(int i) {
  static const struct timespec now = {0, 0};
  sigset_t set;
  siginfo_t si;
  char more[96] = "";
  int sig = pgd_signal_number(program.step[i].arg[0]), ret, err;
  memset(&si, 0, sizeof si);
  sigemptyset(&set);
  sigaddset(&set, sig);
  PGD_CALL(ret, err, sigtimedwait(&set, &si, &now));
  if (ret > 0)
    snprintf(more, sizeof more, "code %d from %s uid %u value %d", si.si_code, pgd_name(si.si_pid), (unsigned)si.si_uid,
             si.si_code == SI_QUEUE ? si.si_value.sival_int : 0);
  pgd_result(i, "take", ret, err, false, more);
}

/* The text of /proc/PID/status; empty if the process is gone. */
static const char *status_of(pid_t pid) {
  static char buf[2048];
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  int fd = pg_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  ssize_t n = fd < 0 ? -1 : pg_sys_read(fd, buf, sizeof buf - 1);
  if (fd >= 0)
    pg_sys_close(fd);
  buf[n > 0 ? n : 0] = '\0';
  return buf;
}

/* A process that ends can take a zombie along that nobody waits for. The zombie is there a moment longer. */
static bool takes_signals(pid_t pid) {
  const char *state = strstr(status_of(pid), "State:\t");
  return state && state[7] != 'Z' && state[7] != 'X';
}

/* A stopped process that ends as soon as it goes on tells its parent two things at once. */
static bool ends_when_continued(int label, pid_t pid) {
  if (atomic_load(&board->entry[label].state) == PGD_FOREIGN)
    return true;
  const char *buf = status_of(pid);
  const char *thread = strstr(buf, "SigPnd:"), *process = strstr(buf, "ShdPnd:");
  return (thread && strtoull(thread + 7, NULL, 16)) || (process && strtoull(process + 7, NULL, 16));
}

/* SIGCONT goes to a process, or to all of a group. Returns false if that leaves open what a blocked wait gives. */
static bool continue_is_free(pid_t pid, pid_t group) {
  bool twofold = false, blocked = false;
  for (int k = 0; k < PGD_LABELS; k++) {
    pid_t member = atomic_load(&board->entry[k].pid);
    if (member <= 1)
      continue;
    int call = atomic_load(&board->entry[k].in_call);
    blocked |= call == PGD_CALL_ONE || call == PGD_CALL_MANY;
    if (pid > 0 ? member == pid : pg_sys1(SYS_getpgid, member) == group)
      twofold |= ends_when_continued(k, member);
  }
  return !blocked || !twofold;
}

/* The kernel is free in the order in which the members of a group get a signal. The outcome of a blocked wait may
 * depend on it, and so may the order of a subreaper's new children. A step for which they would is left out. The
 * decision is the same in each run, since it is taken while all processes are quiet. */
static bool group_is_free(pid_t group) {
  int members = 0;
  bool blocked = false;
  for (int k = 0; k < PGD_LABELS; k++) {
    struct pgd_entry *e = &board->entry[k];
    pid_t pid = atomic_load(&e->pid);
    if (pid <= 1)
      continue;
    bool member = pg_sys1(SYS_getpgid, pid) == group && takes_signals(pid);
    int call = atomic_load(&e->in_call);
    members += member;
    blocked |= call == PGD_CALL_MANY || (member && call == PGD_CALL_ONE);
  }
  return members < 2 || (!blocked && !atomic_load(&board->subreaper));
}

/* Pauses until a handler ran. That is the monitor's SIGALRM if no other process has anything left to do. */
void pgd_do_pause(int i) {
  int ret, err;
  atomic_store(&self->entry->in_call, PGD_CALL_PAUSE);
  PGD_CALL(ret, err, pause());
  atomic_store(&self->entry->in_call, PGD_CALL_NO);
  pgd_result(i, "pause", ret, err, false, "");
}

void pgd_do_signal(int i) {
  const struct pgd_step *s = &program.step[i];
  int sig = s->op == OP_STOP ? SIGSTOP : pgd_signal_number(s->arg[1]), ret, err;
  pid_t target = self->pid;
  if (s->op != OP_STOP && !pgd_resolve(i, s->arg[0], &target))
    return;
  bool group = s->op == OP_KILLPG || (s->op == OP_KILL && target <= 0);
  pid_t leader = 0; /* the group that is meant, 0 for none (INT_MIN has no negative) */
  if (s->op == OP_KILLPG)
    leader = target;
  else if (target == 0)
    leader = (pid_t)pg_sys1(SYS_getpgid, 0);
  else if (target < 0 && target != INT_MIN)
    leader = -target;
  if (sig != 0 && (target == 1 || target == -1 || leader == 1)) { /* never the monitor, never every process */
    pgd_trace("s%d skipped: no signal may go there", i);
    return;
  }
  if ((group && sig != 0 && leader > 0 && !group_is_free(leader)) ||
      (sig == SIGCONT && !continue_is_free(group ? 0 : target, leader))) {
    pgd_trace("s%d skipped: the order would be open", i);
    return;
  }
  if (group && sig != 0)
    atomic_store(&board->unordered, atomic_load(&board->round));
  /* If a thread signals its own process, the main thread may take the signal while this thread goes on. */
  bool own = target == self->pid || (group && leader == (pid_t)pg_sys1(SYS_getpgid, 0));
  bool silent = own && sig != 0 && s->op != OP_STOP && atomic_load(&self->entry->tid) != 0;
  if (silent)
    pgd_trace("s%d signals its own process", i);
  union sigval value = {.sival_int = s->arg[2]};
  switch (s->op) {
  case OP_STOP:
    PGD_CALL(ret, err, raise(SIGSTOP));
    break;
  case OP_KILL:
    PGD_CALL(ret, err, kill(target, sig));
    break;
  case OP_KILLPG:
    PGD_CALL(ret, err, killpg(target, sig));
    break;
  default:
    PGD_CALL(ret, err, sigqueue(target, sig, value));
  }
  if (!silent)
    pgd_result(i, pgd_ops[s->op].name, ret, err, false, "");
}

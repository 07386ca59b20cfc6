/* SPDX-License-Identifier: MIT */
/* The trace: lines that are appended to the board, with names in place of every number that differs from run to run. */
#include "interp.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

void pgd_trace(const char *format, ...) {
  struct pgd_ctx *c = self;
  char *line = c->lines + c->lines_len;
  int cap = (int)(sizeof c->lines - c->lines_len) - 1;
  if (cap < 64)
    return;
  int n = snprintf(line, (size_t)cap, "%d r%u ", c->label, atomic_load(&board->round));
  va_list args;
  va_start(args, format);
  n += vsnprintf(line + n, (size_t)(cap - n), format, args);
  va_end(args);
  if (n >= cap)
    n = cap - 1;
  line[n++] = '\n';
  c->lines_len += (unsigned)n;
}

void pgd_flush(void) {
  unsigned n = self->lines_len, at = atomic_fetch_add(&board->trace_len, n);
  if (at + n < PGD_TRACE_SIZE)
    memcpy(board->trace + at, self->lines, n);
  self->lines_len = 0;
}

void pgd_set_name(pid_t pid, int label, int sub) {
  if (pid > 0 && pid < PGD_PIDS) {
    board->name[pid].sub = (int16_t)sub;
    board->name[pid].label = (int16_t)(label + 1);
  }
}

const char *pgd_name(pid_t pid) {
  static char names[8][16];
  static unsigned next;
  char *buf = names[next++ % 8];
  if (pid <= 0)
    snprintf(buf, 16, "%d", (int)pid);
  else if (pid == 1)
    snprintf(buf, 16, "init");
  else if (pid >= PGD_PIDS || board->name[pid].label == 0)
    snprintf(buf, 16, "?"); /* a child that libc made for itself */
  else if (board->name[pid].sub)
    snprintf(buf, 16, "c%d.%d", board->name[pid].label - 1, board->name[pid].sub);
  else
    snprintf(buf, 16, "c%d", board->name[pid].label - 1);
  return buf;
}

static const char *error_name(int err) {
  static char buf[16];
  static const struct {
    int err;
    const char *name;
  } names[] = {{ESRCH, "ESRCH"},   {ECHILD, "ECHILD"}, {EINVAL, "EINVAL"}, {EINTR, "EINTR"},
               {EPERM, "EPERM"},   {EBADF, "EBADF"},   {ENOENT, "ENOENT"}, {ENOEXEC, "ENOEXEC"},
               {EAGAIN, "EAGAIN"}, {EACCES, "EACCES"}, {EMFILE, "EMFILE"}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i].err == err)
      return names[i].name;
  snprintf(buf, sizeof buf, "E%d", err);
  return buf;
}

void pgd_result(int step, const char *what, long ret, int err, bool pid, const char *more) {
  char value[32], fate[48] = "";
  if (pid)
    snprintf(value, sizeof value, "%s", pgd_name((pid_t)ret));
  else
    snprintf(value, sizeof value, "%ld", ret);
  if (ret == -1)
    snprintf(fate, sizeof fate, " %s", err == PGD_ERRNO ? "(errno not set)" : error_name(err));
  else if (err != PGD_ERRNO)
    snprintf(fate, sizeof fate, " (errno became %s)", error_name(err));
  pgd_trace("s%d %s = %s%s%s%s", step, what, value, fate, *more ? " " : "", more);
}

static int compare_reaps(const void *a, const void *b) { return strcmp(a, b); }

/* Several processes may die, stop or go on in one round. The kernel is free to merge their SIGCHLDs, so it is open
 * which handler run reaped which child. Then the trace only says what all handler runs saw together. */
static void print_merged(const struct pgd_ctx *c, int events) {
  static char lines[PGD_EVENTS][40]; /* not on the stack, because a child of clone() has a small one */
  int n = 0;
  pgd_trace("  got CHLD, perhaps several");
  for (int i = 0; i < events; i++)
    for (int k = 0; c->event[i].sig == SIGCHLD && k < c->event[i].reaped && n < PGD_EVENTS; k++)
      snprintf(lines[n++], sizeof lines[0], "%s status 0x%x", pgd_name(c->event[i].reap[k].pid),
               (unsigned)c->event[i].reap[k].status);
  qsort(lines, (size_t)n, sizeof lines[0], compare_reaps);
  for (int i = 0; i < n; i++)
    pgd_trace("    handler reaped %s", lines[i]);
}

static int compare_events(const void *a, const void *b) {
  const struct pgd_event *x = a, *y = b;
  return x->sig != y->sig ? x->sig - y->sig : (int)x->pid - (int)y->pid;
}

void pgd_print_events(void) {
  struct pgd_ctx *c = self;
  int events = atomic_exchange(&c->events, 0);
  events = events < PGD_EVENTS ? events : PGD_EVENTS;
  bool held_back = atomic_exchange(&c->entry->held_back, 0), merged = false;
  bool fuzzy = (atomic_load(&board->fuzzy) >= c->resumed && c->resumed) || held_back;
  if (fuzzy || atomic_load(&board->unordered) >= c->resumed)
    qsort(c->event, (size_t)events, sizeof c->event[0], compare_events);
  for (int i = 0; i < events; i++) {
    struct pgd_event *e = &c->event[i];
    for (int k = 0; k < e->reaped; k++)
      pgd_count_reaped(e->reap[k].pid);
    if (fuzzy && e->sig == SIGCHLD) {
      if (!merged)
        print_merged(c, events);
      merged = true;
      continue;
    }
    /* Signals of clone with SIGUSR1 tell of deaths too, and merge in the same way. The list is sorted by now. */
    if (fuzzy && e->sig == SIGUSR1) {
      if (i == 0 || c->event[i - 1].sig != SIGUSR1)
        pgd_trace("  got USR1, perhaps several");
      continue;
    }
    pgd_trace("  got %d code %d from %s uid %u value %d", e->sig >= SIGRTMIN ? e->sig - SIGRTMIN + 100 : e->sig,
              e->code, pgd_name(e->pid), (unsigned)e->uid, e->value);
    for (int k = 0; k < e->reaped; k++)
      pgd_trace("    handler reaped %s status 0x%x", pgd_name(e->reap[k].pid), (unsigned)e->reap[k].status);
    if (e->last != -2)
      pgd_trace("    handler's last wait %d %s", e->last, e->last < 0 ? error_name(e->last_errno) : "");
  }
}

bool pgd_resolve(int step, int who, pid_t *ret_pid) {
  pid_t pid;
  switch (who) {
  case WHO_SELF:
    pid = self->pid;
    break;
  case WHO_PARENT:
    pid = pg_sys_getppid();
    break;
  case WHO_UNKNOWN:
    pid = 30000; /* below any pid_max, above any PID that a program reaches in its fresh namespace */
    break;
  case WHO_ANY:
    pid = -1;
    break;
  case WHO_ZERO:
    pid = 0;
    break;
  case WHO_INTMIN:
    pid = -__INT_MAX__ - 1;
    break;
  default:
    pid = atomic_load(&board->entry[who % WHO_GROUP].pid);
    if (pid <= 1) {
      pgd_trace("s%d skipped: there is no process c%d yet", step, who % WHO_GROUP);
      return false;
    }
    if (who >= WHO_GROUP)
      pid = -pid;
  }
  *ret_pid = pid;
  return true;
}

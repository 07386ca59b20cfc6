/* SPDX-License-Identifier: MIT */
#include "runtime/gone.h"

#include "kernel/sys.h"
#include "runtime/filter.h"

#include <signal.h>
#include <stdatomic.h>

#define GRAVES 1024u

static struct {
  _Atomic pid_t pid; /* 0: free, or being written right now */
  _Atomic pid_t by;  /* a thread; 0: the kernel itself; -1: unknown */
  const char *_Atomic how;
  _Atomic int64_t when;
} graves[GRAVES]; /* not touched without a log, and so not in memory */

/* Does the kernel itself reap the children of this process? */
static bool kernel_reaps(void) {
  struct pg_action action;
  return pg_filter_can(PG_CAN_ACTION) && pg_sys_action(SIGCHLD, NULL, &action) == 0 &&
         (action.handler == (uintptr_t)SIG_IGN || (action.flags & SA_NOCLDWAIT));
}

void pg_gone_note(pid_t pid, const char *how) {
  if (pid <= 0)
    return;
  pid_t by = -1;
  if (pg_text_is(how, "wait") || pg_text_is(how, "reaped"))
    by = (pid_t)pg_sys0(SYS_gettid);
  else if (kernel_reaps())
    by = 0;
  size_t i = (uint32_t)pid % GRAVES;
  atomic_store_explicit(&graves[i].pid, 0, memory_order_release);
  atomic_store_explicit(&graves[i].by, by, memory_order_release);
  atomic_store_explicit(&graves[i].how, how, memory_order_release);
  atomic_store_explicit(&graves[i].when, pg_log_now(), memory_order_release);
  atomic_store_explicit(&graves[i].pid, pid, memory_order_release);
}

void pg_line_gone(struct pg_line *line, pid_t pid) {
  size_t i = (uint32_t)pid % GRAVES;
  bool known = pid > 0 && atomic_load_explicit(&graves[i].pid, memory_order_acquire) == pid;
  pid_t by = atomic_load_explicit(&graves[i].by, memory_order_acquire);
  const char *how = atomic_load_explicit(&graves[i].how, memory_order_acquire);
  int64_t when = atomic_load_explicit(&graves[i].when, memory_order_acquire);
  if (!known || atomic_load_explicit(&graves[i].pid, memory_order_acquire) != pid) {
    pg_line_str(line, "gone", "unknown");
    return;
  }
  pg_line_str(line, "gone", how);
  pg_line_time(line, "ago", pg_log_now() - when);
  if (by > 0)
    pg_line_int(line, "by", by);
  else
    pg_line_str(line, "by", by == 0 ? "kernel" : "unknown");
}

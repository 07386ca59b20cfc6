/* SPDX-License-Identifier: MIT */
/* Steps that wait, in every form. */
#include "interp.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define FILL 0x5a

struct wait_call {
  int form, type, options;
  pid_t pid; /* a PID, or the id for waitid */
  int *status;
  siginfo_t *info;
  struct rusage *usage;
};

static int real_options(int words) {
  static const int bits[] = {WNOHANG,     WUNTRACED, WEXITED,       WCONTINUED, WNOWAIT,
                             __WNOTHREAD, __WALL,    (int)__WCLONE, 0x100};
  int options = 0;
  for (size_t k = 0; k < sizeof bits / sizeof bits[0]; k++)
    if (words & 1 << k)
      options |= bits[k];
  return options;
}

static int call_wait(const struct wait_call *w) {
  switch (w->form) {
  case FORM_WAIT:
    return wait(w->status);
  case FORM_WAIT3:
    return wait3(w->status, w->options, w->usage);
  case FORM_WAIT4:
    return wait4(w->pid, w->status, w->options, w->usage);
  case FORM_WAITID:
  case FORM_WAITID_FD:
    return waitid((idtype_t)w->type, (id_t)w->pid, w->info, w->options);
  default:
    return waitpid(w->pid, w->status, w->options);
  }
}

void pgd_count_reaped(pid_t pid) {
  struct pgd_name *name = pid > 0 && pid < PGD_PIDS ? &board->name[pid] : NULL;
  if (name && name->label && (name->sub || atomic_load(&board->entry[name->label - 1].forklike)))
    self->reaped_sure++;
  else
    self->reaped_unsure++;
}

static bool all_bytes(const void *buf, size_t from, size_t to, unsigned char byte) {
  for (const unsigned char *p = buf; from < to; from++)
    if (p[from] != byte)
      return false;
  return true;
}

/* Describes a rusage without its times: was it written, and to its last byte? */
static const char *describe_usage(const struct rusage *ru) {
  if (all_bytes(ru, 0, sizeof *ru, FILL))
    return "untouched";
  if (ru->ru_utime.tv_sec < 0 || ru->ru_utime.tv_sec > 3600 || ru->ru_utime.tv_usec >= 1000000 ||
      ru->ru_stime.tv_sec > 3600 || ru->ru_stime.tv_usec >= 1000000 || ru->ru_minflt < 0 || ru->ru_minflt > 1 << 24 ||
      ru->ru_nvcsw > 1 << 24 || ru->ru_nivcsw > 1 << 24)
    return "implausible";
  return "filled";
}

/* Describes the members that waitid fills, and says whether anything else in the structure changed. */
static void describe_info(const siginfo_t *si, char *buf, size_t cap) {
  if (all_bytes(si, 0, sizeof *si, FILL)) {
    snprintf(buf, cap, "info untouched");
    return;
  }
  size_t tail = offsetof(siginfo_t, si_status) + sizeof si->si_status;
  snprintf(buf, cap, "info signo %d errno %d code %d pid %s uid %u status 0x%x%s", si->si_signo, si->si_errno,
           si->si_code, pgd_name(si->si_pid), (unsigned)si->si_uid, (unsigned)si->si_status,
           all_bytes(si, tail, sizeof *si, FILL) ? "" : " and more");
}

/* Could two deaths in one round give the call two outcomes? */
static int blocking_kind(const struct wait_call *w) {
  if (w->form != FORM_WAIT && w->options & WNOHANG)
    return PGD_CALL_NO;
  bool one = w->form == FORM_WAITID || w->form == FORM_WAITID_FD
                 ? w->type == P_PID || w->type == P_PIDFD
                 : (w->form == FORM_WAITPID || w->form == FORM_WAIT4) && w->pid > 0;
  bool quiet = self->chld == CHLD_DEFAULT || self->chld == CHLD_IGNORE || self->chld == CHLD_NOCLDWAIT;
  return one && quiet ? PGD_CALL_ONE : PGD_CALL_MANY;
}

/* Returns false if the step cannot be done. A P_PIDFD wait opens its descriptor through libc's syscall(), as a program
 * would. */
static bool prepare(int i, struct wait_call *w) {
  const struct pgd_step *s = &program.step[i];
  w->form = s->arg[0];
  w->options = real_options(s->arg[2]);
  if (!pgd_resolve(i, s->arg[1], &w->pid))
    return false;
  if (w->form == FORM_WAITID_FD) {
    int fd, err;
    PGD_CALL(fd, err, (int)syscall(SYS_pidfd_open, w->pid, 0));
    pgd_result(i, "pidfd_open", fd, err, false, "");
    if (fd < 0)
      return false;
    w->type = P_PIDFD;
    w->pid = fd;
  } else if (s->arg[1] == WHO_ANY) {
    w->type = P_ALL;
  } else if (s->arg[1] == WHO_INTMIN) {
    w->type = 99;
  } else if (w->pid <= 0) {
    w->type = P_PGID;
    if (w->form == FORM_WAITID)
      w->pid = -w->pid;
  } else {
    w->type = P_PID;
  }
  return true;
}

/* The call is alone in its frame, because a handler may jump out of it. Returns false if one did. */
__attribute__((noinline)) static bool guarded_wait(const struct wait_call *w, int *ret, int *err) {
  bool returned = sigsetjmp(self->jump, 1) == 0;
  if (returned) {
    self->jump_tid = pgd_gettid();
    atomic_store(&self->entry->in_call, blocking_kind(w));
    PGD_CALL(*ret, *err, call_wait(w));
  }
  atomic_store(&self->entry->in_call, PGD_CALL_NO);
  self->jump_tid = 0;
  return returned;
}

void pgd_do_wait(int i) {
  const struct pgd_step *s = &program.step[i];
  struct wait_call w = {0};
  int status = (int)0x5a5a5a5a, ret = 0, err = 0;
  siginfo_t info;
  struct rusage usage;
  if (!prepare(i, &w))
    return;
  if (self->chld == CHLD_REAPER && atomic_load(&self->entry->tid) && blocking_kind(&w) != PGD_CALL_NO) {
    pgd_trace("s%d skipped: the main thread's handler may reap first", i);
    if (w.form == FORM_WAITID_FD)
      close(w.pid);
    return;
  }
  memset(&info, FILL, sizeof info);
  memset(&usage, FILL, sizeof usage);
  w.status = s->arg[3] & BUF_NULL ? NULL : &status;
  w.info = s->arg[3] & BUF_NULL ? NULL : &info;
  w.usage = s->arg[3] & BUF_RUSAGE ? &usage : NULL;
  bool returned = guarded_wait(&w, &ret, &err);
  if (w.form == FORM_WAITID_FD)
    close(w.pid);
  if (!returned) {
    pgd_trace("s%d jumped out of the wait", i);
    return;
  }
  char more[200], text[140] = "";
  bool by_id = w.form == FORM_WAITID || w.form == FORM_WAITID_FD;
  if (by_id)
    describe_info(&info, text, sizeof text);
  else if (status == (int)0x5a5a5a5a)
    snprintf(text, sizeof text, "status untouched");
  else
    snprintf(text, sizeof text, "status 0x%x", (unsigned)status);
  snprintf(more, sizeof more, "%s%s%s", text, w.usage && !by_id ? " rusage " : "",
           w.usage && !by_id ? describe_usage(&usage) : "");
  pgd_result(i, "wait", ret, err, !by_id, more);
  /* The kernel has added the faults of these children to those of this process. Without a buffer it is unknown whether
   * the child died. */
  bool dead = by_id ? w.info && (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED)
                    : WIFEXITED(status) || WIFSIGNALED(status);
  if (ret >= 0 && (s->arg[3] & BUF_NULL || (dead && w.options & WNOWAIT)))
    self->reaped_unsure++;
  else if (ret >= 0 && dead)
    pgd_count_reaped(by_id ? info.si_pid : ret);
}

static void *cancelled_wait(void *arg) {
  struct wait_call *w = arg;
  return (void *)(intptr_t)call_wait(w);
}

/* Cancels a thread that waits for a living child. The wait must end, and the child must stay to be waited for. The
 * request may come before the thread blocks or after: the visible result is the same. */
void pgd_do_cancel(int i) {
  struct wait_call w = {0};
  siginfo_t si;
  memset(&si, 0, sizeof si);
  if (!pgd_resolve(i, program.step[i].arg[0], &w.pid))
    return;
  w.form = program.step[i].arg[1] == FORM_WAITID_FD ? FORM_WAITID : program.step[i].arg[1];
  w.type = P_PID;
  w.options = w.form == FORM_WAITID ? WEXITED : 0;
  int status;
  w.status = &status;
  w.info = &si;
  long alive = pg_sys_waitid(P_PID, (id_t)w.pid, &si, WNOHANG | WNOWAIT | WEXITED, NULL);
  pid_t ended = si.si_pid;
  si.si_pid = 0;
  if (alive == 0)
    alive = pg_sys_waitid(P_ALL, 0, &si, WNOHANG | WNOWAIT | WEXITED, NULL);
  if (alive != 0 || ended != 0 || si.si_pid != 0) {
    pgd_trace("s%d skipped: the wait would not block", i);
    return;
  }
  pthread_t thread;
  void *result = NULL;
  if (pthread_create(&thread, NULL, cancelled_wait, &w) != 0) {
    pgd_trace("s%d skipped: no thread", i);
    return;
  }
  int cancelled = pthread_cancel(thread);
  int joined = pthread_join(thread, &result);
  pgd_trace("s%d cancel = %d, join = %d, %s", i, cancelled, joined,
            result == PTHREAD_CANCELED ? "cancelled" : "returned");
}

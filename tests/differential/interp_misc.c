/* SPDX-License-Identifier: MIT */
/* Steps about groups and sessions, and steps that do several things at once. These are libc's own children (system,
 * popen), a traced child, many children together, and resource usage. They are not split into turns. So each of them is
 * left out if a handler that reaps could come between. */
#include "interp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>

void pgd_do_group(int i) {
  const struct pgd_step *s = &program.step[i];
  int ret, err;
  pid_t pid, group;
  switch (s->op) {
  case OP_SETSID:
    PGD_CALL(ret, err, setsid());
    pgd_result(i, "setsid", ret, err, true, "");
    return;
  case OP_SUBREAPER:
    PGD_CALL(ret, err, prctl(PR_SET_CHILD_SUBREAPER, s->arg[0], 0, 0, 0));
    if (s->arg[0])
      atomic_store(&board->subreaper, 1);
    pgd_result(i, "subreaper", ret, err, false, "");
    return;
  case OP_GETPGID:
    if (pgd_resolve(i, s->arg[0], &pid)) {
      PGD_CALL(ret, err, getpgid(pid));
      pgd_result(i, "getpgid", ret, err, true, "");
    }
    return;
  default:
    if (pgd_resolve(i, s->arg[0], &pid) && pgd_resolve(i, s->arg[1], &group)) {
      PGD_CALL(ret, err, setpgid(pid, group));
      pgd_result(i, "setpgid", ret, err, false, "");
    }
  }
}

static void do_system(int i) {
  static const char *const commands[] = {
      [WHAT_TRUE] = "true",    [WHAT_EXIT3] = "exit 3",          [WHAT_KILLED] = "kill -9 $$",
      [WHAT_STOPS] = "exit 4", [WHAT_SCRIPT] = "sh -c 'exit 7'", [WHAT_MISSING] = "/no/such/program"};
  int ret, err;
  PGD_CALL(ret, err, system(commands[program.step[i].arg[0]]));
  self->reaped_unsure++;
  pgd_result(i, "system", ret, err, false, "");
}

static void do_popen(int i) {
  char command[32], more[32];
  int ret, err;
  snprintf(command, sizeof command, "exit %d", program.step[i].arg[0]);
  FILE *f = popen(command, "r");
  if (!f) {
    pgd_trace("s%d popen failed", i);
    return;
  }
  snprintf(more, sizeof more, "fd %d", fileno(f));
  PGD_CALL(ret, err, pclose(f));
  self->reaped_unsure++;
  pgd_result(i, "pclose", ret, err, false, more);
}

/* Makes one wait for a traced child, and writes it as a line of the trace. Returns false if there is nothing more to
 * trace. */
static bool wait_traced(int i, int form, pid_t pid) {
  int status = 0, ret, err;
  siginfo_t si;
  struct rusage ru;
  char more[96];
  memset(&si, 0, sizeof si);
  if (form >= FORM_WAITID) {
    PGD_CALL(ret, err, waitid(P_PID, (id_t)pid, &si, WEXITED | WSTOPPED));
    snprintf(more, sizeof more, "code %d pid %s status 0x%x", si.si_code, pgd_name(si.si_pid), (unsigned)si.si_status);
    pgd_result(i, "ptrace wait", ret, err, false, more);
    return ret == 0 && (si.si_code == CLD_TRAPPED || si.si_code == CLD_STOPPED);
  }
  if (form == FORM_WAIT4 || form == FORM_WAIT3)
    PGD_CALL(ret, err, wait4(pid, &status, 0, &ru));
  else
    PGD_CALL(ret, err, waitpid(pid, &status, 0));
  snprintf(more, sizeof more, "status 0x%x", (unsigned)status);
  pgd_result(i, "ptrace wait", ret, err, true, more);
  return ret > 0 && WIFSTOPPED(status);
}

static void do_ptrace(int i) {
  int form = program.step[i].arg[0];
  int sub = ++self->extras;
  pid_t pid = fork();
  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
      _exit(99);
    raise(SIGSTOP);
    _exit(7);
  }
  if (pid < 0) {
    pgd_trace("s%d ptrace: no child", i);
    return;
  }
  pgd_set_name(pid, self->label, sub);
  long options = 0;
  for (int round = 0; wait_traced(i, form, pid); round++) {
    if (round == 0)
      options = ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACEEXIT);
    ptrace(PTRACE_CONT, pid, NULL, NULL);
  }
  self->reaped_unsure++;
  pgd_trace("s%d ptrace options %ld", i, options);
}

long pgd_child_faults(void) {
  struct rusage ru;
  return getrusage(RUSAGE_CHILDREN, &ru) == 0 ? ru.ru_minflt : 0;
}

/* Only children that were waited for add to RUSAGE_CHILDREN. A child counts here only if it cannot have run without a
 * page fault. */
static void do_rusage(int i) {
  long before = self->child_faults;
  self->child_faults = pgd_child_faults();
  bool grew = self->child_faults > before;
  bool known = self->reaped_unsure == 0;
  bool expected = self->reaped_sure > 0;
  self->reaped_sure = self->reaped_unsure = 0;
  pgd_trace("s%d rusage of children %s, waited for some: %s", i, known || expected ? grew ? "grew" : "same" : "-",
            known || expected ? expected ? "yes" : "no" : "-");
}

void pgd_do_composite(int i) {
  int op = program.step[i].op;
  bool thread = atomic_load(&self->entry->tid) != 0;
  if (op == OP_RUSAGE) {
    do_rusage(i);
    return;
  }
  if (self->chld == CHLD_REAPER) {
    pgd_trace("s%d skipped: the handler may reap first", i);
    return;
  }
  /* If a thread runs the step, the main thread's handler runs at the same time. How many SIGCHLDs it sees is open. */
  if (thread && op != OP_SYSTEM)
    atomic_store(&board->fuzzy, atomic_load(&board->round));
  if (op == OP_SYSTEM)
    do_system(i);
  else if (op == OP_POPEN)
    do_popen(i);
  else if (op == OP_PTRACE)
    do_ptrace(i);
  else
    pgd_do_many(i);
}

/* SPDX-License-Identifier: MIT */
/* Traced children: the event bits that a tracer finds above the stop signal, through every wait. */
#define _GNU_SOURCE
#include "cases.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <unistd.h>

static pid_t wait_form(int form, pid_t pid, int *status) {
  struct rusage usage;
  siginfo_t info = {.si_pid = -1};
  switch (form) {
  case 0:
    return waitpid(pid, status, __WALL);
  case 1:
    return wait4(pid, status, __WALL, &usage);
  case 2:
    return waitpid(-1, status, __WALL);
  default:
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED | __WALL) != 0)
      return -1;
    note("  %s", siginfo_text(&info, pid));
    *status = info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED ? (int)((unsigned)info.si_status << 8 | 0x7f)
              : info.si_code == CLD_EXITED                               ? info.si_status << 8
                                                                         : info.si_status;
    return info.si_pid;
  }
}

static pid_t traced_child(void (*life)(void)) {
  pid_t pid = fork_ok();
  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
      _exit(99);
    raise(SIGSTOP);
    life();
    _exit(5);
  }
  int status;
  MUST(waitpid(pid, &status, 0) == pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
    skip("ptrace is not allowed here");
  MUST(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  long options = PTRACE_O_TRACEEXIT | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE |
                 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
  MUST(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options) == 0);
  return pid;
}

/* Follows one tracee to its end. Detaches from the tracees that it makes. */
static void follow(int form, pid_t pid) {
  MUST(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
  for (int i = 0; i < 40; i++) {
    int status = 0;
    pid_t got = wait_form(form, pid, &status);
    if (got > 0 && got != pid) { /* the new tracee's own stop, which only waitpid(-1) reports */
      ptrace(PTRACE_DETACH, got, NULL, NULL);
      continue;
    }
    MUST(got == pid);
    unsigned event = (unsigned)status >> 16;
    note("form %d: %s", form, status_text(status));
    if (!WIFSTOPPED(status))
      return;
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
      unsigned long child = 0;
      MUST(ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child) == 0);
      if (form != 2) {
        MUST(child > 1 && waitpid((pid_t)child, &status, __WALL) == (pid_t)child);
        note("  new tracee: %s", status_text(status));
        MUST(ptrace(PTRACE_DETACH, (pid_t)child, NULL, NULL) == 0);
      }
    }
    int sig = event || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    MUST(ptrace(PTRACE_CONT, pid, NULL, (void *)(long)sig) == 0);
  }
}

static void nothing(void) {}
static void does_exec(void) { execlp("true", "true", (char *)NULL); }
static void does_fork(void) {
  pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    ;
}
static void does_vfork(void) {
  pid_t pid = vfork();
  if (pid == 0)
    _exit(0);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    ;
}
static void dies(void) { kill(getpid(), SIGTERM); }

static void run_life(void (*life)(void)) {
  for (int form = 0; form < 4; form++)
    if (form != 2 || (life != does_fork && life != does_vfork)) /* the order of two tracees' stops is not fixed */
      follow(form, traced_child(life));
}

static void exit_event(void) { run_life(nothing); }
static void exec_event(void) { run_life(does_exec); }
static void fork_event(void) { run_life(does_fork); }
static void vfork_event(void) { run_life(does_vfork); }
static void signal_stop(void) { run_life(dies); }

/* A tracer can wait for a process that is not its child. */
static void somebody_elses_child(void) {
  int tell[2];
  pid_t grandchild = -1;
  MUST(pipe(tell) == 0);
  pid_t middle = fork_ok();
  if (middle == 0) {
    grandchild = fork_pausing();
    MUST(write(tell[1], &grandchild, sizeof grandchild) == sizeof grandchild);
    int status;
    MUST(waitpid(grandchild, &status, 0) == grandchild);
    _exit(WTERMSIG(status));
  }
  MUST(read(tell[0], &grandchild, sizeof grandchild) == sizeof grandchild && grandchild > 1);
  errno = UNTOUCHED;
  pid_t got = waitpid(grandchild, NULL, WNOHANG | __WALL);
  note("before: %s", wait_text(got, grandchild));
  if (ptrace(PTRACE_SEIZE, grandchild, NULL, NULL) != 0) {
    finish(middle);
    kill_ok(grandchild, SIGKILL);
    skip("ptrace is not allowed here");
  }
  MUST(ptrace(PTRACE_INTERRUPT, grandchild, NULL, NULL) == 0);
  int status;
  got = waitpid(grandchild, &status, __WALL);
  note("seized: %d %s", got == grandchild, status_text(status));
  MUST(ptrace(PTRACE_CONT, grandchild, NULL, NULL) == 0);
  note("kill: %d", kill_ok(grandchild, SIGKILL));
  got = waitpid(grandchild, &status, __WALL);
  note("as tracer: %d %s", got == grandchild, status_text(status));
  MUST(waitpid(middle, &status, 0) == middle);
  note("as parent: %s", status_text(status));
}

/* A tracer learns of a death before the parent has waited, and the PID is still there. */
static int go[2];
static void told_before_the_parent(pid_t middle, pid_t pid, bool any) {
  int status = 0;
  MUST(kill_ok(pid, SIGKILL) == 0);
  pid_t got = waitpid(any ? -1 : pid, &status, __WALL);
  note("as tracer: %d %s", got == pid, status_text(status));
  errno = UNTOUCHED;
  note("a zombie: %s", call_text(kill_ok(pid, 0)));
  errno = UNTOUCHED;
  note("again: %s", call_text(kill_ok(pid, SIGTERM)));
  MUST(write(go[1], "x", 1) == 1);
  MUST(waitpid(middle, &status, 0) == middle);
  note("as parent: %s", status_text(status));
  errno = UNTOUCHED;
  note("gone: %s", call_text(kill_ok(pid, 0)));
}

static void after_exec(void) {
  pid_t middle = atoi(case_arguments[0]), pid = atoi(case_arguments[1]);
  go[1] = atoi(case_arguments[2]);
  MUST(middle > 1 && pid > 1);
  told_before_the_parent(middle, pid, case_arguments[3][0] == '1');
}

static void tracer_first(bool any, bool exec, const char *name) {
  int tell[2], status;
  char texts[4][16];
  pid_t pid = -1;
  MUST(pipe(tell) == 0 && pipe(go) == 0);
  pid_t middle = fork_ok();
  if (middle == 0) {
    char byte;
    MUST(prctl(PR_SET_NAME, name) == 0); /* its child inherits this */
    pid = fork_pausing();
    MUST(write(tell[1], &pid, sizeof pid) == sizeof pid && read(go[0], &byte, 1) == 1);
    MUST(waitpid(pid, &status, 0) == pid);
    _exit(WTERMSIG(status));
  }
  MUST(read(tell[0], &pid, sizeof pid) == sizeof pid && pid > 1);
  if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0) {
    finish(middle);
    kill_ok(pid, SIGKILL);
    skip("ptrace is not allowed here");
  }
  if (!exec) {
    told_before_the_parent(middle, pid, any);
    return;
  }
  snprintf(texts[0], sizeof texts[0], "%d", (int)middle);
  snprintf(texts[1], sizeof texts[1], "%d", (int)pid);
  snprintf(texts[2], sizeof texts[2], "%d", go[1]);
  snprintf(texts[3], sizeof texts[3], "%d", any);
  execl("/proc/self/exe", "same_ptrace", "-after-exec", texts[0], texts[1], texts[2], texts[3], (char *)NULL);
  MUST(!"exec");
}
static void tracer_by_number(void) { tracer_first(false, false, "tracee"); }
static void tracer_by_any(void) { tracer_first(true, false, "a) S (b) R 1"); }
static void exec_by_number(void) { tracer_first(false, true, ") Z 1"); }
static void exec_by_any(void) { tracer_first(true, true, "a b\n) S"); }

/* The tracer is a forked child that traces a sibling. It knows the sibling's PID from its parent. */
static void told_of_a_sibling(void) {
  int status;
  MUST(pipe(go) == 0);
  pid_t sibling = fork_pausing(), pid = fork_ok();
  if (pid == 0) {
    if (ptrace(PTRACE_SEIZE, sibling, NULL, NULL) != 0)
      _exit(77);
    MUST(kill_ok(sibling, SIGKILL) == 0 && waitpid(-1, &status, __WALL) == sibling);
    note("as tracer: %s", status_text(status));
    errno = UNTOUCHED;
    note("a zombie: %s", call_text(kill_ok(sibling, 0)));
    _exit(0);
  }
  MUST(waitpid(pid, &status, 0) == pid);
  finish(sibling);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    skip("ptrace is not allowed here");
  note("%s", status_text(status));
}

const struct test_case cases[] = {
    {"exit-event", exit_event},
    {"exec-event", exec_event},
    {"fork-event", fork_event},
    {"vfork-event", vfork_event},
    {"signal-stop", signal_stop},
    {"somebody-elses-child", somebody_elses_child},
    {"told-by-number", tracer_by_number},
    {"told-of-a-sibling", told_of_a_sibling},
    {"told-by-any", tracer_by_any},
    {"told-by-number-after-exec", exec_by_number},
    {"told-by-any-after-exec", exec_by_any},
    {"-after-exec", after_exec},
    {NULL, NULL},
};

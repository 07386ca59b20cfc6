/* SPDX-License-Identifier: MIT */
/* The PID of a child that is gone goes to another process, and then a wait reports that process. From that report on
 * the PID is the program's own again. */
#define _GNU_SOURCE
#include "../support/next_pid.h"
#include "../support/refuse.h"
#include "cases.h"
#include "raw.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

static pid_t gone; /* the PID of a child that was reaped */

static void have_one_gone(void) {
  gone = fork_exiting(0);
  MUST(waitpid(gone, NULL, 0) == gone);
}

/* Gives the PID to a grandchild that calls `life`. The middle process makes it and exits, and this subreaper gets
 * it. */
static void come_as_orphan(void (*life)(void)) {
  int status;
  MUST(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
  have_one_gone();
  pid_t middle = fork_ok();
  if (middle == 0) {
    int arranged = next_pid_is(gone);
    if (arranged <= 0)
      _exit(arranged == 0 ? 77 : 1);
    pid_t pid = fork_ok();
    if (pid == 0) {
      life();
      for (;;)
        pause();
    }
    _exit(pid == gone ? 0 : 2);
  }
  MUST(waitpid(middle, &status, 0) == middle);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    skip("the test cannot choose PIDs here (ns_last_pid)");
  MUST(status == 0);
}

static void stops(void) { raise(SIGSTOP); }
static void ends(void) { _exit(3); }

enum form { BY_WAITPID, BY_NUMBER, BY_WAIT3, BY_WAIT4, BY_WAITID, BY_PEEK, BY_SYSCALL_WAIT4, BY_SYSCALL_WAITID };
enum { FORMS = RAW_MAY_BE_SEEN ? BY_SYSCALL_WAITID + 1 : BY_SYSCALL_WAIT4 };

/* Gets one report, by a wait that blocks or by polling. */
static const char *report(enum form form, int what, bool block) {
  const int hang = block ? 0 : WNOHANG;
  siginfo_t info;
  struct rusage usage;
  int status = 0, result = 0;
  pid_t got = 0;
  do {
    memset(&info, 0, sizeof info);
    switch (form) {
    case BY_WAITPID:
      got = waitpid(-1, &status, what | hang);
      break;
    case BY_NUMBER:
      got = waitpid(gone, &status, what | hang);
      break;
    case BY_WAIT3:
      got = wait3(&status, what | hang, &usage);
      break;
    case BY_WAIT4:
      got = wait4(-1, &status, what | hang, &usage);
      break;
    case BY_SYSCALL_WAIT4:
      got = (pid_t)syscall(SYS_wait4, -1, &status, what | hang, NULL);
      break;
    case BY_SYSCALL_WAITID:
      result = (int)syscall(SYS_waitid, P_ALL, 0, &info, what | hang, NULL);
      got = result ? result : info.si_pid;
      break;
    default:
      result = waitid(P_ALL, 0, &info, what | hang | (form == BY_PEEK ? WNOWAIT : 0));
      got = result ? result : info.si_pid;
    }
  } while (got == 0 && (usleep(200), true));
  MUST(got == gone);
  return info.si_pid ? siginfo_text(&info, gone) : status_text(status);
}

static void signals(const char *when, int sig) {
  errno = UNTOUCHED;
  int result = kill_ok(gone, sig), group;
  const char *text = call_text(result);
  MUST(gone > 1);
  group = kill(-gone, 0);
  note("%s: %s, group %s", when, text, errno_text(group ? errno : 0));
}

static void stopped_orphan(void) {
  for (enum form form = 0; (int)form < FORMS; form++)
    for (int block = 0; block < 2; block++) {
      come_as_orphan(stops);
      note("form %d: %s", (int)form, report(form, WUNTRACED, block));
      signals("stopped", SIGCONT);
      note("  %s", report(form == BY_PEEK ? BY_WAITID : form, WCONTINUED, block));
      signals("continued", SIGTERM);
      int status;
      MUST(waitpid(gone, &status, 0) == gone);
      note("  %s", status_text(status));
      signals("waited for", SIGTERM);
    }
}

static void continued_orphan(void) {
  for (enum form form = 0; (int)form < FORMS; form++) {
    siginfo_t info;
    come_as_orphan(stops);
    MUST(gone > 1 && raw_call(SYS_waitid, P_PID, gone, (long)&info, WSTOPPED | WNOWAIT, 0) == 0); /* unwrapped */
    MUST(raw_call(SYS_kill, gone, SIGCONT, 0, 0, 0) == 0);
    note("form %d: %s", (int)form, report(form, WCONTINUED, form % 2));
    signals("continued", SIGTERM);
    finish(gone);
    signals("waited for", SIGTERM);
  }
}

/* A wait with WNOWAIT reports the death and leaves the zombie there, so its PID exists. */
static void dead_orphan(void) {
  come_as_orphan(ends);
  note("%s", report(BY_PEEK, WEXITED, true));
  signals("dead", SIGTERM);
  int status;
  MUST(waitpid(gone, &status, 0) == gone);
  note("%s", status_text(status));
  signals("waited for", SIGTERM);
}

/* A tracee forks, and the kernel makes this process the tracer of the new one, which is not its child. */
static void tracee(void) {
  int status;
  have_one_gone();
  pid_t pid = fork_ok();
  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
      _exit(77);
    raise(SIGSTOP);
    int arranged = next_pid_is(gone);
    if (arranged <= 0)
      _exit(arranged == 0 ? 78 : 1);
    pid_t made = fork();
    while (made == 0)
      pause();
    _exit(made == gone && waitpid(made, &status, 0) == made ? WTERMSIG(status) : 2);
  }
  MUST(waitpid(pid, &status, 0) == pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    skip("ptrace is not allowed here");
  MUST(WIFSTOPPED(status) && ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(long)PTRACE_O_TRACEFORK) == 0);
  MUST(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
  MUST(waitpid(pid, &status, 0) == pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 78)
    skip("the test cannot choose PIDs here (ns_last_pid)");
  MUST(WIFSTOPPED(status) && status >> 8 == (SIGTRAP | PTRACE_EVENT_FORK << 8));
  note("new tracee: %s", report(BY_WAITPID, __WALL, true));
  signals("trapped", 0);
  MUST(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0 && ptrace(PTRACE_CONT, gone, NULL, NULL) == 0);
  signals("continued", SIGTERM);
  MUST(waitpid(gone, &status, __WALL) == gone);
  note("%s", status_text(status));
  MUST(ptrace(PTRACE_DETACH, gone, NULL, (void *)(long)SIGTERM) == 0);
  MUST(waitpid(pid, &status, 0) == pid);
  note("its parent: %s", status_text(status));
}

/* A filter kills this program if it opens a file. The program has more children than the PIDs that are sure to be
 * kept. */
static void no_opening(void) {
  pid_t first = -1, pid = -1;
#if defined SYS_open && !defined __GLIBC__
  const unsigned opens = SYS_open; /* as libc opens a file */
#else
  const unsigned opens = SYS_openat;
#endif
  if (!filter_call(opens, SECCOMP_RET_KILL_PROCESS))
    skip("this user cannot install a filter");
  for (int i = 0; i < 100; i++) {
    pid = fork_exiting(0);
    MUST(waitpid(pid, NULL, 0) == pid);
    first = i ? first : pid;
  }
  errno = UNTOUCHED;
  note("first: %s", call_text(kill_ok(first, 0)));
  errno = UNTOUCHED;
  note("last: %s", call_text(kill_ok(pid, 0)));
}

const struct test_case cases[] = {
    {"stopped-orphan", stopped_orphan}, {"continued-orphan", continued_orphan},
    {"dead-orphan", dead_orphan},       {"tracee", tracee},
    {"no-opening", no_opening},         {NULL, NULL},
};

/* SPDX-License-Identifier: MIT */
/* Process groups: signals to groups and waits for them, also after the leader is gone; kill(0) and kill(-1). */
#define _GNU_SOURCE
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROUP_SIGNAL SIGUSR1

static const char *reap(pid_t pid) {
  int status = 0;
  errno = UNTOUCHED;
  pid_t got = waitpid(pid, &status, 0);
  MUST(got == pid);
  return status_text(status);
}

static int terminal[2];

static int kill_group(pid_t group, int sig, int form) {
  MUST(group > 1);
  errno = UNTOUCHED;
  return form ? killpg(group, sig) : kill(-group, sig);
}

/* Makes a pausing child in a group. 0 means a group of its own. */
static pid_t member(pid_t group) {
  pid_t pid = fork_pausing();
  MUST(setpgid(pid, group) == 0);
  return pid;
}

static void whole_group(void) {
  for (int form = 0; form < 2; form++) {
    pid_t leader = member(0), second = member(leader), third = member(leader), outside = fork_pausing();
    int result = kill_group(leader, 0, form);
    note("0: %s", call_text(result));
    result = kill_group(leader, GROUP_SIGNAL, form);
    note("signal: %s", call_text(result));
    note("%s %s %s", reap(leader), reap(second), reap(third));
    result = kill_group(leader, GROUP_SIGNAL, form);
    note("empty: %s", call_text(result));
    note("outside: %d", kill_ok(outside, 0));
    finish(outside);
  }
}

/* The leader is reaped while a member lives. The group is still there, and no other process has its number. */
static void leader_gone(void) {
  for (int form = 0; form < 2; form++) {
    pid_t leader = member(0), second = member(leader);
    MUST(kill_ok(leader, SIGTERM) == 0);
    note("leader: %s", reap(leader));
    errno = UNTOUCHED;
    int result = kill_ok(leader, 0);
    note("kill leader: %s", call_text(result));
    errno = UNTOUCHED;
    result = (int)syscall(434 /* pidfd_open */, leader, 0); /* EINVAL before 6.16 */
    note("pidfd of the leader: %s", call_text(result));
    result = kill_group(leader, 0, form);
    note("group 0: %s", call_text(result));
    pid_t third = member(leader);
    result = kill_group(leader, GROUP_SIGNAL, form);
    note("group: %s", call_text(result));
    int status = 0;
    pid_t got = waitpid(-leader, &status, 0);
    note("wait: %d %s", got == second || got == third, status_text(status));
    got = waitpid(-leader, &status, 0);
    note("wait: %d %s", got == second || got == third, status_text(status));
    errno = UNTOUCHED;
    got = waitpid(-leader, &status, 0);
    note("wait: %s", wait_text(got, leader));
    result = kill_group(leader, GROUP_SIGNAL, form);
    note("empty: %s", call_text(result));
  }
}

/* Calls that take the number of a group. The group lives, or its leader was reaped, or it is empty. */
static void try_group(const char *who, pid_t group, pid_t member) {
  static char *const argv[] = {"true", NULL};
  posix_spawnattr_t attr;
  pid_t pid = -1;
  int result, status;
#define TRY(what, call) (errno = UNTOUCHED, result = (int)(call), note("%s: " what ": %s", who, call_text(result)))
  TRY("setpgid", setpgid(member, group));
  TRY("setpgid", syscall(SYS_setpgid, member, group));
  TRY("setpgid of nobody", setpgid(1 << 22, group));
  TRY("getpriority", getpriority(PRIO_PGRP, (id_t)group));
  TRY("setpriority", setpriority(PRIO_PGRP, (id_t)group, 3));
  TRY("getpriority", syscall(SYS_getpriority, PRIO_PGRP, group));
  TRY("setpriority", syscall(SYS_setpriority, PRIO_PGRP, group, 4));
  TRY("ioprio_set", syscall(SYS_ioprio_set, 2, group, 2 << 13 | 7));
  TRY("ioprio_get", syscall(SYS_ioprio_get, 2, group));
  TRY("tcsetpgrp of no terminal", tcsetpgrp(terminal[1], group));
  TRY("tcsetpgrp", tcsetpgrp(terminal[0], group));
  TRY("tcsetpgrp of nothing", tcsetpgrp(-1, group));
  MUST(posix_spawnattr_init(&attr) == 0 && posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP) == 0 &&
       posix_spawnattr_setpgroup(&attr, group) == 0);
  result = posix_spawn(&pid, "/bin/true", NULL, &attr, argv, argv + 1);
  note("%s: spawn: %s", who, errno_text(result));
  if (result == 0)
    MUST(waitpid(pid, &status, 0) == pid && status == 0);
  posix_spawnattr_destroy(&attr);
}

static void by_other_calls(void) {
  MUST(setsid() > 0 || getsid(0) == getpid());
  signal(SIGTTOU, SIG_IGN);
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  MUST(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
  terminal[0] = open(ptsname(master), O_RDWR | O_NOCTTY);
  terminal[1] = open("/dev/null", O_RDWR);
  MUST(terminal[0] >= 0 && terminal[1] >= 0 && ioctl(terminal[0], TIOCSCTTY, 0) == 0);
  pid_t leader = member(0), second = member(leader), third = member(0);
  try_group("living", leader, third);
  note("%s", getpgid(third) == leader ? "in it" : "not in it");
  try_group("a child's that leads none", second, third);
  MUST(kill_ok(leader, SIGTERM) == 0);
  note("leader: %s", reap(leader));
  MUST(setpgid(third, third) == 0);
  try_group("leader gone", leader, third);
  note("%s", getpgid(third) == leader ? "in it" : "not in it");
  finish(third);
  finish(second);
  pid_t other = fork_pausing();
  try_group("empty", leader, other);
  try_group("nobody's", 1 << 22, other);
  try_group("negative", -5, other);
  finish(other);
}

/* The same, but no descriptor is free when the leader is reaped, nor at the next birth. */
static void leader_gone_none_left(void) {
  struct rlimit limit = {64, 64};
  int ready[2], status;
  char byte;
  MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0 && pipe(ready) == 0);
  pid_t leader = fork_ok();
  if (leader == 0) {
    MUST(setpgid(0, 0) == 0);
    bool member = fork_ok() == 0;
    MUST(!member || write(ready[1], "x", 1) == 1);
    while (member)
      pause();
    _exit(0);
  }
  MUST(read(ready[0], &byte, 1) == 1);
  while (dup(0) >= 0)
    ;
  MUST(waitpid(leader, &status, 0) == leader);
  note("%s", status_text(status));
  pid_t next = fork_exiting(7);
  MUST(waitpid(next, &status, 0) == next);
  note("%s", status_text(status));
  int result = kill_group(leader, SIGKILL, 0);
  note("group: %s", call_text(result));
}

/* A grandchild, unknown to the program, is the last of the group. */
static void grandchild_left(void) {
  int tell[2];
  char byte;
  MUST(pipe(tell) == 0);
  pid_t leader = fork_ok();
  if (leader == 0) {
    MUST(setpgid(0, 0) == 0);
    pid_t grandchild = fork_ok();
    if (grandchild == 0) {
      MUST(write(tell[1], "", 1) == 1);
      for (;;)
        pause();
    }
    _exit(2);
  }
  close(tell[1]);
  MUST(read(tell[0], &byte, 1) == 1);
  note("leader: %s", reap(leader));
  int result = kill_group(leader, 0, 0);
  note("group: %s", call_text(result));
  result = kill_group(leader, SIGKILL, 0);
  note("group: %s", call_text(result));
  note("last one gone: %d", (int)read(tell[0], &byte, 1));
  for (int i = 0; i < 1000 && kill_group(leader, 0, 0) == 0; i++)
    sleep_ms(1); /* init reaps it */
  result = kill_group(leader, 0, 0);
  note("group: %s", call_text(result));
}

/* The group is made late, by the parent or by the child, or never. */
static void made_late(void) {
  pid_t pid = fork_pausing();
  int result = kill_group(pid, GROUP_SIGNAL, 0);
  note("no group yet: %s", call_text(result));
  MUST(setpgid(pid, pid) == 0);
  result = kill_group(pid, 0, 0);
  note("by the parent: %s", call_text(result));
  MUST(setpgid(pid, getpgrp()) == 0);
  result = kill_group(pid, GROUP_SIGNAL, 0);
  note("left again: %s", call_text(result));
  MUST(setpgid(pid, pid) == 0);
  result = kill_group(pid, GROUP_SIGNAL, 0);
  note("back: %s", call_text(result));
  note("%s", reap(pid));

  int tell[2];
  char byte;
  MUST(pipe(tell) == 0);
  pid = fork_ok();
  if (pid == 0) {
    MUST(setsid() == getpid() && write(tell[1], "", 1) == 1);
    for (;;)
      pause();
  }
  MUST(read(tell[0], &byte, 1) == 1);
  result = kill_group(pid, GROUP_SIGNAL, 1);
  note("setsid by the child: %s", call_text(result));
  note("%s", reap(pid));
  /* A reaped child that never led a group. */
  pid = fork_exiting(1);
  note("%s", reap(pid));
  result = kill_group(pid, GROUP_SIGNAL, 0);
  note("never a leader: %s", call_text(result));
}

static void waits_for_groups(void) {
  pid_t one = fork_ok();
  if (one == 0) {
    setpgid(0, 0);
    _exit(1);
  }
  await_zombie(one);
  pid_t own = fork_exiting(2);
  await_zombie(own);
  int status;
  errno = UNTOUCHED;
  pid_t got = waitpid(0, &status, 0);
  note("own group: %s %s", wait_text(got, own), status_text(status));
  errno = UNTOUCHED;
  got = waitpid(0, &status, 0);
  note("own group: %s", wait_text(got, own));
  siginfo_t info;
  errno = UNTOUCHED;
  int result = waitid(P_PGID, 0, &info, WEXITED); /* 0 is the caller's own group since Linux 5.4 */
  note("waitid own group: %s", call_text(result));
  errno = UNTOUCHED;
  result = waitid(P_PGID, (id_t)one, &info, WEXITED | WNOWAIT);
  note("waitid: %s %s", call_text(result), siginfo_text(&info, one));
  errno = UNTOUCHED;
  got = waitpid(-one, &status, 0);
  note("other group: %s %s", wait_text(got, one), status_text(status));
  errno = UNTOUCHED;
  result = waitid(P_PGID, (id_t)one, &info, WEXITED);
  note("waitid: %s", call_text(result));
}

static volatile sig_atomic_t hits;
static void on_signal(int sig) {
  (void)sig;
  hits++;
}

static void own_group(void) {
  pid_t pid = fork_pausing(); /* before the handler is set, so it ends by the signal */
  signal(GROUP_SIGNAL, on_signal);
  pid_t outside = member(0);
  errno = UNTOUCHED;
  int result = kill(0, GROUP_SIGNAL);
  note("kill 0: %s, hits %d", call_text(result), (int)hits);
  note("%s", reap(pid));
  errno = UNTOUCHED;
  result = killpg(0, GROUP_SIGNAL);
  note("killpg 0: %s, hits %d", call_text(result), (int)hits);
  result = kill_group(getpgrp(), GROUP_SIGNAL, 0);
  note("by number: %s, hits %d", call_text(result), (int)hits);
  note("outside: %d", kill_ok(outside, 0));
  finish(outside);
}

/* kill(-1) reaches every process, so it is sent only in a pid namespace that was made for it. */
static void everybody(void) {
  if (unshare(CLONE_NEWPID) != 0)
    skip("this user cannot make a pid namespace");
  pid_t init = fork_ok();
  if (init == 0) {
    MUST(getpid() == 1);
    pid_t one = fork_pausing(), two = fork_pausing();
    errno = UNTOUCHED;
    int result = getpid() == 1 ? kill(-1, SIGUSR2) : -2;
    note("kill -1: %s", call_text(result));
    note("%s %s", reap(one), reap(two));
    errno = UNTOUCHED;
    result = getpid() == 1 ? kill(-1, SIGUSR2) : -2;
    note("nobody left: %s", call_text(result));
    _exit(3);
  }
  note("%s", reap(init));
}

/* A job, as shells make it: a pipeline in a group that is stopped, continued and ended. */
static void job_control(void) {
  pid_t first = member(0), second = member(first);
  int result = kill_group(first, SIGTSTP, 0), status;
  note("stop: %s", call_text(result));
  for (int i = 0; i < 2; i++) {
    MUST(waitpid(i ? second : first, &status, WUNTRACED) > 0);
    note("%s", status_text(status));
  }
  result = kill_group(first, SIGCONT, 1);
  note("continue: %s", call_text(result));
  for (int i = 0; i < 2; i++) {
    MUST(waitpid(i ? second : first, &status, WCONTINUED) > 0);
    note("%s", status_text(status));
  }
  result = kill_group(first, SIGHUP, 0);
  note("end: %s", call_text(result));
  note("%s %s", reap(second), reap(first));
}

const struct test_case cases[] = {
    {"whole-group", whole_group},
    {"leader-gone", leader_gone},
    {"leader-gone-none-left", leader_gone_none_left},
    {"by-other-calls", by_other_calls},
    {"grandchild-left", grandchild_left},
    {"made-late", made_late},
    {"waits-for-groups", waits_for_groups},
    {"own-group", own_group},
    {"everybody", everybody},
    {"job-control", job_control},
    {NULL, NULL},
};

/* SPDX-License-Identifier: MIT */
/* Calls that must fail as libc and the kernel let them fail, and successes that must leave errno alone. */
#define _GNU_SOURCE
#include "cases.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

extern char **environ;

#define NOBODY 0x7fffffff /* above any pid_max */

static void odd_signals(void) {
  static const int signals[] = {-1, 0, 65, 100, INT_MAX, INT_MIN};
  pid_t pid = fork_pausing();
  MUST(setpgid(pid, pid) == 0 && pid > 1);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    errno = UNTOUCHED;
    int result = kill_ok(pid, signals[i]);
    note("kill %d: %s", signals[i], call_text(result));
    errno = UNTOUCHED;
    result = kill(-pid, signals[i]);
    note("group %d: %s", signals[i], call_text(result));
    errno = UNTOUCHED;
    result = killpg(pid, signals[i]);
    note("killpg %d: %s", signals[i], call_text(result));
    errno = UNTOUCHED;
    result = sigqueue(pid, signals[i], (union sigval){.sival_int = 0});
    note("sigqueue %d: %s", signals[i], call_text(result));
    errno = UNTOUCHED;
    result = kill(NOBODY, signals[i]);
    note("nobody %d: %s", signals[i], call_text(result));
    errno = UNTOUCHED;
    result = kill(getpid(), signals[i]);
    note("self %d: %s", signals[i], call_text(result));
    errno = UNTOUCHED;
    result = kill(0, signals[i] == 0 ? 0 : 65);
    note("own group %d: %s", signals[i], call_text(result));
  }
  finish(pid);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    errno = UNTOUCHED;
    int result = kill_ok(pid, signals[i]);
    note("reaped %d: %s", signals[i], call_text(result));
    errno = UNTOUCHED;
    result = kill(-pid, signals[i]);
    note("reaped group %d: %s", signals[i], call_text(result));
    errno = UNTOUCHED;
    result = sigqueue(pid, signals[i], (union sigval){.sival_int = 0});
    note("reaped sigqueue %d: %s", signals[i], call_text(result));
  }
}

/* Only signal 0 is sent, because some of these targets are every process of the namespace. */
static void odd_targets(void) {
  static const pid_t targets[] = {NOBODY, -NOBODY, INT_MIN, INT_MIN + 2, 0, 1, -1};
  for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
    errno = UNTOUCHED;
    int result = kill(targets[i], 0);
    note("kill %d: %s", (int)targets[i], call_text(result));
    errno = UNTOUCHED;
    result = killpg(targets[i], 0);
    note("killpg %d: %s", (int)targets[i], call_text(result));
    errno = UNTOUCHED;
    result = sigqueue(targets[i], 0, (union sigval){.sival_int = 0});
    note("sigqueue %d: %s", (int)targets[i], call_text(result));
  }
  errno = UNTOUCHED;
  int result = kill(getppid(), 0);
  note("parent: %s", call_text(result));
  errno = UNTOUCHED;
  result = kill(getpid(), 0);
  note("self: %s", call_text(result));
}

static void odd_waits(void) {
  for (int with_child = 0; with_child < 2; with_child++) {
    pid_t pid = with_child ? fork_pausing() : 0;
    const pid_t targets[] = {NOBODY, -NOBODY, INT_MIN, INT_MIN + 1, 1, getpid(), getppid(), -getpid(), -2};
    static const char *const names[] = {"nobody", "no group", "INT_MIN",   "INT_MIN+1", "init",
                                        "self",   "parent",   "own group", "-2"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
      for (int hang = 0; hang < 2; hang++) {
        if (with_child && !hang && targets[i] == -getpid())
          continue; /* would block */
        int status = 0x5a5a;
        errno = UNTOUCHED;
        pid_t got = waitpid(targets[i], &status, hang ? WNOHANG : 0);
        note("waitpid %s: %s %#x", names[i], wait_text(got, pid), (unsigned)status);
        errno = UNTOUCHED;
        got = wait4(targets[i], &status, hang ? WNOHANG : 0, NULL);
        note("wait4 %s: %s %#x", names[i], wait_text(got, pid), (unsigned)status);
        siginfo_t info;
        memset(&info, 0x5a, sizeof info);
        errno = UNTOUCHED;
        int result = waitid(P_PID, (id_t)targets[i], &info, WEXITED | (hang ? WNOHANG : 0));
        note("waitid P_PID %s: %s %d", names[i], call_text(result), info.si_signo);
        if (with_child && !hang)
          continue;
        errno = UNTOUCHED;
        result = waitid(P_PGID, (id_t)targets[i], &info, WEXITED | WNOHANG);
        note("waitid P_PGID %s: %s %d", names[i], call_text(result), info.si_signo);
      }
    errno = UNTOUCHED;
    int result = waitid(P_PGID, 0, NULL, WEXITED | WNOHANG);
    note("waitid P_PGID 0: %s", call_text(result));
    errno = UNTOUCHED;
    result = waitid(P_PID, 0, NULL, WEXITED | WNOHANG);
    note("waitid P_PID 0: %s", call_text(result));
    if (pid)
      finish(pid);
  }
}

static void no_children(void) {
  siginfo_t info;
  struct rusage usage;
  errno = UNTOUCHED;
  pid_t got = wait(NULL);
  note("wait: %s", wait_text(got, 0));
  errno = UNTOUCHED;
  got = waitpid(-1, NULL, 0);
  note("waitpid: %s", wait_text(got, 0));
  errno = UNTOUCHED;
  got = waitpid(0, NULL, WNOHANG);
  note("waitpid 0: %s", wait_text(got, 0));
  errno = UNTOUCHED;
  got = wait3(NULL, 0, &usage);
  note("wait3: %s", wait_text(got, 0));
  errno = UNTOUCHED;
  got = wait4(-1, NULL, 0, &usage);
  note("wait4: %s", wait_text(got, 0));
  errno = UNTOUCHED;
  int result = waitid(P_ALL, 0, &info, WEXITED);
  note("waitid: %s", call_text(result));
}

/* A success leaves errno as it was. */
static void errno_on_success(void) {
  int answer[2], seen = 0;
  MUST(pipe(answer) == 0);
  errno = UNTOUCHED;
  pid_t pid = fork();
  if (pid == 0) {
    seen = errno;
    MUST(write(answer[1], &seen, sizeof seen) == sizeof seen);
    for (;;)
      pause();
  }
  note("fork: %s", errno_text(errno));
  MUST(read(answer[0], &seen, sizeof seen) == sizeof seen);
  note("fork, child: %s", errno_text(seen));
  MUST(setpgid(pid, pid) == 0 && pid > 1);
  errno = UNTOUCHED;
  kill_ok(pid, 0);
  note("kill: %s", errno_text(errno));
  killpg(pid, 0);
  note("killpg: %s", errno_text(errno));
  sigqueue(pid, 0, (union sigval){.sival_int = 0});
  note("sigqueue: %s", errno_text(errno));
  waitpid(pid, NULL, WNOHANG);
  note("waitpid: %s", errno_text(errno));
  kill_ok(pid, SIGKILL);
  waitpid(-1, NULL, 0);
  note("reap: %s", errno_text(errno));
  pid = vfork();
  if (pid == 0)
    _exit(0);
  note("vfork: %s", errno_text(errno));
  wait(NULL);
  note("wait: %s", errno_text(errno));
  char *const argv[] = {"true", NULL};
  int error = posix_spawnp(&pid, "true", NULL, NULL, argv, environ);
  note("posix_spawnp: %d %s", error, errno_text(errno));
  siginfo_t info;
  waitid(P_PID, (id_t)pid, &info, WEXITED);
  note("waitid: %s", errno_text(errno));
  int fd = dup(0);
  errno = UNTOUCHED;
  close(fd);
  note("close: %s", errno_text(errno));
}

/* If no process can fork, every way must fail alike. Here the namespace for children has lost its init. */
static int clone_main(void *unused) {
  (void)unused;
  return 0;
}

static void forks_that_fail(void) {
  if (unshare(CLONE_NEWPID) != 0)
    skip("this user cannot make a pid namespace");
  pid_t init = fork_exiting(0);
  MUST(waitpid(init, NULL, 0) == init);
  static char stack[16384] __attribute__((aligned(16)));
  char *const argv[] = {"true", NULL};
  pid_t pid = -5;
  errno = UNTOUCHED;
  pid_t got = fork();
  note("fork: %s", wait_text(got, -2));
  errno = UNTOUCHED;
  got = vfork();
  note("vfork: %s", wait_text(got, -2));
  errno = UNTOUCHED;
  got = clone(clone_main, stack + sizeof stack, SIGCHLD, NULL);
  note("clone: %s", wait_text(got, -2));
  errno = UNTOUCHED;
  int error = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ);
  note("posix_spawn: %s, pid %d, errno %s", errno_text(error), (int)pid, errno_text(errno));
  errno = UNTOUCHED;
  got = waitpid(-1, NULL, 0);
  note("no zombie: %s", wait_text(got, -2));
}

/* A forked child cannot wait for its parent's children, but may signal them. */
static void inherited_siblings(void) {
  pid_t sibling = fork_pausing(), zombie = fork_exiting(0);
  await_zombie(zombie);
  pid_t pid = fork_ok();
  if (pid == 0) {
    siginfo_t info;
    errno = UNTOUCHED;
    pid_t got = waitpid(sibling, NULL, 0);
    note("waitpid: %s", wait_text(got, sibling));
    errno = UNTOUCHED;
    got = waitpid(zombie, NULL, WNOHANG);
    note("waitpid zombie: %s", wait_text(got, zombie));
    errno = UNTOUCHED;
    got = wait4(zombie, NULL, 0, NULL);
    note("wait4: %s", wait_text(got, zombie));
    errno = UNTOUCHED;
    got = wait(NULL);
    note("wait: %s", wait_text(got, sibling));
    errno = UNTOUCHED;
    int result = waitid(P_PID, (id_t)zombie, &info, WEXITED);
    note("waitid: %s", call_text(result));
    result = kill_ok(zombie, 0);
    note("kill zombie: %s", call_text(result));
    errno = UNTOUCHED;
    result = kill_ok(sibling, SIGTERM);
    note("kill: %s", call_text(result));
    pid_t own = fork_exiting(3);
    int status;
    MUST(waitpid(own, &status, 0) == own);
    note("own child: %s", status_text(status));
    _exit(0);
  }
  int status;
  MUST(waitpid(pid, &status, 0) == pid);
  note("child: %s", status_text(status));
  MUST(waitpid(sibling, &status, 0) == sibling);
  note("sibling: %s", status_text(status));
  MUST(waitpid(zombie, &status, 0) == zombie);
}

/* Between death and reap a PID is the zombie's, and signals to it succeed. */
static void signals_to_a_zombie(void) {
  pid_t pid = fork_ok();
  if (pid == 0) {
    setpgid(0, 0);
    _exit(1);
  }
  await_zombie(pid);
  MUST(pid > 1);
  for (int round = 0; round < 2; round++) {
    errno = UNTOUCHED;
    int result = kill_ok(pid, SIGKILL);
    note("kill: %s", call_text(result));
    errno = UNTOUCHED;
    result = kill(-pid, SIGTERM);
    note("group: %s", call_text(result));
    errno = UNTOUCHED;
    result = sigqueue(pid, SIGTERM, (union sigval){.sival_int = 0});
    note("sigqueue: %s", call_text(result));
    int status = 0;
    errno = UNTOUCHED;
    pid_t got = waitpid(pid, &status, 0);
    note("reap: %s %s", wait_text(got, pid), status_text(status));
  }
}

const struct test_case cases[] = {
    {"odd-signals", odd_signals},
    {"odd-targets", odd_targets},
    {"odd-waits", odd_waits},
    {"no-children", no_children},
    {"errno-on-success", errno_on_success},
    {"forks-that-fail", forks_that_fail},
    {"inherited-siblings", inherited_siblings},
    {"signals-to-a-zombie", signals_to_a_zombie},
    {NULL, NULL},
};

/* SPDX-License-Identifier: MIT */
/* A PID that is retired, and that a stranger has. */
#include "../programs/raw.h"
#include "api_track.h"
#include "next_pid.h"
#include "pidfs.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A helper that was forked before looks after strangers. If libc's names are protected, a process that knows the PID to
 * be dead cannot look at the stranger that has it. The questions are 't' (take the PID, with the answer 0 or -errno),
 * 'g' (did it get this signal?), 'u' (is it untouched?) and 'r' (release it). */
struct ask {
  char what;
  int argument;
};

static void help(int sock) {
  struct pg_test_stranger s;
  struct ask ask;
  while (read(sock, &ask, sizeof ask) == sizeof ask) {
    int answer = 0;
    if (ask.what == 't')
      answer = pg_test_take_pid(ask.argument, true, &s);
    else if (ask.what == 'g')
      answer = pg_test_stranger_got(&s, ask.argument);
    else if (ask.what == 'u')
      answer = pg_test_stranger_untouched(&s);
    else
      pg_test_stranger_release(&s);
    if (write(sock, &answer, sizeof answer) != sizeof answer)
      break;
  }
  _exit(0);
}

static int helper;

static int ask_helper(char what, int argument) {
  struct ask ask = {what, argument};
  int answer;
  if (write(helper, &ask, sizeof ask) != sizeof ask || read(helper, &answer, sizeof answer) != sizeof answer)
    abort();
  return answer;
}

/* Every call that sends must fail with ESRCH. With mode off the PID is libc's, and the stranger is hit. */
static void use_stale(pid_t pid) {
  union sigval value = {.sival_int = 1};
  if (off) {
    CHECK_EQ(pidguard_kill(pid, SIGTERM), 0);
    PG_CHECK(ask_helper('g', SIGTERM) == 1, "the stranger was not hit, so this test shows nothing");
    return;
  }
  CHECK_ERRNO(pidguard_kill(pid, SIGTERM), ESRCH);
  CHECK_ERRNO(pidguard_kill(-pid, SIGTERM), ESRCH);
  CHECK_ERRNO(pidguard_kill(-pid, SIGTERM), ESRCH);
  CHECK_ERRNO(pidguard_sigqueue(pid, SIGTERM, value), ESRCH);
  CHECK_ERRNO(pidguard_pidfd_open_child(pid), ESRCH);
  CHECK_ERRNO(pidguard_adopt(pid), ECHILD); /* the stranger is no child of this process */
  CHECK_ERRNO(pidguard_kill(pid, SIGTERM), ESRCH);
  if (preloaded) /* both use one table: libc's names know what the API has seen */
    CHECK_ERRNO(kill(pid, SIGTERM), ESRCH);
  PG_CHECK(ask_helper('u', 0) == 1, "the stranger was hit");
  /* When the PID is forgotten, it belongs to the process that has it. */
  CHECK_EQ(pidguard_forget(pid), 0);
  CHECK_ERRNO(pidguard_forget(pid), ESRCH);
  CHECK_EQ(pidguard_kill(pid, SIGUSR1), 0);
  PG_CHECK(ask_helper('g', SIGUSR1) == 1, "the PID was forgotten and is still refused");
}

/* The child is taken by its PID, or past the table by its pidfd. The PID is dead in both cases. */
static void stale(bool by_pidfd) {
  int pair[2], status, fd = -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
    abort();
  pid_t helping = fork();
  if (helping < 0)
    abort();
  if (helping == 0) {
    close(pair[0]);
    help(pair[1]);
  }
  close(pair[1]);
  helper = pair[0];
  pid_t pid = pidguard_fork_pidfd(&fd);
  if (pid == 0)
    _exit(0);
  if (by_pidfd)
    CHECK_EQ(pidguard_pidfd_wait(fd, &status, -1), 0);
  else
    CHECK_EQ(pidguard_waitpid(pid, &status, 0), pid);
  close(fd);
  int r = ask_helper('t', pid);
  if (r) {
    pg_test_skip("the test cannot choose a PID here: %s", strerror(-r));
  } else {
    use_stale(pid);
    ask_helper('r', 0);
  }
  close(helper);
  CHECK_EQ(waitpid(helping, &status, 0), helping);
}

void no_stranger(void) {
  stale(false);
  stale(true);
}

/* Does what a program does that closes everything by raw calls and then opens many pidfds. One of them gets the number
 * of the child's pidfd. Exits with 1 if the tracked child died, 2 if the other child died. */
static void overwrite(void) {
  pid_t other = fork();
  while (other == 0)
    pause();
  pid_t child = tracked(-1);
  raw_call(SYS_close_range, 3, ~0U, 0, 0, 0);
  int fd = pidguard_pidfd_open(other, 0);
  for (int i = 0; i < 2048; i++) /* the child's pidfd lies below the limit, or not far above 1,024 */
    raw_call(SYS_fcntl, fd, F_DUPFD, 3, 0, 0);
  if (other < 2 || pidguard_kill(child, SIGKILL))
    _exit(8);
  siginfo_t info = {.si_pid = 0};
  int died = raw_call(SYS_waitid, P_ALL, 0, (long)&info, WEXITED | WNOWAIT, 0) ? 4 : info.si_pid == child ? 1 : 2;
  raw_call(SYS_kill, other, SIGKILL, 0, 0, 0);
  raw_call(SYS_kill, child, SIGKILL, 0, 0, 0);
  _exit(died == 2 && !pidfds_have_identity() ? PG_TEST_SKIPPED : died);
}

void overwritten(void) {
  int status;
  pid_t pid = fork();
  if (pid == 0)
    overwrite();
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == PG_TEST_SKIPPED)
    pg_test_skip("before Linux 6.9 all pidfds have the same inode");
  else
    PG_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %#x", status);
}

/* A child by libc's own fork() gets a PID that is retired here. It may send to itself. */
void own_number(void) {
  int status;
  pid_t made = 0, pid = tracked(0);
  CHECK_EQ(pidguard_waitpid(pid, &status, 0), pid);
  CHECK_ERRNO(pidguard_kill(pid, 0), ESRCH); /* asks which process has this PID, which is not the child's answer */
  for (int tries = 0; made != pid && tries < 20 && next_pid_is(pid) > 0; tries++) {
    made = fork();
    if (made == 0)
      _exit(getpid() == pid && pidguard_kill(pid, 0));
    CHECK_EQ(waitpid(made, &status, 0), made);
  }
  if (made != pid)
    pg_test_skip("the test cannot choose PIDs here (ns_last_pid)");
  else
    CHECK_EQ(status, 0);
}

/* A child of pidguard_spawn() gets such a PID. The PID is then that of the living child. */
void spawned_number(void) {
  char *argv[] = {"sleep", "100", NULL};
  int status;
  pid_t made = 0, pid = tracked(0);
  CHECK_EQ(pidguard_waitpid(pid, &status, 0), pid);
  CHECK_ERRNO(pidguard_kill(pid, 0), ESRCH);
  for (int tries = 0; made != pid && tries < 20 && next_pid_is(pid) > 0; tries++) {
    int fd = pidguard_spawn("sleep", argv, environ, NULL, 0);
    made = pidguard_pidfd_get_pid(fd);
    if (made < 2)
      abort();
    CHECK_EQ(pidguard_kill(made, SIGTERM), 0);
    pidguard_pidfd_send_signal(fd, SIGKILL, 0);
    CHECK_EQ(pidguard_pidfd_wait(fd, &status, -1), 0);
    close(fd);
  }
  if (made != pid)
    pg_test_skip("the test cannot choose PIDs here (ns_last_pid)");
}

/* The first process of a new pid namespace adopts a child before it calls anything else. Its own setup as a forked
 * child must not come after that and wipe the child out. Exits with the step that went wrong (0: none, 77: the test
 * cannot choose PIDs). */
static int adopting_first(void) {
  int status;
  pid_t child = (pid_t)raw_call(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    raw_call(SYS_close_range, 0, ~0U, 0, 0, 0);
    for (;;)
      pause();
  }
  if (child < 2 || pidguard_adopt(child))
    return 1;
  if (pidguard_kill(child, 0) || pidguard_kill(child, SIGKILL) ||
      raw_call(SYS_wait4, child, (long)&status, 0, 0, 0) != child) /* the table does not hear of the end, either */
    return 2;
  for (int tries = 0; tries < 20; tries++) {
    if (next_pid_is(child) != 1)
      return PG_TEST_SKIPPED;
    /* The table does not hear of this child, so it is a stranger. */
    pid_t made = (pid_t)raw_call(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (made == 0)
      for (;;)
        pause();
    int hit = made == child && (pidguard_kill(child, SIGKILL) != -1 || errno != ESRCH);
    raw_call(SYS_kill, made, SIGKILL, 0, 0, 0);
    raw_call(SYS_wait4, made, (long)&status, 0, 0, 0);
    if (made == child)
      return hit ? 3 : 0;
  }
  return PG_TEST_SKIPPED;
}

void adopted_before_anything(void) {
  int status = 0;
  if (off)
    return;
  pid_t outer = fork();
  if (outer == 0) {
    if (unshare(CLONE_NEWPID) != 0)
      _exit(PG_TEST_SKIPPED);
    pid_t first = pidguard_fork();
    if (first == 0)
      _exit(adopting_first());
    _exit(waitpid(first, &status, 0) == first && WIFEXITED(status) ? WEXITSTATUS(status) : 9);
  }
  CHECK_EQ(waitpid(outer, &status, 0), outer);
  if (WIFEXITED(status) && WEXITSTATUS(status) == PG_TEST_SKIPPED)
    pg_test_skip("this user cannot make a pid namespace, or cannot choose PIDs in it (ns_last_pid)");
  else if (WIFEXITED(status) && WEXITSTATUS(status) == 3 && !pidfds_have_identity())
    pg_test_skip("to tell one untracked child from another needs Linux 6.9");
  else
    PG_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned)status);
}

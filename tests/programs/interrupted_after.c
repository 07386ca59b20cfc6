/* SPDX-License-Identifier: MIT */
/* What must hold after an operation of `interrupted`, whatever its handler did. See interrupted.h. */
#define _GNU_SOURCE
#include "interrupted.h"

#include "raw.h"

#include <errno.h>
#include <sys/wait.h>

const int *reaped_by_handler(pid_t pid) {
  for (int i = 0; i < scene.reaped_count; i++)
    if (scene.reaped[i] == pid)
      return &scene.reaped_status[i];
  return NULL;
}

static void check_gone(pid_t pid, const char *who) {
  int r = kill(pid, 0);
  MUST(r == -1 && errno == ESRCH, "%s is reaped: kill: %d, errno %d", who, r, errno);
}

void check_reaped(pid_t child, int status, const char *who) {
  int seen = 0;
  pid_t r = waitpid(child, &seen, 0);
  MUST(r == child && seen == status, "%s: waitpid: %d, errno %d, status %#x", who, (int)r, errno, (unsigned)seen);
  check_gone(child, who);
}

/* To a copy the child is a sibling. If the copy was made before the birth, the child is its own. */
static void check_birth_in_copy(pid_t child) {
  bool own = is_own_child(child);
  if (own) {
    check_reaped(child, CODE_OPERATION << 8, "its own child");
    return;
  }
  MUST(kill(child, 0) == 0, "kill(sibling that was just born): errno %d", errno);
  pid_t r = waitpid(child, NULL, WNOHANG);
  MUST(r == -1 && errno == ECHILD, "waitpid(sibling that was just born): %d, errno %d", (int)r, errno);
}

void check_birth(void) {
  pid_t child = (pid_t)scene.result;
  MUST(child > 1, "no child: %ld, errno %d", scene.result, scene.error);
  const int *status = reaped_by_handler(child);
  if (scene.copy && !status) {
    check_birth_in_copy(child);
    return;
  }
  if (status) {
    MUST(*status == CODE_OPERATION << 8, "the handler got status %#x", (unsigned)*status);
    check_gone(child, "the new child");
    pid_t r = waitpid(child, NULL, 0);
    MUST(r == -1 && errno == ECHILD, "the new child is reaped: waitpid: %d, errno %d", (int)r, errno);
    return;
  }
  MUST(kill(child, 0) == 0, "kill(new child): errno %d", errno);
  check_reaped(child, CODE_OPERATION << 8, "the new child");
}

void check_wait(void) {
  bool told = scene.result == scene.born && scene.status == CODE_OPERATION << 8;
  bool none = scene.result == -1 && scene.error == ECHILD;
  if (scene.copy)
    MUST(told || none, "wait: %ld, errno %d, status %#x", scene.result, scene.error, (unsigned)scene.status);
  else if (reaped_by_handler(scene.born))
    MUST(none, "wait, but the handler has it: %ld, errno %d", scene.result, scene.error);
  else
    MUST(told, "wait: %ld, errno %d, status %#x", scene.result, scene.error, (unsigned)scene.status);
  if (!scene.copy)
    check_gone(scene.born, "the child that was waited for");
}

static void check_operation(void) {
  if (scene.operation->check)
    scene.operation->check();
  else if (scene.operation->kind == BIRTH)
    check_birth();
  else if (scene.operation->kind == WAIT)
    check_wait();
  else
    MUST(scene.result == 0, "result %ld, errno %d", scene.result, scene.error);
}

/* The children that were there before. */
static void check_living(void) {
  MUST(kill(scene.living, 0) == 0, "kill(living): errno %d", errno);
  pid_t r = waitpid(scene.living, NULL, WNOHANG);
  MUST(scene.copy ? r == -1 && errno == ECHILD : r == 0, "waitpid(living): %d, errno %d", (int)r, errno);
  if (scene.other)
    MUST(kill(scene.other, 0) == 0, "kill(other): errno %d", errno);
}

static void check_zombie(void) {
  if (!scene.zombie || scene.copy || reaped_by_handler(scene.zombie))
    return;
  MUST(kill(scene.zombie, 0) == 0, "kill(zombie): errno %d", errno);
  check_reaped(scene.zombie, CODE_ZOMBIE << 8, "the zombie");
}

/* The kernel tells a copy nothing of its sibling, so there the result of the call must do. */
static bool untouched(pid_t stranger) {
  siginfo_t info = {.si_pid = 0};
  raw_call(SYS_waitid, P_PID, stranger, (long)(intptr_t)&info, WEXITED | WNOHANG | WNOWAIT | __WALL, 0);
  return info.si_pid == 0;
}

static void check_stranger(pid_t dead, pid_t stranger) {
  int r = kill(dead, SIGKILL), error = errno;
  MUST(untouched(stranger), "a stranger was HIT: kill: %d, errno %d", r, error);
  MUST(r == -1 && error == ESRCH, "kill(dead child): %d, errno %d", r, error);
}

/* The PIDs of children that are born only now are remembered as well. */
static void check_new_stranger(void) {
  pid_t dead = make_exiting(CODE_HANDLER);
  check_reaped(dead, CODE_HANDLER << 8, "a new child");
  pid_t stranger = make_stranger(dead);
  if (!stranger)
    return; /* another process was faster */
  check_stranger(dead, stranger);
  raw_call(SYS_kill, stranger, SIGKILL, 0, 0, 0);
  raw_call(SYS_wait4, stranger, 0, __WALL, 0, 0);
}

static void check_kept(void) {
  if (!scene.kept)
    return;
  bool own = is_own_child(scene.kept);
  MUST(own || scene.copy, "the child forked in the handler is no child of this process");
  MUST(kill(scene.kept, 0) == 0 && kill(scene.kept, SIGKILL) == 0, "kill(kept): errno %d", errno);
  if (own)
    check_reaped(scene.kept, SIGKILL, "the child forked in the handler");
}

static void check_new_children(void) {
  enum { SOME = 4 };
  pid_t children[SOME], pid = vfork();
  if (pid == 0)
    leave(CODE_HANDLER);
  check_reaped(pid, CODE_HANDLER << 8, "the child vforked later");
  for (int i = 0; i < SOME; i++)
    children[i] = make_pausing();
  MUST(kill(scene.living, 0) == 0, "kill(living), later: errno %d", errno);
  for (int i = 0; i < SOME; i++) {
    MUST(kill(children[i], SIGTERM) == 0, "kill of new child %d: errno %d", i, errno);
    check_reaped(children[i], SIGTERM, "a new child");
  }
}

static void check_other(void) {
  if (!scene.other || scene.copy)
    return;
  MUST(kill(scene.other, SIGTERM) == 0, "kill(other): errno %d", errno);
  check_reaped(scene.other, SIGTERM, "the other");
  scene.other = 0;
}

/* None of the program's descriptors is lost or left over. No other descriptors are left for processes that are gone. An
 * operation that a jump has left may leave one open, and what it had not yet given back. */
static void check_descriptors(void) {
  int own = count_open(0, OWN_NUMBERS), theirs = count_open(OWN_NUMBERS, NUMBERS);
  int left = own - scene.descriptors;
  MUST(left == 0 || (scene.jumped && left == 1), "descriptors: %d, before %d", own, scene.descriptors);
  MUST(theirs <= NUMBERS / 4, "%d descriptors of others", theirs);
}

/* The program can have every number, and then owns it. A jump at the very moment when a number is given back may cost
 * that number. */
static void check_numbers(void) {
  int lost = 0;
  for (int fd = OWN_NUMBERS; fd < NUMBERS; fd++) {
    int r = dup2(STDIN_FILENO, fd);
    MUST(r == fd || (scene.jumped && lost == 0), "dup2 onto %d: errno %d", fd, errno);
    lost += r != fd;
    MUST(r != fd || close(fd) == 0, "close of the program's own %d: errno %d", fd, errno);
  }
}

/* What the handler has opened is the program's, under the number that the handler got. */
static void close_filled(void) {
  while (scene.filled_count > 0) {
    int fd = scene.filled[--scene.filled_count];
    MUST(close(fd) == 0, "close of the handler's own %d: errno %d", fd, errno);
  }
}

void check_after(void) {
  close_filled();
  if (!scene.jumped)
    check_operation();
  else if (scene.operation->kind == CALL)
    set_numbers(NUMBERS);
  check_living();
  check_zombie();
  check_kept();
  if (scene.protected) {
    check_stranger(scene.dead, scene.stranger);
    check_new_stranger();
  }
  check_new_children();
  check_other();
  check_descriptors();
  check_numbers();
  check_living();
  leave(0);
}

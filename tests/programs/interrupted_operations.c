/* SPDX-License-Identifier: MIT */
/* The operations of `interrupted`: the calls that a signal interrupts, and the results that they must have. See
 * interrupted.h. */
#define _GNU_SOURCE
#include "interrupted.h"

#include "raw.h"

#include <errno.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

static void done(long result) {
  scene.error = errno;
  scene.result = result;
}

/* ---- Births ---- */

static void run_fork(void) {
  pid_t pid = fork();
  if (pid == 0)
    leave(CODE_OPERATION);
  done(pid);
}

static void run_vfork(void) {
  pid_t pid = vfork();
  if (pid == 0)
    leave(CODE_OPERATION);
  done(pid);
}

static void run_spawn(void) {
  static char *const argv[] = {"sh", "-c", "exit 3", NULL};
  pid_t pid = 0;
  int error = posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
  done(error ? -1 : pid);
}

static int cloned(void *unused) {
  (void)unused;
  leave(CODE_OPERATION);
}

static void run_clone_with(int flags) {
  static char stack[65536] __attribute__((aligned(16)));
  done(clone(cloned, stack + sizeof stack, flags | SIGCHLD, NULL));
}

static void run_clone(void) { run_clone_with(0); }

static void run_clone_vm(void) { run_clone_with(CLONE_VM | CLONE_VFORK); }

static void run_syscall_fork(void) {
#ifdef SYS_fork
  long pid = syscall(SYS_fork);
#else
  long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
  if (pid == 0)
    leave(CODE_OPERATION);
  done(pid);
}

/* ---- Signals ---- */

static void run_kill(void) { done(kill(scene.living, 0)); }

/* Another child is the last that was signalled and the last that was born. */
static void prepare_one_of_several(void) {
  kill(scene.living, 0);
  check_reaped(make_exiting(CODE_ZOMBIE), CODE_ZOMBIE << 8, "another");
}

/* There are more children than the shim keeps descriptors for with these few numbers. They die with the program. */
static void prepare_many(void) {
  for (int i = 0; i < OWN_NUMBERS; i++)
    kill(make_pausing(), 0);
}

static void prepare_victim(void) { scene.born = make_pausing(); }

/* The shim keeps a descriptor of a child that is signalled often. */
static void prepare_held_victim(void) {
  prepare_victim();
  for (int i = 0; i < 3; i++)
    kill(scene.born, 0);
}

static void run_kill_born(void) { done(kill(scene.born, SIGTERM)); }

static void prepare_group(void) {
  scene.born = make_pausing();
  MUST(setpgid(scene.born, scene.born) == 0, "setpgid: errno %d", errno);
}

static void run_killpg(void) { done(killpg(scene.born, SIGTERM)); }

static void check_killed(void) {
  MUST(scene.result == 0, "kill(child): %ld, errno %d", scene.result, scene.error);
  const int *status = reaped_by_handler(scene.born);
  if (scene.copy)
    MUST(!is_own_child(scene.born), "the child has become one of the copy");
  else if (status)
    MUST(*status == SIGTERM, "the handler got status %#x", (unsigned)*status);
  else
    check_reaped(scene.born, SIGTERM, "the killed child");
}

static void run_kill_refused(void) { done(kill(scene.dead, scene.protected ? SIGKILL : 0)); }

static void check_refused(void) {
  MUST(scene.result == -1 && scene.error == ESRCH, "kill(dead child): %ld, errno %d", scene.result, scene.error);
}

/* ---- Waits for a child that is a zombie, so that no result depends on which process is faster ---- */

static void prepare_zombie(void) {
  scene.born = make_exiting(CODE_OPERATION);
  await_zombie(scene.born);
}

/* The same, but another child was born and reaped since. */
static void prepare_old_zombie(void) {
  prepare_zombie();
  check_reaped(make_exiting(CODE_ZOMBIE), CODE_ZOMBIE << 8, "another");
}

static void run_waitpid(void) { done(waitpid(scene.born, &scene.status, 0)); }

static void run_waitpid_nohang(void) { done(waitpid(scene.born, &scene.status, WNOHANG)); }

static void run_wait4(void) {
  struct rusage usage;
  done(wait4(scene.born, &scene.status, 0, &usage));
}

static void run_waitid(void) {
  siginfo_t info = {.si_pid = 0};
  int r = waitid(P_PID, (id_t)scene.born, &info, WEXITED);
  done(r == 0 ? info.si_pid : r);
  scene.status = info.si_status << 8;
}

static void run_waitid_nowait(void) {
  siginfo_t info = {.si_pid = 0};
  int r = waitid(P_PID, (id_t)scene.born, &info, WEXITED | WNOWAIT);
  done(r == 0 ? info.si_pid : r);
  scene.status = info.si_status << 8;
}

static void check_looked_at(void) {
  const int *status = reaped_by_handler(scene.born);
  bool told = scene.result == scene.born && scene.status == CODE_OPERATION << 8;
  bool none = scene.result == -1 && scene.error == ECHILD;
  MUST(scene.copy || status ? told || none : told, "waitid(WNOWAIT): %ld, errno %d", scene.result, scene.error);
  if (!scene.copy && !status)
    check_reaped(scene.born, CODE_OPERATION << 8, "the child that was looked at");
}

/* A wait for any child can find no other zombie. */
static void prepare_only_zombie(void) {
  check_reaped(scene.zombie, CODE_ZOMBIE << 8, "the zombie");
  scene.zombie = 0;
  prepare_zombie();
}

static void run_wait(void) { done(wait(&scene.status)); }

static void run_wait_any(void) { done(waitpid(-1, &scene.status, WNOHANG)); }

static void check_wait_any(void) {
  if (reaped_by_handler(scene.born))
    MUST(scene.result == 0, "waitpid(-1), no child left: %ld, errno %d", scene.result, scene.error);
  else
    check_wait();
}

static void run_wait_living(void) { done(waitpid(scene.living, &scene.status, WNOHANG)); }

static void check_wait_living(void) {
  bool none = scene.result == -1 && scene.error == ECHILD;
  MUST(scene.result == 0 || (scene.copy && none), "waitpid(living): %ld, errno %d", scene.result, scene.error);
}

/* Runs in a child that has no children but those that its handler may have made. */
static void check_no_wait(void) {
  bool none = scene.result == -1 && scene.error == ECHILD;
  MUST(none || (scene.kept && scene.result == 0), "wait: %ld, errno %d", scene.result, scene.error);
}

/* ---- Descriptors ---- */

static int number; /* the highest that is open and not the program's own, or a free one */

static void prepare_number(void) {
  kill(scene.living, 0);
  for (number = NUMBERS - 1; number > OWN_NUMBERS && !is_open(number);)
    number--;
}

static void run_close(void) { done(close(number)); }

static void check_not_closed(void) {
  MUST(scene.result == -1 && scene.error == EBADF, "close(%d): %ld, errno %d", number, scene.result, scene.error);
}

static void run_dup2(void) { done(dup2(STDIN_FILENO, number)); }

static void check_dup2(void) {
  MUST(scene.result == number, "dup2 onto %d: %ld, errno %d", number, scene.result, scene.error);
  int r = close(number);
  MUST(r == 0 || scene.handler->closes, "close of what dup2 made, %d: errno %d", number, errno);
}

/* Takes the numbers around the open one, one after the other. Some below it are free. */
static void run_dup2_several(void) {
  enum { AROUND = 3 };
  int bad = 0;
  for (int fd = number - AROUND; fd <= number + AROUND && fd < NUMBERS; fd++)
    if (dup2(STDIN_FILENO, fd) != fd || (close(fd) != 0 && !scene.handler->closes))
      bad++;
  done(bad);
}

static void run_close_range(void) {
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
  done(close_range(FIRST_NUMBER, ~0u, 0));
#else
  done(syscall(SYS_close_range, FIRST_NUMBER, ~0u, 0));
#endif
}

#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
static void run_closefrom(void) {
  closefrom(FIRST_NUMBER);
  done(0);
}
#endif

static void run_setrlimit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = FEWER_NUMBERS;
  done(setrlimit(RLIMIT_NOFILE, &limit));
}

static void check_setrlimit(void) {
  MUST(scene.result == 0, "setrlimit: %ld, errno %d", scene.result, scene.error);
  set_numbers(NUMBERS);
}

const struct operation operations[] = {
    {.name = "fork", .kind = BIRTH, .run = run_fork},
    {.name = "vfork", .kind = BIRTH, .run = run_vfork},
    {.name = "spawn", .kind = BIRTH, .run = run_spawn},
    {.name = "clone", .kind = BIRTH, .run = run_clone},
    {.name = "clone-vm", .kind = BIRTH, .run = run_clone_vm},
    {.name = "syscall-fork", .kind = BIRTH, .run = run_syscall_fork},
    {.name = "kill", .kind = CALL, .run = run_kill},
    {.name = "kill-one-of-several", .kind = CALL, .prepare = prepare_one_of_several, .run = run_kill},
    {.name = "kill-one-of-many", .kind = CALL, .prepare = prepare_many, .run = run_kill},
    {.name = "kill-term", .kind = CALL, .prepare = prepare_victim, .run = run_kill_born, .check = check_killed},
    {.name = "kill-held", .kind = CALL, .prepare = prepare_held_victim, .run = run_kill_born, .check = check_killed},
    {.name = "kill-refused", .kind = CALL, .run = run_kill_refused, .check = check_refused},
    {.name = "killpg", .kind = CALL, .prepare = prepare_group, .run = run_killpg, .check = check_killed},
    {.name = "waitpid", .kind = WAIT, .prepare = prepare_zombie, .run = run_waitpid},
    {.name = "waitpid-nohang", .kind = WAIT, .prepare = prepare_zombie, .run = run_waitpid_nohang},
    {.name = "waitpid-old", .kind = WAIT, .prepare = prepare_old_zombie, .run = run_waitpid},
    {.name = "waitpid-living", .kind = CALL, .run = run_wait_living, .check = check_wait_living},
    {.name = "wait", .kind = WAIT, .prepare = prepare_only_zombie, .run = run_wait, .blocks = true},
    {.name = "wait-any", .kind = WAIT, .prepare = prepare_only_zombie, .run = run_wait_any, .check = check_wait_any},
    {.name = "wait4", .kind = WAIT, .prepare = prepare_zombie, .run = run_wait4},
    {.name = "waitid", .kind = WAIT, .prepare = prepare_zombie, .run = run_waitid},
    {.name = "waitid-nowait",
     .kind = WAIT,
     .prepare = prepare_zombie,
     .run = run_waitid_nowait,
     .check = check_looked_at},
    {.name = "close", .kind = CALL, .prepare = prepare_number, .run = run_close, .check = check_not_closed},
    {.name = "dup2", .kind = CALL, .prepare = prepare_number, .run = run_dup2, .check = check_dup2},
    {.name = "dup2-several", .kind = CALL, .prepare = prepare_number, .run = run_dup2_several},
    {.name = "close_range", .kind = CALL, .run = run_close_range},
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    {.name = "closefrom", .kind = CALL, .run = run_closefrom},
#endif
    {.name = "setrlimit", .kind = CALL, .run = run_setrlimit, .check = check_setrlimit},
    {.name = "first-kill", .kind = CALL, .run = run_kill, .in_child = true},
    {.name = "first-refused", .kind = CALL, .run = run_kill_refused, .check = check_refused, .in_child = true},
    {.name = "first-fork", .kind = BIRTH, .run = run_fork, .in_child = true},
    {.name = "first-wait", .kind = CALL, .run = run_wait_any, .check = check_no_wait, .in_child = true},
    {.name = NULL},
};

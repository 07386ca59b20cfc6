/* SPDX-License-Identifier: MIT */
/* Steps that make processes and threads, or turn into another program. */
#include "interp.h"

#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

extern char **environ;
/* glibc has it since 2.34. The shim has it with any glibc, and both runs must do the same. */
#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 34)
static pid_t (*const _Fork)(void);
#else
extern pid_t _Fork(void) __attribute__((weak));
#endif

/* The older version of posix_spawn hands a file without #! to the shell. Old programs still bind to it. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__ILP32__)
int pgd_spawn_old(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],
                  char *const[]);
int pgd_spawnp_old(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],
                   char *const[]);
__asm__(".symver pgd_spawn_old,posix_spawn@GLIBC_2.2.5");
__asm__(".symver pgd_spawnp_old,posix_spawnp@GLIBC_2.2.5");
#else
#define pgd_spawn_old posix_spawn
#define pgd_spawnp_old posix_spawnp
#endif

static int clone_child(void *arg) { pgd_child((int)(intptr_t)arg & 0xffff, ((intptr_t)arg & 0x10000) != 0); }

/* The stack is never freed: a child may still run on its copy, and a process of a test is short-lived. */
static char *new_stack(void) {
  size_t size = 256 * 1024;
  char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return stack == MAP_FAILED ? NULL : stack + size;
}

/* This is a function of its own. The child never returns from it, so the parent's frames below stay whole. */
__attribute__((noinline)) static pid_t make_vfork(int i) {
  pid_t pid = vfork();
  if (pid == 0)
    pgd_child(i, true);
  return pid;
}

static pid_t make_clone(int i, int how, char *more, size_t cap) {
  void *arg = (void *)(intptr_t)(how == HOW_CLONE_VFORK ? i | 0x10000 : i);
  int fd = -1;
  pid_t tid = -1, pid;
  switch (how) {
  case HOW_CLONE_USR1:
    return clone(clone_child, new_stack(), SIGUSR1, arg);
  case HOW_CLONE_0:
    return clone(clone_child, new_stack(), 0, arg);
  case HOW_CLONE_VFORK:
    return clone(clone_child, new_stack(), CLONE_VFORK | CLONE_VM | SIGCHLD, arg);
  case HOW_CLONE_PARENT:
    return clone(clone_child, new_stack(), CLONE_PARENT | SIGCHLD, arg);
  case HOW_CLONE_PIDFD:
    pid = clone(clone_child, new_stack(), CLONE_PIDFD | SIGCHLD, arg, &fd);
    if (pid > 0)
      snprintf(more, cap, "pidfd %d", fd);
    return pid;
  case HOW_CLONE_SETTID:
    pid = clone(clone_child, new_stack(), CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, arg, &tid, NULL, &tid);
    if (pid > 0)
      snprintf(more, cap, "tid %s", tid == pid ? "set" : "wrong");
    return pid;
  default:
    return clone(clone_child, new_stack(), SIGCHLD, arg);
  }
}

/* Calls posix_spawn in all its versions. Returns the child, or -1 with errno, so that it reads like the other ways. */
static pid_t make_spawn(int how, int attrs, const char *file, char *const argv[]) {
  posix_spawnattr_t attr;
  posix_spawn_file_actions_t actions;
  sigset_t set;
  short flags = 0;
  posix_spawnattr_init(&attr);
  posix_spawn_file_actions_init(&actions);
  sigemptyset(&set);
  if (attrs & SPAWN_PGROUP)
    flags |= POSIX_SPAWN_SETPGROUP;
  if (attrs & SPAWN_SIGMASK)
    flags |= POSIX_SPAWN_SETSIGMASK;
  posix_spawnattr_setsigmask(&attr, &set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGUSR1);
  if (attrs & SPAWN_SIGDEF)
    flags |= POSIX_SPAWN_SETSIGDEF;
  posix_spawnattr_setsigdefault(&attr, &set);
  posix_spawnattr_setflags(&attr, flags);
  posix_spawn_file_actions_addopen(&actions, 20, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, 20, 6);
  posix_spawn_file_actions_addclose(&actions, 20);
  static int (*const calls[])(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                              char *const[],
                              char *const[]) = {posix_spawn, posix_spawnp, pgd_spawn_old, pgd_spawnp_old};
  pid_t pid = -1;
  errno = PGD_ERRNO;
  int err = calls[how](&pid, file, attrs & SPAWN_ACTIONS ? &actions : NULL, attrs ? &attr : NULL, argv, environ);
  int after = errno;
  posix_spawnattr_destroy(&attr);
  posix_spawn_file_actions_destroy(&actions);
  errno = err ? err : after;
  return err ? -1 : pid;
}

/* The arguments with which an interpreter starts again: BOARD LABEL STEP. */
static void interp_argv(char *argv[5], char text[2][16], int label, int step) {
  snprintf(text[0], 16, "%d", label);
  snprintf(text[1], 16, "%d", step);
  argv[0] = interp_path;
  argv[1] = board_path;
  argv[2] = text[0];
  argv[3] = text[1];
  argv[4] = NULL;
}

/* A child that is not a copy of the interpreter registers itself. The parent only notes the PID that it was told. */
static void note_child(int label, pid_t pid, int state) {
  struct pgd_entry *e = &board->entry[label];
  if (pid > 0) {
    pgd_set_name(pid, label, 0);
    int none = 0;
    atomic_compare_exchange_strong(&e->pid, &none, pid);
  }
  if (state != PGD_EXPECTED)
    atomic_store(&e->state, state);
}

/* The end of a session's leader that still has its terminal kills the children by SIGHUP. Then several processes end at
 * one moment, in any order, and a subreaper may wait for any of them. */
static void give_up_terminal(void) {
  const struct sigaction ignore = {.sa_handler = SIG_IGN};
  struct sigaction hangup, go_on;
  sigaction(SIGHUP, &ignore, &hangup);
  sigaction(SIGCONT, &ignore, &go_on);
  ioctl(0, TIOCNOTTY);
  sigaction(SIGHUP, &hangup, NULL);
  sigaction(SIGCONT, &go_on, NULL);
}

void pgd_do_make(int i) {
  const struct pgd_step *s = &program.step[i];
  int label = s->arg[0], how = s->arg[1], err;
  struct pgd_entry *e = &board->entry[label];
  struct pgd_ctx *mine = self;
  char more[32] = "", text[2][16], *argv[5];
  if (atomic_load(&e->state) != PGD_NONE || (how == HOW_UFORK && !_Fork)) {
    pgd_trace("s%d skipped: name taken, or not in this libc", i);
    return;
  }
  bool suspended = how == HOW_VFORK || how == HOW_CLONE_VFORK;
  atomic_store(&e->forklike, !suspended);
  atomic_store(&e->state, PGD_EXPECTED);
  atomic_store(&mine->entry->in_vfork, suspended ? label : 0);
  pid_t pid;
  errno = PGD_ERRNO;
  switch (how) {
  case HOW_FORK:
    pid = fork();
    break;
  case HOW_UFORK:
    pid = _Fork ? _Fork() : -1;
    break;
  case HOW_RAW:
    pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    break;
  case HOW_VFORK:
    pid = make_vfork(i);
    break;
  case HOW_FORKPTY: {
    int master = -1;
    pid = forkpty(&master, NULL, NULL, NULL);
    if (pid == 0)
      give_up_terminal();
    if (pid > 0)
      snprintf(more, sizeof more, "master %d", master);
    break;
  }
  case HOW_SPAWN:
  case HOW_SPAWNP:
  case HOW_SPAWN_OLD:
  case HOW_SPAWNP_OLD:
    interp_argv(argv, text, label, i);
    pid = make_spawn(how - HOW_SPAWN, s->arg[2], interp_path, argv);
    break;
  default:
    pid = make_clone(i, how, more, sizeof more);
  }
  err = errno;
  if (pid == 0)
    pgd_child(i, false);
  self = mine;
  atomic_store(&mine->entry->in_vfork, 0);
  note_child(label, pid, pid < 0 ? PGD_NONE : PGD_EXPECTED);
  pgd_result(i, "make", pid, err, true, more);
}

/* Programs that a step may exec and that are not interpreters. */
static const char *foreign(int what, bool search, char *argv[4]) {
  static char sh[] = "sh", dash_c[] = "-c", name[] = "x";
  static char commands[][24] = {"exit 3", "kill -9 $$", "kill -STOP $$; exit 4"};
  argv[0] = argv[1] = argv[2] = argv[3] = NULL;
  argv[0] = name;
  if (what == WHAT_TRUE)
    return search ? "true" : "/bin/true";
  if (what == WHAT_SCRIPT)
    return "/proc/1/fd/4";
  if (what == WHAT_MISSING)
    return search ? "pgd-no-such-program" : "/no/such/program";
  argv[0] = sh;
  argv[1] = dash_c;
  argv[2] = commands[what - WHAT_EXIT3];
  return search ? "sh" : "/bin/sh";
}

void pgd_do_spawn(int i) {
  const struct pgd_step *s = &program.step[i];
  int label = s->arg[0], how = s->arg[1];
  struct pgd_entry *e = &board->entry[label];
  if (atomic_load(&e->state) != PGD_NONE) {
    pgd_trace("s%d skipped: name taken", i);
    return;
  }
  if (s->arg[2] >= WHAT_SCRIPT && self->chld == CHLD_REAPER && atomic_load(&self->entry->tid)) {
    /* libc reaps the child that could not exec, but the main thread's handler may be quicker */
    pgd_trace("s%d skipped: the handler may reap first", i);
    return;
  }
  char *argv[4];
  const char *file = foreign(s->arg[2], how & 1, argv);
  atomic_store(&e->forklike, 1);
  atomic_store(&e->state, PGD_EXPECTED);
  pid_t pid = make_spawn(how, s->arg[3], file, argv);
  int err = errno;
  note_child(label, pid, pid < 0 ? PGD_NONE : PGD_FOREIGN);
  if (pid < 0)
    self->reaped_unsure++; /* libc reaped the child that could not exec */
  pgd_result(i, "spawn", pid, err, true, "");
}

void pgd_do_execv(int i) {
  char *argv[4];
  const char *file = foreign(program.step[i].arg[0], false, argv);
  int ret, err;
  pgd_flush();
  atomic_store(&self->entry->state, PGD_FOREIGN);
  PGD_CALL(ret, err, execv(file, argv));
  atomic_store(&self->entry->state, PGD_ALIVE);
  pgd_result(i, "execv", ret, err, false, "");
}

void pgd_do_become(int i) {
  char text[2][16], *argv[5];
  int ret, err;
  interp_argv(argv, text, self->label, i);
  pgd_flush();
  PGD_CALL(ret, err, execv(interp_path, argv));
  pgd_result(i, "become", ret, err, false, "");
}

static void *thread_main(void *arg) {
  int i = (int)(intptr_t)arg;
  atomic_store(&self->entry->tid, pgd_gettid());
  pgd_run(i + 1, program.step[i].end);
  return NULL;
}

void pgd_do_thread(int i) {
  pthread_t thread;
  int err = pthread_create(&thread, NULL, thread_main, (void *)(intptr_t)i);
  if (!err)
    err = pthread_join(thread, NULL);
  atomic_store(&self->entry->tid, 0);
  pgd_trace("s%d thread = %d", i, err);
}

/* When a process ends, the kernel may send SIGHUP to its group or its terminal's session. The child that daemon() makes
 * gets that signal before or after it has left both. */
static bool end_is_heard(void) {
  pid_t group = (pid_t)pg_sys1(SYS_getpgid, 0);
  int members = 0;
  for (int k = 0; k < PGD_LABELS; k++) {
    pid_t pid = atomic_load(&board->entry[k].pid);
    members += pid > 1 && pg_sys1(SYS_getpgid, pid) == group;
  }
  return members > 1 || (self->label != 0 && pg_sys1(SYS_getsid, 0) == self->pid);
}

/* The old process ends inside libc. The new one goes on under the same label. */
void pgd_do_daemon(int i) {
  struct pgd_entry *e = self->entry;
  pid_t old = self->pid;
  int ret, err;
  if (end_is_heard()) {
    pgd_trace("s%d skipped: its end may signal other processes", i);
    return;
  }
  atomic_store(&e->also, old);
  atomic_store(&e->pid, 0);
  atomic_store(&e->state, PGD_EXPECTED);
  PGD_CALL(ret, err, daemon(1, 1));
  self->pid = pg_sys_getpid();
  if (self->pid == old)
    atomic_store(&e->also, 0);
  else
    pgd_set_name(self->pid, self->label, ++self->extras + 900);
  atomic_store(&e->pid, self->pid);
  atomic_store(&e->state, PGD_ALIVE);
  pgd_result(i, "daemon", ret, err, false, "");
}

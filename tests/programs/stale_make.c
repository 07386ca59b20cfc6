/* SPDX-License-Identifier: MIT */
/* Every way in which a C program makes a child. */
#define _GNU_SOURCE
#include "stale.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

/* The two versions of posix_spawn; only some architectures are old enough to have the first. */
#if defined __x86_64__ && defined __GLIBC__
int old_posix_spawn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],
                    char *const[]);
__asm__(".symver old_posix_spawn,posix_spawn@GLIBC_2.2.5");
int old_posix_spawnp(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                     char *const[], char *const[]);
__asm__(".symver old_posix_spawnp,posix_spawnp@GLIBC_2.2.5");
#else
#define old_posix_spawn posix_spawn
#define old_posix_spawnp posix_spawnp
#endif

extern char **environ;
typedef int spawn_fn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                     char *const[], char *const[]);

static pid_t after_fork(pid_t pid) {
  if (pid == 0)
    be_child();
  return pid;
}

static pid_t by_fork(void) { return after_fork(fork()); }

/* Older libcs do not have _Fork(). Then this is the same as fork(), and the scenario is still true. */
static pid_t by_bare_fork(void) {
  union {
    void *object;
    pid_t (*function)(void);
  } bare = {dlsym(RTLD_DEFAULT, "_Fork")};
  return bare.function ? after_fork(bare.function()) : by_fork();
}

static pid_t by_vfork(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    if (scenario.leader)
      setpgid(0, 0);
    _exit(CHILD_STATUS);
  }
  return pid;
}

/* The child borrows its parent's memory to ask after another PID that is gone. */
static pid_t by_vfork_that_asks(void) {
  static pid_t gone;
  gone = fork();
  if (gone == 0)
    _exit(0);
  if (gone < 2 || (waitpid(gone, NULL, 0) != gone && errno != ECHILD)) /* where SIGCHLD is ignored */
    fail("another child");
  pid_t pid = vfork();
  if (pid == 0) {
    if (scenario.leader)
      setpgid(0, 0);
    kill(gone, 0);
    _exit(CHILD_STATUS);
  }
  return pid;
}

static char gate_text[16];
static char *child_argv[] = {"stale", "--child", gate_text, NULL};

static pid_t by_vfork_exec(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    if (scenario.leader)
      setpgid(0, 0);
    execv("/proc/self/exe", child_argv);
    _exit(98);
  }
  return pid;
}

static pid_t by_spawn(spawn_fn *spawn) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  if (scenario.leader) {
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
  }
  pid_t pid = -1;
  errno = spawn(&pid, "/proc/self/exe", NULL, &attributes, child_argv, environ);
  posix_spawnattr_destroy(&attributes);
  return errno ? -1 : pid;
}

/* glibc has these since 2.39. The program asks the pidfd for the PID, as Rust's std does it. */
extern int pidfd_spawn(int *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                       char *const[], char *const[]) __attribute__((weak));
extern int pidfd_spawnp(int *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                        char *const[], char *const[]) __attribute__((weak));
extern pid_t pidfd_getpid(int) __attribute__((weak));

static int spawn_by_pidfd(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attr, char *const argv[], char *const envp[]) {
  int fd = -1;
  if (!pidfd_spawn || !pidfd_spawnp || !pidfd_getpid)
    return ENOSYS;
  int error =
      (strcmp(scenario.make, "pidfd-spawnp") == 0 ? pidfd_spawnp : pidfd_spawn)(&fd, path, actions, attr, argv, envp);
  if (error == 0 && ((*pid = pidfd_getpid(fd)) < 2 || close(fd) != 0))
    error = errno;
  return error;
}

static pid_t by_versioned_spawn(const char *name, const char *version) {
  union {
    void *object;
    spawn_fn *function;
  } spawn = {dlvsym(RTLD_DEFAULT, name, version)};
  return by_spawn(spawn.function ? spawn.function : posix_spawn);
}

static int clone_main(void *unused) {
  (void)unused;
  be_child();
}

static pid_t by_clone(int flags, int exit_signal) {
  static char stack[64 * 1024] __attribute__((aligned(16)));
  static int out;
  pid_t pid = clone(clone_main, stack + sizeof stack, flags | exit_signal, NULL, &out, NULL, &out);
  if (pid > 0 && flags & CLONE_PARENT_SETTID && out != pid)
    fail("CLONE_PARENT_SETTID");
  if (pid > 0 && flags & CLONE_PIDFD && close(out) != 0)
    fail("CLONE_PIDFD");
  return pid;
}

/* Makes the child through libc's syscall(), as language runtimes and sandboxes do it. */
static pid_t by_syscall(const char *call) {
  struct { /* struct clone_args of Linux 5.5, of which 5.3 has the first 64 bytes */
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size;
  } args = {.exit_signal = SIGCHLD};
  int pidfd = -1;
  pid_t pid = getpid() + 1000;
#ifdef SYS_fork
  if (strcmp(call, "fork") == 0)
    return after_fork((pid_t)syscall(SYS_fork));
#endif
  if (strcmp(call, "clone3") == 0)
    return after_fork((pid_t)syscall(435 /* clone3 */, &args, 64L));
  if (strcmp(call, "clone3-set_tid") == 0) { /* the kernel's own count of PIDs does not notice */
    args.set_tid = (uint64_t)(uintptr_t)&pid;
    args.set_tid_size = 1;
    long made = syscall(435 /* clone3 */, &args, sizeof args);
    return after_fork((pid_t)(made < 0 && errno == E2BIG ? syscall(435, &args, 64L) : made));
  }
  if (strcmp(call, "clone3-pidfd") == 0) {
    args.flags = CLONE_PIDFD;
    args.pidfd = (uint64_t)(uintptr_t)&pidfd;
    pid = after_fork((pid_t)syscall(435 /* clone3 */, &args, 64L));
    if (pid > 0 && close(pidfd) != 0)
      fail("clone3's pidfd");
    return pid;
  }
  return after_fork((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static pid_t by_forkpty(const char *version) {
  typedef pid_t forkpty_fn(int *, char *, const struct termios *, const struct winsize *);
  union {
    void *object;
    forkpty_fn *function;
  } old = {version ? dlvsym(RTLD_DEFAULT, "forkpty", version) : NULL};
  int terminal;
  pid_t pid = (old.function ? old.function : forkpty)(&terminal, NULL, NULL, NULL);
  scenario.leader = false; /* it leads a session already, or is about to, and setpgid() would be in its way */
  after_fork(pid);
  while (pid > 0 && getpgid(pid) != pid)
    usleep(100);
  return pid;
}

static void *thread_main(void *unused) {
  scenario.child = by_fork();
  return unused;
}

static pid_t by_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, thread_main, NULL) != 0 || pthread_join(thread, NULL) != 0)
    fail("thread");
  return scenario.child;
}

static void handler_main(int sig) {
  (void)sig;
  scenario.child = by_fork();
}

static pid_t by_handler(void) {
  signal(SIGUSR1, handler_main);
  raise(SIGUSR1);
  return scenario.child;
}

/* The rest of the scenario happens in a child of the program. The program ends as that child ends. */
static pid_t by_nested_fork(void) {
  pid_t nested = fork();
  if (nested < 0)
    return -1;
  if (nested > 0) {
    int status = 0;
    while (waitpid(nested, &status, 0) < 0 && errno == EINTR)
      ;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : errno == ECHILD ? 0 : 4);
  }
  return by_fork();
}

static volatile pid_t nested_by_handler;
static void nest(int sig) {
  (void)sig;
  nested_by_handler = fork();
}

/* The same, but a handler makes that child while its parent comes back from a vfork(). The child goes on there. */
static pid_t by_nested_in_vfork(void) {
  pid_t self = getpid();
  int status = 0;
  nested_by_handler = -1;
  signal(SIGUSR1, nest);
  pid_t other = vfork();
  if (other == 0) {
    kill(self, SIGUSR1);
    _exit(0);
  }
  if (other < 2 || nested_by_handler < 0)
    return -1;
  if (nested_by_handler == 0)
    return by_fork();
  while (waitpid(nested_by_handler, &status, 0) < 0 && errno == EINTR)
    ;
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : errno == ECHILD ? 0 : 4);
}

static void *rest_main(void *unused) {
  scenario.child = by_fork();
  reap_and_send();
  return unused;
}

/* Another child had the program's memory. The rest happens in a thread of a child that does nothing else itself. */
static pid_t by_nested_thread(void) {
  pthread_t thread;
  pid_t guest = by_clone(CLONE_VM, SIGCHLD);
  if (guest < 2 || (scenario.hold && write(scenario.gate[1], "", 1) != 1) ||
      (waitpid(guest, NULL, 0) != guest && errno != ECHILD)) /* where SIGCHLD is ignored */
    fail("guest");
  pid_t nested = fork();
  if (nested == 0 && (pthread_create(&thread, NULL, rest_main, NULL) != 0 || pthread_join(thread, NULL) != 0))
    fail("thread");
  int status = 0;
  while (nested > 0 && waitpid(nested, &status, 0) < 0 && errno == EINTR)
    ;
  _exit(nested > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 4);
}

static pid_t by_daemon(void) {
  if (daemon(1, 1) != 0)
    fail("daemon");
  return by_fork();
}

/* A grandchild comes to this program, because its parent died and the program is a subreaper. */
static pid_t by_orphan(void) {
  int tell[2];
  pid_t orphan = -1;
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || pipe(tell) != 0)
    fail("subreaper");
  pid_t middle = fork();
  if (middle == 0) {
    orphan = by_fork();
    _exit(write(tell[1], &orphan, sizeof orphan) != sizeof orphan);
  }
  if (middle < 0 || read(tell[0], &orphan, sizeof orphan) != sizeof orphan)
    fail("middle");
  waitpid(middle, NULL, 0);
  return orphan;
}

/* More children come and go before the one is reaped. Nothing that was opened for it may be needed again. */
static pid_t then_fork(pid_t pid) {
  for (int i = 0; i < 3; i++) {
    pid_t other = fork();
    if (other == 0)
      _exit(0);
    if (other < 0 || (waitpid(other, NULL, 0) != other && errno != ECHILD)) /* ECHILD: SIGCHLD may be ignored */
      fail("another child");
  }
  return pid;
}

/* The child leads a group, in which a grandchild stays behind. */
static pid_t by_fork_with_member(void) {
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    pid_t member = fork();
    while (member == 0)
      pause();
    be_child();
  }
  while (pid > 0 && getpgid(pid) != pid)
    usleep(100);
  return pid;
}

void end_members(void) {
  if (strcmp(scenario.make, "fork-leader") != 0)
    return;
  then_fork(scenario.child); /* the leader was reaped; its group still lives */
  if (scenario.child <= 1 || kill(-scenario.child, SIGKILL) != 0)
    fail("the group that is left");
  while (kill(-scenario.child, 0) == 0)
    usleep(100);
}

/* Every descriptor that there can be is in use from before the child's birth. */
static pid_t by_full_fork(void) {
  struct rlimit limit = {64, 64};
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    fail("limit");
  while (dup(0) >= 0)
    ;
  return by_fork();
}

/* The program replaces itself after the child was made, and goes on with the PID as an argument. */
static pid_t then_exec(pid_t pid) {
  char child[16], gate0[16], gate1[16];
  snprintf(child, sizeof child, "%d", (int)pid);
  snprintf(gate0, sizeof gate0, "%d", scenario.gate[0]);
  snprintf(gate1, sizeof gate1, "%d", scenario.gate[1]);
  if (pid > 1)
    execl("/proc/self/exe", "stale", "--resume", child, gate0, gate1, scenario.make, scenario.reap, scenario.send,
          (char *)NULL);
  return -1;
}

/* Leaves as many descriptors as the loader needs, and no more. */
static pid_t with_one_free(pid_t pid) {
  int lowest = dup(0);
  struct rlimit limit = {(rlim_t)lowest + 1, (rlim_t)lowest + 1};
  if (pid > 1 && (close(lowest) != 0 || setrlimit(RLIMIT_NOFILE, &limit) != 0))
    fail("limit");
  return pid;
}

void make_child(void) {
  const char *how = scenario.make;
  snprintf(gate_text, sizeof gate_text, "%d", scenario.gate[0]);
  pid_t pid = -1;
  errno = EINVAL;
  if (strcmp(how, "fork") == 0)
    pid = by_fork();
  else if (strcmp(how, "_Fork") == 0)
    pid = by_bare_fork();
  else if (strcmp(how, "vfork") == 0)
    pid = by_vfork();
  else if (strcmp(how, "vfork-asks") == 0)
    pid = by_vfork_that_asks();
  else if (strcmp(how, "vfork-exec") == 0)
    pid = by_vfork_exec();
  else if (strcmp(how, "spawn") == 0)
    pid = by_spawn(posix_spawn);
  else if (strcmp(how, "spawnp") == 0)
    pid = by_spawn(posix_spawnp);
  else if (strncmp(how, "pidfd-spawn", 11) == 0)
    pid = by_spawn(spawn_by_pidfd);
  else if (strcmp(how, "spawn-old") == 0)
    pid = by_spawn(old_posix_spawn);
  else if (strcmp(how, "spawnp-old") == 0)
    pid = by_spawn(old_posix_spawnp);
  else if (strcmp(how, "spawn-dlvsym-2.2.5") == 0)
    pid = by_versioned_spawn("posix_spawn", "GLIBC_2.2.5");
  else if (strcmp(how, "spawn-dlvsym-2.15") == 0)
    pid = by_versioned_spawn("posix_spawn", "GLIBC_2.15");
  else if (strcmp(how, "clone") == 0)
    pid = by_clone(0, SIGCHLD);
  else if (strcmp(how, "clone-vm") == 0)
    pid = by_clone(CLONE_VM, SIGCHLD);
  else if (strcmp(how, "clone-vfork") == 0)
    pid = by_clone(CLONE_VM | CLONE_VFORK, SIGCHLD);
  else if (strcmp(how, "clone-files") == 0)
    pid = by_clone(CLONE_FILES | CLONE_FS | CLONE_IO, SIGCHLD);
  else if (strcmp(how, "clone-pidfd") == 0)
    pid = by_clone(CLONE_PIDFD, SIGCHLD);
  else if (strcmp(how, "clone-settid") == 0)
    pid = by_clone(CLONE_PARENT_SETTID, SIGCHLD);
  else if (strcmp(how, "clone-urg") == 0)
    pid = by_clone(0, SIGURG);
  else if (strcmp(how, "clone-silent") == 0)
    pid = by_clone(0, 0);
  else if (strcmp(how, "forkpty") == 0)
    pid = by_forkpty(NULL);
  else if (strcmp(how, "forkpty-old") == 0)
    pid = by_forkpty("GLIBC_2.2.5");
  else if (strcmp(how, "thread") == 0)
    pid = by_thread();
  else if (strcmp(how, "handler") == 0)
    pid = by_handler();
  else if (strcmp(how, "nested") == 0)
    pid = by_nested_fork();
  else if (strcmp(how, "nested-in-vfork") == 0)
    pid = by_nested_in_vfork();
  else if (strcmp(how, "nested-thread") == 0)
    pid = by_nested_thread();
  else if (strcmp(how, "daemon") == 0)
    pid = by_daemon();
  else if (strcmp(how, "orphan") == 0)
    pid = by_orphan();
  else if (strcmp(how, "fork-then-fork") == 0)
    pid = then_fork(by_fork());
  else if (strcmp(how, "vfork-then-fork") == 0)
    pid = then_fork(by_vfork_exec());
  else if (strcmp(how, "fork-leader") == 0)
    pid = by_fork_with_member();
  else if (strcmp(how, "fork-full") == 0)
    pid = by_full_fork();
  else if (strcmp(how, "fork-then-exec") == 0)
    pid = then_exec(by_fork());
  else if (strcmp(how, "one-free-then-exec") == 0)
    pid = then_exec(with_one_free(by_fork()));
  else if (strcmp(how, "spawn-then-exec") == 0)
    pid = then_exec(by_spawn(posix_spawn));
  else if (strcmp(how, "vfork-then-exec") == 0)
    pid = then_exec(by_vfork_exec());
  else if (strcmp(how, "clone-urg-then-exec") == 0)
    pid = then_exec(by_clone(0, SIGURG));
  else if (strcmp(how, "syscall-clone3-set_tid-then-exec") == 0)
    pid = then_exec(by_syscall("clone3-set_tid"));
  else if (strncmp(how, "syscall-", 8) == 0)
    pid = by_syscall(how + 8);
  if (pid <= 1)
    fail(how);
  scenario.child = pid;
}

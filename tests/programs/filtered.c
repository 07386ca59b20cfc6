/* SPDX-License-Identifier: MIT */
/* filtered CALL WHEN MAKE MOST: a filter kills the program for this one system call. Under it the program makes and
 * reaps children in the plain ways. It signals their PIDs when a stranger has them. It does so at child 1, 300, 5,000
 * and 30,000, as far as MOST. WHEN is own, where the program installs the filter by itself, or before, where it was
 * there before the exec. MAKE is fork, vfork or spawn; or handled, which is vfork with a handler of SIGCHLD. There a
 * child is also reaped while a vfork is under way, and groups are left out. Without arguments the program lists the
 * calls. The filter kills the program at once if the program, or libc for it, makes the call by itself.
 *
 * Prints "did NAME NUMBER" and "bad NAME NUMBER" as `threads` does, but without stdio, which makes calls of its own. An
 * ordinary program: it knows nothing of pidguard. Status 77: this cannot be shown here. */
#define _GNU_SOURCE
#include "../support/refuse.h"
#include "raw.h"
#include "say.h"
#include "strangers.h"

#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static const struct call {
  const char *name;
  int number;
} calls[] = {
#define CALL(name) {#name, SYS_##name},
    CALL(pidfd_open) CALL(pidfd_send_signal) CALL(waitid) CALL(wait4) CALL(kill) CALL(tkill) CALL(tgkill)
        CALL(rt_sigqueueinfo) CALL(rt_tgsigqueueinfo) CALL(fcntl) CALL(fstat) CALL(statx) CALL(fstatfs) CALL(close)
            CALL(close_range) CALL(dup) CALL(dup3) CALL(open_by_handle_at) CALL(name_to_handle_at) CALL(openat)
                CALL(read) CALL(readlinkat) CALL(getdents64) CALL(lseek) CALL(faccessat) CALL(ioctl) CALL(munmap)
                    CALL(mprotect) CALL(madvise) CALL(mremap) CALL(rt_sigprocmask) CALL(rt_sigaction)
                        CALL(rt_sigpending) CALL(rt_sigtimedwait) CALL(getpid) CALL(gettid) CALL(getppid) CALL(getuid)
                            CALL(geteuid) CALL(getpgid) CALL(getsid) CALL(prlimit64) CALL(prctl) CALL(sched_yield)
                                CALL(futex) CALL(nanosleep) CALL(clock_nanosleep) CALL(clock_gettime) CALL(ppoll)
                                    CALL(unshare) CALL(kcmp) CALL(membarrier) CALL(set_robust_list) CALL(clone3)
                                        CALL(getrandom) CALL(uname) CALL(execve) CALL(seccomp)
#ifdef SYS_mmap
                                            CALL(mmap)
#else
                                            CALL(mmap2)
#endif
#ifdef SYS_pidfd_getfd
                                                CALL(pidfd_getfd)
#endif
#ifdef SYS_newfstatat
                                                    CALL(newfstatat)
#endif
#ifdef SYS_getrlimit
                                                        CALL(getrlimit)
#endif
#ifdef SYS_poll
                                                            CALL(poll) CALL(dup2) CALL(access) CALL(readlink) CALL(open)
                                                                CALL(stat)
#endif
#ifdef SYS_arch_prctl
                                                                    CALL(arch_prctl)
#endif
};

static unsigned long stale, stale_passed, wait_wrong, births;

static pid_t by_fork(bool leader) {
  pid_t pid = fork();
  if (pid == 0) {
    if (leader)
      raw_call(SYS_setpgid, 0, 0, 0, 0, 0);
    _exit(7);
  }
  return pid;
}

static pid_t by_vfork(bool leader) {
  pid_t pid = vfork();
  if (pid == 0) {
    if (leader)
      raw_call(SYS_setpgid, 0, 0, 0, 0, 0);
    _exit(7);
  }
  return pid;
}

static pid_t by_spawn(bool leader) {
  char *const argv[] = {"sh", "-c", "exit 7", NULL};
  posix_spawnattr_t attributes;
  pid_t pid = -1;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, leader ? POSIX_SPAWN_SETPGROUP : 0);
  if (posix_spawn(&pid, "/bin/sh", NULL, &attributes, argv, environ) != 0)
    pid = -1;
  posix_spawnattr_destroy(&attributes);
  return pid;
}

static pid_t (*make)(bool leader);
static bool handled;

enum reap { WAIT, WAITPID, IGNORED, HANDLER, NEWBORN };

/* The child that the handler is to reap. */
static volatile pid_t expected;

static void on_child(int sig) {
  int saved = errno;
  (void)sig;
  if (expected > 1 && waitpid(expected, NULL, 0) == expected)
    expected = 0;
  errno = saved;
}

/* The parent waits for the second child to end. Meanwhile that child kills the first one, so the handler runs at the
 * end of the system call. */
static pid_t reaped_in_handler(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    execl("/bin/sleep", "sleep", "1000", (char *)NULL);
    _exit(7);
  }
  if (pid <= 1)
    _exit(2);
  expected = pid;
  pid_t other = vfork();
  if (other == 0) {
    const struct timespec moment = {0, 20000000};
    raw_call(SYS_kill, pid, SIGKILL, 0, 0, 0);
    raw_call(SYS_nanosleep, (long)(uintptr_t)&moment, 0, 0, 0, 0);
    _exit(7);
  }
  if (other <= 1 || waitpid(other, NULL, 0) != other)
    _exit(2);
  births++;
  if (expected)
    wait_wrong++;
  return pid;
}

static void on_birth(int sig) {
  int saved = errno;
  (void)sig;
  if (waitpid(-1, NULL, 0) == -1)
    wait_wrong++;
  errno = saved;
}

/* The handler runs at the end of the system call vfork, before libc or the shim goes on. */
static pid_t reaped_at_birth(void) {
  pid_t self = (pid_t)raw_call(SYS_getpid, 0, 0, 0, 0, 0);
  if (self <= 1)
    _exit(2);
  signal(SIGUSR1, on_birth);
  pid_t pid = vfork();
  if (pid == 0) {
    raw_call(SYS_kill, self, SIGUSR1, 0, 0, 0);
    _exit(7);
  }
  births++;
  return pid;
}

/* Waits for the child in one of the plain ways. With IGNORED the wait ends when the kernel has reaped the child. */
static void reap(pid_t pid, enum reap how) {
  int status = 0;
  pid_t got = how == WAIT ? wait(&status) : waitpid(pid, &status, 0);
  if (how == IGNORED ? got != -1 : got != pid)
    wait_wrong++;
}

static void play(enum reap how, bool group) {
  if (!handled)
    signal(SIGCHLD, how == IGNORED ? SIG_IGN : SIG_DFL);
  pid_t pid;
  if (how < HANDLER) {
    pid = make(group);
    births++;
  } else {
    pid = how == HANDLER ? reaped_in_handler() : reaped_at_birth();
  }
  if (pid <= 1)
    _exit(2);
  if (how < HANDLER)
    reap(pid, how);
  if (stranger_take(pid, STRANGER_NUMBER) != pid)
    _exit(2);
  int result = kill(group ? -pid : pid, SIGTERM);
  stale++;
  if (result != -1 || errno != ESRCH)
    stale_passed++;
  stranger_end(pid, STRANGER_NUMBER);
  if (!handled)
    signal(SIGCHLD, SIG_DFL);
}

/* Makes and reaps other children until the next one is child `number`. */
static void make_up_to(unsigned long number) {
  while (births + 1 < number) {
    pid_t pid = by_vfork(false);
    if (pid <= 1)
      _exit(2);
    births++;
    reap(pid, WAITPID);
  }
}

static void play_all(unsigned long most) {
  static const unsigned long at[] = {1, 300, 5000, 30000};
  for (size_t i = 0; i < sizeof at / sizeof *at && at[i] <= most; i++) {
    make_up_to(at[i]);
    for (int how = WAIT; how <= (handled ? NEWBORN : IGNORED); how++) {
      if (!handled || how != IGNORED)
        play((enum reap)how, false);
      if (!handled)
        play((enum reap)how, true);
    }
  }
  strangers_stop();
  say("did births %lu\ndid stale %lu\n", births, stale);
  say("bad stale_hit %u\nbad stale_passed %lu\nbad wait_wrong %lu\n", strangers_hit(STRANGER_NUMBER), stale_passed,
      wait_wrong);
  _exit(0);
}

static void install(const char *name) {
  size_t i = 0;
  while (i < sizeof calls / sizeof *calls && strcmp(calls[i].name, name) != 0)
    i++;
  if (i == sizeof calls / sizeof *calls)
    _exit(2);
  if (!filter_call((unsigned)calls[i].number, SECCOMP_RET_KILL_PROCESS)) {
    say("no filter can be installed here\n");
    _exit(77);
  }
}

int main(int argc, char **argv) {
  strangers_main(argc, argv);
  bool again = argc == 7;
  if (argc != 5 && !again) {
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
      say("%s\n", calls[i].name);
    return 0;
  }
  handled = strcmp(argv[3], "handled") == 0;
  make = handled || strcmp(argv[3], "vfork") == 0 ? by_vfork : strcmp(argv[3], "spawn") == 0 ? by_spawn : by_fork;
  if (make == by_vfork && !RAW_MAY_BE_SEEN) {
    say("nobody sees vfork() here\n");
    return 77;
  }
  int numbers[2];
  if (handled)
    signal(SIGCHLD, on_child);
  if (again) {
    numbers[0] = atoi(argv[5]);
    numbers[1] = atoi(argv[6]);
    strangers_resume(numbers);
    play_all(strtoul(argv[4], NULL, 10));
  }
  strangers_start();
  if (strcmp(argv[2], "own") == 0) {
    install(argv[1]);
    play_all(strtoul(argv[4], NULL, 10));
  }
  char text[2][16];
  strangers_survive(numbers);
  for (int i = 0; i < 2; i++)
    snprintf(text[i], sizeof text[i], "%d", numbers[i]);
  char *const next[] = {argv[0], argv[1], argv[2], argv[3], argv[4], text[0], text[1], NULL};
  install(argv[1]);
  raw_call(SYS_execve, (long)(uintptr_t)argv[0], (long)(uintptr_t)next, (long)(uintptr_t)environ, 0, 0);
  return 2;
}

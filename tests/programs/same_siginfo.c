/* SPDX-License-Identifier: MIT */
/* What arrives with a signal: the siginfo of kill, killpg, sigqueue and SIGCHLD as the receiver sees it. Other cases
 * are about queueing, permissions and the limit of pending signals. */
#define _GNU_SOURCE
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *sender_text(pid_t pid, pid_t sender) { return pid == sender ? "sender" : pid == 0 ? "0" : "other"; }

static void note_info(const char *by, const siginfo_t *info, pid_t sender) {
  note("%s: signo=%d errno=%d code=%d pid=%s uid=%u value=%#jx", by, info->si_signo, info->si_errno, info->si_code,
       sender_text(info->si_pid, sender), (unsigned)info->si_uid, (uintmax_t)(uintptr_t)info->si_value.sival_ptr);
}

static pid_t expected_sender;

static void on_signal(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)context;
  note_info("handler", info, expected_sender);
}

/* Makes a child that takes `count` signals, half of them in a handler and half by sigwaitinfo, and exits. The pipe
 * tells the parent that the child is ready, and then that it has taken each signal. */
static int ready[2];

static void await_receiver(void) {
  char byte;
  MUST(read(ready[0], &byte, 1) == 1);
}

static pid_t fork_receiver(int count) {
  MUST(pipe(ready) == 0);
  expected_sender = getpid();
  pid_t pid = fork_ok();
  if (pid == 0) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigset_t all;
    sigemptyset(&action.sa_mask);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGRTMIN, &action, NULL);
    sigdelset(&all, SIGUSR1);
    sigdelset(&all, SIGRTMIN);
    MUST(write(ready[1], "", 1) == 1);
    for (int i = 0; i < count; i++) {
      siginfo_t info;
      sigset_t waited;
      if (i % 2 == 0) {
        sigsuspend(&all);
      } else {
        sigemptyset(&waited);
        sigaddset(&waited, SIGUSR2);
        sigaddset(&waited, SIGRTMAX);
        MUST(sigwaitinfo(&waited, &info) > 0);
        note_info("sigwaitinfo", &info, expected_sender);
      }
      MUST(write(ready[1], "", 1) == 1);
    }
    _exit(0);
  }
  await_receiver();
  return pid;
}

static void from_kill(void) {
  pid_t pid = fork_receiver(4);
  const int signals[] = {SIGUSR1, SIGUSR2, SIGRTMIN, SIGRTMAX};
  for (int i = 0; i < 4; i++) {
    errno = UNTOUCHED;
    int result = kill_ok(pid, signals[i]);
    await_receiver(); /* neither the order of two pending signals matters here, nor that of the notes */
    note("kill: %s", call_text(result));
  }
  int status;
  MUST(waitpid(pid, &status, 0) == pid);
  note("%s", status_text(status));
}

static void from_killpg(void) {
  for (int form = 0; form < 2; form++) {
    pid_t pid = fork_receiver(2);
    MUST(setpgid(pid, pid) == 0 && pid > 1);
    errno = UNTOUCHED;
    int result = form ? kill(-pid, SIGUSR1) : killpg(pid, SIGUSR1);
    await_receiver();
    note("group: %s", call_text(result));
    result = form ? kill(-pid, SIGUSR2) : killpg(pid, SIGUSR2);
    MUST(waitpid(-pid, NULL, 0) == pid);
    note("group: %s", call_text(result));
  }
}

static void from_sigqueue(void) {
  static const uintptr_t values[] = {0, 1, 0xdeadbeef, UINTPTR_MAX};
  pid_t pid = fork_receiver(4);
  for (int i = 0; i < 4; i++) {
    errno = UNTOUCHED;
    MUST(pid > 1);
    int result = sigqueue(pid,
                          i == 0   ? SIGUSR1
                          : i == 1 ? SIGUSR2
                          : i == 2 ? SIGRTMIN
                                   : SIGRTMAX,
                          (union sigval){.sival_ptr = (void *)values[i]});
    await_receiver();
    note("sigqueue: %s", call_text(result));
  }
  MUST(waitpid(pid, NULL, 0) == pid);
}

/* Real-time signals are queued in order, each with its value. Of the old signals only the first is kept. */
static void queue_order(void) {
  int ready[2], go[2];
  char byte;
  MUST(pipe(ready) == 0 && pipe(go) == 0);
  pid_t pid = fork_ok();
  if (pid == 0) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    MUST(write(ready[1], "", 1) == 1 && read(go[0], &byte, 1) == 1);
    siginfo_t info;
    struct timespec none = {0, 0};
    while (sigtimedwait(&all, &info, &none) > 0)
      note("taken: %d code %d value %d", info.si_signo, info.si_code, info.si_value.sival_int);
    _exit(0);
  }
  MUST(read(ready[0], &byte, 1) == 1);
  for (int i = 1; i <= 5; i++) {
    MUST(pid > 1 && sigqueue(pid, SIGRTMIN + 1, (union sigval){.sival_int = i}) == 0);
    MUST(sigqueue(pid, SIGUSR1, (union sigval){.sival_int = 10 + i}) == 0);
    MUST(kill_ok(pid, SIGUSR2) == 0 && kill_ok(pid, SIGRTMIN + 2) == 0);
  }
  MUST(write(go[1], "", 1) == 1);
  MUST(waitpid(pid, NULL, 0) == pid);
}

/* sigqueue() fails if the queue is full, kill() does not. */
static void queue_limit(void) {
  pid_t pid = fork_ok();
  if (pid == 0) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_SIGPENDING, &none);
    raise(SIGSTOP);
    _exit(0);
  }
  int status;
  MUST(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
  static const int signals[] = {SIGUSR1, SIGUSR2};
  for (size_t i = 0; i < 2; i++) {
    errno = UNTOUCHED;
    int result = sigqueue(pid, signals[i], (union sigval){.sival_int = 1});
    note("sigqueue %d: %s", signals[i], call_text(result));
    errno = UNTOUCHED;
    result = kill_ok(pid, signals[i]);
    note("kill %d: %s", signals[i], call_text(result));
    errno = UNTOUCHED;
    result = kill_ok(pid, SIGRTMIN + 3);
    note("kill real-time: %s", call_text(result));
    errno = UNTOUCHED;
    result = sigqueue(pid, SIGRTMIN + 3, (union sigval){.sival_int = 1});
    note("sigqueue real-time: %s", call_text(result));
  }
  finish(pid);
}

/* The siginfo names the process that called, and not its parent. The same holds for a call of a thread. */
static pid_t thread_target;
static void *thread_main(void *unused) {
  MUST(kill_ok(thread_target, SIGUSR1) == 0);
  return unused;
}

static void other_senders(void) {
  int answer[2];
  sigset_t all, before;
  MUST(pipe(answer) == 0);
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before); /* from the child's first moment */
  pid_t pid = fork_ok();
  if (pid == 0) {
    for (int i = 0; i < 2; i++) {
      siginfo_t info;
      MUST(sigwaitinfo(&all, &info) > 0);
      MUST(write(answer[1], &info, sizeof info) == sizeof info);
    }
    _exit(0);
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  siginfo_t info;
  pid_t sibling = fork_ok();
  if (sibling == 0) {
    int result = kill_ok(pid, SIGUSR1);
    _exit(result == 0 ? 0 : 1);
  }
  int status;
  MUST(waitpid(sibling, &status, 0) == sibling && read(answer[0], &info, sizeof info) == sizeof info);
  note("sibling: %s code %d from %s", status_text(status), info.si_code, sender_text(info.si_pid, sibling));
  pthread_t thread;
  thread_target = pid;
  MUST(pthread_create(&thread, NULL, thread_main, NULL) == 0 && pthread_join(thread, NULL) == 0);
  MUST(read(answer[0], &info, sizeof info) == sizeof info);
  note("thread: code %d from %s", info.si_code, sender_text(info.si_pid, getpid()));
  MUST(waitpid(pid, NULL, 0) == pid);
}

static void to_oneself(void) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  expected_sender = getpid();
  errno = UNTOUCHED;
  int result = kill_ok(getpid(), SIGUSR1);
  note("kill: %s", call_text(result));
  result = sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 42});
  note("sigqueue: %s", call_text(result));
  result = raise(SIGUSR1);
  note("raise: %s", call_text(result));
  result = pthread_kill(pthread_self(), SIGUSR1);
  note("pthread_kill: %s", call_text(result));
}

/* SIGCHLD tells the parent about its child. */
static pid_t sigchld_child;
static volatile sig_atomic_t sigchld_count;
static void on_child(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)context;
  note("SIGCHLD: %s", siginfo_text(info, sigchld_child));
  sigchld_count++;
}

static void sigchld_info(void) {
  struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigset_t block, before;
  sigemptyset(&block);
  sigaddset(&block, SIGCHLD);
  sigprocmask(SIG_BLOCK, &block, &before);
  sigaction(SIGCHLD, &action, NULL);
  static const int signals[] = {SIGSTOP, SIGCONT, SIGTERM};
  pid_t pid = sigchld_child = fork_pausing();
  for (int i = 0; i < 3; i++) {
    MUST(kill_ok(pid, signals[i]) == 0);
    while (sigchld_count == i)
      sigsuspend(&before);
  }
  int status;
  MUST(waitpid(pid, &status, 0) == pid);
  note("%s", status_text(status));
}

/* Makes a child that its parent may lose the right to kill. It exits when its parent dies. */
static pid_t fork_until_parent_dies(void) {
  int alive[2];
  char byte;
  MUST(pipe(alive) == 0);
  pid_t pid = fork_ok();
  if (pid == 0) {
    close(alive[1]);
    while (read(alive[0], &byte, 1) < 0 && errno == EINTR)
      ;
    _exit(0);
  }
  close(alive[0]); /* the other end stays open as long as the parent lives */
  fcntl(alive[1], F_SETFD, FD_CLOEXEC);
  return pid;
}

/* The kernel decides which processes a sender may signal. Here the sender is unprivileged and the child is
 * privileged. */
static void not_permitted(void) {
  pid_t pid = fork_until_parent_dies(), group = fork_until_parent_dies();
  MUST(setpgid(group, group) == 0 && group > 1);
  if (setresuid(65534, 65534, 65534) != 0) {
    finish(pid);
    finish(group);
    skip("only root can become another user");
  }
  errno = UNTOUCHED;
  int result = kill_ok(pid, SIGTERM);
  note("kill: %s", call_text(result));
  errno = UNTOUCHED;
  result = kill_ok(pid, 0);
  note("kill 0: %s", call_text(result));
  errno = UNTOUCHED;
  result = sigqueue(pid, SIGTERM, (union sigval){.sival_int = 1});
  note("sigqueue: %s", call_text(result));
  errno = UNTOUCHED;
  result = kill(-group, SIGTERM);
  note("group: %s", call_text(result));
  errno = UNTOUCHED;
  result = kill_ok(pid, SIGCONT);
  note("SIGCONT in the session: %s", call_text(result));
  errno = UNTOUCHED;
  pid_t got = waitpid(pid, NULL, WNOHANG);
  note("wait: %s", wait_text(got, pid));
  pid_t own = fork_pausing();
  errno = UNTOUCHED;
  result = kill_ok(own, SIGTERM);
  note("own child: %s", call_text(result));
  MUST(waitpid(own, NULL, 0) == own);
}

const struct test_case cases[] = {
    {"from-kill", from_kill},         {"from-killpg", from_killpg},
    {"from-sigqueue", from_sigqueue}, {"queue-order", queue_order},
    {"queue-limit", queue_limit},     {"other-senders", other_senders},
    {"to-oneself", to_oneself},       {"sigchld-info", sigchld_info},
    {"not-permitted", not_permitted}, {NULL, NULL},
};

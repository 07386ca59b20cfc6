/* SPDX-License-Identifier: MIT */
/* Children come and go in many ways: subreapers, pid namespaces, ignored SIGCHLD, exec with children, daemon and
 * forkpty. Forks also happen at unusual times: in constructors, in exit handlers, and around pthread_atfork
 * handlers. */
#define _GNU_SOURCE
#include "cases.h"

#include "../support/refuse.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char *reap(pid_t pid) {
  int status = 0;
  errno = UNTOUCHED;
  pid_t got = waitpid(pid, &status, 0);
  MUST(got == pid);
  return status_text(status);
}

/* Runs before main(), perhaps before any library is ready. main() waits for its child. */
static pid_t early_child = -1;
static int early_status = -1;
__attribute__((constructor)) static void constructor(void) {
  char arguments[512] = "";
  int fd = open("/proc/self/cmdline", O_RDONLY);
  ssize_t length = read(fd, arguments, sizeof arguments);
  close(fd);
  if (length <= 0 || !memmem(arguments, (size_t)length, "\0constructors", 13)) /* the other cases want no such child */
    return;
  early_child = fork();
  if (early_child == 0)
    _exit(31);
  pid_t second = fork();
  if (second == 0)
    _exit(32);
  if (second > 1 && waitpid(second, &early_status, 0) != second)
    early_status = -2;
}

static bool late_wanted;
__attribute__((destructor)) static void destructor(void) {
  if (!late_wanted)
    return;
  pid_t pid = fork();
  if (pid == 0)
    _exit(33);
  int status = 0;
  pid_t got = waitpid(pid, &status, 0);
  note("destructor: %d %s", got == pid, status_text(status));
  errno = UNTOUCHED;
  int result = pid > 1 ? kill(pid, 0) : -2;
  note("  kill: %s", call_text(result));
  note("end");
}

static void constructors(void) {
  note("in there: %s", status_text(early_status));
  note("in main: %s", reap(early_child));
}

static void exit_handler(void) {
  pid_t pid = vfork();
  if (pid == 0)
    _exit(34);
  note("exit handler: %s", reap(pid));
  pid = fork_pausing();
  note("kill: %d", kill_ok(pid, SIGTERM));
  note("%s", reap(pid));
}

static void at_the_end(void) {
  late_wanted = true;
  MUST(atexit(exit_handler) == 0);
  pid_t pid = fork_ok();
  if (pid == 0)
    exit(0); /* the handlers run in the child as well */
  note("child: %s", reap(pid));
  exit(0);
}

/* The handlers run in a fixed order, and for fork() only. */
static void prepare_1(void) { note("prepare 1"); }
static void prepare_2(void) { note("prepare 2"); }
static void parent_1(void) { note("parent 1"); }
static void parent_2(void) { note("parent 2"); }
static int in_child;
static void child_1(void) { in_child = in_child * 10 + 1; }
static void child_2(void) { in_child = in_child * 10 + 2; }

static void atfork_handlers(void) {
  MUST(pthread_atfork(prepare_1, parent_1, child_1) == 0);
  MUST(pthread_atfork(prepare_2, parent_2, child_2) == 0);
  pid_t pid = fork_ok();
  if (pid == 0)
    _exit(in_child);
  note("fork: %s", reap(pid));
  pid = vfork();
  if (pid == 0)
    _exit(in_child);
  note("vfork: %s", reap(pid));
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
  pid = _Fork();
  if (pid == 0)
    _exit(in_child);
  note("_Fork: %s", reap(pid));
#endif
}

/* A handler of fork() forks as well. Its child is a child like any other. */
static int depth;
static pid_t inner_child = -1;
static void forking_prepare(void) {
  if (depth++ == 0) {
    inner_child = fork();
    if (inner_child == 0)
      _exit(13);
  }
  depth--;
}

static void fork_in_a_handler_of_fork(void) {
  MUST(pthread_atfork(forking_prepare, NULL, NULL) == 0);
  pid_t pid = fork_exiting(14);
  note("outer %s", reap(pid));
  note("inner %s", reap(inner_child));
}

static void ignored(int flags) {
  struct sigaction action = {.sa_handler = flags ? SIG_DFL : SIG_IGN, .sa_flags = flags};
  MUST(sigaction(SIGCHLD, &action, NULL) == 0);
  int gate[2];
  char byte;
  MUST(pipe(gate) == 0);
  for (int form = 0; form < 5; form++) {
    pid_t first = fork_ok();
    if (first == 0)
      _exit(read(gate[0], &byte, 1) == 1 ? 1 : 2);
    pid_t second = fork_exiting(3);
    sleep_ms(3);
    MUST(write(gate[1], "", 1) == 1);
    siginfo_t info = {.si_pid = -1};
    int status = 0x5a5a;
    errno = UNTOUCHED;
    pid_t got;
    switch (form) {
    case 0:
      got = wait(&status);
      break;
    case 1:
      got = waitpid(first, &status, 0);
      break;
    case 2:
      got = waitid(P_ALL, 0, &info, WEXITED) == 0 ? info.si_pid : -1;
      break;
    case 3:
      got = waitid(P_PID, (id_t)first, &info, WEXITED) == 0 ? info.si_pid : -1;
      break;
    default:
      got = waitpid(-1, &status, WNOHANG);
      break; /* still alive, or gone by itself */
    }
    if (form < 4)
      note("form %d: %s %#x", form, wait_text(got, first), (unsigned)status);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
      ;
    note("  errno %s", errno_text(errno));
    int result = kill_until_gone(first);
    note("  kill: %s", call_text(result));
    result = kill_until_gone(second);
    note("  kill: %s", call_text(result));
  }
  signal(SIGCHLD, SIG_DFL);
  pid_t pid = fork_exiting(4);
  note("again with statuses: %s", reap(pid));
}

static void sigchld_ignored(void) { ignored(0); }
static void no_cld_wait(void) { ignored(SA_NOCLDWAIT); }

/* SA_NOCLDSTOP is about SIGCHLD. A wait reports a stopped child all the same. */
static void no_cld_stop(void) {
  struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
  MUST(sigaction(SIGCHLD, &action, NULL) == 0);
  pid_t pid = fork_pausing();
  int status;
  MUST(kill_ok(pid, SIGSTOP) == 0 && waitpid(pid, &status, WUNTRACED) == pid);
  note("%s", status_text(status));
  finish(pid);
}

static void subreaper(void) {
  int tell[2];
  pid_t orphans[2];
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
    skip("this kernel has no subreapers");
  MUST(pipe(tell) == 0);
  pid_t middle = fork_ok();
  if (middle == 0) {
    orphans[0] = fork_exiting(21);
    orphans[1] = fork_pausing();
    MUST(write(tell[1], orphans, sizeof orphans) == sizeof orphans);
    _exit(20);
  }
  MUST(read(tell[0], orphans, sizeof orphans) == sizeof orphans && orphans[1] > 1);
  note("middle: %s", reap(middle));
  note("kill orphan: %d", kill_ok(orphans[1], SIGTERM));
  int status, exited = 0, killed = 0;
  for (int i = 0; i < 2; i++) {
    pid_t got = wait(&status);
    exited += got == orphans[0] && WIFEXITED(status) && WEXITSTATUS(status) == 21;
    killed += got == orphans[1] && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
  }
  note("orphans: %d %d", exited, killed);
  errno = UNTOUCHED;
  int result = kill_ok(orphans[1], 0);
  note("kill: %s", call_text(result));
}

/* Children in a pid namespace of their own have other PIDs: 2 there is not 2 here. */
static void life_of_an_init(void) {
  MUST(getpid() == 1);
  pid_t first = fork_pausing();
  note("first: %d", (int)first);
  errno = UNTOUCHED;
  int result = kill(2, SIGTERM);
  note("kill 2: %s", call_text(result));
  note("%s", reap(2));
  errno = UNTOUCHED;
  result = kill(2, 0);
  note("again: %s", call_text(result));
  errno = UNTOUCHED;
  result = kill(1, 0);
  note("kill 1: %s", call_text(result));
  pid_t third = fork_exiting(3);
  note("third: %d %s", (int)third, reap(third));
  _exit(5);
}

static int init_main(void *unused) {
  (void)unused;
  life_of_an_init();
  return 0;
}

static void new_pid_namespace(void) {
  static char stack[65536] __attribute__((aligned(16)));
  pid_t sibling = fork_pausing(), done = fork_exiting(1);
  note("%s", reap(done));
  pid_t pid = clone(init_main, stack + sizeof stack, CLONE_NEWPID | SIGCHLD, NULL);
  if (pid < 0) {
    finish(sibling);
    skip("this user cannot make a pid namespace");
  }
  note("clone: %s", reap(pid));
  note("sibling: %d", kill_ok(sibling, 0));
  MUST(unshare(CLONE_NEWPID) == 0);
  pid = fork_ok();
  if (pid == 0)
    life_of_an_init();
  note("unshare: %s", reap(pid));
  finish(sibling);
}

/* Children live on when a sibling calls exec, and are still this program's. */
static void exec_with_children(void) {
  pid_t living = fork_pausing(), done = fork_exiting(6);
  await_zombie(done);
  char script[256];
  snprintf(script, sizeof script, "kill -0 %d; echo $?; kill %d; echo $?; exit 4", (int)living, (int)living);
  pid_t pid = fork_ok();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", script, (char *)NULL);
    _exit(99);
  }
  note("%s", reap(pid));
  note("%s %s", reap(living), reap(done));
}

static void daemons(void) {
  int tell[2];
  char line[64] = "";
  MUST(pipe(tell) == 0);
  pid_t pid = fork_ok();
  if (pid == 0) {
    MUST(daemon(0, 1) == 0);
    pid_t child = fork_exiting(11);
    int status = 0;
    bool right = waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 11;
    pid_t pausing = fork_pausing();
    right = right && kill_ok(pausing, SIGTERM) == 0 && waitpid(pausing, &status, 0) == pausing;
    char directory[32] = "";
    int length = snprintf(line, sizeof line, "%d in %s leads %d", right, getcwd(directory, sizeof directory),
                          getsid(0) == getpid());
    MUST(write(tell[1], line, (size_t)length) == length);
    _exit(0);
  }
  note("%s", reap(pid));
  MUST(read(tell[0], line, sizeof line - 1) > 0);
  note("%s", line);
  errno = UNTOUCHED;
  pid_t got = wait(NULL);
  note("%s", wait_text(got, 0));
}

static void pseudo_terminal(void) {
  for (int form = 0; form < 2; form++) {
    int terminal = -1;
    char name[64] = "", text[64] = "";
    struct winsize size = {.ws_row = 12, .ws_col = 34};
    errno = UNTOUCHED;
    pid_t pid = forkpty(&terminal, name, NULL, form ? &size : NULL);
    if (pid == 0) {
      struct winsize seen = {0};
      ioctl(0, TIOCGWINSZ, &seen);
      dprintf(1, "tty %d leads %d size %d %d\n", isatty(0), getsid(0) == getpid(), seen.ws_row, seen.ws_col);
      for (;;)
        pause();
    }
    if (pid < 0)
      skip("there are no pseudo-terminals here");
    note("terminal %d, name %d", terminal > 2, strncmp(name, "/dev/", 5) == 0);
    MUST(read(terminal, text, sizeof text - 1) > 0);
    note("%s", strtok(text, "\r\n"));
    note("kill: %d", kill_ok(pid, SIGTERM));
    note("%s", reap(pid));
    errno = UNTOUCHED;
    int result = kill_ok(pid, SIGTERM);
    note("again: %s", call_text(result));
    close(terminal);
  }
}

/* Every generation has children of its own. */
static int generation(int level) {
  pid_t pid = fork_ok();
  if (pid == 0)
    _exit(level > 0 ? generation(level - 1) : 1);
  pid_t sibling = fork_pausing();
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || kill_ok(sibling, SIGTERM) != 0)
    return 100;
  int code = WEXITSTATUS(status);
  return waitpid(sibling, &status, 0) == sibling && WTERMSIG(status) == SIGTERM ? code + 1 : 101;
}

static void generations(void) { note("%d", generation(12)); }

/* A handler in the child signals what was a child of its parent, under a filter that allows no pidfds. The kernel calls
 * that process no child of the caller, and it lives. */
static pid_t sibling = -1;
static int sibling_answers;
static void signal_sibling(void) { sibling_answers = kill_ok(sibling, 0) == 0; }

static void atfork_signals(void) {
  sibling = fork_pausing();
  MUST(pthread_atfork(NULL, NULL, signal_sibling) == 0);
  if (!refuse(SYS_pidfd_open, EPERM))
    skip("no seccomp filter can be installed");
  pid_t pid = fork_ok();
  if (pid == 0) {
    int first = sibling_answers;
    signal_sibling();
    _exit(first * 2 + sibling_answers);
  }
  note("%s", reap(pid));
  finish(sibling);
}

const struct test_case cases[] = {
    {"constructors", constructors},
    {"at-the-end", at_the_end},
    {"atfork-handlers", atfork_handlers},
    {"atfork-signals", atfork_signals},
    {"fork-in-a-handler-of-fork", fork_in_a_handler_of_fork},
    {"sigchld-ignored", sigchld_ignored},
    {"no-cld-wait", no_cld_wait},
    {"no-cld-stop", no_cld_stop},
    {"subreaper", subreaper},
    {"new-pid-namespace", new_pid_namespace},
    {"exec-with-children", exec_with_children},
    {"daemons", daemons},
    {"pseudo-terminal", pseudo_terminal},
    {"generations", generations},
    {NULL, NULL},
};

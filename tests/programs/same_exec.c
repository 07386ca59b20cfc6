/* SPDX-License-Identifier: MIT */
/* A program that replaces itself keeps its children. The new image signals and waits for them by the PIDs that it gets
 * as arguments. */
#define _GNU_SOURCE
#include "cases.h"

#include "foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MOST 60

extern char **environ;
static pid_t children[MOST];
static int count;

/* Goes on as the case `name` of a new image, with the children's PIDs. */
static void become(const char *name) {
  static char texts[MOST][12];
  char *argv[MOST + 3] = {(char *)"same_exec", (char *)(uintptr_t)name};
  for (int i = 0; i < count; i++) {
    snprintf(texts[i], sizeof texts[i], "%d", (int)children[i]);
    argv[i + 2] = texts[i];
  }
  execv("/proc/self/exe", argv);
  MUST(!"exec");
}

static void resume(void) {
  for (count = 0; case_arguments[count]; count++) {
    children[count] = atoi(case_arguments[count]);
    MUST(children[count] > 1);
  }
}

static void make(int n) {
  while (n-- > 0)
    children[count++] = fork_pausing();
}

static void pausing(int n) {
  make(n);
  become("-use");
}
static void use_0(void) { pausing(0); }
static void use_1(void) { pausing(1); }
static void use_50(void) { pausing(50); }

static void after_use(void) {
  int numbers[FOREIGN_MAX], good = 0, gone = 0, status;
  resume();
  foreign_invite(children, count);
  if (count)
    foreign_find(numbers, -1, -1);
  for (int i = 0; i < count; i++)
    good += kill_ok(children[i], 0) == 0 && kill_ok(children[i], SIGUSR1) == 0 &&
            waitpid(i % 2 ? children[i] : -1, &status, 0) == children[i] && WTERMSIG(status) == SIGUSR1;
  for (int i = 0; i < count; i++)
    gone += kill_ok(children[i], 0) == -1 && errno == ESRCH;
  errno = UNTOUCHED;
  pid_t none = waitpid(-1, &status, WNOHANG);
  note("good %d, gone %d, then %s", good, gone, wait_text(none, 0));
  make(3);
  for (int i = count - 3; i < count; i++)
    finish(children[i]);
}

/* The program replaces itself more than once. Each image makes one more child. */
static void three_times(void) {
  make(2);
  become("-again");
}
static void after_again(void) {
  resume();
  make(1);
  note("%d", count);
  become(count < 6 ? "-again" : "-use");
}

/* SIGCHLD stays ignored through exec, so no wait reports the deaths. */
static void ignored(void) {
  signal(SIGCHLD, SIG_IGN);
  make(5);
  become("-ignored");
}
static void after_ignored(void) {
  struct sigaction action;
  int status;
  resume();
  MUST(sigaction(SIGCHLD, NULL, &action) == 0);
  note("ignored: %d", action.sa_handler == SIG_IGN);
  for (int i = 0; i < count - 2; i++)
    MUST(kill_ok(children[i], SIGTERM) == 0);
  for (int i = 0; i < count - 2; i++)
    note("%s", call_text(kill_until_gone(children[i])));
  make(1);
  for (int i = count - 3; i < count; i++)
    MUST(kill_ok(children[i], SIGTERM) == 0);
  errno = UNTOUCHED;
  pid_t result = waitpid(-1, &status, 0);
  note("%s", wait_text(result, children[3]));
  for (int i = 0; i < count; i++)
    note("%s", call_text(kill_until_gone(children[i])));
}

/* SA_NOCLDWAIT does not survive exec. Children that die afterwards become zombies. */
static void nocldwait(void) {
  struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
  MUST(sigaction(SIGCHLD, &action, NULL) == 0);
  pid_t early = fork_exiting(3);
  make(3);
  note("%s", call_text(kill_until_gone(early)));
  become("-use");
}

/* Children in every state: paused, stopped, dead, killed, with another exit signal, leaders of groups, exec'd ones. */
static int pauses(void *unused) {
  (void)unused;
  while (pause() != 0)
    ;
  return 0;
}
static void kinds(void) {
  static char stack[65536] __attribute__((aligned(16)));
  char *argv[] = {(char *)"sleep", (char *)"1000", NULL};
  int status;
  make(3); /* 0: running, 1: stopped, 2: killed but not reaped */
  MUST(kill_ok(children[1], SIGSTOP) == 0 && waitpid(children[1], &status, WUNTRACED) == children[1]);
  MUST(kill_ok(children[2], SIGKILL) == 0);
  await_zombie(children[2]);
  children[count++] = fork_exiting(5); /* 3 */
  await_zombie(children[3]);
  children[count++] = clone(pauses, stack + sizeof stack, SIGUSR2, NULL); /* 4: another signal tells of its death */
  children[count++] = clone(pauses, stack + sizeof stack, 0, NULL);       /* 5: no signal does */
  MUST(posix_spawnp(&children[count++], "sleep", NULL, NULL, argv, environ) == 0); /* 6 */
  pid_t pid = vfork();
  if (pid == 0) {
    execvp("sleep", argv);
    _exit(99);
  }
  children[count++] = pid; /* 7 */
  make(1);                 /* 8: leads a group */
  MUST(setpgid(children[8], children[8]) == 0);
  signal(SIGUSR2, SIG_IGN);
  become("-kinds");
}
static void after_kinds(void) {
  int status;
  siginfo_t info;
  resume();
  MUST(count == 9);
  for (int i = 0; i < count; i++)
    note("%d: %s", i, call_text(kill_ok(children[i], 0)));
  memset(&info, 0, sizeof info);
  errno = UNTOUCHED;
  int result = waitid(P_PID, (id_t)children[2], &info, WEXITED | WNOHANG);
  note("killed: %s, %s", call_text(result), siginfo_text(&info, children[2]));
  errno = UNTOUCHED;
  pid_t pid = waitpid(children[3], &status, 0);
  note("dead: %s, %s", wait_text(pid, children[3]), status_text(status));
  MUST(kill_ok(children[1], SIGCONT) == 0);
  MUST(waitpid(children[1], &status, WCONTINUED) == children[1]);
  note("stopped: %s", status_text(status));
  for (int i = 4; i <= 5; i++) {
    MUST(kill_ok(children[i], SIGTERM) == 0);
    errno = UNTOUCHED;
    pid = waitpid(children[i], &status, 0);
    note("%d without __WALL: %s", i, wait_text(pid, children[i]));
    errno = UNTOUCHED;
    pid = waitpid(children[i], &status, __WCLONE);
    note("%d with __WCLONE: %s, %s", i, wait_text(pid, children[i]), status_text(status));
  }
  MUST(kill(-children[8], SIGTERM) == 0);
  MUST(waitpid(-children[8], &status, 0) == children[8]);
  note("group: %s", status_text(status));
  for (int i = 0; i < count; i++) {
    bool left = i < 2 || i == 6 || i == 7;
    note("%d: %s", i, call_text(kill_ok(children[i], SIGTERM)));
    if (left)
      MUST(waitpid(children[i], &status, 0) == children[i] && WTERMSIG(status) == SIGTERM);
  }
}

/* A thread calls exec. The other threads are gone then, but their children are still the process's. */
static void *exec_main(void *unused) {
  make(2);
  become("-use");
  return unused; /* not reached */
}
static void from_thread(void) {
  pthread_t thread;
  make(2);
  MUST(pthread_create(&thread, NULL, exec_main, NULL) == 0);
  pthread_join(thread, NULL);
}

/* A child of fork() and one of vfork() replace themselves. The parent's children are not their own. */
static void exec_in_child(void) {
  char sibling[16];
  int status;
  make(3);
  snprintf(sibling, sizeof sibling, "%d", (int)children[0]);
  for (int i = 0; i < 2; i++) {
    pid_t pid = i ? vfork() : fork();
    if (pid == 0) {
      execl("/proc/self/exe", "same_exec", "-sibling", sibling, (char *)NULL);
      _exit(99);
    }
    MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
    note("%s", status_text(status));
  }
  for (int i = 0; i < 3; i++)
    finish(children[i]);
}
static void after_sibling(void) {
  int status;
  resume();
  errno = UNTOUCHED;
  pid_t pid = waitpid(children[0], &status, WNOHANG);
  note("sibling: %s, %s", wait_text(pid, children[0]), call_text(kill_ok(children[0], 0)));
}

/* Orphans come to a subreaper after its exec. */
static void subreaper(void) {
  MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  pid_t middle = fork_ok();
  if (middle == 0) {
    fork_exiting(9);
    sleep_ms(20);
    _exit(8);
  }
  children[count++] = middle;
  become("-subreaper");
}
static void after_subreaper(void) {
  int status, sum = 0;
  resume();
  for (int i = 0; i < 2; i++) {
    MUST(wait(&status) > 1);
    sum += WEXITSTATUS(status);
  }
  note("%d, then %s", sum, wait_text(wait(&status), 0));
}

/* None of the descriptors gets through exec, and none is opened when there are no children. The new image has no
 * LD_PRELOAD, so what it finds is the truth. */
static void list(void) {
  static const char text[] = "cd /proc/$$/fd && echo *";
  unsetenv("LD_PRELOAD");
  execl("/bin/sh", "sh", "-c", text, (char *)NULL);
  _exit(99);
}
/* There are no children, so there is nothing to hold a descriptor for. */
static void after_clean(void) { note("open: %d", count_descriptors()); }
static void nothing_passed_on(void) {
  int status, numbers[FOREIGN_MAX];
  make(20);
  foreign_invite(children, count);
  foreign_find(numbers, -1, -1);
  for (int i = 0; i < 3; i++) {
    pid_t pid = i == 1 ? vfork() : fork();
    if (pid == 0) {
      if (i != 1)
        list();
      execle("/bin/sh", "sh", "-c", "cd /proc/$$/fd && echo *", (char *)NULL, (char *[]){NULL});
      _exit(99);
    }
    MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
    note("%s", status_text(status));
  }
  for (int i = 0; i < 20; i++)
    finish(children[i]);
  note("itself");
  execl("/proc/self/exe", "same_exec", "-clean", (char *)NULL);
  MUST(!"exec");
}

const struct test_case cases[] = {
    {"children-0", use_0},
    {"children-1", use_1},
    {"children-50", use_50},
    {"-use", after_use},
    {"three-times", three_times},
    {"-again", after_again},
    {"ignored", ignored},
    {"-ignored", after_ignored},
    {"nocldwait", nocldwait},
    {"kinds", kinds},
    {"-kinds", after_kinds},
    {"from-thread", from_thread},
    {"exec-in-child", exec_in_child},
    {"-sibling", after_sibling},
    {"subreaper", subreaper},
    {"-subreaper", after_subreaper},
    {"nothing-passed-on", nothing_passed_on},
    {"-clean", after_clean},
    {NULL, NULL},
};

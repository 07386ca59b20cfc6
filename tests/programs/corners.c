/* SPDX-License-Identifier: MIT */
/* corners CORNER UNITS -: the program makes or loses children in a rare way. Afterwards a stranger gets the PID of one
 * that is gone. Without arguments the program lists the corners. Prints "did NAME NUMBER" and "bad NAME NUMBER" as
 * `threads` does. An ordinary program: it knows nothing of pidguard. Status 77: this cannot be shown here. */
#define _GNU_SOURCE
#include "../support/pidfs.h"
#include "raw.h"
#include "strangers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

static unsigned long stale, stale_passed, kill_failed, wait_wrong, call_wrong;
#define EXPECT(condition, name) ((condition) ? (void)0 : (void)(name)++)

static pid_t make(int code) {
  pid_t pid = fork();
  if (pid == 0 && code >= 0)
    _exit(code);
  while (pid == 0)
    pause();
  if (pid <= 1)
    exit(2);
  return pid;
}

static void take(pid_t pid) {
  if (stranger_take(pid, STRANGER_NUMBER) != pid)
    exit(2);
}

static void kill_stale(pid_t pid) {
  stale++;
  EXPECT(pid > 1 && kill(pid, SIGUSR1) == -1 && errno == ESRCH, stale_passed);
}

static void check_stale(pid_t pid) {
  take(pid);
  kill_stale(pid);
  stranger_end(pid, STRANGER_NUMBER);
}

/* ---- A child that borrows everything, and gets a thread pointer from its parent ---- */

#ifdef RAW_HAVE_THREAD_POINTER
static void reap(pid_t pid, int expected) {
  int status = 0;
  EXPECT(waitpid(pid, &status, 0) == pid && status == expected, wait_wrong);
}

static void end(pid_t pid) {
  EXPECT(kill(pid, SIGTERM) == 0, kill_failed);
  reap(pid, SIGTERM);
}

struct family {
  pid_t living, gone;
};

static int borrow(void *arg) {
  struct family *family = arg;
  EXPECT(kill(family->living, 0) == 0, kill_failed);
  kill_stale(family->gone);
  EXPECT(waitpid(family->living, NULL, WNOHANG) == -1 && errno == ECHILD, wait_wrong);
  raw_call(SYS_exit_group, 3, 0, 0, 0, 0);
  return 0;
}

static void borrowing_with_tls(int flags) {
  static char stack[64 * 1024] __attribute__((aligned(16)));
  struct family family = {make(-1), make(3)};
  reap(family.gone, 3 << 8);
  take(family.gone);
  void *own = raw_thread_pointer(); /* the parent is stopped meanwhile */
  pid_t pid = clone(borrow, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_SETTLS | SIGCHLD | flags, &family,
                    NULL, own, NULL);
  if (pid <= 1)
    exit(2);
  reap(pid, 3 << 8);
  kill_stale(family.gone);
  stranger_end(family.gone, STRANGER_NUMBER);
  EXPECT(waitpid(family.living, NULL, WNOHANG) == 0, wait_wrong);
  end(family.living);
  check_stale(family.living);
  check_stale(pid);
}

static void vfork_settls(void) { borrowing_with_tls(0); }
static void vfork_settls_files(void) { borrowing_with_tls(CLONE_FILES); }
#endif

/* ---- A wait that reaps and cannot say so ---- */

static void reaped_with_fault(void) {
  char *bad = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  siginfo_t info;
  int hows = sizeof(long) == 8 ? 4 : 3; /* on 32 bits libc itself writes to the struct rusage */
  for (int how = 0; how < hows; how++) {
    pid_t pid = make(3);
    EXPECT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0, wait_wrong);
    int r = how == 0   ? waitpid(pid, (void *)bad, 0)
            : how == 1 ? waitpid(-1, (void *)bad, WNOHANG)
            : how == 2 ? waitid(P_PID, (id_t)pid, (void *)bad, WEXITED)
                       : wait4(pid, NULL, 0, (void *)bad);
    EXPECT(r == -1 && errno == EFAULT, call_wrong);
    EXPECT(waitpid(pid, NULL, 0) == -1 && errno == ECHILD, wait_wrong);
    check_stale(pid);
  }
}

/* ---- A group that several threads signal while its leader is reaped ---- */

enum { KILLERS = 4, ROUNDS = 200 };
static volatile pid_t target;
static volatile bool over;

static void *signal_group(void *unused) {
  while (!over) {
    pid_t pid = target;
    if (pid > 1)
      kill(-pid, SIGUSR1);
  }
  return unused;
}

/* The first thread that finds the child gone retires it. The others must not take it for unknown. */
static void reaped_group_raced(void) {
  pthread_t threads[KILLERS];
  if (!pidfds_signal_groups()) {
    fputs("before Linux 6.9 a group is signalled by its number, see pidguard(7)", stderr);
    exit(77);
  }
  signal(SIGUSR1, SIG_IGN);
  for (int i = 0; i < KILLERS; i++)
    if (pthread_create(&threads[i], NULL, signal_group, NULL) != 0)
      exit(2);
  for (int i = 0; i < ROUNDS; i++) {
    pid_t pid = make(-1);
    EXPECT(setpgid(pid, pid) == 0, call_wrong);
    target = pid;
    usleep(200);
    EXPECT(kill(pid, SIGKILL) == 0, kill_failed);
    EXPECT(waitpid(pid, NULL, 0) == pid, wait_wrong);
    take(pid);
    stale++;
    EXPECT(kill(-pid, SIGUSR1) == -1 && errno == ESRCH, stale_passed);
    target = 0;
    usleep(200);
    stranger_end(pid, STRANGER_NUMBER);
  }
  over = true;
  for (int i = 0; i < KILLERS; i++)
    pthread_join(threads[i], NULL);
}

/* ---- A handler that forks before vfork() has returned ---- */

static volatile pid_t copy;
static void fork_a_copy(int sig) {
  (void)sig;
  copy = fork();
  pid_t parent = getppid();
  if (copy == 0 && parent > 1)
    kill(parent, 0); /* the copy settles before it goes on with the birth */
}

/* The vfork's child is a sibling of the copy, which may signal it: a zombie. */
static void birth_copied(void) {
  int status = 0;
  pid_t self = getpid();
  if (self <= 1 || signal(SIGUSR1, fork_a_copy) == SIG_ERR)
    exit(2);
  copy = -1;
  pid_t pid = vfork();
  if (pid == 0) {
    kill(self, SIGUSR1);
    _exit(3);
  }
  if (pid <= 1)
    exit(2);
  if (copy == 0)
    _exit(kill(pid, 0) == 0 ? 0 : 1);
  EXPECT(copy > 1 && waitpid(copy, &status, 0) == copy && status == 0, kill_failed);
  EXPECT(waitpid(pid, &status, 0) == pid && status == 3 << 8, wait_wrong);
  check_stale(pid);
}

/* The same in a handler of pthread_atfork(). The copy goes on with the birth when a stranger has the PID of its
 * sibling. */
static volatile pid_t helper;
static volatile bool helper_is_wanted;
static int *helper_goes_on;
static void fork_a_helper(void) {
  if (!helper_is_wanted)
    return;
  helper_is_wanted = false;
  helper = fork();
  while (helper == 0 && !*(volatile int *)helper_goes_on)
    usleep(1000);
}

static void birth_copied_late(void) {
  int status = 0;
  if (!helper_goes_on) {
    helper_goes_on = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_atfork(NULL, fork_a_helper, NULL);
  }
  *helper_goes_on = 0;
  helper = -1;
  helper_is_wanted = true;
  pid_t pid = make(3);
  if (helper == 0)
    _exit(kill(pid, SIGUSR1) == -1 && errno == ESRCH ? 0 : 1);
  EXPECT(waitpid(pid, &status, 0) == pid && status == 3 << 8, wait_wrong);
  take(pid);
  *helper_goes_on = 1;
  stale++;
  EXPECT(helper > 1 && waitpid(helper, &status, 0) == helper && status == 0, stale_passed);
  kill_stale(pid);
  stranger_end(pid, STRANGER_NUMBER);
}

static const struct {
  const char *name;
  void (*run)(void);
} corners[] = {
#ifdef RAW_HAVE_THREAD_POINTER
    {"vfork-settls", vfork_settls},           {"vfork-settls-files", vfork_settls_files},
#endif
    {"reaped-with-fault", reaped_with_fault}, {"reaped-group-raced", reaped_group_raced},
    {"birth-copied", birth_copied},           {"birth-copied-late", birth_copied_late},
};

int main(int argc, char **argv) {
  size_t count = sizeof corners / sizeof *corners, which = 0;
  strangers_main(argc, argv);
  if (argc < 3) {
    for (; which < count; which++)
      puts(corners[which].name);
    return 0;
  }
  while (which < count && strcmp(corners[which].name, argv[1]) != 0)
    which++;
  if (which == count)
    return 2;
  strangers_start();
  for (int i = atoi(argv[2]); i > 0; i--)
    corners[which].run();
  strangers_stop();
  printf("did stale %lu\nbad stale_hit %u\nbad stale_passed %lu\n", stale, strangers_hit(STRANGER_NUMBER),
         stale_passed);
  printf("bad kill_failed %lu\nbad wait_wrong %lu\nbad call_wrong %lu\n", kill_failed, wait_wrong, call_wrong);
  return 0;
}

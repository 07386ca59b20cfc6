/* SPDX-License-Identifier: MIT */
/* stack: how deep the calls reach that a signal handler may make. They run on an alternate stack that is painted
 * before. Says "NAME BYTES" for each, above what the handler takes by itself. `stack NAME BYTES` makes one call on a
 * stack with that many bytes left for it, and says "fits". The page below that stack cannot be touched. An ordinary
 * program: it knows nothing of pidguard. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 65536
#define PAINT 0x5a

static pid_t living, dead, fresh;
static int result;

static void call_nothing(void) {}
static void call_kill(void) { result = living > 1 ? kill(living, 0) : -1; }
static void call_kill_stale(void) { result = dead > 1 ? kill(dead, 0) : -1; }
static void call_kill_group(void) { result = dead > 1 ? kill(-dead, 0) : -1; }
static void call_kill_stranger(void) { result = kill(getppid(), 0); }
static void call_sigqueue(void) { result = living > 1 ? sigqueue(living, 0, (union sigval){.sival_int = 1}) : -1; }
static void call_waitpid(void) {
  int status;
  result = waitpid(fresh, &status, 0);
}
static void call_waitpid_nohang(void) {
  int status;
  result = waitpid(living, &status, WNOHANG);
}
static void call_wait_any(void) {
  int status;
  result = waitpid(-1, &status, 0);
}
static void call_waitid(void) {
  siginfo_t info;
  result = waitid(P_PID, (id_t)fresh, &info, WEXITED);
}
static void call_fork(void) {
  result = fork();
  if (result == 0)
    _exit(0);
}
static void call_vfork(void) {
  result = vfork();
  if (result == 0)
    _exit(0);
}
static void call_syscall_kill(void) { result = living > 1 ? (int)syscall(SYS_kill, living, 0) : -1; }
static void call_close(void) { result = close(dup(0)); }
static void call_dup2(void) { result = dup2(0, 40); }
static void call_getpgid(void) { result = dead > 1 ? getpgid(dead) : -1; }

static const struct {
  const char *name;
  void (*make)(void);
  bool takes_fresh; /* a child that has exited and is waited for here */
} calls[] = {
    {"nothing", call_nothing, false},
    {"kill", call_kill, false},
    {"kill-stale", call_kill_stale, false},
    {"kill-group-stale", call_kill_group, false},
    {"kill-stranger", call_kill_stranger, false},
    {"sigqueue", call_sigqueue, false},
    {"waitpid", call_waitpid, true},
    {"waitpid-nohang", call_waitpid_nohang, false},
    {"wait-any", call_wait_any, true},
    {"waitid", call_waitid, true},
    {"fork", call_fork, false},
    {"vfork", call_vfork, false},
    {"syscall-kill", call_syscall_kill, false},
    {"close", call_close, false},
    {"dup2", call_dup2, false},
    {"getpgid-stale", call_getpgid, false},
};
#define COUNT (sizeof calls / sizeof *calls)

static volatile size_t current;
static unsigned char *handler_at;
static bool calls_first;
static void handler(int sig) {
  (void)sig;
  handler_at = __builtin_frame_address(0);
  calls[current].make();
}

static void must(bool condition, const char *what) {
  if (condition)
    return;
  printf("failed: %s: %s\n", what, strerror(errno));
  exit(2);
}

/* Makes the call in a handler on this stack. */
static void raise_on(unsigned char *stack, size_t size, size_t which) {
  stack_t alternate = {.ss_sp = stack, .ss_size = size};
  must(sigaltstack(&alternate, NULL) == 0, "sigaltstack");
  current = which;
  if (calls[which].takes_fresh && !calls_first) {
    siginfo_t info;
    fresh = fork();
    if (fresh == 0)
      _exit(0);
    must(fresh > 1 && waitid(P_PID, (id_t)fresh, &info, WEXITED | WNOWAIT) == 0, "fresh");
  }
  raise(SIGUSR1);
  alternate.ss_flags = SS_DISABLE;
  sigaltstack(&alternate, NULL);
}

static size_t depth_of(unsigned char *stack, size_t which) {
  memset(stack, PAINT, SIZE);
  raise_on(stack, SIZE, which);
  size_t untouched = 0;
  while (untouched < SIZE && stack[untouched] == PAINT)
    untouched++;
  return (size_t)(handler_at - stack) - untouched;
}

int main(int argc, char **argv) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  long page = sysconf(_SC_PAGESIZE);
  unsigned char *stack = mmap(NULL, (size_t)page + SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(stack != MAP_FAILED && mprotect(stack, (size_t)page, PROT_NONE) == 0, "mmap");
  stack += page;
  sigaction(SIGUSR1, &action, NULL);
  if (argc == 2 && strcmp(argv[1], "first") == 0) { /* the first fork and wait of the process */
    for (size_t i = 0; i < COUNT; i++)
      if (strcmp(calls[i].name, "fork") == 0)
        printf("first-fork %zu\n", depth_of(stack, i));
    fresh = result;
    for (size_t i = 0; i < COUNT; i++)
      if (strcmp(calls[i].name, "wait-any") == 0) {
        calls_first = true;
        printf("first-wait %zu\n", depth_of(stack, i));
      }
    return 0;
  }
  living = fork();
  if (living == 0)
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* this program may end on a page that cannot be touched */
  while (living == 0)
    pause();
  dead = fork();
  if (dead == 0)
    _exit(0);
  must(living > 1 && dead > 1 && waitpid(dead, NULL, 0) == dead, "children");

  depth_of(stack, 0); /* what the kernel puts there, and the handler itself */
  size_t above = (size_t)(stack + SIZE - handler_at);
  if (argc == 3) {
    size_t which = 0, left = (size_t)atol(argv[2]);
    while (which < COUNT && strcmp(calls[which].name, argv[1]) != 0)
      which++;
    must(which < COUNT && above + left <= SIZE, argv[1]);
    raise_on(stack, above + left, which);
    puts("fits");
  } else {
    for (size_t i = 0; i < COUNT; i++) {
      depth_of(stack, i); /* once before, because what only the first call does is not counted here */
      printf("%s %zu\n", calls[i].name, depth_of(stack, i));
    }
  }
  kill(living, SIGKILL);
  while (wait(NULL) > 0)
    ;
  return 0;
}

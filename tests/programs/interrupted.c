/* SPDX-License-Identifier: MIT */
/* Sets the scene, plays an operation between two marks, and checks what is left. See interrupted.h.
 *
 *     interrupted OPERATION HANDLER plain      the handler runs just before the operation, without protection
 *     interrupted OPERATION HANDLER stepped    says "ready PID" and waits for a line; the marks are breakpoints,
 *                                              and the tracer of that process sends SIGUSR1 between them
 *     interrupted                              lists the pairs that make sense, one a line */
#define _GNU_SOURCE
#include "interrupted.h"

#include "../support/breakpoint.h"
#include "../support/next_pid.h"
#include "raw.h"
#include "say.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct scene scene;

void leave(int code) {
  raw_call(SYS_exit_group, code, 0, 0, 0, 0);
  __builtin_unreachable();
}

void must_failed(const char *text, const char *format, ...) {
  char line[400];
  int length = snprintf(line, sizeof line, "%s", scene.copy ? "the copy: " : "");
  va_list args;
  va_start(args, format);
  length += vsnprintf(line + length, 200, format, args);
  va_end(args);
  if (length > 250)
    length = 250;
  length += snprintf(line + length, 140, "  [%.120s]\n", text);
  raw_call(SYS_write, STDERR_FILENO, (long)(intptr_t)line, length, 0, 0);
  leave(1);
}

/* If the parent is dead already, the signal does not come. */
static void die_with_parent(void) {
  enum { INIT = 1 };
  raw_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (raw_call(SYS_getppid, 0, 0, 0, 0, 0) == INIT)
    leave(1);
}

void pause_for_ever(void) {
  die_with_parent();
  for (;;)
    raw_call(SYS_ppoll, 0, 0, 0, 0, 0);
}

pid_t make_pausing(void) {
  pid_t pid = fork();
  if (pid == 0)
    pause_for_ever();
  MUST(pid > 1, "fork: %d, errno %d", (int)pid, errno);
  return pid;
}

pid_t make_exiting(int code) {
  pid_t pid = fork();
  if (pid == 0)
    leave(code);
  MUST(pid > 1, "fork: %d, errno %d", (int)pid, errno);
  return pid;
}

/* The end of the stranger sends no signal, so ordinary waits do not find it. */
pid_t make_stranger(pid_t number) {
  if (next_pid_is(number) != 1)
    return 0;
  long pid = raw_call(SYS_clone, 0, 0, 0, 0, 0);
  if (pid == 0)
    pause_for_ever();
  if (pid > 1 && pid != number)
    raw_call(SYS_kill, pid, SIGKILL, 0, 0, 0);
  return pid == number ? number : 0;
}

void await_zombie(pid_t child) {
  siginfo_t info;
  raw_call(SYS_waitid, P_PID, child, (long)(intptr_t)&info, WEXITED | WNOWAIT, 0);
}

bool is_own_child(pid_t pid) {
  siginfo_t info;
  return raw_call(SYS_waitid, P_PID, pid, (long)(intptr_t)&info, WEXITED | WNOHANG | WNOWAIT | __WALL, 0) == 0;
}

bool is_open(int fd) { return raw_call(SYS_fcntl, fd, F_GETFD, 0, 0, 0) >= 0; }

int count_open(int from, int to) {
  int count = 0;
  for (int fd = from; fd < to; fd++)
    count += is_open(fd);
  return count;
}

void set_numbers(int soft_limit) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = (rlim_t)soft_limit;
  int r = setrlimit(RLIMIT_NOFILE, &limit);
  MUST(r == 0, "setrlimit: errno %d", errno);
}

/* The handler runs once. A copy goes on from the same place and does not run it again. */
static void on_signal(int sig) {
  (void)sig;
  if (scene.handled)
    return;
  scene.handled = 1;
  int kept = errno;
  scene.handler->run();
  errno = kept;
}

/* There is no breakpoint after the signal came, because the tracer is gone then. */
static inline __attribute__((always_inline)) void mark(void) {
  if (!scene.handled)
    BREAKPOINT();
}

static void set_scene(void) {
  set_numbers(NUMBERS);
  raw_call(SYS_close_range, FIRST_NUMBER, ~0u, 0, 0, 0);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  scene.dead = make_exiting(0);
  waitpid(scene.dead, NULL, 0);
  scene.living = make_pausing();
  scene.other = make_pausing();
  scene.zombie = make_exiting(CODE_ZOMBIE);
  await_zombie(scene.zombie);
  if (scene.protected) {
    scene.stranger = make_stranger(scene.dead);
    if (!scene.stranger) {
      say("SKIP: the test cannot choose PIDs here (ns_last_pid)\n");
      leave(77);
    }
    next_pid_is(scene.zombie + 1);
  }
}

/* Goes on in a forked child. The parent ends as its child does. */
static void go_on_in_child(void) {
  pid_t pid = fork();
  if (pid == 0) {
    die_with_parent();
    scene.copy = 1;
    return;
  }
  int status = 0;
  raw_call(SYS_wait4, pid, (long)(intptr_t)&status, 0, 0, 0);
  leave(status == 0 ? 0 : 1);
}

static void await_tracer(void) {
  char line[16];
  say("ready %d\n", (int)raw_call(SYS_getpid, 0, 0, 0, 0, 0));
  if (read(STDIN_FILENO, line, sizeof line) <= 0)
    leave(2);
}

static void play(void) {
  scene.descriptors = count_open(0, OWN_NUMBERS);
  if (scene.operation->in_child)
    go_on_in_child();
  if (scene.operation->prepare)
    scene.operation->prepare();
  if (sigsetjmp(scene.out, 1) == 0) {
    if (scene.protected)
      await_tracer();
    else
      raise(SIGUSR1);
    mark();
    scene.operation->run();
    mark();
  }
  scene.handled = 1; /* from here on nothing is stepped, whether the signal came or not */
  check_after();
}

static bool makes_sense(const struct operation *operation, const struct handler *handler) {
  bool kills = strncmp(operation->name, "kill", 4) == 0;
  return !(operation->blocks && handler->reaps) && (kills || !handler->fills);
}

static int list(void) {
  for (const struct operation *operation = operations; operation->name; operation++)
    for (const struct handler *handler = handlers; handler->name; handler++)
      if (makes_sense(operation, handler))
        printf("%s %s\n", operation->name, handler->name);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 1)
    return list();
  for (scene.operation = operations; argc == 4 && scene.operation->name; scene.operation++)
    if (strcmp(scene.operation->name, argv[1]) == 0)
      break;
  for (scene.handler = handlers; argc == 4 && scene.handler->name; scene.handler++)
    if (strcmp(scene.handler->name, argv[2]) == 0)
      break;
  if (argc != 4 || !scene.operation->name || !scene.handler->name) {
    fprintf(stderr, "usage: %s [OPERATION HANDLER plain|stepped]\n", argv[0]);
    return 2;
  }
  scene.protected = strcmp(argv[3], "stepped") == 0;
  set_scene();
  play();
  leave(0);
}

/* SPDX-License-Identifier: MIT */
/* inside HOW WHAT: PIDs go to and fro between the program's own children and those that libc makes and reaps inside
 * itself. HOW is system, popen or wordexp. WHAT is one of these:
 *     taken    the inner child has the PID of a child that was waited for, and gets SIGTERM by it
 *     silent   the same, but the first child was not waited for (SIGCHLD is ignored)
 *     passed   the inner child has had the PID, too, and is gone: "ready PID", a line, "result RETURN ERRNO"
 *     learnt   the PID is the inner child's own, learnt from its output; then as with passed
 *     stolen   the same with popen, but a wait for any child took the inner child
 * The first two say "result RETURN ERRNO inner STATUS". An ordinary program: it knows nothing of pidguard. It chooses
 * PIDs with /proc/sys/kernel/ns_last_pid of the pid namespace that it runs in. */
#define _GNU_SOURCE
#include "free_pid.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

static const char *how;
static int from_inner[2], to_inner[2];

static void must(bool condition, const char *what) {
  if (condition)
    return;
  say("failed: %s: %s\n", what, strerror(errno));
  _exit(2);
}

/* The inner child prints its PID, and exits when the program tells it to. */
#define TELLS "echo $$ >&9; read go <&8; exit 5"

/* Returns the inner child's status, as far as libc tells it. wordexp() tells only whether there was output. */
static int run_inner(void) {
  int status = 0;
  if (strcmp(how, "system") == 0)
    return system(TELLS);
  if (strcmp(how, "popen") == 0) {
    FILE *file = popen(TELLS, "r");
    must(file != NULL, "popen");
    return pclose(file);
  }
  wordexp_t words;
  status = wordexp("$(echo $$ >&9; read go <&8 && echo word)", &words, 0);
  if (status == 0) {
    status = words.we_wordc == 1 ? 5 << 8 : 0;
    wordfree(&words);
  }
  return status;
}

static int read_number(void) {
  char text[16] = "";
  for (size_t i = 0; i + 1 < sizeof text && read(from_inner[0], text + i, 1) == 1 && text[i] != '\n'; i++)
    ;
  return atoi(text);
}

static void arrange(int pid) {
  int arranged = next_pid_is(pid);
  if (!arranged) {
    say("SKIP ns_last_pid: %s\n", strerror(errno));
    _exit(77);
  }
  must(arranged > 0, "ns_last_pid");
}

static int gone_child(bool silent) {
  if (silent)
    signal(SIGCHLD, SIG_IGN);
  pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  must(pid > 1, "fork");
  if (silent) {
    must(waitpid(pid, NULL, 0) == -1 && errno == ECHILD, "ignored");
    await_free(pid);
  } else {
    must(waitpid(pid, NULL, 0) == pid, "waitpid");
  }
  return pid;
}

/* A thread with an inner child that stays. The inner child's PID is `wanted`, unless that is 0. The thread takes a PID
 * as well, so it is made before. */
struct inner {
  pthread_t thread;
  pthread_mutex_t start;
  int pid, status;
};
static void *start_inner(void *p) {
  struct inner *in = p;
  pthread_mutex_lock(&in->start);
  in->status = run_inner();
  return NULL;
}
static void begin(struct inner *in, int wanted) {
  pthread_mutex_init(&in->start, NULL);
  pthread_mutex_lock(&in->start);
  must(pthread_create(&in->thread, NULL, start_inner, in) == 0, "thread");
  if (wanted)
    arrange(wanted);
  pthread_mutex_unlock(&in->start);
  in->pid = read_number();
  must(!wanted || in->pid == wanted, "the number");
}
static void finish(struct inner *in) {
  must(write(to_inner[1], "\n", 1) == 1, "go");
  pthread_join(in->thread, NULL);
}

static int send_term(int pid, int *error) {
  must(pid > 1, "a number");
  errno = 0;
  int result = kill(pid, SIGTERM);
  *error = errno;
  return result;
}

int main(int argc, char **argv) {
  struct inner in = {.status = -1};
  int error, result, pid;
  char line[16];
  must(argc == 3 && pipe(from_inner) == 0 && pipe(to_inner) == 0, "pipe");
  must(dup2(from_inner[1], 9) == 9 && dup2(to_inner[0], 8) == 8, "dup2");
  how = argv[1];
  bool silent = strcmp(argv[2], "silent") == 0;
  if (silent || strcmp(argv[2], "taken") == 0) {
    pid = gone_child(silent);
    begin(&in, pid);
    result = send_term(pid, &error);
    finish(&in);
    say("result %d %d inner %d\n", result, error, in.status);
    return 0;
  }
  if (strcmp(argv[2], "passed") == 0) {
    pid = gone_child(false);
    begin(&in, pid);
    finish(&in);
  } else if (strcmp(argv[2], "learnt") == 0) {
    begin(&in, 0);
    pid = in.pid;
    finish(&in);
  } else { /* stolen: only popen leaves its child alone for a while */
    FILE *file = popen(TELLS, "r");
    must(file != NULL, "popen");
    pid = read_number();
    must(write(to_inner[1], "\n", 1) == 1, "go");
    must(wait(NULL) == pid, "wait for any");
    must(pclose(file) == -1 && errno == ECHILD, "pclose");
  }
  say("ready %d\n", pid);
  must(read(STDIN_FILENO, line, sizeof line) > 0, "go");
  result = send_term(pid, &error);
  say("result %d %d\n", result, error);
  return 0;
}

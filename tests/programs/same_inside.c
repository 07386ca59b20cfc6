/* SPDX-License-Identifier: MIT */
/* libc makes and reaps children inside itself (system, popen, wordexp), and the program waits for any child. What each
 * of the two gets must not depend on the shim. */
#define _GNU_SOURCE
#include "../support/next_pid.h"
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wordexp.h>

static int word(const char *text, char *out, size_t size) {
  wordexp_t words;
  int result = wordexp(text, &words, 0);
  snprintf(out, size, "%s", result == 0 && words.we_wordc ? words.we_wordv[0] : "?");
  if (result == 0)
    wordfree(&words);
  return result;
}

static void alone(void) {
  char text[64];
  errno = UNTOUCHED;
  int status = system("exit 3");
  note("system: %s %s", status_text(status), errno_text(errno));
  errno = UNTOUCHED;
  status = system("kill -TERM $$");
  note("system: %s %s", status_text(status), errno_text(errno));
  note("system: %d", system(NULL) != 0);
  errno = UNTOUCHED;
  FILE *file = popen("echo out; exit 4", "re");
  MUST(file && fgets(text, sizeof text, file));
  status = pclose(file);
  note("popen: %.3s %s %s", text, status_text(status), errno_text(errno));
  file = popen("cat >/dev/null; exit 5", "w");
  MUST(file && fputs("in", file) >= 0);
  note("popen: %s", status_text(pclose(file)));
  int result = word("$(echo expanded)", text, sizeof text);
  note("wordexp: %d %s", result, text);
  errno = UNTOUCHED;
  note("none left: %s", wait_text(wait(NULL), 0));
}

/* The program has children of its own, dead and alive. They are still there afterwards. */
static void among_children(void) {
  char text[64];
  int status;
  pid_t paused = fork_pausing(), dead = fork_exiting(6);
  await_zombie(dead);
  note("system: %s", status_text(system("exit 3")));
  FILE *file = popen("echo out", "r");
  pid_t late = fork_exiting(8);
  MUST(file && fgets(text, sizeof text, file));
  note("popen: %s", status_text(pclose(file)));
  MUST(word("$(echo x)", text, sizeof text) == 0);
  MUST(waitpid(dead, &status, 0) == dead);
  note("%s", status_text(status));
  MUST(waitpid(late, &status, 0) == late);
  note("%s, %s", status_text(status), call_text(kill_ok(late, 0)));
  finish(paused);
}

/* A wait for any child takes popen's child. Then pclose() fails with ECHILD. */
static void stolen_popen(void) {
  int status;
  FILE *file = popen("exit 7", "r");
  MUST(file);
  pid_t pid = wait(&status);
  note("taken: %d %s", pid > 1, status_text(status));
  errno = UNTOUCHED;
  int result = pclose(file);
  note("pclose: %s", call_text(result));
  note("then %s", call_text(kill_ok(pid, 0)));
}

static void stolen_by_handler_main(int sig) {
  int kept = errno, status;
  (void)sig;
  while (waitpid(-1, &status, WNOHANG) > 0)
    ;
  errno = kept;
}
static void stolen_by_handler(void) {
  signal(SIGCHLD, stolen_by_handler_main);
  /* system() blocks SIGCHLD, so the handler finds nothing */
  for (int i = 0; i < 20; i++) {
    int status = system("exit 3");
    if (i == 0 || status != 3 << 8)
      note("system: %s", status_text(status));
  }
  FILE *file = popen("exit 7", "r");
  MUST(file && fgetc(file) == EOF);
  sleep_ms(50);
  errno = UNTOUCHED;
  int result = pclose(file);
  note("pclose: %s", call_text(result));
}

static void ignored(void) {
  signal(SIGCHLD, SIG_IGN);
  errno = UNTOUCHED;
  int status = system("exit 3");
  note("system: %d %s", status, errno_text(errno));
  FILE *file = popen("exit 7", "r");
  MUST(file);
  errno = UNTOUCHED;
  int result = pclose(file);
  note("pclose: %s", call_text(result));
}

/* One thread takes every child, and another runs system(). Exactly one of them sees the PID of each child. Only the
 * taker waits for the program's own children. What system() returns is a race, and so is no part of the trace. The
 * trace says that no child is lost, and that no PID is refused to its owner. */
static _Atomic bool stop;
static _Atomic int taken;
static void *taker(void *unused) {
  int status;
  while (!atomic_load(&stop)) {
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid > 0)
      atomic_fetch_add(&taken, 1);
    else
      usleep(50);
  }
  while (waitpid(-1, &status, 0) > 0)
    atomic_fetch_add(&taken, 1);
  return unused;
}
static void raced(void) {
  enum { ROUNDS = 150 };
  pthread_t thread;
  int by_system = 0, odd = 0, by_popen = 0;
  MUST(pthread_create(&thread, NULL, taker, NULL) == 0);
  for (int i = 0; i < ROUNDS; i++) {
    errno = 0;
    int status = system("exit 3");
    by_system += status == 3 << 8;
    odd += status != 3 << 8 && !(status == -1 && errno == ECHILD);
    FILE *file = popen("exit 4", "r");
    MUST(file);
    errno = 0;
    status = pclose(file);
    by_popen += status == 4 << 8;
    odd += status != 4 << 8 && !(status == -1 && errno == ECHILD);
    pid_t pid = fork_ok();
    if (pid == 0)
      for (;;)
        pause();
    odd += kill_ok(pid, 0) != 0 || kill_ok(pid, SIGTERM) != 0;
  }
  atomic_store(&stop, true);
  pthread_join(thread, NULL);
  note("odd %d, all accounted for: %d", odd, by_system + by_popen + taken == 3 * ROUNDS);
}

/* Inner children leave nothing behind, and nothing of the program's own is lost among them. */
static void many_in_a_row(void) {
  int wrong = 0;
  for (int i = 0; i < 200; i++)
    wrong += system("exit 3") != 3 << 8;
  pid_t pid = fork_pausing();
  for (int i = 0; i < 50; i++)
    wrong += system("exit 3") != 3 << 8 || kill_ok(pid, 0) != 0;
  finish(pid);
  note("wrong %d", wrong);
}

/* A thread blocks in a wait for any child, and one child stays. One of the two gets the status of each inner child, and
 * the other goes on. */
static void *blocked_taker(void *unused) {
  int status;
  for (;;) {
    pid_t pid = waitpid(-1, &status, 0);
    if (pid <= 0 || WIFSIGNALED(status))
      return unused;
    atomic_fetch_add(&taken, 1);
  }
}
static void raced_blocking(void) {
  enum { ROUNDS = 100 };
  pthread_t thread;
  char text[64];
  int by_us = 0, odd = 0;
  pid_t stays = fork_pausing();
  MUST(pthread_create(&thread, NULL, blocked_taker, NULL) == 0);
  for (int i = 0; i < ROUNDS; i++) {
    errno = 0;
    int status = system("exit 3");
    by_us += status == 3 << 8;
    odd += status != 3 << 8 && !(status == -1 && errno == ECHILD);
    FILE *file = popen("exit 4", "r");
    MUST(file);
    errno = 0;
    status = pclose(file);
    by_us += status == 4 << 8;
    odd += status != 4 << 8 && !(status == -1 && errno == ECHILD);
    odd += kill_ok(stays, 0) != 0;
  }
  MUST(kill_ok(stays, SIGTERM) == 0);
  pthread_join(thread, NULL);
  note("odd %d, all accounted for: %d", odd, by_us + taken == 2 * ROUNDS);
  note("wordexp: %d %s", word("$(echo x)", text, sizeof text), text);
}

/* If system() is cancelled in the middle, it kills and reaps its child. */
static void *long_system(void *unused) {
  system("exec sleep 1000");
  return unused;
}
static void cancelled(void) {
  for (int i = 0; i < 3; i++) {
    pthread_t thread;
    void *result = NULL;
    MUST(pthread_create(&thread, NULL, long_system, NULL) == 0);
    sleep_ms(100);
    MUST(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
    errno = UNTOUCHED;
    note("cancelled: %d, left: %s", result == PTHREAD_CANCELED, wait_text(wait(NULL), 0));
  }
}

/* A wait for the PID of a child that is gone, while an inner child has it. */
static void number_again(void) {
  for (int i = 0; i < 2; i++) {
    char text[16];
    int status = 0;
    pid_t pid = fork_exiting(6);
    MUST(waitpid(pid, &status, 0) == pid);
    note("%s", status_text(status));
    int arranged = next_pid_is(pid);
    if (!arranged)
      skip("the test cannot choose PIDs here (ns_last_pid)");
    MUST(arranged > 0);
    FILE *file = popen("echo $$; exit 4", "r");
    MUST(file && fgets(text, sizeof text, file));
    note("the same number: %d", atoi(text) == pid);
    errno = UNTOUCHED;
    note("waitpid: %s", wait_text(i ? waitpid(pid, &status, 0) : -1, pid));
    note("%s", status_text(status));
    errno = UNTOUCHED;
    int result = pclose(file);
    note("pclose: %#x %s", (unsigned)result, errno_text(errno));
  }
}

const struct test_case cases[] = {
    {"raced-blocking", raced_blocking},
    {"cancelled", cancelled},
    {"number-again", number_again},
    {"alone", alone},
    {"among-children", among_children},
    {"stolen-popen", stolen_popen},
    {"stolen-by-handler", stolen_by_handler},
    {"ignored", ignored},
    {"raced", raced},
    {"many-in-a-row", many_in_a_row},
    {NULL, NULL},
};

/* SPDX-License-Identifier: MIT */
/* The example programs must do what their comments promise. The example of old code is tried with a stranger that takes
 * the PID, and the same code without pidguard is tried beside it. */
#include "pg_test.h"
#include "slowness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXAMPLE(name) PG_EXAMPLES "/example-" name

/* Runs a program to its end, and compares status and output. With a NULL output the caller looks at the output, and
 * then frees it. */
static struct pg_test_outcome run(const char *const *argv, int limit_ms, int status, const char *output) {
  struct pg_test_command command = {.argv = argv, .limit_ms = limit_ms};
  struct pg_test_outcome outcome;
  pg_test_run(&command, &outcome);
  PG_CHECK(pg_test_exited(&outcome, status), "%s: status %#x%s, output:\n%s%s", argv[0], (unsigned)outcome.status,
           outcome.timed_out ? " (time-out)" : "", outcome.out, outcome.err);
  if (output) {
    PG_CHECK(!strcmp(outcome.out, output), "%s printed:\n%snot:\n%s", argv[0], outcome.out, output);
    pg_test_outcome_free(&outcome);
  }
  return outcome;
}

static void supervise_restarts(void) {
  char file[] = "/tmp/pidguard-example-XXXXXX", script[512];
  int fd = mkstemp(file);
  if (!PG_CHECK(fd >= 0, "mkstemp"))
    return;
  close(fd);
  /* Each life adds one byte to the file. The lives are too slow, too slow and deaf, failing, and successful. */
  snprintf(script, sizeof script,
           "printf x >>%s; case $(cat %s) in x) exec sleep 60;; xx) trap '' TERM; exec sleep 60;; xxx) exit 3;; esac",
           file, file);
  const char *const argv[] = {EXAMPLE("supervise"), "1000", "9", "sh", "-c", script, NULL};
  run(argv, 30000, 0,
      "too slow: ended when asked to\n"
      "try 1: Terminated\n"
      "too slow: killed, it did not listen\n"
      "try 2: Killed\n"
      "try 3: exit status 3\n"
      "try 4: exit status 0\n");
  unlink(file);
}

static void supervise_gives_up(void) {
  const char *const argv[] = {EXAMPLE("supervise"), "10000", "2", "false", NULL};
  run(argv, 0, 1, "try 1: exit status 1\ntry 2: exit status 1\ngiven up\n");
  const char *const nobody[] = {EXAMPLE("supervise"), "10000", "2", "/no/such/program", NULL};
  run(nobody, 0, 1, "");
}

/* The output has "only N children: ..." if there was no room for all, and then "N children, N as expected". */
static void check_children(const char *output, int wanted, int least) {
  int made = -1, right = -1;
  const char *last = strncmp(output, "only ", 5) ? output : strchr(output, '\n') + 1;
  sscanf(last, "%d children, %d as expected", &made, &right);
  PG_CHECK(made == right && made >= least && made <= wanted && (made == wanted) == (last == output), "%s", output);
  if (made < wanted && made == right)
    pg_test_skip("not %d children, but: %s", wanted, output);
}

/* How many children; fewer under AddressSanitizer, where a fork is many times as dear. */
static int many(void) {
#ifdef __SANITIZE_ADDRESS__
  return 1000;
#else
  return slowness() > 1 ? 2000 : 10000;
#endif
}

static void epoll_many(void) {
  char number[16];
  snprintf(number, sizeof number, "%d", many());
  const char *const argv[] = {EXAMPLE("epoll"), number, NULL};
  printf("\n    %s children ...", number);
  struct pg_test_outcome outcome = run(argv, 600000, 0, NULL);
  check_children(outcome.out, many(), 1);
  pg_test_outcome_free(&outcome);
}

static void epoll_few_descriptors(void) {
  const char *const argv[] = {"sh", "-c", "ulimit -Sn 20; ulimit -Hn 100; exec " EXAMPLE("epoll") " 200", NULL};
  run(argv, 0, 0,
      "only 84 children: the hard limit of descriptors (ulimit -Hn) allows no more\n"
      "84 children, 84 as expected\n");
  const char *const enough[] = {"sh", "-c", "ulimit -Sn 20; ulimit -Hn 100; exec " EXAMPLE("epoll") " 80", NULL};
  run(enough, 0, 0, "80 children, 80 as expected\n");
}

static void pass_a_process(void) {
  const char *const argv[] = {EXAMPLE("pass"), "sleep", "60", NULL};
  struct pg_test_outcome outcome = run(argv, 0, 0, NULL);
  PG_CHECK(!strcmp(outcome.out, "watchman: the peer is my parent\n"
                                "watchman: got a process of my parent, alive\n"
                                "watchman: it has ended\n"
                                "parent: the worker Terminated\n"),
           "%s%s", outcome.out, outcome.err);
  pg_test_outcome_free(&outcome);
}

static void reap_without_handler(void) {
  const char *const argv[] = {EXAMPLE("reap"), "5", NULL};
  struct pg_test_outcome outcome = run(argv, 20000, 0, NULL);
  PG_CHECK(strstr(outcome.out, "the library: status 42\n"), "%s%s", outcome.out, outcome.err);
  for (int i = 0; i < 5; i++) {
    char line[32];
    snprintf(line, sizeof line, "job %d: status %d\n", i, i);
    const char *first = strstr(outcome.out, line);
    PG_CHECK(first && !strstr(first + 1, line), "job %d did not run exactly once: %s", i, outcome.out);
  }
  pg_test_outcome_free(&outcome);
}

/* Reads lines until one contains the text. Returns true if there is one. */
static bool read_until(struct pg_test_process *process, const char *text) {
  char line[256];
  while (!pg_test_read_line(process, line, sizeof line))
    if (strstr(line, text))
      return true;
  return false;
}

static void supervisor_ends_all(void) {
  const char *const argv[] = {EXAMPLE("supervisor"),
                              "300",
                              "exec sleep 1000",
                              "exit 3",
                              "trap '' TERM; echo deaf; while :; do sleep 0.05; done",
                              NULL};
  struct pg_test_command command = {.argv = argv, .limit_ms = 60000};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  if (!PG_CHECK(pg_test_start(&command, &process) == 0, "start"))
    return;
  /* One child fails three times and is not started again. Two run on until the supervisor is told to end. */
  bool deaf = read_until(&process, "deaf"), failed = true;
  for (int i = 0; i < 3 && !deaf; i++)
    failed &= read_until(&process, "exit 3: exit 3");
  PG_CHECK(deaf || failed, "not running");
  if (process.pid > 1)
    kill(process.pid, SIGTERM);
  bool asked = read_until(&process, "sleep 1000: signal 15"), killed = read_until(&process, ": signal 9");
  PG_CHECK(asked && killed, "asked %d, killed %d", asked, killed);
  pg_test_finish(&process, &outcome);
  PG_CHECK(pg_test_exited(&outcome, 0), "status %x: %s", (unsigned)outcome.status, outcome.err);
  pg_test_outcome_free(&outcome);
  pg_test_kill_leftovers(); /* this ends the last sleep of the shell */
}

static void runner_reports(void) {
  const char *const argv[] = {EXAMPLE("runner"),
                              "1500",
                              "true",
                              "echo wrong; exit 1",
                              "kill -SEGV $$",
                              "(sleep 1000 & sleep 1000 & wait) & wait",
                              "sleep 1000 & true",
                              NULL};
  run(argv, 60000, 1,
      "passed   true\n"
      "FAILED   echo wrong; exit 1\n"
      "wrong\n"
      "SIGNAL   kill -SEGV $$: Segmentation fault\n"
      "TIMEOUT  (sleep 1000 & sleep 1000 & wait) & wait\n"
      "passed   sleep 1000 & true\n"
      "3 of 5 failed\n");
  int left = pg_test_kill_leftovers();
  PG_CHECK(left == 0, "%d processes are left", left);
}

static void server_asks(void) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/tmp/pidguard-example-%d", (int)getpid());
  const char *const argv[] = {EXAMPLE("server"), path, "1", NULL};
  struct pg_test_command command = {.argv = argv, .limit_ms = 30000};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (!PG_CHECK(pg_test_start(&command, &process) == 0, "start"))
    return;
  PG_CHECK(read_until(&process, "listening"), "not listening");
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  pid_t pid = fork();
  if (pid == 0) {
    char answer[16] = "";
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool welcome = !connect(sock, (struct sockaddr *)&address, sizeof address) && read(sock, answer, 7) == 7;
    _exit(welcome && !strcmp(answer, "welcome") ? 0 : 1);
  }
  int status = -1;
  PG_CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "the client: %x", (unsigned)status);
  PG_CHECK(!pg_test_read_line(&process, line, sizeof line) && atoi(line) == pid && strstr(line, ": allowed"), "%s",
           line);
  PG_CHECK(read_until(&process, "it has ended"), "its end was not reported");
  pg_test_finish(&process, &outcome);
  PG_CHECK(pg_test_exited(&outcome, 0), "status %x: %s", (unsigned)outcome.status, outcome.err);
  pg_test_outcome_free(&outcome);
}

static void enter_namespaces(void) {
  const char *const inside[] = {"unshare", "--uts", "sh", "-c", "hostname apart && echo ready && exec sleep 1000",
                                NULL};
  struct pg_test_command command = {.argv = inside, .limit_ms = 30000};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  char number[16];
  if (!PG_CHECK(pg_test_start(&command, &process) == 0, "start"))
    return;
  if (!read_until(&process, "ready")) {
    pg_test_skip("this user cannot make a namespace");
  } else {
    snprintf(number, sizeof number, "%d", (int)process.pid);
    const char *const argv[] = {EXAMPLE("enter"), number, "hostname", NULL};
    run(argv, 0, 0, "apart\n");
    const char *const nobody[] = {EXAMPLE("enter"), "4000000", "hostname", NULL};
    run(nobody, 0, 1, "");
  }
  if (process.pid > 1)
    kill(process.pid, SIGKILL);
  pg_test_finish(&process, &outcome);
  pg_test_outcome_free(&outcome);
}

static void restart_keeps_identity(void) {
  char file[64];
  snprintf(file, sizeof file, "/tmp/pidguard-example-%d.process", (int)getpid());
  const char *const start[] = {EXAMPLE("restart"), file, "start", "sh", "-c", "sleep 1000 & exec sleep 1000", NULL};
  const char *const status[] = {EXAMPLE("restart"), file, "status", NULL};
  const char *const stop[] = {EXAMPLE("restart"), file, "stop", NULL};
  run(start, 0, 0, "");
  run(status, 0, 0, "running\n");
  run(stop, 30000, 0, "stopped\n");
  run(status, 0, 3, "not running\n");
  run(stop, 0, 3, "not running\n");
  unlink(file);
}

/* A stranger takes the worker's PID between the reap and the signal. */
static void stale(const char *program, const char *preload, bool safe) {
  const char *const argv[] = {program, NULL};
  struct pg_test_command command = {.argv = argv, .preload = preload};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  struct pg_test_stranger stranger;
  char line[128];
  int pid = -1;
  if (!PG_CHECK(pg_test_start(&command, &process) == 0, "start"))
    return;
  PG_CHECK(pg_test_read_line(&process, line, sizeof line) == 0 && sscanf(line, "worker %d ended with 7", &pid) == 1 &&
               pid > 1,
           "%s", line);
  int error = pid > 1 ? pg_test_take_pid(pid, false, &stranger) : -1;
  if (PG_CHECK(error == 0, "take %d: %d", pid, error)) {
    pg_test_write_line(&process, "%s", "");
    int said = pg_test_read_line(&process, line, sizeof line); /* -EPIPE at the end of the output, if kill() failed */
    pg_test_finish(&process, &outcome);
    if (safe) {
      PG_CHECK(pg_test_stranger_untouched(&stranger), "the stranger was hit: %s", outcome.err);
      PG_CHECK(said == -EPIPE, "%d, %s", said, line);
      PG_CHECK(strstr(outcome.err, "stop: No such process"), "%s", outcome.err);
    } else {
      PG_CHECK(pg_test_stranger_got(&stranger, SIGTERM), "the stranger was not hit, so this test shows nothing");
      PG_CHECK(said == 0 && !strcmp(line, "stopped"), "%d, %s", said, line);
    }
    pg_test_stranger_release(&stranger);
  } else {
    pg_test_finish(&process, &outcome);
  }
  pg_test_outcome_free(&outcome);
}

static bool can_take(void) {
  int error = pg_test_probe_take_pid();
  if (error)
    pg_test_skip("the test cannot choose a PID here (clone3 with set_tid): %s", strerror(-error));
  return error == 0;
}

static void dropin_without(void) {
  if (can_take())
    stale(EXAMPLE("unsafe"), NULL, false);
}

static void dropin_with(void) {
  if (can_take())
    stale(EXAMPLE("dropin"), NULL, true);
}

static void dropin_preloaded(void) {
  if (!pg_test_preload())
    pg_test_skip("there is no preload object");
  else if (can_take()) {
    stale(EXAMPLE("unsafe"), pg_test_preload(), true);
    stale(EXAMPLE("dropin"), pg_test_preload(), true); /* both objects use one table */
  }
}

void pg_test_plan(int argc, char **argv) {
  (void)argc, (void)argv;
  pg_test_add("examples", "supervise: restarts", supervise_restarts);
  pg_test_add("examples", "supervise: gives up", supervise_gives_up);
  pg_test_add("examples", "epoll: many children", epoll_many);
  pg_test_add("examples", "epoll: few descriptors", epoll_few_descriptors);
  pg_test_add("examples", "pass: a process to another process", pass_a_process);
  pg_test_add("examples", "reap: without a handler", reap_without_handler);
  pg_test_add("examples", "supervisor: ends all", supervisor_ends_all);
  pg_test_add("examples", "runner: reports", runner_reports);
  pg_test_add("examples", "server: asks", server_asks);
  pg_test_add("examples", "enter: namespaces", enter_namespaces);
  pg_test_add("examples", "restart: keeps identity", restart_keeps_identity);
  pg_test_add("examples", "dropin: without pidguard the stranger is hit", dropin_without);
  pg_test_add("examples", "dropin: with pidguard it is not", dropin_with);
  pg_test_add("examples", "dropin: preloaded", dropin_preloaded);
}

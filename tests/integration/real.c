/* SPDX-License-Identifier: MIT */
/* Real programs, unmodified: bash and dash scripts, dumb-init. A program that is not installed is skipped by name. */
#define _GNU_SOURCE
#include "pg_test.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool installed(const char *name) {
  bool found = pg_test_installed(name);
  if (!found)
    pg_test_skip("%s is not installed", name);
  return found;
}

static const char *shim(void) {
  const char *preload = pg_test_preload();
  if (!preload)
    pg_test_skip("there is no preload object to test");
  return preload;
}

/* These scripts print "ready PID" with the PID of a child that they have waited for. They read a line, signal the PID,
 * and print "result STATUS". */
static const char *const stale_scripts[] = {
    "sleep 0 & p=$!; wait $p; echo ready $p; read go; kill $p 2>/dev/null; echo result $?",
    "(exit 3) & p=$!; wait $p; echo ready $p; read go; kill -s TERM $p 2>/dev/null; echo result $?",
    ("trap 'kill $p 2>/dev/null; echo result $?; exit 0' USR1; sleep 0 & p=$!; wait $p; echo ready $p; read go; "
     "kill -USR1 $$"),
    "set -m; sleep 0 & p=$!; wait $p; echo ready $p; read go; kill -TERM -$p 2>/dev/null; echo result $?",
    "p=$(sh -c 'echo $$; exit 0'); sleep 0 & p=$!; wait; echo ready $p; read go; (kill $p 2>/dev/null); echo result $?",
};

static void play(const char *shell, const char *script, const char *preload) {
  const char *const argv[] = {shell, "-c", script, NULL};
  struct pg_test_command command = {.argv = argv, .preload = preload};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  struct pg_test_stranger stranger;
  char line[128] = "";
  int pid = -1, result = -1;
  PG_CHECK(pg_test_start(&command, &process) == 0, "cannot start %s", shell);
  pg_test_read_line(&process, line, sizeof line);
  PG_CHECK(sscanf(line, "ready %d", &pid) == 1, "%s says \"%s\"", script, line);
  int error = pid > 1 ? pg_test_take_pid(pid, PG_TEST_GROUP, &stranger) : -1;
  if (PG_CHECK(error == 0, "%s: no stranger can take the PID: %s", script, strerror(-error))) {
    pg_test_write_line(&process, "go");
    pg_test_read_line(&process, line, sizeof line);
    PG_CHECK(sscanf(line, "result %d", &result) == 1, "%s says \"%s\"", script, line);
    bool got = pg_test_stranger_got(&stranger, SIGTERM);
    if (preload)
      PG_CHECK(result == 1 && pg_test_stranger_untouched(&stranger), "%s -c '%s' with: result %d, hit %d", shell,
               script, result, got);
    else
      PG_CHECK(result == 0 && got, "%s -c '%s' without: result %d, hit %d", shell, script, result, got);
    pg_test_stranger_release(&stranger);
  }
  pg_test_finish(&process, &outcome);
  pg_test_outcome_free(&outcome);
}

static void stale_in(const char *shell) {
  int error = pg_test_probe_take_pid();
  if (error)
    pg_test_skip("the test cannot choose a PID here (clone3 with set_tid): %s", strerror(-error));
  if (error || !installed(shell))
    return;
  for (size_t i = 0; i < sizeof stale_scripts / sizeof *stale_scripts; i++) {
    play(shell, stale_scripts[i], NULL);
    if (pg_test_preload())
      play(shell, stale_scripts[i], pg_test_preload());
  }
  shim();
}

static void stale_bash(void) { stale_in("bash"); }
static void stale_dash(void) { stale_in("dash"); }

/* The output and status of these scripts must not depend on the shim. */
static const char *const same_scripts[] = {
    "exit 7",
    "for i in 1 2 3 4 5; do (exit $i); echo $?; done",
    "sleep 10 & p=$!; kill $p; wait $p; echo $?",
    "sleep 10 & p=$!; kill -KILL $p; wait $p 2>/dev/null; echo $?; kill -0 $p 2>/dev/null; echo $?",
    "(exit 3) & a=$!; (exit 4) & b=$!; wait $a; echo $?; wait $b; echo $?; wait $b; echo $?",
    "trap 'echo term' TERM; kill -TERM $$; echo after",
    "trap 'echo chld' CHLD; (exit 1); echo after $?",
    "trap 'echo bye' EXIT; exit 5",
    "echo one | cat | tr a-z A-Z | { read x; echo $x; exit 2; }; echo $?",
    "sleep 10 & kill -STOP $!; kill -CONT $!; kill $!; wait $! 2>/dev/null; echo $?",
    "x=$(echo $(echo $(echo deep))); echo $x",
    "(ulimit -c 0; sh -c 'kill -SEGV $$') 2>/dev/null; echo $?",
    "no-such-command 2>/dev/null; echo $?",
    "i=0; while [ $i -lt 100 ]; do (:) & i=$((i+1)); done; wait; echo all",
    "i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i+1)); done; ls -d /; echo $?",
    "exec 3>&1; (echo three >&3) & wait; exec 3>&-; ls /proc/self/fd | wc -l",
    "trap '' CHLD; sleep 0 & wait $!; echo $?; wait; echo $?",
    "trap 'exit 9' INT; (kill -INT $$) ; sleep 0; echo not reached",
    "kill -0 $PPID; echo $?; kill -0 999999999 2>/dev/null; echo $?; kill -99 1 2>/dev/null; echo $?",
};

/* Scripts with jobs. Only bash has jobs without a terminal. */
static const char *const job_scripts[] = {
    "set -m; sleep 10 | cat & kill -TERM %1; wait %1 2>/dev/null; echo $?",
    "set -m; sleep 10 & kill -STOP %1; kill -CONT %1; kill %1; wait %1 2>/dev/null; echo $?",
    "set -m; (exit 4) & wait -n; echo $?; jobs; (exit 5) & wait; jobs; echo $?",
    "set -m; sleep 10 | sleep 10 | sleep 10 & kill -KILL -$(jobs -p) ; wait; echo $?",
    "set -o pipefail; true | (exit 6) | true; echo $? ${PIPESTATUS[@]}",
    "coproc cat; echo hi >&${COPROC[1]}; read x <&${COPROC[0]}; echo $x; kill $COPROC_PID; wait $COPROC_PID; echo $?",
    "cat <(echo process) <(echo substitution); wait; echo $?",
    "timeout -s KILL 0.1 sleep 10; echo $?; timeout 10 sh -c 'exit 8'; echo $?",
};

/* Messages of shells contain PIDs. */
static void hide_numbers(char *text) {
  for (; *text; text++)
    if (isdigit((unsigned char)*text))
      *text = '#';
}

/* When a shell reports a job depends on when it notices, and a machine can be late. So a difference must be seen twice.
 * On an emulated kernel (PG_TEST_SAMPLE) it must be seen five times, because a kill takes long enough there for the
 * child to end in it. */
static void same_in(const char *shell, const char *const *scripts, size_t count) {
  const char *preload = shim(), *sample = getenv("PG_TEST_SAMPLE");
  size_t again = sample && atoi(sample) > 1 ? 4 : 1;
  if (!preload || !installed(shell))
    return;
  for (size_t i = 0, tries = 0; i < count; i++) {
    const char *const argv[] = {shell, "-c", scripts[i], NULL};
    struct pg_test_command command = {.argv = argv};
    struct pg_test_outcome plain, guarded;
    pg_test_run(&command, &plain);
    pg_test_kill_leftovers();
    command.preload = preload;
    pg_test_run(&command, &guarded);
    pg_test_kill_leftovers();
    hide_numbers(plain.err);
    hide_numbers(guarded.err);
    bool same = !plain.timed_out && !guarded.timed_out && plain.status == guarded.status &&
                strcmp(plain.out, guarded.out) == 0 && strcmp(plain.err, guarded.err) == 0;
    if (!same && tries++ < again) {
      printf("%s -c '%s': differs %zu times\n", shell, scripts[i], tries);
      pg_test_outcome_free(&plain);
      pg_test_outcome_free(&guarded);
      i--;
      continue;
    }
    tries = 0;
    PG_CHECK(same, "%s -c '%s': without: status %#x \"%s\" \"%s\", with: status %#x \"%s\" \"%s\"", shell, scripts[i],
             (unsigned)plain.status, plain.out, plain.err, (unsigned)guarded.status, guarded.out, guarded.err);
    pg_test_outcome_free(&plain);
    pg_test_outcome_free(&guarded);
  }
}

#define COUNT(array) (sizeof(array) / sizeof *(array))
static void same_bash(void) { same_in("bash", same_scripts, COUNT(same_scripts)); }
static void same_dash(void) { same_in("dash", same_scripts, COUNT(same_scripts)); }
static void jobs_of_bash(void) { same_in("bash", job_scripts, COUNT(job_scripts)); }

/* On every exit, dumb-init signals the child that it has just reaped. strace shows what reaches the kernel. */
static void trace_dumb_init(const char *preload, unsigned *kills) {
  char path[] = "/tmp/pidguard-strace-XXXXXX", setting[4096], text[16384] = "";
  int fd = mkstemp(path);
  snprintf(setting, sizeof setting, "LD_PRELOAD=%s", preload ? preload : "");
  const char *const argv[] = {"strace",         "-f", "-qq", "-e",     "trace=kill", "-e",
                              "signal=none",    "-o", path,  "-E",     setting,      "dumb-init",
                              "--single-child", "sh", "-c",  "exit 3", NULL};
  struct pg_test_command command = {.argv = argv};
  struct pg_test_outcome outcome;
  pg_test_run(&command, &outcome);
  PG_CHECK(pg_test_exited(&outcome, 3), "dumb-init: status %#x, \"%s\"", (unsigned)outcome.status, outcome.err);
  ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  PG_CHECK(n >= 0, "no trace");
  *kills = 0;
  for (const char *at = text; (at = strstr(at, "kill(")); at++) {
    const char *end = strchr(at, ')');
    *kills += end && strncmp(end - 3, ", 0", 3) != 0; /* signal 0 does not count, because it only asks */
  }
  close(fd);
  unlink(path);
  pg_test_outcome_free(&outcome);
}

static void dumb_init(void) {
  unsigned kills;
  if (!installed("dumb-init") || !installed("strace"))
    return;
  trace_dumb_init(NULL, &kills);
  PG_CHECK(kills > 0, "without the shim no kill is seen: this dumb-init cannot show anything");
  const char *preload = shim();
  if (!preload)
    return;
  trace_dumb_init(preload, &kills);
  PG_CHECK(kills == 0, "%u kills reach the kernel", kills);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc, (void)argv;
  pg_test_add("real", "bash-stale", stale_bash);
  pg_test_add("real", "dash-stale", stale_dash);
  pg_test_add("real", "bash-same", same_bash);
  pg_test_add("real", "dash-same", same_dash);
  pg_test_add("real", "bash-jobs", jobs_of_bash);
  pg_test_add("real", "dumb-init", dumb_init);
}

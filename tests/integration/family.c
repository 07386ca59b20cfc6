/* SPDX-License-Identifier: MIT */
/* PIDs that other processes of the family saw die. Here one process of a real program reaps a child, and another one
 * signals its PID. Each program runs without the shim and with the shim alone, where the stranger must be hit. With
 * PIDGUARD_FAMILY the stranger must be spared. The test has a namespace of its own for System V memory, so nothing is
 * left behind. */
#define _GNU_SOURCE
#include "pg_test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

static const char *const on[] = {"PIDGUARD_FAMILY=on", NULL};

#define READ_KILL "read go; kill $p 2>/dev/null; echo result $?"
static const struct story {
  const char *name, *needs, *program, *option, *script;
} stories[] = {
    {"bin-kill", "kill", "sh", "-c",
     "sleep 0 & p=$!; wait $p; echo ready $p; read go; /bin/kill $p 2>/dev/null; echo result $?"},
    {"exec-of-oneself", "sh", "sh", "-c",
     "sleep 0 & p=$!; wait $p; echo ready $p; export p; exec sh -c 'read go; kill $p 2>/dev/null; echo result $?'"},
    {"grandchild", "sh", "sh", "-c", "p=$(sh -c 'sleep 0 & wait $!; echo $!'); echo ready $p; " READ_KILL},
    {"cousin", "sh", "sh", "-c",
     "exec 3<&0; (sleep 0 & wait $!; echo $!) | (read p; echo ready $p; exec <&3; " READ_KILL ")"},
    {"cousins-group", "bash", "bash", "-c",
     "exec 3<&0; (set -m; sleep 0 & wait $!; echo $!) | (read p; echo ready $p; exec <&3; read go; "
     "kill -- -$p 2>/dev/null; echo result $?)"},
    /* The PID is told after the wait for its process, which a busy machine may delay. */
    {"busybox", "busybox", "sh", "-c",
     "f=$(mktemp); busybox timeout 2 sh -c \"echo ready \\$\\$ >$f\"; read line <$f; rm $f; echo $line; read go; "
     "sleep 4; echo result ?"},
    /* fish 3.1 has the process group in $last_pid */
    {"fish", "fish", "fish", "-c",
     "sleep 0.3 & set p (jobs -p); wait $p; echo ready $p; read go; kill $p 2>/dev/null; echo result $status"},
    {"tclsh", "tclsh", "bash", "-c",
     "exec tclsh <(echo 'set p [exec sleep 0 &]; after 300; exec true; puts \"ready $p\"; flush stdout; gets "
     "stdin; puts \"result [catch {exec kill $p}]\"')"},
    {"python3", "python3", "python3", "-c",
     "import multiprocessing as m, os, sys, time\n"
     "if __name__ == '__main__':\n"
     "  p = m.get_context('forkserver').Process(target=time.sleep, args=(0,))\n"
     "  p.start(); n = p.pid; p.join(); time.sleep(0.3); print('ready', n, flush=True); sys.stdin.readline()\n"
     "  try: os.kill(n, 15); print('result', 0)\n"
     "  except ProcessLookupError: print('result', 1)\n"},
    {"erl", "erl", "erl", "-noshell",
     "-eval\nP = string:trim(os:cmd(\"sh -c 'sleep 0 & wait $!; echo $!'\")), io:format(\"ready ~s~n\", [P]), "
     "io:get_line(\"\"), io:format(\"result ~s~n\", [string:trim(os:cmd(\"kill \" ++ P ++ \" 2>/dev/null; echo "
     "$?\"))]), halt()."},
    {"java", "javac", "bash", "-c",
     "d=$(mktemp -d) && trap 'rm -r $d' EXIT && echo 'class F { public static void main(String[] a) throws Exception {"
     " Process p = new ProcessBuilder(\"sleep\", \"0\").start(); p.waitFor(); System.out.println(\"ready \" + p.pid());"
     " System.in.read(); System.out.println(\"result \" + new ProcessBuilder(\"kill\", \"\" + "
     "p.pid()).start().waitFor());"
     "}}' >$d/F.java && java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC $d/F.java"},
};

static bool play(const struct story *story, const char *preload, bool family, bool *ret_hit) {
  char copy[2048];
  const char *argv[8] = {story->program, story->option};
  int n = 2;
  snprintf(copy, sizeof copy, "%s", story->script);
  /* The first line may be an option, and the rest its argument. */
  char *second = strncmp(copy, "-", 1) == 0 ? strchr(copy, '\n') : NULL;
  if (second)
    *second++ = '\0';
  argv[n++] = copy;
  if (second)
    argv[n++] = second;
  struct pg_test_command command = {.argv = argv, .preload = preload, .env = family ? on : NULL};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  struct pg_test_stranger stranger;
  char line[128] = "", result[16] = "";
  int pid = -1;
  if (!PG_CHECK(pg_test_start(&command, &process) == 0, "%s: cannot start", story->name))
    return false;
  pg_test_read_line(&process, line, sizeof line);
  bool good = PG_CHECK(sscanf(line, "ready %d", &pid) == 1 && pid > 1, "%s says \"%s\"", story->name, line);
  int error = good ? pg_test_take_pid(pid, PG_TEST_GROUP, &stranger) : 0;
  if (good && (good = PG_CHECK(error == 0, "%s: no stranger can take the PID: %s", story->name, strerror(-error)))) {
    pg_test_write_line(&process, "go");
    pg_test_read_line(&process, line, sizeof line);
    *ret_hit = pg_test_stranger_got(&stranger, SIGTERM);
    good = PG_CHECK(sscanf(line, "result %15s", result) == 1, "%s says \"%s\"", story->name, line) &&
           PG_CHECK(result[0] == '?' || (result[0] == '0') == *ret_hit, "%s: result %s, hit %d", story->name, result,
                    *ret_hit) &&
           PG_CHECK(*ret_hit || pg_test_stranger_untouched(&stranger), "%s: the stranger was touched", story->name);
    pg_test_stranger_release(&stranger);
  }
  pg_test_finish(&process, &outcome);
  pg_test_outcome_free(&outcome);
  pg_test_kill_leftovers();
  return good;
}

/* Only a dynamic program complains of an object that is not there. */
static bool is_static(const char *command) {
  const char *const argv[] = {"sh", "-c", "LD_PRELOAD=/no/such/object exec \"$1\" --help", "sh", command, NULL};
  struct pg_test_command look = {.argv = argv};
  struct pg_test_outcome outcome;
  pg_test_run(&look, &outcome);
  bool is = !strstr(outcome.err, "/no/such/object");
  pg_test_outcome_free(&outcome);
  return is;
}

static void test_story(void) {
  const struct story *story = stories;
  const char *preload = pg_test_preload();
  bool hit = false;
  while (strcmp(story->name, pg_test_name()) != 0)
    story++;
  if (!pg_test_installed(story->needs)) {
    pg_test_skip("%s is not installed", story->needs);
    return;
  }
  const char *const may_be_static[] = {"sh", "kill", "busybox"};
  for (int i = 0; i < 3; i++) {
    bool is_in = strcmp(story->needs, may_be_static[i]) == 0 || strcmp(story->program, may_be_static[i]) == 0;
    if (is_in && is_static(may_be_static[i])) {
      pg_test_skip("%s is static, and takes no preload object", may_be_static[i]);
      return;
    }
  }
  if (play(story, NULL, false, &hit))
    PG_CHECK(hit, "%s without the shim spares the stranger", story->name);
  if (!preload) {
    pg_test_skip("there is no preload object to test");
    return;
  }
  if (play(story, preload, false, &hit))
    PG_CHECK(hit, "%s: the stranger was spared without PIDGUARD_FAMILY", story->name);
  if (play(story, preload, true, &hit))
    PG_CHECK(!hit, "%s: the stranger was hit", story->name);
}

/* The key and size of such a segment, see src/child/family.c. */
#define KEY (0x67700000 + (key_t)geteuid())
#define SIZE (128 + 4096 * 128)

static void remove_segment(void) {
  int id = shmget(KEY, 0, 0);
  if (id >= 0)
    shmctl(id, IPC_RMID, NULL);
}

static uint64_t *make_segment(int mode) {
  remove_segment();
  int id = shmget(KEY, SIZE, IPC_CREAT | IPC_EXCL | mode);
  void *at = id >= 0 ? shmat(id, NULL, 0) : (void *)-1;
  return PG_CHECK(at != (void *)-1, "no segment: %s", strerror(errno)) ? at : NULL;
}

static void run(const char *script, const char *const *env, struct pg_test_outcome *ret) {
  const char *const argv[] = {"bash", "-c", script, NULL};
  struct pg_test_command command = {.argv = argv, .preload = pg_test_preload(), .env = env, .limit_ms = 60000};
  pg_test_run(&command, ret);
}

static bool has_bash(void) { return pg_test_installed("bash") || (pg_test_skip("bash is not installed"), false); }

/* The shim must leave alone a segment that others can write to, or that is something else, and must say so. */
static void ignored(void) {
  static const char *const env[] = {"PIDGUARD_FAMILY=on", "PIDGUARD_DEBUG=warn", NULL};
  struct pg_test_outcome outcome;
  for (int damaged = 0; damaged < 2 && has_bash(); damaged++) {
    uint64_t *at = make_segment(damaged ? 0600 : 0666);
    if (!at)
      return;
    at[0] = damaged ? 77 : 0;
    run("sleep 0 & wait $!; sleep 0 & wait $!", env, &outcome);
    PG_CHECK(pg_test_exited(&outcome, 0) && strstr(outcome.err, "event=degraded") && strstr(outcome.err, "what=family"),
             "status %#x, \"%s\"", (unsigned)outcome.status, outcome.err);
    PG_CHECK(at[0] == (damaged ? 77 : 0) && at[1] == 0, "the shim wrote to the segment");
    pg_test_outcome_free(&outcome);
    shmdt(at);
  }
  remove_segment();
}

/* Any content of the segment may cause refusals at the most. */
static void hostile(void) {
  struct pg_test_outcome outcome;
  uint64_t *at = has_bash() ? make_segment(0600) : NULL, word = 88172645463325252u;
  if (!at)
    return;
  for (size_t i = 1; i < SIZE / sizeof *at; i++) {
    word ^= word << 13, word ^= word >> 7, word ^= word << 17;
    at[i] = word;
  }
  run("for i in $(seq 60); do sleep 60 & p=$!; kill $p || exit 1; wait $p; [ $? = 143 ] || exit 2; kill -0 $$ || exit "
      "3; "
      "kill -0 $PPID || exit 4; done; (kill -0 $$ && kill -0 $BASHPID) || exit 5; true | true | true; exit 9",
      on, &outcome);
  PG_CHECK(pg_test_exited(&outcome, 9), "status %#x, \"%s\"", (unsigned)outcome.status, outcome.err);
  pg_test_outcome_free(&outcome);
  shmdt(at);
  remove_segment();
}

/* These are no strangers: the group of a cousin whose leader alone is gone. */
static void no_strangers(void) {
  struct pg_test_outcome outcome;
  if (!has_bash())
    return;
  remove_segment();
  run("p=$(bash -c 'set -m; (sleep 5 & exec true) >&2 & p=$!; wait $p; echo $p'); kill -- -$p || exit 1; exit 9", on,
      &outcome);
  PG_CHECK(pg_test_exited(&outcome, 9), "the group: status %#x, \"%s\"", (unsigned)outcome.status, outcome.err);
  pg_test_outcome_free(&outcome);
  remove_segment();
}

/* PIDs come round: half of all PIDs are retired at any moment, and no living process may be refused. */
static void go_round(const char *script, unsigned least) {
  static const char *const env[] = {"PIDGUARD_FAMILY=on", "PIDGUARD_DEBUG=warn", NULL};
  struct pg_test_outcome outcome;
  remove_segment();
  run(script, env, &outcome);
  PG_CHECK(pg_test_exited(&outcome, 9) && !strstr(outcome.out, "refused") && !strstr(outcome.err, "event=refused"),
           "status %#x, \"%.300s\" \"%.1000s\"", (unsigned)outcome.status, outcome.out, outcome.err);
  int id = shmget(KEY, 0, 0);
  const uint32_t *at = id >= 0 ? shmat(id, NULL, 0) : (void *)-1;
  if (PG_CHECK(at != (void *)-1, "no segment")) {
    printf("%u deaths, %u entries made room early\n", at[2], at[3]);
    PG_CHECK(at[2] >= least, "only %u deaths were seen", at[2]);
    shmdt(at);
  }
  pg_test_outcome_free(&outcome);
  remove_segment();
}

static void busy(void) {
  char script[512];
  if (!has_bash())
    return;
  int rounds = 40, error = pg_test_set_pid_max(400); /* the smallest pid_max grows with the processors */
  if (error == -EINVAL && (error = pg_test_set_pid_max(1200)) == 0)
    rounds = 150;
  if (error) {
    pg_test_skip("this kernel cannot set pid_max for one namespace: %s", strerror(-error));
    return;
  }
  snprintf(
      script, sizeof script,
      "one() { for i in $(seq %d); do sleep 9 & p=$!; kill -0 $p && /bin/kill $p || echo refused; wait $p; done; }\n"
      "one & one & one & wait; exit 9",
      rounds);
  go_round(script, 6 * (unsigned)rounds);
  if (!pg_test_installed("make")) {
    pg_test_skip("make is not installed");
    return;
  }
  snprintf(script, sizeof script,
           "printf 'all: $(addprefix t,$(shell seq %d))\\nt%%%%:\\n\\t@/bin/true; sh -c \"/bin/true & wait\"; kill -0 "
           "$$PPID\\n' |"
           "make -s -j8 -f - || exit 1; exit 9",
           3 * rounds);
  go_round(script, 3 * 4 * (unsigned)rounds);
}

/* A member has a child with a PID while another member still notes that PID's death. */
static const char *heirs;
static void births_during_a_reap(void) {
  const char *const argv[] = {heirs, "50", NULL};
  struct pg_test_command command = {.argv = argv, .preload = pg_test_preload(), .env = on, .limit_ms = 120000};
  struct pg_test_outcome outcome;
  remove_segment();
  pg_test_run(&command, &outcome);
  PG_CHECK(pg_test_exited(&outcome, 0) && strcmp(outcome.out, "rounds 50 refused 0\n") == 0,
           "status %#x, \"%s\" \"%s\"", (unsigned)outcome.status, outcome.out, outcome.err);
  pg_test_outcome_free(&outcome);
  remove_segment();
}

void pg_test_plan(int argc, char **argv) {
  heirs = argc > 1 ? argv[1] : NULL;
  pg_test_need_take_pid();
  if (unshare(CLONE_NEWIPC) != 0)
    pg_test_skip_all("this user cannot make a namespace for System V memory: %s", strerror(errno));
  int id = shmget(IPC_PRIVATE, 4096, 0600);
  if (id < 0)
    pg_test_skip_all("there is no System V memory: %s", strerror(errno));
  shmctl(id, IPC_RMID, NULL);
  for (size_t i = 0; i < sizeof stories / sizeof *stories; i++)
    pg_test_add("family", stories[i].name, test_story);
  if (!pg_test_preload())
    return;
  pg_test_add("family", "ignored", ignored);
  pg_test_add("family", "hostile", hostile);
  pg_test_add("family", "no-strangers", no_strangers);
  if (heirs)
    pg_test_add("family", "births-during-a-reap", births_during_a_reap);
  pg_test_add("family", "busy", busy);
}

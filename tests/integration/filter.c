/* SPDX-License-Identifier: MIT */
/* Programs under seccomp filters, each without the shim and with it. One filter allows everything, others refuse calls
 * on pidfds. One kills the program for every call that the program does not make by itself. The filters are there
 * before the exec, or the program installs them. Arguments: the programs filter, same_filter, puppet. */
#define _GNU_SOURCE
#include "../programs/raw.h"
#include "dialogue.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *filter_path, *cases_path, *early_path;
static const char *const no_filter[] = {"FILTER_WAY=none", NULL}; /* the program installs no filter of its own */
static char list_path[] = "/tmp/pidguard-filter-XXXXXX";

/* Shells and make, as they are installed. The scripts hide "Terminated": a shell says it or not, depending on how late
 * it notices. They wait for a child that still lives, because dash makes fewer calls for one that has ended. */
static const char *const shell_scripts[][3] = {
    {"dash", "dash",
     "exec 2>/dev/null; (exit 3); echo $?; sleep 0.1 & wait $!; echo $?; sleep 10 & sleep 0.1; kill $!; wait $!; "
     "echo $?; /bin/true; echo $?"},
    {"bash", "bash",
     "exec 2>/dev/null; (exit 3); echo $?; sleep 0.1 & wait $!; echo $?; sleep 10 & sleep 0.1; kill $!; wait $!; "
     "echo $?; /bin/true; echo $?"},
    {"make", "dash", "printf 'all:\\n\\t@echo made; exit 0\\n' | make -s -f -"},
};

/* Finds the command line of a test by its name: a case of same_filter, or a script. */
static void command_of(const char *name, const char *argv[4]) {
  argv[0] = cases_path;
  argv[1] = name;
  argv[2] = argv[3] = NULL;
  for (size_t i = 0; i < sizeof shell_scripts / sizeof *shell_scripts; i++)
    if (strcmp(name, shell_scripts[i][0]) == 0) {
      argv[0] = shell_scripts[i][1];
      argv[1] = "-c";
      argv[2] = shell_scripts[i][2];
    }
}

/* The command line is: filter KIND [LIST] COMMAND... */
static void run_under(const char *kind, bool with_list, const char *name, const char *preload, const char *const *env,
                      struct pg_test_outcome *ret) {
  const char *argv[8], *command[4];
  int n = 0;
  command_of(name, command);
  if (kind) {
    argv[n++] = filter_path;
    argv[n++] = kind;
    if (with_list)
      argv[n++] = list_path;
  }
  for (int i = 0; i < 4; i++)
    argv[n++] = command[i];
  struct pg_test_command run = {.argv = argv, .preload = preload, .env = env, .limit_ms = 20000};
  pg_test_run(&run, ret);
  pg_test_kill_leftovers();
}

/* Returns true if a filter can be installed and the program ends well. Otherwise the reason is printed. */
static bool usable(const char *what, const struct pg_test_outcome *plain) {
  if (pg_test_exited(plain, PG_TEST_SKIPPED)) {
    pg_test_skip("this machine refuses: %s%s", plain->err, plain->out);
    return false;
  }
  return PG_CHECK(pg_test_exited(plain, 0), "%s without the shim: status %#x%s, \"%.300s\" \"%.200s\"", what,
                  (unsigned)plain->status, plain->timed_out ? " (time-out)" : "", plain->out, plain->err);
}

static bool equal(const struct pg_test_outcome *plain, const struct pg_test_outcome *shim) {
  return plain->status == shim->status && plain->timed_out == shim->timed_out && strcmp(plain->out, shim->out) == 0 &&
         strcmp(plain->err, shim->err) == 0;
}

static void compare(const char *what, const struct pg_test_outcome *plain, const struct pg_test_outcome *shim) {
  PG_CHECK(equal(plain, shim), "%s: without: status %#x \"%s\" \"%.200s\", with: status %#x%s \"%s\" \"%.200s\"", what,
           (unsigned)plain->status, plain->out, plain->err, (unsigned)shim->status,
           shim->timed_out ? " (time-out)" : "", shim->out, shim->err);
}

/* Runs with and without the shim under one filter. A machine can be late, so a difference must be seen twice. */
static void both(const char *what, const char *kind, bool with_list, const char *const *env) {
  struct pg_test_outcome plain, shim;
  run_under(kind, with_list, pg_test_name(), NULL, env, &plain);
  if (usable(what, &plain)) {
    run_under(kind, with_list, pg_test_name(), pg_test_preload(), env, &shim);
    if (!equal(&plain, &shim)) {
      printf("%s %s: differs once\n", pg_test_name(), what);
      pg_test_outcome_free(&plain);
      pg_test_outcome_free(&shim);
      run_under(kind, with_list, pg_test_name(), NULL, env, &plain);
      run_under(kind, with_list, pg_test_name(), pg_test_preload(), env, &shim);
    }
    compare(what, &plain, &shim);
    pg_test_outcome_free(&shim);
  }
  pg_test_outcome_free(&plain);
}

/* Fills the list with the calls that a program makes by itself, from the start or from the place that it marks. Before
 * glibc 2.34 the shim's start may call futex, see pidguard(7). The loader of musl is the libc itself: it makes these
 * calls for no other object than the shim. */
static bool record(const char *name, const char *const *env) {
  struct pg_test_outcome outcome;
  run_under("record", true, name, NULL, env, &outcome);
  bool good = usable("the recording", &outcome);
  pg_test_outcome_free(&outcome);
#ifdef __GLIBC__
  const int more[] = {SYS_futex};
  bool needed = pg_test_libc_before(34) || strcmp(name, "thread") == 0; /* to join a thread is a call, or is none */
#else
  const int more[] = {SYS_open, SYS_fcntl, SYS_fstat, SYS_read, SYS_mmap, SYS_mprotect, SYS_close};
  bool needed = true;
#endif
  FILE *list = needed ? fopen(list_path, "ae") : NULL;
  for (size_t i = 0; list && i < sizeof more / sizeof *more; i++)
    fprintf(list, "%d\n", more[i]);
  if (list)
    fclose(list);
  return good;
}

static void allow(void) { both("allow", "allow", false, no_filter); }
static void refuse(void) {
  both("enosys", "enosys", false, no_filter);
  both("einval", "einval", false, no_filter);
}
static void forbid(void) {
  static const char *const unable[] = {"spawn-wait", "system", "popen", "thread", "make"};
  for (size_t i = 0; i < sizeof unable / sizeof *unable; i++)
    if (strcmp(pg_test_name(), unable[i]) == 0)
      /* glibc's posix_spawn and pthread_create fail if clone3 is refused so, with the shim and without. */
      return;
  both("eperm", "eperm", false, no_filter);
}

/* musl's fork() makes a system call of its own, and the shim's throw-away process clone(): see pidguard(7). */
static bool forks_without_clone(void) {
  bool forks = false, clones = false;
#if defined SYS_fork && !defined __GLIBC__
  FILE *list = fopen(list_path, "re");
  for (int call; list && fscanf(list, "%d", &call) == 1;) {
    forks |= call == SYS_fork;
    clones |= call == SYS_clone;
  }
  if (list)
    fclose(list);
#endif
  return forks && !clones;
}

/* If the filter is there from the start, the marker must not cut the list short. */
static void kill_from_the_start(void) {
  if (!record(pg_test_name(), no_filter))
    return;
  if (forks_without_clone())
    pg_test_skip("under a filter from before the exec, musl's fork needs clone as well");
  else
    both("kill", "kill", true, no_filter);
}

static void kill_by_itself(void) {
  static const char *const ways[] = {"FILTER_WAY=prctl", "FILTER_WAY=syscall-prctl", "FILTER_WAY=syscall-seccomp"};
  char list[64];
  if (!record(pg_test_name(), NULL))
    return;
  snprintf(list, sizeof list, "FILTER_LIST=%s", list_path);
  size_t seen = RAW_MAY_BE_SEEN ? sizeof ways / sizeof *ways : 1; /* the others are unseen on this architecture */
  for (size_t i = 0; i < seen; i++) {
    const char *const env[] = {list, ways[i], NULL};
    both(ways[i], NULL, false, env);
  }
}

/* The log must not make a call that the program's own filter kills for. */
static void kill_by_itself_with_log(void) {
  char list[64], log[64];
  if (!record(pg_test_name(), NULL))
    return;
  snprintf(list, sizeof list, "FILTER_LIST=%s", list_path);
  snprintf(log, sizeof log, "PIDGUARD_LOG=%s.log", list_path);
  const char *const env[] = {list, "FILTER_WAY=prctl", log, "PIDGUARD_DEBUG=info", "PIDGUARD_SUMMARY=1", NULL};
  both("with the log on", NULL, false, env);
  unlink(log + strlen("PIDGUARD_LOG="));
}

static void of_its_own(void) { both("a filter of its own", NULL, false, no_filter); }

static void run_and_look_for_core(const char *dir) {
  struct pg_test_outcome shim;
  run_under("kill", true, "fork-wait", pg_test_preload(), no_filter, &shim);
  PG_CHECK(rmdir(dir) == 0, "the killed program left a file in the directory");
  pg_test_outcome_free(&shim);
}

/* A filter kills for a call that the shim only tries. That must not leave a core behind. */
static void no_core(void) {
  char here[4096], dir[] = "/tmp/pidguard-core-XXXXXX", pattern[8] = "";
  FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");
  bool plain = file && fgets(pattern, sizeof pattern, file) && pattern[0] != '|' && pattern[0] != '/';
  if (file)
    fclose(file);
  if (!plain) {
    pg_test_skip("the kernel writes cores elsewhere: %s", pattern);
    return;
  }
  if (sizeof(long) == 4) {
    pg_test_skip(
        "no program for 32 bits starts with prlimit64(), so this filter kills for the call that forbids cores");
    return;
  }
  struct rlimit limit, all;
  getrlimit(RLIMIT_CORE, &limit);
  all = (struct rlimit){limit.rlim_max, limit.rlim_max};
  if (!limit.rlim_max) {
    pg_test_skip("the limit forbids cores (ulimit -Hc)");
    return;
  }
  if (!PG_CHECK(getcwd(here, sizeof here) && mkdtemp(dir) && chdir(dir) == 0, "no directory"))
    return;
  setrlimit(RLIMIT_CORE, &all);
  struct pg_test_outcome outcome;
  if (record("fork-wait", no_filter)) {
    if (forks_without_clone())
      pg_test_skip("under a filter from before the exec, musl's fork needs clone as well");
    else
      run_and_look_for_core(dir);
  }
  setrlimit(RLIMIT_CORE, &limit);
  PG_CHECK(chdir(here) == 0, "back");
  const char *const argv[] = {"rm", "-rf", dir, NULL};
  struct pg_test_command remove = {.argv = argv};
  pg_test_run(&remove, &outcome);
  pg_test_outcome_free(&outcome);
}

/* `Seccomp: 2` alone must not switch the protection off. */
static void protection_stays_on(void) {
  static const char *const allow_prefix[] = {NULL, "allow", NULL};
  static const char *prefix[3];
  struct puppet_story story;
  int error = pg_test_probe_take_pid();
  if (error) {
    pg_test_skip("the test cannot choose a PID here (clone3 with set_tid): %s", strerror(-error));
    return;
  }
  memcpy(prefix, allow_prefix, sizeof prefix);
  prefix[0] = filter_path;
  puppet_prefix = prefix;
  puppet_tell_story(NULL, NULL, NULL, &story);
  PG_CHECK(story.told && story.result == 0 && story.got,
           "without the shim the stranger must be hit: result %d, errno %d", story.result, story.error);
  pg_test_outcome_free(&story.outcome);
  puppet_tell_story(pg_test_preload(), NULL, NULL, &story);
  PG_CHECK(story.told && story.result == -1 && story.error == ESRCH && story.untouched,
           "with the shim the stranger must be untouched: result %d, errno %d", story.result, story.error);
  pg_test_outcome_free(&story.outcome);
  puppet_prefix = NULL;
}

/* Plays `early` once, each of whose PIDs goes to a stranger. Returns how many strangers were hit, or -1. */
static int strangers_hit(const char *how, const char *answer, const char *preload) {
  const char *const argv[] = {early_path, how, answer, NULL};
  struct pg_test_command command = {.argv = argv, .preload = preload};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  struct pg_test_stranger stranger;
  char line[64];
  int hit = 0, pid, rounds = 0;
  if (!PG_CHECK(pg_test_start(&command, &process) == 0, "cannot start %s", early_path))
    return -1;
  for (; pg_test_read_line(&process, line, sizeof line) >= 0 && sscanf(line, "ready %d", &pid) == 1 && pid > 1;
       rounds++) {
    int error = pg_test_take_pid(pid, PG_TEST_ALONE, &stranger);
    PG_CHECK(error == 0, "no stranger can take the PID: %s", strerror(-error));
    pg_test_write_line(&process, "go");
    pg_test_read_line(&process, line, sizeof line);
    if (error)
      continue;
    hit += pg_test_stranger_got(&stranger, SIGTERM);
    pg_test_stranger_release(&stranger);
  }
  pg_test_finish(&process, &outcome);
  pg_test_kill_leftovers();
  bool skipped = pg_test_exited(&outcome, PG_TEST_SKIPPED);
  if (skipped)
    pg_test_skip("no filter can be installed here");
  PG_CHECK(skipped || (pg_test_exited(&outcome, 0) && rounds == 10), "%s %s: status %#x, %d rounds, \"%s\"", how,
           answer, (unsigned)outcome.status, rounds, outcome.err);
  pg_test_outcome_free(&outcome);
  return skipped ? -1 : hit;
}

/* The shim may not ask the kernel who was reaped, so a wait's word counts. */
static void reaped_early(void) {
  static const char *const hows[] = {"vfork", "fork", "successor", "thread"}, *const answers[] = {"errno", "kill"};
  int error = pg_test_probe_take_pid();
  if (error) {
    pg_test_skip("the test cannot choose a PID here (clone3 with set_tid): %s", strerror(-error));
    return;
  }
  for (int i = 0; i < 8; i++) {
    const char *how = hows[i / 2], *answer = answers[i % 2];
    int plain = strangers_hit(how, answer, NULL);
    int shim = plain < 0 ? 0 : strangers_hit(how, answer, pg_test_preload());
    PG_CHECK(plain < 0 || (plain == 10 && shim == 0), "%s, %s: %d strangers hit without the shim, %d with it", how,
             answer, plain, shim);
  }
}

/* The shim must not report a filter that allows everything, but must report one that refuses pidfds. */
static void told(void) {
  static const char *const env[] = {"FILTER_WAY=none", "PIDGUARD_DEBUG=warn", NULL};
  static const char *const kinds[] = {"allow", "eperm"};
  struct pg_test_outcome outcome;
  for (int i = 0; i < 2; i++) {
    run_under(kinds[i], false, "fork-wait", pg_test_preload(), env, &outcome);
    if (usable(kinds[i], &outcome))
      PG_CHECK(!strstr(outcome.err, "event=degraded") == (i == 0), "%s: \"%.400s\"", kinds[i], outcome.err);
    pg_test_outcome_free(&outcome);
  }
}

/* The shim must know what is allowed after several threads have installed harmless filters at once. */
static void told_after_many(void) {
  static const char *const env[] = {"FILTER_WAY=none", "PIDGUARD_DEBUG=info", NULL};
  struct pg_test_outcome outcome;
  for (int i = 0; i < 5; i++) {
    run_under(NULL, false, pg_test_name(), pg_test_preload(), env, &outcome);
    if (usable("threads with filters", &outcome))
      PG_CHECK(strstr(outcome.err, "event=birth") && !strstr(outcome.err, "event=degraded"), "\"%.400s\"", outcome.err);
    pg_test_outcome_free(&outcome);
  }
}

/* Each process that the program names must have told of its own child, which it knows by pidfd. */
static void told_by_workers(const char *kind) {
  static const char *const env[] = {"FILTER_WAY=none", "PIDGUARD_DEBUG=info", NULL};
  struct pg_test_outcome outcome;
  for (int i = 0; i < 5; i++) {
    char birth[64], degraded[64];
    int pid, workers = 0;
    run_under(kind, false, pg_test_name(), pg_test_preload(), env, &outcome);
    if (!usable("a thread with a filter", &outcome)) {
      pg_test_outcome_free(&outcome);
      return;
    }
    for (const char *at = outcome.out; (at = strstr(at, "worker ")) && sscanf(at, "worker %d", &pid) == 1; at++) {
      workers++;
      snprintf(birth, sizeof birth, "event=birth pid=%d ", pid);
      snprintf(degraded, sizeof degraded, "event=degraded pid=%d ", pid);
      PG_CHECK(strstr(outcome.err, birth) && !strstr(outcome.err, degraded), "worker %d: \"%.600s\"", pid, outcome.err);
    }
    PG_CHECK(workers > 0, "no workers: \"%.300s\"", outcome.out);
    pg_test_outcome_free(&outcome);
  }
}
static void told_by_forked(void) { told_by_workers(NULL); }
static void told_by_forked_under_filter(void) { told_by_workers("allow"); }

static void with_log(void) {
  static const char *const env[] = {"FILTER_WAY=none", "PIDGUARD_DEBUG=info", "PIDGUARD_LOG=/dev/null", NULL};
  both("with the log on", NULL, false, env);
}

static void remove_list(void) { unlink(list_path); }

static void absent(void) { pg_test_skip("%s is not installed", pg_test_name()); }

void pg_test_plan(int argc, char **argv) {
  if (argc < 5)
    return;
  filter_path = argv[1];
  cases_path = argv[2];
  puppet_path = argv[3];
  early_path = argv[4];
  int fd = mkstemp(list_path);
  if (fd < 0)
    pg_test_skip_all("the test cannot make a file in /tmp: %s", strerror(errno));
  close(fd);
  atexit(remove_list);
  if (!pg_test_preload())
    pg_test_skip_all("there is no preload object to test");
  const char *const list[] = {cases_path, NULL};
  struct pg_test_command command = {.argv = list};
  struct pg_test_outcome outcome;
  pg_test_run(&command, &outcome);
  for (char *rest = outcome.out, *name; (name = strtok_r(rest, "\n", &rest));) {
    pg_test_add("allow", name, allow);
    pg_test_add("enosys", name, refuse);
    pg_test_add("eperm", name, forbid);
    pg_test_add("kill", name, kill_from_the_start);
    pg_test_add("by-itself", name, kill_by_itself);
  }
  pg_test_outcome_free(&outcome);
  for (size_t i = 0; i < sizeof shell_scripts / sizeof *shell_scripts; i++) {
    const char *name = shell_scripts[i][0];
    bool there = pg_test_installed(name);
    pg_test_add("allow", name, there ? allow : absent);
    pg_test_add("enosys", name, there ? refuse : absent);
    pg_test_add("eperm", name, there ? forbid : absent);
    pg_test_add("kill", name, there ? kill_from_the_start : absent);
  }
  /* Not those that exec: for a new program it is a filter from before the exec. */
  static const char *const logged[] = {"no-birth-at-all", "kill-wait", "fork-wait", "fork-both", "ignored", "group"};
  for (size_t i = 0; i < sizeof logged / sizeof *logged; i++)
    pg_test_add("by-itself, log", logged[i], kill_by_itself_with_log);
  static const char *const own[] = {
      "-exact-fork",       "-listener",       "-signals-refused", "-kill-refused",
      "-send-refused",     "-refused-before", "-trapped",         "-no-fstatfs",
      "-no-fstat",         "-shared-memory",  "-files-apart",     "-closes-listed",
      "-in-handler",       "-misled",         "-denied",          "-waitid-refused",
      "-feigned",          "-sibling",        "-siginfo-cut-off", "-unshared",
      "-unshared-no-proc", "-vfork-child",    "-clone-child",     "-companion",
      "-others-signal",    "-others-install", "-many-install",    "-vforks-while-installing"};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    pg_test_add("own", own[i], of_its_own);
  pg_test_add("allow", "-no-stat", allow);
  pg_test_add("allow", "-unshared", allow);
  pg_test_add("allow", "-unshared-no-proc", allow);
  pg_test_add("kill", "core", no_core);
  pg_test_add("allow", "stale", protection_stays_on);
  pg_test_add("own", "reaped-early", reaped_early);
  pg_test_add("log", "degraded", told);
  pg_test_add("log", "-many-install", told_after_many);
  pg_test_add("log", "-forked-while-installing", told_by_forked);
  pg_test_add("log", "-forked-while-finding", told_by_forked_under_filter);
  pg_test_add("log", "-not-for-all", told_by_forked);
  pg_test_add("log", "-no-gettid", with_log);
  pg_test_add("log", "-dup-beside-log", with_log);
  pg_test_add("allow", "-spawn-overwritten", allow);
}

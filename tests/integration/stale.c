/* SPDX-License-Identifier: MIT */
/* Stale scenarios: a program signals the PID of a reaped child after a stranger has got that PID. Each way to make a
 * child x each way to reap it x each way to signal it is run twice. Without the shim the signal must hit the stranger.
 * With it the stranger must stay untouched, and the call must fail with ESRCH. Arguments: the program, then the ways to
 * make a child. */
#define _GNU_SOURCE
#include "../programs/raw.h"
#include "pg_test.h"
#include "pidfs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NO_HOLD = 1, SESSION = 2, WALL = 4, ORPHAN = 8, FULL = 16, OTHERS = 32, LEADER = 64, EXECS = 128 };
enum { LATE = 1, GROUP = 2, OWN_GROUP = 4, NO_OPTIONS = 8, SILENT = 16, PIDFD = 32, TAKES_ANY = 64 };
enum { TO_GROUP = 1, PROBE = 2, OTHER = 4, PIPE = 8, GUEST = 16, MAYBE = 32, GIVES_EPERM = 64, GIVES_EINVAL = 128 };
enum { SIBLING = 256 };
/* A part of musl's functions is empty, its posix_spawn() needs two descriptors, and before 1.2.4 a clock of nobody is
 * EINVAL. */
#ifdef __GLIBC__
enum { NO_CLOCK = 0, MAY_LACK = 0 };
#else
enum { NO_CLOCK = GIVES_EINVAL, MAY_LACK = 1 };
#endif
/* OTHER sends no signal, but without the shim it finds the stranger. MAYBE works only if the kernel and its settings
 * allow it. GIVES_… is its error if no process has the PID, and that error is not ESRCH. The sender of SIBLING is
 * another child of the same parent. */
/* Rarer ways are combined only with the plain ones and with each other. */
enum { RARE = 1024, PLAIN = 2048 };

struct way {
  const char *name;
  int flags;
};

static const struct way makes[] = {
    {"fork", PLAIN},
    {"_Fork", 0},
    {"vfork", NO_HOLD},
    {"vfork-asks", NO_HOLD | RARE},
    {"vfork-exec", 0},
    {"spawn", PLAIN},
    {"spawnp", 0},
    {"spawn-old", 0},
    {"spawnp-old", 0},
    {"pidfd-spawn", RARE},
    {"pidfd-spawnp", RARE},
    {"spawn-dlvsym-2.2.5", 0},
    {"spawn-dlvsym-2.15", 0},
    {"clone", 0},
    {"clone-vm", 0},
    {"clone-vfork", NO_HOLD},
    {"clone-files", 0},
    {"clone-pidfd", 0},
    {"clone-settid", 0},
    {"clone-urg", WALL},
    {"clone-silent", WALL},
    {"forkpty", SESSION},
    {"forkpty-old", SESSION},
    {"thread", 0},
    {"handler", 0},
    {"nested", 0},
    {"daemon", 0},
    {"orphan", ORPHAN},
    {"fork-then-fork", OTHERS},
    {"vfork-then-fork", OTHERS},
    {"fork-full", FULL},
    {"one-free-then-exec", RARE | FULL | EXECS},
    {"nested-thread", RARE},
    {"nested-in-vfork", RARE},
    {"fork-leader", LEADER},
    {"fork-then-exec", EXECS},
    {"vfork-then-exec", RARE | EXECS},
    {"spawn-then-exec", RARE | EXECS},
    {"clone-urg-then-exec", RARE | WALL | EXECS},
    {"syscall-fork", RARE},
    {"syscall-clone", RARE},
    {"syscall-clone3", RARE},
    {"syscall-clone3-pidfd", RARE},
    {"syscall-clone3-set_tid", RARE},
    {"syscall-clone3-set_tid-then-exec", RARE | EXECS},
};

static const struct way reaps[] = {
    {"wait", NO_OPTIONS | PLAIN},
    {"waitpid", PLAIN},
    {"waitpid-nohang", 0},
    {"waitpid-any", 0},
    {"waitpid-own-group", OWN_GROUP},
    {"waitpid-group", GROUP},
    {"wait3", 0},
    {"wait4", 0},
    {"wait4-any", 0},
    {"waitid-pid", 0},
    {"waitid-all", 0},
    {"waitid-pgid", GROUP},
    {"waitid-pidfd", PIDFD},
    {"peek", 0},
    {"greedy", NO_OPTIONS},
    {"thread", 0},
    {"handler", NO_OPTIONS | TAKES_ANY},
    {"ignored", SILENT | PLAIN},
    {"ignored-late", SILENT | LATE},
    {"ignored-wait", SILENT},
    {"nocldwait", SILENT},
    {"syscall-wait4", RARE},
    {"syscall-wait4-any", RARE},
    {"syscall-waitid", RARE},
    {"syscall-waitid-all", RARE},
};

static const struct way sends[] = {
    {"kill", PLAIN},
    {"probe", PROBE},
    {"kill-group", TO_GROUP | PLAIN},
    {"killpg", TO_GROUP},
    {"sigqueue", 0},
    {"handler", 0},
    {"thread", 0},
    {"forked", PIPE | SIBLING},
    {"vforked", GUEST},
    {"atexit", 0},
    {"tgkill", RARE},
    {"syscall-kill", RARE},
    {"syscall-kill-group", RARE | TO_GROUP},
    {"syscall-tkill", RARE},
    {"syscall-tgkill", RARE},
    {"syscall-rt_sigqueueinfo", RARE},
    {"syscall-rt_tgsigqueueinfo", RARE},
    {"vforked-group", RARE | TO_GROUP | GUEST},
    {"vforked-tgkill", RARE | GUEST},
/* setpgid is not here: the kernel by itself refuses it for every process but a child. */
#define BOTH(name)                                                                                                     \
  {name, RARE | OTHER}, { "syscall-" name, RARE | OTHER }
    BOTH("pidfd_open"),
    BOTH("pidfd_open-nonblock"),
    BOTH("getpgid"),
    BOTH("getsid"),
    BOTH("setpriority"),
    BOTH("getpriority"),
    BOTH("sched_setscheduler"),
    BOTH("sched_getscheduler"),
    BOTH("sched_setparam"),
    BOTH("sched_getparam"),
    BOTH("sched_setaffinity"),
    BOTH("sched_getaffinity"),
    BOTH("sched_setattr"),
    BOTH("sched_getattr"),
    BOTH("sched_rr_get_interval"),
    BOTH("capget"),
    {"__sched_setscheduler", RARE | OTHER},
    {"__sched_getscheduler", RARE | OTHER},
    {"__sched_getparam", RARE | OTHER},
    {"clock_getcpuclockid", RARE | OTHER | NO_CLOCK},
    {"syscall-kcmp", RARE | OTHER | MAYBE},
    {"syscall-kcmp-second", RARE | OTHER | MAYBE},
    {"syscall-perf_event_open", RARE | OTHER | MAYBE},
    {"syscall-migrate_pages", RARE | OTHER | MAYBE},
    {"syscall-move_pages", RARE | OTHER | MAYBE},
    {"syscall-get_robust_list", RARE | OTHER},
    {"set_ptracer", RARE | OTHER | MAYBE | GIVES_EINVAL},
    {"syscall-set_ptracer", RARE | OTHER | MAYBE | GIVES_EINVAL},
    {"syscall-sched_core", RARE | OTHER | MAYBE},
    {"syscall-sched_core-group", RARE | OTHER | TO_GROUP | MAYBE},
#define GROUP_CALL(name, error)                                                                                        \
  { name "-group", RARE | OTHER | TO_GROUP | (error) }
#define BOTH_GROUP(name, error) GROUP_CALL(name, error), GROUP_CALL("syscall-" name, error)
    BOTH_GROUP("setpgid", GIVES_EPERM),
    BOTH_GROUP("setpriority", 0),
    BOTH_GROUP("getpriority", 0),
    GROUP_CALL("syscall-ioprio_set", 0),
    GROUP_CALL("syscall-ioprio_get", 0),
    GROUP_CALL("tcsetpgrp", PIPE),
    GROUP_CALL("spawn", GIVES_EPERM),
    {"syscall-ioprio_set", RARE | OTHER},
    {"syscall-ioprio_get", RARE | OTHER},
    BOTH("prlimit"),
    BOTH("ptrace-attach"),
    BOTH("ptrace-seize"),
    BOTH("process_vm_readv"),
    BOTH("process_vm_writev"),
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

extern int pidfd_spawn(void) __attribute__((weak)); /* glibc 2.39 */

static const char *program;

static bool have_identity;

static bool is_raw(const struct way *way) { /* the C library may lack the last */
  return strncmp(way->name, "syscall-", 8) == 0 || strncmp(way->name, "sched_", 6) == 0;
}

/* Returns false for combinations that cannot be shown. */
static bool possible(const struct way *make, const struct way *reap, const struct way *send) {
  if (!RAW_MAY_BE_SEEN && (is_raw(make) || is_raw(reap) || is_raw(send)))
    return false;
  if (!RAW_MAY_BE_SEEN && strstr(make->name, "vfork") && (reap->flags & SILENT || make->flags & RARE))
    return false;
  if (!RAW_MAY_BE_SEEN && (strstr(make->name, "dlvsym") || (send->flags & GUEST && send->flags & RARE)))
    return false;
  const int common = RARE | PLAIN;
  if ((make->flags | reap->flags | send->flags) & RARE &&
      !(make->flags & common && reap->flags & common && send->flags & common))
    return false;
  bool leader = reap->flags & GROUP || send->flags & TO_GROUP || make->flags & SESSION;
  if (reap->flags & OWN_GROUP && leader)
    return false;
  if (make->flags & NO_HOLD && reap->flags & LATE) /* the child is a zombie before SIGCHLD can be ignored */
    return false;
  if (make->flags & WALL && reap->flags & (NO_OPTIONS | SILENT)) /* wait() does not see it, SIGCHLD is not its signal */
    return false;
  if (make->flags & ORPHAN && reap->flags & SILENT) /* neither made by the program nor reported to it */
    return false;
  if (make->flags & EXECS &&
      reap->flags & SILENT) /* the child is gone before the new program's first call about processes */
    return false;
  if (make->flags & FULL && (reap->flags & PIDFD || send->flags & PIPE)) /* they need descriptors themselves */
    return false;
  if (make->flags & FULL && reap->flags & SILENT &&
      send->flags & GUEST) /* a process that is not the parent cannot ask by PID */
    return false;
  if (make->flags & LEADER && (!(send->flags & TO_GROUP) || reap->flags & (TAKES_ANY | GROUP)))
    return false;
  /* Before 6.9 only the parent can tell which process has the PID of a child that died silently. Nor can any process
   * tell whose group without a leader that is, if the group outlived the leader. */
  if (!have_identity && (make->flags & LEADER || (reap->flags & SILENT && send->flags & (GUEST | SIBLING))))
    return false;
  if (make->flags & OTHERS && reap->flags & TAKES_ANY) /* this reap would take the others */
    return false;
  return true;
}

struct verdict {
  int result, error;
  bool got, untouched;
  char trouble[512]; /* the reason for no verdict; empty if there is one */
};

/* A stranger takes the PID between the two lines of the program. */
static void judge(struct pg_test_process *process, const struct way *make, const struct way *send,
                  struct verdict *ret) {
  char line[256] = "";
  int pid, error;
  if (pg_test_read_line(process, line, sizeof line) != 0 || sscanf(line, "ready %d", &pid) != 1) {
    snprintf(ret->trouble, sizeof ret->trouble, "instead of ready: '%s'", line);
    return;
  }
  struct pg_test_stranger stranger;
  if ((error = pg_test_take_pid(pid,
                                make->flags & LEADER     ? PG_TEST_LEFT_GROUP
                                : send->flags & TO_GROUP ? PG_TEST_GROUP
                                                         : PG_TEST_ALONE,
                                &stranger)) != 0) {
    snprintf(ret->trouble, sizeof ret->trouble, "no stranger can take the PID: %s", strerror(-error));
    return;
  }
  if (pg_test_write_line(process, "go") != 0 || pg_test_read_line(process, line, sizeof line) != 0 ||
      sscanf(line, "result %d %d", &ret->result, &ret->error) != 2)
    snprintf(ret->trouble, sizeof ret->trouble, "instead of a result: '%s'", line);
  ret->got = pg_test_stranger_got(&stranger, SIGTERM);
  ret->untouched = pg_test_stranger_untouched(&stranger);
  pg_test_stranger_release(&stranger);
}

static void play(const char *preload, const struct way *make, const struct way *reap, const struct way *send,
                 struct verdict *ret) {
  const char *const argv[] = {program, make->name, reap->name, send->name, NULL};
  struct pg_test_command command = {.argv = argv, .preload = preload, .same_session = send->flags & GIVES_EPERM};
  struct pg_test_process process;
  struct pg_test_outcome outcome;
  *ret = (struct verdict){.result = -2};
  int error = pg_test_start(&command, &process);
  if (error) {
    snprintf(ret->trouble, sizeof ret->trouble, "cannot start: %s", strerror(-error));
    return;
  }
  judge(&process, make, send, ret);
  pg_test_finish(&process, &outcome);
  if (!ret->trouble[0] && !pg_test_exited(&outcome, 0))
    snprintf(ret->trouble, sizeof ret->trouble, "ended with status %#x%s", (unsigned)outcome.status,
             outcome.timed_out ? " (time-out)" : "");
  if (outcome.err_size)
    snprintf(ret->trouble, sizeof ret->trouble, "printed on stderr: %.400s", outcome.err);
  pg_test_outcome_free(&outcome);
}

/* PG_TEST_SAMPLE=N runs every Nth scenario, 5 by default. What is left out of a row has its turn in the next rows. 1
 * runs all of them, some 9,000 (scripts/test --full). */
static unsigned sample(void) {
  const char *text = getenv("PG_TEST_SAMPLE");
  int n = text ? atoi(text) : 5;
  return n > 1 ? (unsigned)n : 1;
}

#define SHOWN 6 /* failures of a row that are printed one by one, because a broken row has hundreds */

/* One row of the matrix. The test's name is the way to make the child. */
static void test_make(void) {
  const struct way *make = makes;
  while (strcmp(make->name, pg_test_name()) != 0)
    make++;
  if (strncmp(make->name, "pidfd-spawn", 11) == 0 && !pidfd_spawn) {
    pg_test_skip("%s is not in this libc", make->name);
    return;
  }
  const char *preload = pg_test_preload();
  unsigned cells = 0, failed = 0, every = sample(), row = (unsigned)(make - makes);
  for (size_t i = 0; i < COUNT(reaps); i++)
    for (size_t j = 0; j < COUNT(sends); j++) {
      const struct way *reap = reaps + i, *send = sends + j;
      struct verdict verdict;
      if (!possible(make, reap, send) || (row + 3 * (unsigned)i + (unsigned)j) % every != 0)
        continue;
      cells++;
      play(NULL, make, reap, send, &verdict);
      int refusal = send->flags & GIVES_EPERM ? EPERM : send->flags & GIVES_EINVAL ? EINVAL : ESRCH;
      bool absent = send->flags & MAYBE || (MAY_LACK && (verdict.error == ENOSYS || verdict.error == EMFILE));
      if (absent && !verdict.trouble[0] && verdict.result != 0) {
        printf("%s: not here, even without the shim: %s\n", send->name, strerror(verdict.error));
        continue;
      }
      bool good = !verdict.trouble[0] && (send->flags & OTHER   ? verdict.result == 0 || verdict.error != refusal
                                          : send->flags & PROBE ? verdict.result == 0
                                                                : verdict.result == 0 && verdict.got);
      failed += !good;
      PG_CHECK(good || failed > SHOWN, "%s/%s/%s without the shim does not hit the stranger: result %d, errno %d; %s",
               make->name, reap->name, send->name, verdict.result, verdict.error, verdict.trouble);
      if (!preload)
        continue;
      play(preload, make, reap, send, &verdict);
      good = !verdict.trouble[0] && verdict.result == -1 && verdict.error == refusal && verdict.untouched;
      failed += !good;
      PG_CHECK(good || failed > SHOWN, "%s/%s/%s with the shim: result %d, errno %d, stranger %s; %s", make->name,
               reap->name, send->name, verdict.result, verdict.error, verdict.untouched ? "untouched" : "HIT",
               verdict.trouble);
    }
  if (!have_identity && make->flags & LEADER) {
    pg_test_skip("before Linux 6.9 the shim cannot tell a group without a leader from a stranger's");
    return;
  }
  PG_CHECK(failed == 0 && (cells > 0 || every > 1), "%s: %u failures in %u scenarios", make->name, failed, cells);
  if (!preload)
    pg_test_skip("there is no preload object: %u scenarios ran without it only", cells);
}

void pg_test_plan(int argc, char **argv) {
  pg_test_need_take_pid();
  program = argv[1];
  have_identity = pidfds_have_identity();
  for (size_t i = 0; i < COUNT(makes); i++)
    for (int arg = 2; arg < argc; arg++)
      if (strcmp(argv[arg], makes[i].name) == 0)
        pg_test_add("stale", makes[i].name, test_make);
}

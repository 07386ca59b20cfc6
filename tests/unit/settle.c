/* SPDX-License-Identifier: MIT */
/* Two threads find a forked child unsettled in the same instant. The second settles it when the first already has
 * children. And the first look for children that an exec has kept, with no descriptor free. The test links the static
 * library, because it tests its insides. */
#include "child/child.h"
#include "child/reach.h"
#include "child/self.h"
#include "pg_test.h"
#include "runtime/filter.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t parents, parents_dead; /* the parent's children, of which one was waited for */

static pid_t born(bool dies) {
  pid_t pid = fork();
  if (pid == 0 && dies)
    _exit(0);
  while (pid == 0)
    pause();
  pg_child_born(pid, "test", false, 0);
  if (dies && waitpid(pid, NULL, 0) == pid)
    pg_child_reaped(pid, pg_number_births());
  return pid;
}

static enum pg_number_state state_of(pid_t pid) {
  uint64_t ino;
  return pg_id_state(pg_number_find(pid, &ino));
}
static bool is_tracked(pid_t pid) { return state_of(pid) == PG_LIVE; }
static bool is_retired(pid_t pid) { return state_of(pid) == PG_GONE; }

/* The child's answers, with one bit for each that is right. */
enum { CHILD = 1, OWN = 2, DEAD = 4, INHERITED = 8, ALL = 15 };

static int settled_twice(bool other_namespace) {
  struct pg_inherited first = pg_child_inherited(), second = pg_child_inherited();
  pg_child_settle(true, first);
  pid_t pid = born(false), dead = born(true);
  pg_child_settle(true, second);
  uint64_t ino;
  int good = is_tracked(pid) ? CHILD : 0;
  if (pg_reach_is_own(pg_number_find(pid, &ino)))
    good |= OWN;
  if (is_retired(dead))
    good |= DEAD;
  if (is_tracked(parents) != other_namespace && is_retired(parents_dead) != other_namespace)
    good |= INHERITED;
  if (pid > 1)
    pg_sys_kill(pid, SIGKILL);
  return good;
}

static void check(bool other_namespace) {
  int status = 0;
  pg_mode();
  pg_self_know();
  pg_filter_can(0);
  parents = born(false);
  parents_dead = born(true);
  if (other_namespace && unshare(CLONE_NEWPID) != 0) {
    pg_test_skip("this user cannot make a pid namespace");
  } else {
    pid_t pid = fork();
    if (pid == 0)
      _exit(settled_twice(other_namespace));
    bool ended = pid > 1 && waitpid(pid, &status, 0) == pid && WIFEXITED(status);
    PG_CHECK(ended && WEXITSTATUS(status) == ALL, "status %#x", (unsigned)status);
  }
  if (parents > 1)
    pg_sys_kill(parents, SIGKILL);
}
static void test_twice(void) { check(false); }
static void test_namespace(void) { check(true); }

static bool is_filtered(void) { return prctl(PR_GET_SECCOMP) > 0; }

/* As after an exec: the process has a child that the table does not know. */
static int adopts_late(void) {
  struct rlimit limit = {0, 0};
  pid_t pid = fork();
  while (pid == 0)
    pause();
  bool set = pid > 1 && getrlimit(RLIMIT_NOFILE, &limit) == 0;
  struct rlimit few = {3, limit.rlim_max};
  pg_mode();
  pg_flag_set(&pg_hot.adopted, 0);
  atomic_store(&pg_filter_cans, 0); /* and whether there is a filter is not known, either */
  set = set && setrlimit(RLIMIT_NOFILE, &few) == 0;
  pg_child_look_back();
  bool early = is_tracked(pid);
  set = set && setrlimit(RLIMIT_NOFILE, &limit) == 0;
  pg_child_look_back();
  bool late = is_tracked(pid) && (pg_filter_can(PG_CAN_PIDFD) || is_filtered());
  if (pid > 1)
    pg_sys_kill(pid, SIGKILL);
  return set && !early && late ? ALL : 0;
}
static void test_no_descriptor(void) {
  int status = 0;
  pid_t pid = fork();
  if (pid == 0)
    _exit(adopts_late());
  bool ended = pid > 1 && waitpid(pid, &status, 0) == pid && WIFEXITED(status);
  PG_CHECK(ended && WEXITSTATUS(status) == ALL, "status %#x", (unsigned)status);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc, (void)argv;
  pg_test_add("settle", "children of before an exec are found once a descriptor is free", test_no_descriptor);
  pg_test_add("settle", "children between two settlings stay the process's own", test_twice);
  pg_test_add("settle", "children stay the process's own also if it forgets the PIDs of its parent", test_namespace);
}

/* SPDX-License-Identifier: MIT */
/* The cache of pidfds: what it keeps and when that goes. A number must never become another child's while it is in use.
 * The test links the static library, because it tests its insides. */
#include "child/held.h"
#include "child/reach.h"
#include "child/self.h"
#include "runtime/config.h"
#include "runtime/filter.h"

#include "pg_test.h"
#include "pidfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t make(void) {
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
      pause();
  }
  return pid;
}

static void end(pid_t pid) {
  if (pid > 1 && kill(pid, SIGKILL) == 0)
    waitpid(pid, NULL, 0);
}

static pg_id enter(pid_t pid, uint64_t *ret_ino) {
  struct pg_window window;
  pg_window_open(&window);
  int known = pg_reach_newborn(&window, pid, true, ret_ino);
  pg_id id = pg_number_born(pid, *ret_ino, 0, 0);
  pg_window_close(&window);
  PG_CHECK(known == 0 && id, "%d is entered: %d", pid, known);
  return id;
}

/* Begins as in a program that has no pidfds of its own, and whose calls the shim sees. */
static void begin(void) {
  pg_held_init(-1);
  pg_filter_can(0);
  pg_state_clear(PG_STATE_PIDFDS);
}

static const struct pg_signal probe = {0, NULL, 0};

static void second_use_keeps(void) {
  begin();
  uint64_t ino;
  pid_t pid = make();
  pg_id id = enter(pid, &ino);
  PG_CHECK(pg_reach(id, ino, &probe, false) == 0 && pg_held_for(id) < 0, "the first use keeps nothing");
  PG_CHECK(pg_reach(id, ino, &probe, false) == 0 && pg_held_for(id) >= 0, "the second one does");
  int fd = pg_held_for(id);
  PG_CHECK(pg_is_held(fd) && pg_reach_is(fd, ino) && !pg_is_held(0) && !pg_is_held(fd + 1), "number %d", fd);
  pg_held_let_go(PG_HELD_FOR_ONE);
  PG_CHECK(pg_held_for(id) < 0 && fcntl(fd, F_GETFD) < 0 && !pg_held_any(), "before a fork it goes");
  end(pid);
  PG_CHECK(pg_reach(id, ino, &probe, false) == -ESRCH, "a child that is gone is not reached");
  pg_number_forget(pid);
}

/* The second use keeps the pidfd. Returns its number. */
static int hold(pg_id id, uint64_t ino) {
  for (int i = 0; i < 2; i++)
    pg_reach(id, ino, &probe, false);
  return pg_held_for(id);
}

/* The program closes the pidfd and puts another file there. No descriptor of the program is closed, and the child is
 * reached. */
static void hands_win(void) {
  begin();
  uint64_t ino;
  pid_t pid = make();
  pg_id id = enter(pid, &ino);
  int fd = hold(id, ino);
  if (!PG_CHECK(fd >= 0, "held"))
    return;
  PG_CHECK(dup2(STDERR_FILENO, fd) == fd, "by an instruction that the shim does not see");
  PG_CHECK(pg_reach(id, ino, &probe, false) == 0 && pg_held_for(id) != fd, "it is reached another way");
  pg_held_let_go(PG_HELD_ALL);
  PG_CHECK(fcntl(fd, F_GETFD) >= 0, "what the program has put there was closed");
  close(fd);
  fd = hold(id, ino);
  pg_held_take((unsigned)fd, (unsigned)fd);
  PG_CHECK(fd >= 0 && pg_held_for(id) < 0 && !pg_is_held(fd) && fcntl(fd, F_GETFD) >= 0, "taken, and left open");
  close(fd);
  end(pid);
  pg_number_forget(pid);
}

/* While a frame is about to use a number, no other process's pidfd may come to stand there. */
static void hazard(void) {
  begin();
  uint64_t ino, other_ino;
  pid_t pid = make(), other = make();
  pg_id id = enter(pid, &ino), other_id = enter(other, &other_ino);
  int fd = hold(id, ino);
  struct pg_hazard hazard = pg_hazard_publish(fd);
  pg_held_let_go(PG_HELD_ALL);
  for (int i = 0; i < 5; i++)
    PG_CHECK(pg_reach(other_id, other_ino, &probe, false) == 0 && pg_held_for(other_id) != fd,
             "the number is another's");
  PG_CHECK(hazard.at && pg_held_for(id) == fd && pg_reach_is(fd, ino), "the late use meets the child, which lives");
  int low = pg_sys_pidfd_open(other, 0);
  pg_held_retire(id, pg_number_retire(id, false));
  PG_CHECK(pg_sys_pidfd_send_signal(fd, 0, NULL, 0) == -EBADF, "the child is gone, and it meets nobody");
  int there = fcntl(low, F_DUPFD_CLOEXEC, fd), apart = pg_held_apart(there);
  PG_CHECK(there == fd && apart > fd && fcntl(fd, F_GETFD) < 0 && pg_reach_is(apart, other_ino),
           "the program's own pidfd has moved from %d to %d", there, apart);
  close(apart);
  close(low);
  pg_hazard_clear(hazard);
  for (int i = 0; i < 3; i++)
    pg_reach(other_id, other_ino, &probe, false);
  PG_CHECK(pg_held_for(other_id) >= 0, "later it is kept again");
  pg_held_let_go(PG_HELD_ALL);
  end(pid);
  end(other);
  pg_number_forget(pid);
  pg_number_forget(other);
}

/* Before a filter comes, the uses of other threads end. The thread that waits for them has a higher real-time priority
 * on the same processor, so a use goes on only while it sleeps. Without these priorities the load of the machine would
 * decide. */
static atomic_bool in_use, may_end;
static void *is_within_a_use(void *unused) {
  struct pg_hazard hazard = pg_hazard_publish(1);
  in_use = true;
  while (!may_end)
    sched_yield();
  pg_hazard_clear(hazard);
  return unused;
}
static void filter_waits(void) {
  int least = sched_get_priority_min(SCHED_FIFO);
  struct sched_param user = {.sched_priority = least}, waiter = {.sched_priority = least + 1};
  struct sched_param normal = {.sched_priority = 0};
  cpu_set_t before, one;
  pthread_t thread;
  int uses = 0, cpu = sched_getcpu();
  CPU_ZERO(&one);
  CPU_SET(cpu < 0 ? 0 : (size_t)cpu, &one);
  in_use = may_end = false;
  if (!PG_CHECK(sched_getaffinity(0, sizeof before, &before) == 0 && sched_setaffinity(0, sizeof one, &one) == 0 &&
                    pthread_create(&thread, NULL, is_within_a_use, NULL) == 0,
                "no thread on one processor"))
    return;
  while (!in_use)
    sched_yield();
  bool real_time = pthread_setschedparam(pthread_self(), SCHED_FIFO, &waiter) == 0 &&
                   pthread_setschedparam(thread, SCHED_FIFO, &user) == 0;
  if (!real_time)
    pg_test_skip("this user cannot have a real-time priority");
  may_end = true;
  pg_hazards_end(true);
  for (int i = 0; i < PG_HAZARDS; i++)
    uses += atomic_load(&pg_hazards[i]) != 0;
  pthread_setschedparam(pthread_self(), SCHED_OTHER, &normal);
  pthread_join(thread, NULL);
  sched_setaffinity(0, sizeof before, &before);
  PG_CHECK(uses == 0 || !real_time, "%d uses go on after the wait", uses);
}

/* A handler has jumped out of a use. The number stays published, and the next one is used instead. */
static void jumped_out(void) {
  begin();
  uint64_t ino;
  pid_t pid = make();
  pg_id id = enter(pid, &ino);
  int fd = hold(id, ino);
  uint64_t stale = (uint64_t)(uint32_t)fd + 1;
  pg_held_let_go(PG_HELD_ALL);
  atomic_store(&pg_hazards[0], stale);
  int next = hold(id, ino);
  PG_CHECK(fd >= 0 && next > fd && fcntl(fd, F_GETFD) < 0, "%d is published, and %d is held", fd, next);
  PG_CHECK(atomic_load(&pg_hazards[0]) == stale, "a use has taken the mark of another frame");
  atomic_store(&pg_hazards[0], 0);
  pg_held_let_go(PG_HELD_ALL);
  end(pid);
  pg_number_forget(pid);
}

/* If other threads have all places for hazards, what is held stays held, and the use opens a pidfd of its own. */
static void no_place_for_hazards(void) {
  enum { OTHER_THREAD = 1, OTHER_FD = 5000 };
  begin();
  uint64_t ino;
  pid_t pid = make();
  pg_id id = enter(pid, &ino);
  int fd = hold(id, ino);
  pg_state_set(PG_STATE_THREADS);
  for (int i = 1; i < PG_HAZARDS; i++)
    atomic_store(&pg_hazards[i], (uint64_t)OTHER_THREAD << 32 | (OTHER_FD + 1));
  PG_CHECK(fd >= 0 && pg_reach(id, ino, &probe, false) == 0, "the child is there");
  PG_CHECK(pg_held_for(id) == fd && fcntl(fd, F_GETFD) >= 0, "a pidfd is left open and forgotten");
  for (int i = 1; i < PG_HAZARDS; i++)
    atomic_store(&pg_hazards[i], 0);
  pg_state_clear(PG_STATE_THREADS);
  pg_held_let_go(PG_HELD_ALL);
  PG_CHECK(fcntl(fd, F_GETFD) < 0, "closed");
  end(pid);
  pg_number_forget(pid);
}

/* The leader's pidfd reaches its group after the leader was reaped, or says that this kernel cannot (before 6.9). It
 * goes when the group is empty. */
static void groups(void) {
  bool by_pidfd = pidfds_signal_groups();
  begin();
  const struct pg_signal to_group = {0, NULL, PG_PIDFD_SIGNAL_PROCESS_GROUP};
  uint64_t ino;
  pid_t leader = make(), member = make();
  PG_CHECK(leader > 1 && member > 1 && setpgid(leader, leader) == 0 && setpgid(member, leader) == 0, "a group");
  pg_id id = enter(leader, &ino);
  PG_CHECK(pg_reach(id, ino, &to_group, false) == 0, "the group is there");
  pg_held_let_go(PG_HELD_FOR_ONE);
  PG_CHECK(pg_held_for(id) >= 0, "a fork lets go of a leader's");
  end(leader);
  pg_id gone = pg_number_retire(id, true);
  pg_held_retire(id, gone);
  PG_CHECK(pg_held_for(gone) >= 0 && pg_reach(gone, ino, &to_group, false) == (by_pidfd ? 0 : -EOPNOTSUPP),
           "the group without its leader");
  end(member);
  PG_CHECK(pg_reach(gone, ino, &to_group, false) == (by_pidfd ? -ESRCH : -EOPNOTSUPP), "the group is empty");
  pg_id ended = pg_number_retire(gone, false);
  pg_held_retire(gone, ended);
  PG_CHECK(!pg_held_any(), "the handle is left");
  pg_number_forget(leader);
}

/* Makes a child that leads a group and belongs to this cell, or 0. */
static pid_t make_leader_for(const struct pg_cell *cell) {
  for (int i = 0; i < 3 * PG_CELLS; i++) {
    pid_t pid = make();
    if (pid > 1 && pg_cell_of(pid) == cell)
      return setpgid(pid, pid) == 0 ? pid : 0;
    end(pid);
  }
  return 0;
}

/* Two leaders whose PIDs belong to one cell are both held. When the descriptors are used up, the handle of a group
 * without its leader stays, because it cannot be opened again. It stays in a forked child, too. */
static void group_handles_stay(void) {
  begin();
  const struct pg_signal to_group = {0, NULL, PG_PIDFD_SIGNAL_PROCESS_GROUP};
  uint64_t ino[2];
  pg_id id[2];
  pid_t leader[2] = {make(), 0}, member = make();
  PG_CHECK(leader[0] > 1 && member > 1 && setpgid(leader[0], leader[0]) == 0 && setpgid(member, leader[0]) == 0,
           "a group");
  leader[1] = make_leader_for(pg_cell_of(leader[0]));
  if (!PG_CHECK(leader[1] > 1, "no PID of the same cell"))
    return;
  for (int i = 0; i < 2; i++) {
    id[i] = enter(leader[i], &ino[i]);
    pg_reach(id[i], ino[i], &to_group, false);
    PG_CHECK(pg_held_for(id[i]) >= 0, "leader %d is not held", i);
  }
  PG_CHECK(pg_held_for(id[0]) != pg_held_for(id[1]) && pg_reach_is(pg_held_for(id[1]), ino[1]), "one pidfd for both");
  end(leader[0]);
  pg_id gone = pg_number_retire(id[0], true);
  pg_held_retire(id[0], gone);
  pg_held_let_go(PG_HELD_FOR_LIVING);
  PG_CHECK(pg_held_for(gone) >= 0 && pg_held_for(id[1]) < 0, "what can be opened again goes, and nothing else");
  pg_held_inherited();
  pg_held_let_go(PG_HELD_FOR_ONE);
  PG_CHECK(pg_held_for(gone) >= 0, "a fork in a forked child lets go of the group");
  pg_held_inherited();
  pg_held_let_go(PG_HELD_FOR_ONE);
  PG_CHECK(pg_held_for(gone) < 0, "a grandchild keeps the group");
  pg_held_let_go(PG_HELD_ALL);
  PG_CHECK(!pg_held_any(), "a handle is left");
  end(leader[1]);
  end(member);
  pg_number_forget(leader[0]);
  pg_number_forget(leader[1]);
}

/* If the program has pidfds of its own, nothing is kept. */
static void careful(void) {
  begin();
  uint64_t ino;
  pid_t pid = make();
  pg_id id = enter(pid, &ino);
  for (int i = 0; i < 3; i++)
    pg_reach(id, ino, &probe, false);
  PG_CHECK(pg_held_for(id) >= 0, "held");
  pg_held_be_careful();
  for (int i = 0; i < 3; i++)
    PG_CHECK(pg_reach(id, ino, &probe, false) == 0 && pg_held_for(id) < 0, "kept in a program with pidfds");
  end(pid);
  pg_number_forget(pid);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc, (void)argv;
  pg_test_add("held", "the second use keeps a pidfd", second_use_keeps);
  pg_test_add("held", "the program's hands win", hands_win);
  pg_test_add("held", "a number in use is no other child's", hazard);
  pg_test_add("held", "nothing is forgotten where hazards have no place", no_place_for_hazards);
  pg_test_add("held", "a leader's pidfd is its group's handle", groups);
  pg_test_add("held", "the handle of a group stays", group_handles_stay);
  pg_test_add("held", "a number that a jump has left published is not used", jumped_out);
  pg_test_add("held", "nothing is kept beside the program's own pidfds", careful);
  pg_test_add("held", "a filter waits until the uses of other threads have ended", filter_waits);
}

/* SPDX-License-Identifier: MIT */
/* Threads, signal handlers and storms of signals each make, signal and wait for children of their own. Only what is
 * certain is noted: each got the right child with the right status. */
#define _GNU_SOURCE
#include "cases.h"

#include "../support/pidfs.h"
#include "../support/slowness.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define THREADS 8

struct worker {
  int number, good, rounds;
};

/* Forks, kills the child or lets it exit, and waits by PID. The wait must give no other child and no other status. */
static void *own_children(void *argument) {
  struct worker *worker = argument;
  for (volatile int i = 0; i < worker->rounds; i++) {
    int code = (worker->number * 31 + i) & 0x7f, status = 0;
    pid_t pid = i % 3 == 1 ? vfork() : fork();
    if (pid == 0) {
      while (i % 3 == 2)
        pause();
      _exit(code);
    }
    if (pid <= 1)
      continue;
    if (i % 3 == 2 && kill(pid, i % 2 ? SIGKILL : SIGTERM) != 0)
      continue;
    if (waitpid(pid, &status, 0) != pid)
      continue;
    bool right = i % 3 == 2 ? WIFSIGNALED(status) && WTERMSIG(status) == (i % 2 ? SIGKILL : SIGTERM)
                            : WIFEXITED(status) && WEXITSTATUS(status) == code;
    worker->good += right && waitpid(pid, NULL, 0) == -1 && errno == ECHILD;
  }
  return NULL;
}

static void concurrent(void) {
  pthread_t threads[THREADS];
  struct worker workers[THREADS];
  int good = 0, before = count_descriptors();
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (struct worker){.number = i, .rounds = 150};
    MUST(pthread_create(&threads[i], NULL, own_children, &workers[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++) {
    MUST(pthread_join(threads[i], NULL) == 0);
    good += workers[i].good;
  }
  note("%d good, descriptors left %d", good, count_descriptors() - before);
}

/* One thread reaps every child that dies, and the others make and signal. Each child is reported exactly once. */
#define MADE 300
static volatile int stopping;
static int reaped_total, reaped_twice;
static unsigned char codes_seen[THREADS][MADE];
static pid_t made[THREADS][MADE];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *make_and_signal(void *argument) {
  int me = ((struct worker *)argument)->number;
  for (int i = 0; i < MADE; i++) {
    pthread_mutex_lock(&lock); /* this program's own table must know the PID before the reaper does */
    pid_t pid = fork();
    if (pid == 0) {
      while (i % 2)
        pause();
      _exit(1);
    }
    made[me][i] = pid;
    pthread_mutex_unlock(&lock);
    if (i % 2 && kill_ok(pid, SIGTERM) != 0)
      must_failed(__FILE__, __LINE__, "kill of a living child");
    if (i > 10) {
      pthread_mutex_lock(&lock);
      pid_t old = made[me][i - 10];
      pthread_mutex_unlock(&lock);
      if (old > 1) /* the child may be reaped by now, so signal 0 may get any answer */
        kill_ok(old, 0);
    }
  }
  return NULL;
}

static void *reap_all(void *unused) {
  for (;;) {
    int status;
    pid_t pid = waitpid(-1, &status, 0);
    if (pid < 0 && stopping)
      return unused;
    if (pid < 0) {
      usleep(50);
      continue;
    }
    pthread_mutex_lock(&lock);
    for (int t = 0; t < THREADS; t++)
      for (int i = 0; i < MADE; i++)
        if (made[t][i] == pid) {
          reaped_twice += codes_seen[t][i]++;
          reaped_total++;
          made[t][i] = 0; /* a later child may have the PID again */
        }
    pthread_mutex_unlock(&lock);
  }
}

static void one_reaper(void) {
  pthread_t threads[4], reaper;
  struct worker workers[4];
  MUST(pthread_create(&reaper, NULL, reap_all, NULL) == 0);
  for (int i = 0; i < 4; i++) {
    workers[i].number = i;
    MUST(pthread_create(&threads[i], NULL, make_and_signal, &workers[i]) == 0);
  }
  for (int i = 0; i < 4; i++)
    MUST(pthread_join(threads[i], NULL) == 0);
  stopping = 1;
  MUST(pthread_join(reaper, NULL) == 0);
  note("reaped %d, twice %d", reaped_total, reaped_twice);
}

/* Many threads wait for the same child. One gets it, the others ECHILD. */
static pid_t the_child;
static int winners, losers;
static void *wait_for_it(void *form) {
  int status = 0;
  siginfo_t info;
  bool won = form ? waitid(P_PID, (id_t)the_child, &info, WEXITED) == 0 && info.si_status == 6
                  : waitpid(the_child, &status, 0) == the_child && WEXITSTATUS(status) == 6;
  if (won)
    __atomic_add_fetch(&winners, 1, __ATOMIC_SEQ_CST);
  else if (errno == ECHILD)
    __atomic_add_fetch(&losers, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

static void contended(void) {
  for (int round = 0; round < 60; round++) {
    int gate[2];
    char byte;
    pthread_t threads[THREADS];
    MUST(pipe(gate) == 0);
    the_child = fork_ok();
    if (the_child == 0)
      _exit(read(gate[0], &byte, 1) == 1 ? 6 : 7);
    for (int i = 0; i < THREADS; i++)
      MUST(pthread_create(&threads[i], NULL, wait_for_it, i % 2 ? "waitid" : NULL) == 0);
    MUST(write(gate[1], "", 1) == 1);
    for (int i = 0; i < THREADS; i++)
      MUST(pthread_join(threads[i], NULL) == 0);
    close(gate[0]);
    close(gate[1]);
  }
  note("winners %d, losers %d", winners, losers);
}

/* The handler does everything while main() does everything. Before each signal main() has time enough to get on, even
 * if a fork takes longer. */
static volatile sig_atomic_t storm_children, storm_bad, storm_alarms, storm_is_over;
static void storm_again(void) {
  struct itimerval once = {.it_value = {.tv_usec = storm_is_over ? 0 : 700}};
  setitimer(ITIMER_REAL, &once, NULL);
}

static void storm_strikes(void) {
  int status;
  storm_alarms++;
  pid_t pid = storm_alarms % 2 ? fork() : vfork();
  if (pid == 0) {
    if (storm_alarms % 2)
      while (storm_alarms % 4 == 1)
        pause();
    _exit(21);
  }
  if (pid <= 1) {
    storm_bad++;
    return;
  }
  bool killed = storm_alarms % 4 == 1;
  if (killed && kill(pid, SIGTERM) != 0)
    storm_bad++;
  pid_t got;
  while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
    ;
  bool right =
      killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM : WIFEXITED(status) && WEXITSTATUS(status) == 21;
  storm_bad += got != pid || !right;
  storm_children++;
}

static void storm(int sig) {
  int kept = errno;
  (void)sig;
  storm_strikes();
  storm_again();
  errno = kept;
}

static volatile sig_atomic_t sigchlds;
static void on_child(int sig) {
  int kept = errno;
  (void)sig;
  sigchlds++;
  kill(getpid(), 0);
  errno = kept;
}

static void storms(void) {
  struct sigaction alarm_action = {.sa_handler = storm, .sa_flags = SA_RESTART};
  struct sigaction child_action = {.sa_handler = on_child, .sa_flags = SA_RESTART};
  sigemptyset(&alarm_action.sa_mask);
  MUST(sigaction(SIGALRM, &alarm_action, NULL) == 0 && sigaction(SIGCHLD, &child_action, NULL) == 0);
  storm_again();
  struct worker worker = {.number = 3, .rounds = 600};
  int before = count_descriptors();
  own_children(&worker);
  storm_is_over = 1;
  storm_again();
  note("main %d, handler: bad %d, some %d, SIGCHLD %d, descriptors left %d", worker.good, (int)storm_bad,
       storm_children > 5, sigchlds > 5, count_descriptors() - before);
}

/* The fork handlers run in a forked child of a threaded program, which then forks on its own. */
static void *idle_main(void *unused) {
  while (!stopping)
    usleep(200);
  return unused;
}

static void fork_of_a_threaded_program(void) {
  pthread_t threads[4];
  struct worker workers[4];
  for (int i = 0; i < 4; i++) {
    workers[i] = (struct worker){.number = i, .rounds = 40};
    MUST(pthread_create(&threads[i], NULL, i < 2 ? own_children : idle_main, &workers[i]) == 0);
  }
  int good = 0;
  for (int round = 0; round < 30; round++) {
    pid_t pid = fork_ok();
    if (pid == 0) {
      struct worker inner = {.number = round, .rounds = 6};
      own_children(&inner);
      _exit(inner.good);
    }
    int status;
    MUST(waitpid(pid, &status, 0) == pid);
    good += WEXITSTATUS(status);
  }
  stopping = 1;
  for (int i = 0; i < 4; i++)
    MUST(pthread_join(threads[i], NULL) == 0);
  note("%d, threads %d %d", good, workers[0].good, workers[1].good);
}

/* A child belongs to the process. The thread that made it may be gone. */
static void *make_main(void *pid) {
  *(pid_t *)pid = fork_pausing();
  return NULL;
}

static void maker_gone(void) {
  pthread_t thread;
  pid_t pid = -1;
  MUST(pthread_create(&thread, NULL, make_main, &pid) == 0 && pthread_join(thread, NULL) == 0);
  pid_t got = -1;
  for (int tries = 0; tries < 1000 && got < 0; tries++) { /* the kernel moves the child a moment after the join */
    sleep_ms(tries > 0);
    errno = UNTOUCHED;
    got = waitpid(pid, NULL, WNOHANG | __WNOTHREAD);
  }
  note("wait: %s", wait_text(got, pid));
  note("kill: %d", kill_ok(pid, SIGTERM));
  int status;
  MUST(waitpid(pid, &status, 0) == pid);
  note("%s", status_text(status));
}

/* Each child counts the signals that were meant for it, and the others. */
static struct { volatile int right, wrong, ready; } * board;
static int number = -1;

static void count_mine(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)context;
  __sync_fetch_and_add(info->si_value.sival_int == number ? &board->right : &board->wrong, 1);
}

enum { SIBLINGS = 100, SENDERS = 20 };
static pid_t siblings[SIBLINGS];
static volatile bool polled_enough;

static void *poll_siblings(void *unused) {
  while (!polled_enough)
    for (int i = 0; i < SIBLINGS; i++)
      MUST(waitpid(siblings[i], NULL, WNOHANG) == 0);
  return unused;
}

/* These children are signalled by processes that are forked while another thread polls the children. */
static void siblings_of_a_forked_child(void) {
  struct sigaction action = {.sa_sigaction = count_mine, .sa_flags = SA_SIGINFO | SA_RESTART};
  pthread_t thread;
  int sent = 0, status;
  size_t size = 16 << 20; /* so that a fork takes its time */
  board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char *heap = malloc(size);
  MUST(board != MAP_FAILED && heap && sigaction(SIGRTMIN + 1, &action, NULL) == 0);
  memset(heap, 1, size);
  for (int i = 0; i < SIBLINGS; i++) {
    siblings[i] = fork_ok();
    if (siblings[i] == 0) {
      number = i;
      __sync_fetch_and_add(&board->ready, 1);
      for (;;)
        pause();
    }
  }
  while (board->ready < SIBLINGS)
    sleep_ms(1);
  MUST(pthread_create(&thread, NULL, poll_siblings, NULL) == 0);
  for (int i = 0; i < SENDERS; i++) {
    sleep_ms(2);
    pid_t pid = fork_ok();
    if (pid == 0) {
      int good = 0;
      for (int j = 0; j < SIBLINGS; j++)
        good += sigqueue(siblings[j], SIGRTMIN + 1, (union sigval){.sival_int = j}) == 0;
      _exit(good);
    }
    MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    sent += WEXITSTATUS(status);
  }
  polled_enough = true;
  MUST(pthread_join(thread, NULL) == 0);
  while (board->right + board->wrong < sent)
    sleep_ms(1);
  note("sent %d, right %d, wrong %d", sent, board->right, board->wrong);
  for (int i = 0; i < SIBLINGS; i++)
    finish(siblings[i]);
}

/* clone() itself makes a thread, so libc does not know of it. The thread signals the same child as the main thread. */
enum { SHOTS = 200000, SHOT_ROUNDS = 2 };
static pid_t target;
static volatile int shooting, missed;

static void shoot(void) {
  int count = some_of(SHOTS, 1);
  __sync_fetch_and_add(&shooting, 1);
  while (shooting < 2)
    ;
  for (int i = 0; i < count; i++)
    if (kill_ok(target, 0) != 0)
      missed++;
}

static int shooter(void *unused) {
  (void)unused;
  shoot();
  for (;;)
    syscall(SYS_exit, 0);
  return 0;
}

enum {
  CLONED = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID
};

static pid_t by_clone(char *top, volatile int *tid) {
  return clone(shooter, top, CLONED, NULL, NULL, NULL, (void *)(uintptr_t)tid);
}

#if defined __x86_64__ && !defined __ILP32__
static void shooter_returned_to(void) { shooter(NULL); }

/* The thread comes out of syscall() on its own stack, and goes to the address that is there. */
static pid_t by_syscall(char *top, volatile int *tid) {
  void (**to)(void) = (void (**)(void))(void *)(top - 64);
  *to = shooter_returned_to;
  return (pid_t)syscall(SYS_clone, CLONED, to, NULL, tid, NULL);
}

static pid_t by_syscall3(char *top, volatile int *tid) {
  void (**to)(void) = (void (**)(void))(void *)(top - 64);
  *to = shooter_returned_to;
  struct raw_clone_args args = {
      .flags = CLONED, .child_tid = (uintptr_t)tid, .stack = (uintptr_t)top - 4096, .stack_size = 4096 - 64};
  return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}
#else
#define by_syscall by_clone
#define by_syscall3 by_clone
#endif

static void shot_by_two(pid_t make(char *top, volatile int *tid)) {
  static char stack[65536] __attribute__((aligned(16)));
  int before = count_descriptors();
  for (int i = 0; i < SHOT_ROUNDS; i++) {
    static volatile int tid;
    target = fork_pausing();
    tid = 1;
    shooting = 0;
    pid_t made = make(stack + sizeof stack, &tid);
    MUST(made > 1);
    shoot();
    while (tid)
      sleep_ms(1);
    finish(target);
  }
  note("missed %d, descriptors left %d", missed, count_descriptors() - before);
}
static void shot_by_clone(void) { shot_by_two(by_clone); }
static void shot_by_syscall(void) { shot_by_two(by_syscall); }
static void shot_by_syscall3(void) { shot_by_two(by_syscall3); }

/* libc makes its own first thread only afterwards. What setuid() tells threads by comes with that. */
static void setuid_after_clone(void) {
  pthread_t thread;
  shot_by_two(by_clone);
  MUST(pthread_create(&thread, NULL, idle_main, NULL) == 0);
  errno = UNTOUCHED;
  int result = setuid(getuid());
  note("setuid: %s", call_text(result));
  stopping = 1;
  MUST(pthread_join(thread, NULL) == 0);
}

static void *puts_descriptors(void *arg) {
  (void)arg;
  while (!stopping) {
    dup2(0, 60);
    close(60);
  }
  return NULL;
}

/* The processor time of this thread. A call that spins uses it, and a loaded machine adds nothing to it. */
static long spent_ms(void) {
  struct timespec now;
  MUST(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A real-time thread shares its processor with an ordinary one, which does not run while the first one yields. */
static void real_time(void) {
  cpu_set_t all, one;
  pthread_t thread;
  struct sched_param high = {.sched_priority = 10}, none = {.sched_priority = 0};
  int slow = 0, cpu = 0;
  MUST(sched_getaffinity(0, sizeof all, &all) == 0);
  while (!CPU_ISSET(cpu, &all))
    cpu++;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  MUST(sched_setaffinity(0, sizeof one, &one) == 0);
  MUST(pthread_create(&thread, NULL, puts_descriptors, NULL) == 0);
  if (sched_setscheduler(0, SCHED_FIFO, &high) != 0)
    skip("no real-time threads");
  for (int i = 0; i < 40; i++) {
    sleep_ms(2);
    long begin = spent_ms();
    MUST(dup2(0, 50) == 50 && close(50) == 0);
    slow += spent_ms() - begin > 20 * slowness();
  }
  MUST(sched_setscheduler(0, SCHED_OTHER, &none) == 0);
  stopping = 1;
  MUST(pthread_join(thread, NULL) == 0);
  note("slow calls: %d", slow);
}

static __thread sigjmp_buf out_of_kill;
static volatile int jumped;
static pid_t jumped_from;
static void jump_out_of_kill(int sig) {
  (void)sig;
  siglongjmp(out_of_kill, 1);
}

static void *kills_until_jump(void *arg) {
  if (sigsetjmp(out_of_kill, 1) == 0) {
    jumped = 0;
    for (;;)
      kill_ok(jumped_from, 0);
  }
  jumped = 1;
  while (jumped)
    sleep_ms(1);
  return arg;
}

/* How often this thread has slept. A yield does not count (getrusage(2), ru_nvcsw). */
static long sleeps(void) {
  struct rusage usage;
  MUST(getrusage(RUSAGE_THREAD, &usage) == 0);
  return usage.ru_nvcsw;
}

/* A handler jumps out of kill(), and the thread then makes no call of the kind. The wait for the child may sleep some
 * 1,000 times, which is dear on an emulated processor. It does not spin. */
static void jumped_out_of_kill(void) {
  int slow = 0;
  MUST(signal(SIGUSR1, jump_out_of_kill) != SIG_ERR);
  for (int i = 0; i < 20; i++) {
    pthread_t thread;
    jumped_from = fork_pausing();
    for (int k = 0; k < 3; k++)
      kill_ok(jumped_from, 0);
    jumped = -1;
    MUST(pthread_create(&thread, NULL, kills_until_jump, NULL) == 0);
    while (jumped < 0)
      sleep_ms(1);
    sleep_ms(2);
    MUST(pthread_kill(thread, SIGUSR1) == 0);
    while (jumped != 1)
      sleep_ms(1);
    kill_ok(jumped_from, SIGKILL);
    await_zombie(jumped_from);
    long begin = spent_ms(), slept = sleeps();
    waitpid(jumped_from, NULL, 0);
    slow += spent_ms() - begin > 40 * slowness() && sleeps() - slept < 200;
    jumped = 0;
    MUST(pthread_join(thread, NULL) == 0);
  }
  note("slow calls: %d", slow);
}

#ifdef SYS_clone3
/* With set_tid and set_tid_size of Linux 5.5. */
static pid_t fork_with(pid_t pid) {
  uint64_t args[10] = {[4] = SIGCHLD, [8] = (uintptr_t)&pid, [9] = 1};
  return (pid_t)syscall(SYS_clone3, args, sizeof args);
}

/* A process with threads has a child, and ends. That child's own child gets the PID. */
static void grandchild_has_its_pid(int to) {
  pthread_t thread;
  pid_t self = getpid();
  MUST(pthread_create(&thread, NULL, puts_descriptors, NULL) == 0);
  sleep_ms(2);
  if (fork_ok() > 0)
    _exit(0);
  while (getppid() == self)
    sleep_ms(1);
  char result = 'n';
  pid_t pid = -1;
  for (int tries = 0; tries < 100 && (pid = fork_with(self)) < 0 && errno == EEXIST; tries++)
    sleep_ms(1); /* until it was reaped */
  if (pid == 0) {
    long begin = spent_ms();
    close(dup(0));
    result = spent_ms() - begin > 20 * slowness() ? 's' : 'q';
  }
  if (pid <= 0)
    MUST(write(to, &result, 1) == 1);
  else
    waitpid(pid, NULL, 0);
  _exit(0);
}

static void namesake_of_the_dead(void) {
  int slow = 0, ends[2];
  for (int i = 0; i < 15; i++) {
    char result = '-';
    MUST(pipe(ends) == 0);
    pid_t pid = fork_ok();
    if (pid == 0)
      grandchild_has_its_pid(ends[1]);
    MUST(waitpid(pid, NULL, 0) == pid && close(ends[1]) == 0 && read(ends[0], &result, 1) == 1);
    close(ends[0]);
    if (result == 'n')
      skip("no PID of one's choice");
    slow += result == 's';
  }
  note("slow calls: %d", slow);
}
#endif

/* A child that is forked while another thread signals children must have no descriptor more than its parent. The shim
 * opens a pidfd for each signal to many children, and keeps pidfds of a few. */
enum { MANY_SIGNALLED = 200, FEW_SIGNALLED = 40, FORKED = 400, LEAST_FORKED = 60 };
static pid_t signalled[MANY_SIGNALLED];
static unsigned signalled_count;
static atomic_bool stop;

static void *signals_in_turn(void *unused) {
  for (unsigned i = 0; !stop; i++)
    MUST(kill_ok(signalled[i % signalled_count], 0) == 0);
  return unused;
}

/* A pidfd of the program that no call about processes has made. -1: before Linux 6.9, where the shim cannot tell it
 * from its own, see pidguard(7). */
static int pidfd_of_a_peer(const int ends[2]) {
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
  int fd = -1;
  socklen_t length = sizeof fd;
  return getsockopt(ends[0], SOL_SOCKET, SO_PEERPIDFD, &fd, &length) == 0 ? fd : -1;
}

static void forked_while_signalled(unsigned count) {
  pthread_t thread;
  int ends[2], lost = 0;
  int own = (int)raw_call(SYS_pidfd_open, getpid(), 0, 0, 0, 0); /* the shim must not see that there is a pidfd */
  bool identity = own >= 0 && pidfd_has_identity(own);
  close(own);
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  int wrong = 0, status, lowest = dup(0), all = count_descriptors() - 1;
  MUST(lowest > 2 && close(lowest) == 0);
  signalled_count = count;
  for (unsigned i = 0; i < count; i++)
    signalled[i] = fork_pausing();
  stop = false;
  MUST(pthread_create(&thread, NULL, signals_in_turn, NULL) == 0);
  for (int i = some_of(FORKED, LEAST_FORKED); i > 0; i--) {
    pid_t pid = fork_ok();
    if (pid == 0)
      _exit(count_descriptors() != all || dup(0) != lowest);
    MUST(waitpid(pid, &status, 0) == pid);
    wrong += status != 0;
    int fd = identity ? pidfd_of_a_peer(ends) : -1;
    pid = fd >= 0 ? fork_ok() : -1;
    if (pid == 0)
      _exit(fcntl(fd, F_GETFD) < 0);
    MUST(fd < 0 || waitpid(pid, &status, 0) == pid);
    lost += fd >= 0 && status != 0;
    close(fd);
  }
  stop = true;
  MUST(pthread_join(thread, NULL) == 0);
  for (unsigned i = 0; i < count; i++)
    finish(signalled[i]);
  note("children with more descriptors: %d, without the pidfd of a peer: %d", wrong, lost);
}
static void forked_while_many_signalled(void) { forked_while_signalled(MANY_SIGNALLED); }
static void forked_while_few_signalled(void) { forked_while_signalled(FEW_SIGNALLED); }

/* The same, at every place where it can matter. A tracer stops the thread after one of its system calls, and tells
 * another thread to fork. The child writes how many descriptors it has too many. Each call has a process of its own. */
static int orders[2], reports[2], begins[2];
static pid_t watched;

static void *signals_while_traced(void *argument) {
  enum { SIGNALS = 2 }; /* at the second one the shim keeps a pidfd */
  pid_t *thread = argument;
  char byte;
  __atomic_store_n(thread, (pid_t)raw_call(SYS_gettid, 0, 0, 0, 0, 0), __ATOMIC_RELEASE);
  MUST(read(begins[0], &byte, 1) == 1);
  for (int i = 0; i < SIGNALS; i++)
    MUST(kill_ok(watched, 0) == 0);
  return NULL;
}

static void forks_by_order(void) {
  pthread_t signaller;
  pid_t thread = 0;
  char order;
  watched = fork_pausing();
  MUST(pthread_create(&signaller, NULL, signals_while_traced, &thread) == 0);
  while (!__atomic_load_n(&thread, __ATOMIC_ACQUIRE))
    sched_yield();
  int all = count_descriptors();
  MUST(write(reports[1], &thread, sizeof thread) == sizeof thread && read(orders[0], &order, 1) == 1);
  if (order == 'f') {
    pid_t pid = fork_ok();
    if (pid == 0) {
      char extra = (char)(count_descriptors() - all);
      _exit(write(reports[1], &extra, 1) != 1);
    }
    MUST(waitpid(pid, NULL, 0) == pid);
  }
  MUST(pthread_join(signaller, NULL) == 0);
  finish(watched);
  _exit(0);
}

/* Returns false if the thread has ended before so many calls. */
static bool forked_after_call(int number, int *wrong) {
  int status, stops = 0;
  pid_t thread, pid = fork_ok();
  char extra = 0;
  if (pid == 0)
    forks_by_order();
  MUST(read(reports[0], &thread, sizeof thread) == sizeof thread && thread > 1);
  if (ptrace(PTRACE_SEIZE, thread, NULL, (void *)PTRACE_O_TRACESYSGOOD) != 0) {
    MUST(write(begins[1], "b", 1) == 1 && write(orders[1], "e", 1) == 1 && waitpid(pid, &status, 0) == pid);
    skip("ptrace is not allowed here");
  }
  MUST(ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0 && waitpid(thread, &status, __WALL) == thread);
  MUST(write(begins[1], "b", 1) == 1);
  while (stops < 2 * number && ptrace(PTRACE_SYSCALL, thread, NULL, NULL) == 0 &&
         waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status))
    stops += WSTOPSIG(status) == (SIGTRAP | 0x80); /* at the beginning of a call, and at its end */
  bool stopped = stops == 2 * number && WIFSTOPPED(status);
  MUST(write(orders[1], stopped ? "f" : "e", 1) == 1 && (!stopped || read(reports[0], &extra, 1) == 1));
  *wrong += extra != 0;
  if (stopped)
    MUST(ptrace(PTRACE_DETACH, thread, NULL, NULL) == 0);
  MUST(waitpid(pid, &status, 0) == pid && status == 0);
  return stopped;
}

static void forked_after_each_call(void) {
  enum { CALLS = 200 };
  int number = 1, wrong = 0, status;
  pid_t asks = fork_ok(); /* this process must have no pidfd, because its children keep what may be its own */
  if (asks == 0)
    _exit(pidfds_have_identity() ? 0 : 1);
  MUST(waitpid(asks, &status, 0) == asks);
  if (status != 0)
    skip("before Linux 6.9 a child may keep a pidfd whose number the other thread has not noted yet");
  MUST(pipe(orders) == 0 && pipe(reports) == 0 && pipe(begins) == 0);
  while (number < CALLS && forked_after_call(number, &wrong))
    number++;
  note("calls: %s, children with more descriptors: %d", number > 2 && number < CALLS ? "some" : "too few or too many",
       wrong);
}

static void *idle(void *argument) {
  for (;;)
    pause();
  return argument;
}

/* A pidfd that came by SCM_RIGHTS is the program's, although no wrapper has seen it. Here an instruction opens it, on a
 * number that a birth has just used. The child of daemon() keeps it. */
static void daemon_of_a_threaded_program(void) {
  pthread_t thread;
  int tell[2], flags[2] = {-1, -1};
  MUST(pipe(tell) == 0);
  pid_t pid = fork_ok();
  if (pid == 0) {
    MUST(pthread_create(&thread, NULL, idle, NULL) == 0);
    pid_t child = fork_pausing();
    int fd = (int)raw_call(SYS_pidfd_open, child, 0, 0, 0, 0);
    flags[0] = fcntl(fd, F_GETFD);
    MUST(daemon(1, 1) == 0);
    kill_ok(child, SIGKILL);
    flags[1] = fcntl(fd, F_GETFD);
    MUST(write(tell[1], flags, sizeof flags) == sizeof flags);
    _exit(0);
  }
  MUST(waitpid(pid, NULL, 0) == pid && read(tell[0], flags, sizeof flags) == sizeof flags);
  note("the pidfd before %d, after %d", flags[0], flags[1]);
  MUST(close(tell[0]) == 0 && close(tell[1]) == 0);
}

/* Nothing wakes a thread that waits, as the program ignores SIGCHLD by default. */
static atomic_int interrupted, waits_now;
static void *waits_for_events(void *epoll) {
  struct epoll_event event;
  int r;
  waits_now = 1;
  while ((r = epoll_wait(*(int *)epoll, &event, 1, -1)) != 1)
    interrupted += r < 0 && errno == EINTR;
  return NULL;
}

static void others_undisturbed(void) {
  pthread_t thread;
  int ends[2], epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  MUST(epoll >= 0 && pipe(ends) == 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
  MUST(pthread_create(&thread, NULL, waits_for_events, &epoll) == 0);
  while (!waits_now)
    sched_yield();
  sleep_ms(10);
  for (int i = 0; i < 3000; i++) {
    pid_t pid = vfork();
    if (pid == 0)
      _exit(0);
    MUST(pid > 1 && waitpid(pid, NULL, 0) == pid);
  }
  for (int i = 0; i < 300; i++)
    finish(fork_pausing());
  MUST(write(ends[1], "", 1) == 1 && pthread_join(thread, NULL) == 0);
  note("interrupted: %d", interrupted);
}

const struct test_case cases[] = {
    {"concurrent", concurrent},
    {"one-reaper", one_reaper},
    {"contended", contended},
    {"storms", storms},
    {"fork-of-a-threaded-program", fork_of_a_threaded_program},
    {"maker-gone", maker_gone},
    {"shot-by-clone", shot_by_clone},
    {"shot-by-syscall", shot_by_syscall},
    {"shot-by-syscall3", shot_by_syscall3},
    {"setuid-after-clone", setuid_after_clone},
    {"siblings-of-a-forked-child", siblings_of_a_forked_child},
    {"real-time", real_time},
    {"jumped-out-of-kill", jumped_out_of_kill},
    {"forked-while-many-signalled", forked_while_many_signalled},
    {"forked-while-few-signalled", forked_while_few_signalled},
    {"forked-after-each-call", forked_after_each_call},
    {"daemon-of-a-threaded-program", daemon_of_a_threaded_program},
    {"others-undisturbed", others_undisturbed},
#ifdef SYS_clone3
    {"namesake-of-the-dead", namesake_of_the_dead},
#endif
    {NULL, NULL},
};

/* SPDX-License-Identifier: MIT */
/* vfork() as the manual has it: the child borrows the parent's memory and thread until it execs or exits. */
#define _GNU_SOURCE
#include "cases.h"
#include "free_pid.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static volatile int shared;

static const char *reap(pid_t pid) {
  int status = 0;
  errno = UNTOUCHED;
  pid_t got = waitpid(pid, &status, 0);
  MUST(got == pid);
  return status_text(status);
}

static void shared_memory(void) {
  volatile int local = 1;
  pid_t pid = vfork();
  if (pid == 0) {
    shared = 11;
    local = 22;
    _exit(0);
  }
  note("global %d, local %d, %s", shared, local, reap(pid));
}

/* The parent comes back only when the child has exec'd or ended. */
static void parent_suspended(void) {
  shared = 0;
  pid_t pid = vfork();
  if (pid == 0) {
    sleep_ms(20);
    shared = 1;
    _exit(3);
  }
  note("after exit: %d, %s", shared, reap(pid));
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  pid = vfork();
  if (pid == 0) {
    execlp("sleep", "sleep", "0.3", (char *)NULL);
    _exit(127);
  }
  clock_gettime(CLOCK_MONOTONIC, &after);
  note("after exec: back at once %d", after.tv_sec - before.tv_sec + (after.tv_nsec - before.tv_nsec) / 1e9 < 0.25);
  note("%s", reap(pid));
}

static void ends(void) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  for (volatile int code = 0; code < 260; code += 51) {
    pid_t pid = vfork();
    if (pid == 0)
      _exit(code);
    note("%d: %s", code, reap(pid));
  }
  /* None of these dumps core. Before Linux 5.16 that ends every process that shares the memory. */
  static const int signals[] = {SIGKILL, SIGTERM, SIGALRM, SIGUSR1};
  for (volatile size_t i = 0; i < 4; i++) {
    pid_t pid = vfork();
    if (pid == 0) {
#ifdef __GLIBC__ /* musl signals the cached thread id, which is the parent's */
      raise(signals[i]);
#endif
      kill(getpid(), signals[i]);
      _exit(1);
    }
    note("signal %d: %s", signals[i], reap(pid));
  }
}

static void exec_fails(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    execl("/nonexistent", "x", (char *)NULL);
    shared = errno;
    _exit(127);
  }
  note("%s, the child's errno %s", reap(pid), errno_text(shared));
  pid = vfork();
  if (pid == 0) {
    execlp("sh", "sh", "-c", "exit 5", (char *)NULL);
    _exit(127);
  }
  note("%s", reap(pid));
}

static void nested(void) {
  static volatile pid_t inner_result;
  static volatile int inner_status;
  pid_t pid = vfork();
  if (pid == 0) {
    pid_t inner = vfork();
    if (inner == 0) {
      shared = 5;
      pid_t third = vfork();
      if (third == 0)
        _exit(7);
      int status;
      _exit(waitpid(third, &status, 0) == third && WEXITSTATUS(status) == 7 ? 8 : 9);
    }
    int status = 0;
    inner_result = waitpid(inner, &status, 0) == inner;
    inner_status = status;
    _exit(6);
  }
  note("outer %s, inner %d %s, shared %d", reap(pid), (int)inner_result, status_text(inner_status), shared);
  errno = UNTOUCHED;
  pid_t got = waitpid(-1, NULL, 0);
  note("nobody else: %s", wait_text(got, 0));
  /* What happened in the children did not confuse the shim's books of the parent. */
  pid_t next = fork_exiting(4);
  note("next: %s", reap(next));
}

/* A vfork child may call other things, although it should not. */
static void busy_child(void) {
  static volatile int results[16], errors[16];
  volatile int n = 0;
  int spare = dup(0), other = dup(0);
  pid_t sibling = fork_pausing(), zombie = fork_exiting(1), stranger;
  await_zombie(zombie);
  pid_t self = getpid();
#define RECORD(call)                                                                                                   \
  do {                                                                                                                 \
    errno = UNTOUCHED;                                                                                                 \
    results[n] = (call);                                                                                               \
    errors[n++] = errno;                                                                                               \
  } while (0)
  pid_t pid = vfork();
  if (pid == 0) {
    RECORD(kill(self, 0));
    RECORD(kill(sibling, 0));
    RECORD(kill(sibling, SIGUSR1));
    RECORD(waitpid(zombie, NULL, WNOHANG));
    RECORD(waitpid(sibling, NULL, 0));
    RECORD(wait(NULL));
    RECORD(close(spare));
    RECORD(dup2(0, other) == other);
    RECORD(close(12345));
    RECORD(getppid() == self);
    RECORD(getpid() != self);
    stranger = fork();
    if (stranger == 0)
      _exit(9);
    int status = 0;
    RECORD(waitpid(stranger, &status, 0) == stranger);
    RECORD(WEXITSTATUS(status));
    RECORD(kill(stranger, 0));
    _exit(0);
  }
  for (int i = 0; i < n; i++)
    note("%d: %d %s", i, results[i], errno_text(errors[i]));
  note("%s", reap(pid));
  note("descriptors are the parent's own: %d %d", fcntl(spare, F_GETFD), fcntl(other, F_GETFD));
  close(spare);
  close(other);
  errno = UNTOUCHED;
  int status;
  pid_t got = waitpid(sibling, &status, 0);
  note("sibling: %s %s", wait_text(got, sibling), status_text(status));
  got = waitpid(zombie, &status, 0);
  note("zombie: %d %s", got == zombie, status_text(status));
}

static void many(void) {
  volatile int good = 0, before = count_descriptors();
  for (volatile int i = 0; i < 2000; i++) {
    pid_t pid = vfork();
    if (pid == 0) {
      shared = i;
      _exit(i & 127);
    }
    int status;
    good += shared == i && waitpid(i % 2 ? pid : -1, &status, 0) == pid && WEXITSTATUS(status) == (i & 127);
  }
  note("%d good, descriptors left %d", good, count_descriptors() - before);
}

static volatile int counter, stop;
static void *count_main(void *unused) {
  while (!stop)
    counter++;
  return unused;
}

/* Only the calling thread is suspended. Its child sees the others at work. */
static void *vfork_main(void *argument) {
  pid_t pid = vfork();
  if (pid == 0) {
    int before = counter;
    for (int i = 0; i < 3000 && counter == before; i++)
      sleep_ms(1);
    _exit(counter != before ? 12 : 13);
  }
  int status;
  MUST(waitpid(pid, &status, 0) == pid);
  *(int *)argument = WEXITSTATUS(status);
  return NULL;
}

static void threads(void) {
  pthread_t counting, forking[3];
  int codes[3] = {0};
  MUST(pthread_create(&counting, NULL, count_main, NULL) == 0);
  for (int i = 0; i < 3; i++)
    MUST(pthread_create(&forking[i], NULL, vfork_main, &codes[i]) == 0);
  for (int i = 0; i < 3; i++)
    MUST(pthread_join(forking[i], NULL) == 0);
  stop = 1;
  MUST(pthread_join(counting, NULL) == 0);
  note("%d %d %d", codes[0], codes[1], codes[2]);
}

static void on_signal(int sig) {
  int kept = errno;
  (void)sig;
  pid_t pid = vfork();
  if (pid == 0) {
    shared++;
    _exit(shared & 0x7f);
  }
  int status;
  MUST(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == (shared & 0x7f));
  errno = kept;
}

static void in_a_handler(void) {
  shared = 0;
  signal(SIGUSR1, on_signal);
  for (int i = 0; i < 50; i++)
    raise(SIGUSR1);
  note("%d", shared);
  /* A signal for the suspended parent is delivered when it goes on. The handler runs once, in the parent. */
  pid_t parent = getpid();
  pid_t pid = vfork();
  if (pid == 0) {
    kill(parent, SIGUSR1);
    sleep_ms(2);
    _exit(shared == 50 ? 1 : 2);
  }
  note("in the child %s, later %d", reap(pid), shared);
}

/* The compiler may keep these values in registers that a function must preserve. */
static __attribute__((noinline)) long mix(long a, long b, long c, long d, long e, long f) {
  long g = a * 3 + b, h = c * 5 + d, i = e * 7 + f, j = a ^ b ^ c, k = d + e * f;
  pid_t pid = vfork();
  if (pid == 0)
    _exit((int)((g ^ h ^ i ^ j ^ k ^ a ^ b ^ c ^ d ^ e ^ f) & 0x7f));
  int status;
  MUST(waitpid(pid, &status, 0) == pid);
  long expected = (g ^ h ^ i ^ j ^ k ^ a ^ b ^ c ^ d ^ e ^ f) & 0x7f;
  return WEXITSTATUS(status) == expected;
}

static void registers(void) {
  int good = 0;
  for (long i = 0; i < 100; i++)
    good += (int)mix(i, i * 2, i * 3, i + 4, i - 5, i ^ 6);
  note("%d", good);
}

/* The kernel reaps these children at once. */
static void ignored(void) {
  signal(SIGCHLD, SIG_IGN);
  for (volatile int i = 0; i < 20; i++) {
    pid_t pid = vfork();
    if (pid == 0)
      _exit(i);
    errno = UNTOUCHED;
    pid_t got = waitpid(i % 2 ? -1 : pid, NULL, 0);
    note("%s", wait_text(got, pid));
    int result = kill_until_gone(pid);
    note("%s", call_text(result));
  }
}

/* A vfork child has a child of its own. That one gets the PID of a gone child of the parent. */
static void number_again(bool seen) {
  static volatile int arranged, again, results[12], errors[12], status;
  volatile int n = 0;
  signal(SIGCHLD, seen ? SIG_DFL : SIG_IGN);
  pid_t gone = fork_exiting(0);
  if (seen)
    MUST(waitpid(gone, NULL, 0) == gone);
  else
    await_free(gone);
  signal(SIGCHLD, SIG_DFL);
  pid_t pid = vfork();
  if (pid == 0) {
    if ((arranged = next_pid_is(gone)) <= 0)
      _exit(0);
    pid_t own = fork();
    while (own == 0)
      pause();
    again = own == gone;
    RECORD(kill(own, 0));
    RECORD(setpgid(own, own));
    RECORD(getpgid(own) == own);
    RECORD(kill(-own, 0));
    RECORD(killpg(own, SIGCONT));
    RECORD((int)syscall(SYS_tgkill, own, own, 0));
    RECORD(kill(own, SIGTERM));
    if (own > 1 && results[n - 1] != 0)
      raw_call(SYS_kill, own, SIGKILL, 0, 0, 0);
    RECORD(waitpid(own, (int *)&status, 0) == own);
    RECORD(kill(own, 0));
    RECORD(kill(-own, 0));
    _exit(0);
  }
  const char *end = reap(pid);
  if (!arranged)
    skip("the test cannot choose PIDs here (ns_last_pid)");
  note("arranged %d, again %d, %s", arranged, again, end);
  for (int i = 0; i < n; i++)
    note("%d: %d %s", i, results[i], errno_text(errors[i]));
  note("own: %s", status_text(status));
}
static void own_child_seen(void) { number_again(true); }
static void own_child_silent(void) { number_again(false); }

/* A handler of pthread_atfork() forks before the first fork has returned. Its child gets the PID of a sibling. */
static volatile pid_t copied = -1;
static volatile bool copy_is_wanted;
static void make_copy(void) {
  if (!copy_is_wanted)
    return;
  copy_is_wanted = false;
  copied = fork();
}
static void copy_of_a_birth(void) {
  int status = 0;
  pthread_atfork(NULL, make_copy, NULL);
  copy_is_wanted = true;
  pid_t pid = fork_pausing();
  if (copied == 0)
    _exit(kill_ok(pid, SIGTERM) == 0 ? 3 : errno);
  MUST(copied > 1 && waitpid(copied, &status, 0) == copied);
  note("the copy: %s", status_text(status));
  if (status != 3 << 8)
    kill_ok(pid, SIGKILL);
  note("its sibling: %s", reap(pid));
}

const struct test_case cases[] = {
    {"shared-memory", shared_memory},
    {"parent-suspended", parent_suspended},
    {"ends", ends},
    {"exec-fails", exec_fails},
    {"nested", nested},
    {"busy-child", busy_child},
    {"own-child-seen", own_child_seen},
    {"own-child-silent", own_child_silent},
    {"many", many},
    {"threads", threads},
    {"in-a-handler", in_a_handler},
    {"registers", registers},
    {"ignored", ignored},
    {"copy-of-a-birth", copy_of_a_birth},
    {NULL, NULL},
};

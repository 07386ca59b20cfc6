/* SPDX-License-Identifier: MIT */
/* Signals: plain, with a value, to groups and threads, and the way from SIGTERM to SIGKILL. */
#include "pidfd_support.h"

#include "pidfd/feature.h"
#include "pidfd/signal.h"
#include "refuse.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the lower half of an argument stands in struct seccomp_data. */
#define LOW_WORD (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)

static void plain(void) {
  struct child c = child_paused();
  CHECK_EQ(pidguard_pidfd_send_signal(c.fd, 0, 0), 0);
  CHECK_ERRNO(pidguard_pidfd_send_signal(c.fd, 999, 0), EINVAL);
  CHECK_ERRNO(pidguard_pidfd_send_signal(c.fd, -1, 0), EINVAL);
  CHECK_EQ(pidguard_pidfd_send_signal(c.fd, SIGUSR1, 0), 0);
  child_await_zombie(&c);
  CHECK_EQ(pidguard_pidfd_send_signal(c.fd, SIGKILL, 0), 0); /* a zombie is still there */
  int status = child_reap(&c);
  PG_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1, "status %x", status);
  CHECK_ERRNO(pidguard_pidfd_send_signal(c.fd, 0, 0), ESRCH);
  CHECK_ERRNO(pidguard_pidfd_send_signal(c.fd, SIGKILL, 0), ESRCH);
  CHECK_ERRNO(pidguard_pidfd_send_signal(c.fd, SIGKILL, 0), ESRCH);
  child_done(&c);
}

static void kills(void) {
  struct child c = child_paused();
  CHECK_EQ(pidguard_pidfd_send_signal(c.fd, SIGKILL, 0), 0);
  child_await_zombie(&c);
  int status = child_reap(&c);
  PG_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
  child_done(&c);
}

/* The receiver writes into a pipe what came. */
static int report[2];

static void tell(int sig, siginfo_t *info, void *context) {
  (void)sig;
  (void)context;
  struct {
    siginfo_t info;
    pid_t tid;
  } news = {*info, (pid_t)syscall(SYS_gettid)};
  if (write(report[1], &news, sizeof news) != sizeof news)
    _exit(1);
}

struct news {
  siginfo_t info;
  pid_t tid;
};

static struct news read_news(void) {
  struct news news;
  if (read(report[0], &news, sizeof news) != sizeof news)
    abort();
  return news;
}

static void install(int sig) {
  struct sigaction action = {.sa_sigaction = tell, .sa_flags = SA_SIGINFO};
  sigaction(sig, &action, NULL);
}

static int body_listen(void *ready) {
  char byte = 0;
  install(SIGUSR1);
  install(SIGRTMIN);
  if (write(*(int *)ready, &byte, 1) != 1)
    return 1;
  for (;;)
    pause();
  return 0;
}

static struct child child_listening(void) {
  int ready[2];
  char byte;
  if (pipe2(ready, O_CLOEXEC))
    abort();
  struct child c = child_running(body_listen, &ready[1]);
  if (read(ready[0], &byte, 1) != 1)
    abort();
  close(ready[0]);
  close(ready[1]);
  return c;
}

static void what_arrives(void) {
  if (pipe2(report, O_CLOEXEC))
    abort();
  struct child c = child_listening();
  CHECK_EQ(pidguard_pidfd_send_signal(c.fd, SIGUSR1, 0), 0);
  struct news n = read_news();
  CHECK_EQ(n.info.si_signo, SIGUSR1);
  CHECK_EQ(n.info.si_code, SI_USER);
  CHECK_EQ(n.info.si_pid, getpid());
  CHECK_EQ(n.info.si_uid, getuid());

  union sigval value = {.sival_ptr = (void *)(uintptr_t)0x1234567};
  CHECK_EQ(pidguard_pidfd_sigqueue(c.fd, SIGRTMIN, value), 0);
  n = read_news();
  CHECK_EQ(n.info.si_signo, SIGRTMIN);
  CHECK_EQ(n.info.si_code, SI_QUEUE);
  CHECK_EQ(n.info.si_pid, getpid());
  CHECK_EQ(n.info.si_uid, getuid());
  PG_CHECK(n.info.si_value.sival_ptr == value.sival_ptr, "value %p", n.info.si_value.sival_ptr);
  CHECK_ERRNO(pidguard_pidfd_sigqueue(c.fd, 999, value), EINVAL);
  child_reap(&c);
  CHECK_ERRNO(pidguard_pidfd_sigqueue(c.fd, SIGRTMIN, value), ESRCH);
  child_done(&c);
  close(report[0]);
  close(report[1]);
}

static void *thread_group_signal(void *error) {
  *(int *)error = ERRNO_OF(pidguard_pidfd_send_signal(PIDGUARD_SELF_THREAD, 0, PIDGUARD_SIGNAL_GROUP));
  return NULL;
}

/* The group that this process leads, by the same names. */
static int body_own_group(void *unused) {
  const unsigned ways[] = {0, PG_FEATURE_SELF};
  (void)unused;
  int before = ERRNO_OF(pidguard_pidfd_send_signal(PIDGUARD_SELF_PROCESS, 0, PIDGUARD_SIGNAL_GROUP));
  if (before == EOPNOTSUPP)
    return 77;
  if (before != ESRCH || setpgid(0, 0))
    return 1;
  for (size_t w = 0; w < 2; w++) {
    hide(ways[w]);
    if (pidguard_pidfd_send_signal(PIDGUARD_SELF_PROCESS, 0, PIDGUARD_SIGNAL_GROUP))
      return 2;
    if (ERRNO_OF(pidguard_pidfd_send_signal(PIDGUARD_SELF_PROCESS, 999, PIDGUARD_SIGNAL_GROUP)) != EINVAL)
      return 3;
    /* There is no end that this process could wait for. */
    if (ERRNO_OF(pidguard_pidfd_terminate(PIDGUARD_SELF_PROCESS, 0, 0)) != EBADF)
      return 4;
    /* The main thread has the PID of the leader, and another thread leads no group. */
    pthread_t thread;
    int error = 0;
    thread_group_signal(&error);
    if (error)
      return 5;
    if (pthread_create(&thread, NULL, thread_group_signal, &error) || pthread_join(thread, NULL) || error != ESRCH)
      return 6;
  }
  return 0;
}

static void own_group(void) { check_in_child(body_own_group, NULL, "PIDFD_SIGNAL_PROCESS_GROUP needs Linux 6.9"); }

/* Signals to the process itself, without a descriptor, on this kernel and as on one that does not know how. */
static void oneself(void) {
  const unsigned ways[] = {0, PG_FEATURE_SELF};
  const int names[] = {PIDGUARD_SELF_PROCESS, PIDGUARD_SELF_THREAD};
  if (pipe2(report, O_CLOEXEC))
    abort();
  install(SIGUSR1);
  for (size_t w = 0; w < 2; w++)
    for (size_t i = 0; i < 2; i++) {
      hide(ways[w]);
      CHECK_EQ(pidguard_pidfd_send_signal(names[i], 0, 0), 0);
      CHECK_EQ(pidguard_pidfd_send_signal(names[i], SIGUSR1, 0), 0);
      struct news n = read_news();
      CHECK_EQ(n.info.si_pid, getpid());
      CHECK_EQ(n.info.si_code, i ? SI_TKILL : SI_USER);
      union sigval value = {.sival_int = (int)(100 + i)};
      CHECK_EQ(pidguard_pidfd_sigqueue(names[i], SIGUSR1, value), 0);
      n = read_news();
      CHECK_EQ(n.info.si_code, SI_QUEUE);
      CHECK_EQ(n.info.si_value.sival_int, 100 + (int)i);
      CHECK_ERRNO(pidguard_pidfd_send_signal(names[i], 999, 0), EINVAL);
      if (pidguard_pidfd_send_signal(names[i], SIGUSR1, PIDGUARD_SIGNAL_THREAD) ==
          0) { /* the name is hidden here, not the flag */
        n = read_news();
        CHECK_EQ(n.info.si_code, SI_TKILL);
        CHECK_EQ(n.tid, getpid());
      } else {
        CHECK_EQ(errno, EOPNOTSUPP);
        pg_test_skip("PIDFD_SIGNAL_THREAD needs Linux 6.9");
      }
      hide(0);
    }
  signal(SIGUSR1, SIG_DFL);
  close(report[0]);
  close(report[1]);
}

static int body_group(void *ready) {
  char byte = 0;
  setpgid(0, 0);
  pid_t member = fork();
  if (member < 0)
    return 1;
  if (write(*(int *)ready, &byte, 1) != 1)
    return 1;
  for (;;)
    pause();
  return 0;
}

static void groups(void) {
  int ready[2];
  char bytes[2];
  struct child loner = child_paused(); /* made first, because it must not hold the pipe open */
  if (pipe2(ready, O_CLOEXEC))
    abort();
  struct child leader = child_running(body_group, &ready[1]);
  close(ready[1]);
  if (read(ready[0], bytes, 1) != 1 || read(ready[0], bytes, 1) != 1)
    abort();

  int r = pidguard_pidfd_send_signal(leader.fd, 0, PIDGUARD_SIGNAL_GROUP);
  if (r < 0 && errno == EOPNOTSUPP) {
    pg_test_skip("PIDFD_SIGNAL_PROCESS_GROUP needs Linux 6.9");
    CHECK_EQ(leader.pid > 1 ? kill(-leader.pid, SIGKILL) : -1, 0);
    child_done(&leader);
  } else {
    CHECK_EQ(r, 0);
    CHECK_ERRNO(pidguard_pidfd_send_signal(leader.fd, 999, PIDGUARD_SIGNAL_GROUP), EINVAL);
    CHECK_ERRNO(pidguard_pidfd_send_signal(loner.fd, 0, PIDGUARD_SIGNAL_GROUP), ESRCH); /* it leads no group */
    hide(PG_FEATURE_SIGNAL_FLAGS);
    CHECK_ERRNO(pidguard_pidfd_send_signal(leader.fd, SIGTERM, PIDGUARD_SIGNAL_GROUP), EOPNOTSUPP);
    hide(0);
    /* The leader goes and its member stays, so the group can be reached. The pipe shows when the member is gone. */
    child_reap(&leader);
    CHECK_ERRNO(pidguard_pidfd_send_signal(leader.fd, 0, 0), ESRCH);
    CHECK_EQ(pidguard_pidfd_send_signal(leader.fd, SIGTERM, PIDGUARD_SIGNAL_GROUP), 0);
    int error = 0;
    for (int i = 0; i < 500 && error != ESRCH; i++, sleep_ms(2))
      error = ERRNO_OF(pidguard_pidfd_send_signal(leader.fd, 0, PIDGUARD_SIGNAL_GROUP));
    CHECK_EQ(error, ESRCH);
    child_done(&leader);
  }
  CHECK_EQ(read(ready[0], bytes, 1), 0);
  close(ready[0]);
  CHECK_EQ(pidguard_pidfd_get_state(loner.fd), PIDGUARD_STATE_ALIVE);
  child_done(&loner);
}

static void *thread_pauses(void *unused) {
  char byte = 0;
  pid_t tid = (pid_t)syscall(SYS_gettid);
  (void)unused;
  (void)byte;
  if (write(report[1], &tid, sizeof tid) != sizeof tid)
    abort();
  for (;;)
    pause();
  return NULL;
}

static int body_threads(void *unused) {
  pthread_t thread;
  (void)unused;
  install(SIGUSR1);
  if (pthread_create(&thread, NULL, thread_pauses, NULL))
    return 1;
  for (;;)
    pause();
  return 0;
}

static void one_thread(void) {
  pid_t tid = 0;
  if (pipe2(report, O_CLOEXEC))
    abort();
  struct child c = child_running(body_threads, NULL);
  if (read(report[0], &tid, sizeof tid) != sizeof tid)
    abort();
  int thread = pidguard_pidfd_open(tid, PIDGUARD_OPEN_THREAD);
  if (thread < 0 && errno == EOPNOTSUPP) {
    pg_test_skip("PIDFD_THREAD needs Linux 6.9");
  } else {
    const int fds[] = {thread, thread, c.fd};
    for (int i = 0; i < 3; i++) {
      CHECK_EQ(i == 1 ? pidguard_pidfd_send_signal(fds[i], SIGUSR1, 0)
                      : pidguard_pidfd_send_signal(fds[i], SIGUSR1, PIDGUARD_SIGNAL_THREAD),
               0);
      struct news n = read_news();
      CHECK_EQ(n.tid, i < 2 ? tid : c.pid);
      CHECK_EQ(n.info.si_code, SI_TKILL);
    }
    hide(PG_FEATURE_SIGNAL_FLAGS);
    CHECK_ERRNO(pidguard_pidfd_send_signal(thread, SIGUSR1, PIDGUARD_SIGNAL_THREAD), EOPNOTSUPP);
    hide(0);
    close(thread);
  }
  child_done(&c);
  close(report[0]);
  close(report[1]);
}

static int body_stubborn(void *ready) {
  char byte = 0;
  signal(SIGTERM, SIG_IGN);
  if (write(*(int *)ready, &byte, 1) != 1)
    return 1;
  for (;;)
    pause();
  return 0;
}

static struct child child_stubborn(void) {
  int ready[2];
  char byte;
  if (pipe2(ready, O_CLOEXEC))
    abort();
  struct child c = child_running(body_stubborn, &ready[1]);
  if (read(ready[0], &byte, 1) != 1)
    abort();
  close(ready[0]);
  close(ready[1]);
  return c;
}

static void interrupt(int sig) { (void)sig; }

static void terminate(void) {
  int status = 0;
  struct child willing = child_paused(), stubborn = child_stubborn(), zombie = child_exited(3);
  int64_t start = now_ms();
  CHECK_EQ(pidguard_pidfd_terminate(willing.fd, 10000, 0), 0);
  PG_CHECK(now_ms() - start < 5000, "it took %lld ms", (long long)(now_ms() - start));
  CHECK_EQ(pidguard_pidfd_wait(willing.fd, &status, 0), 0);
  PG_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "status %x", status);
  CHECK_ERRNO(pidguard_pidfd_terminate(willing.fd, 0, 0), ESRCH);
  CHECK_EQ(pidguard_pidfd_terminate(zombie.fd, 1000, 0), 0);

  /* A handler that runs in between must not shorten the wait, and nothing may spin meanwhile. */
  struct sigaction action = {.sa_handler = interrupt};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval soon = {.it_value = {.tv_usec = 20000}};
  int64_t cpu = cpu_ms();
  start = now_ms();
  setitimer(ITIMER_REAL, &soon, NULL);
  CHECK_EQ(pidguard_pidfd_terminate(stubborn.fd, 150 * slowness(), 0), 1);
  int64_t took = now_ms() - start;
  PG_CHECK(took >= 149 * slowness() && took < 3000 * slowness(), "it took %lld ms", (long long)took);
  PG_CHECK(cpu_ms() - cpu < 50 * slowness(), "it used %lld ms of CPU", (long long)(cpu_ms() - cpu));
  CHECK_EQ(pidguard_pidfd_wait(stubborn.fd, &status, 5000), 0);
  PG_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
  signal(SIGALRM, SIG_DFL);
  child_done(&willing);
  child_done(&stubborn);
  child_done(&zombie);
}

static int body_drop(void *ready) {
  char byte = 0;
  struct child c = *(struct child *)ready;
  if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
    return 77;
  (void)byte;
  if (pidguard_pidfd_send_signal(c.fd, 0, 0) != -1 || errno != EPERM)
    return 1;
  if (pidguard_pidfd_send_signal(c.fd, SIGKILL, 0) != -1 || errno != EPERM)
    return 2;
  return pidguard_pidfd_terminate(c.fd, 0, 0) != -1 || errno != EPERM ? 3 : 0;
}

static void permission(void) {
  struct child target = child_paused();
  check_in_child(body_drop, &target, "this user cannot become another user");
  CHECK_EQ(pidguard_pidfd_get_state(target.fd), PIDGUARD_STATE_ALIVE);
  child_done(&target);
}

/* No function may reach a stranger that has taken the PID. */
static void no_stranger(void) {
  struct child c = child_paused();
  struct pg_test_stranger s;
  pid_t pid = c.pid;
  child_reap(&c);
  int r = pg_test_take_pid(pid, PG_TEST_GROUP, &s);
  if (r) {
    pg_test_skip("the test cannot choose a PID here: %s", strerror(-r));
    child_done(&c);
    return;
  }
  union sigval value = {.sival_int = 1};
  CHECK_ERRNO(pidguard_pidfd_send_signal(c.fd, SIGKILL, 0), ESRCH);
  CHECK_ERRNO(pidguard_pidfd_send_signal(c.fd, SIGKILL, 0), ESRCH);
  CHECK_ERRNO(pidguard_pidfd_sigqueue(c.fd, SIGUSR1, value), ESRCH);
  CHECK_ERRNO(pidguard_pidfd_terminate(c.fd, 0, 0), ESRCH);
  int error = ERRNO_OF(pidguard_pidfd_send_signal(c.fd, SIGKILL, PIDGUARD_SIGNAL_GROUP));
  PG_CHECK(error == ESRCH || error == EOPNOTSUPP, "%s", strerror(error));
  error = ERRNO_OF(pidguard_pidfd_send_signal(c.fd, SIGKILL, PIDGUARD_SIGNAL_THREAD));
  PG_CHECK(error == ESRCH || error == EOPNOTSUPP, "%s", strerror(error));
  PG_CHECK(pg_test_stranger_untouched(&s), "the stranger was hit");
  pg_test_stranger_release(&s);
  child_done(&c);
}

/* An event loop ends a process. Nothing blocks, and the timer shows when it is time for SIGKILL. */
static void terminate_start(void) {
  int ready[2], status, set = pidguard_set_create();
  struct child willing = child_paused(), stubborn = child_stubborn();
  int long_timer = pidguard_pidfd_terminate_start(willing.fd, 60000, 0);
  CHECK_EQ(fcntl(long_timer, F_GETFD), FD_CLOEXEC);
  int64_t start = now_ms();
  int timer = pidguard_pidfd_terminate_start(stubborn.fd, 50, 0);
  PG_CHECK(now_ms() - start < 10000 * slowness() && long_timer >= 0 && timer >= 0, "%d, %d", long_timer, timer);
  CHECK_EQ(pidguard_set_add(set, willing.fd), 0);
  CHECK_EQ(pidguard_set_add(set, long_timer), 0);
  CHECK_EQ(pidguard_set_wait(set, ready, 2, pidguard_deadline(10000)), 1);
  CHECK_EQ(ready[0], willing.fd);
  CHECK_EQ(pidguard_pidfd_wait(willing.fd, &status, 0), 0);
  CHECK_EQ(status, SIGTERM);
  CHECK_EQ(pidguard_set_add(set, stubborn.fd), 0);
  CHECK_EQ(pidguard_set_add(set, timer), 0);
  CHECK_EQ(pidguard_set_wait(set, ready, 2, pidguard_deadline(10000)), 1);
  CHECK_EQ(ready[0], timer);
  PG_CHECK(now_ms() - start >= 49, "after %lld ms", (long long)(now_ms() - start));
  CHECK_EQ(pidguard_pidfd_send_signal(stubborn.fd, SIGKILL, 0), 0);
  CHECK_EQ(pidguard_pidfd_wait(stubborn.fd, &status, 10000), 0);
  CHECK_EQ(status, SIGKILL);
  close(timer), close(long_timer), close(set);
  CHECK_ERRNO(pidguard_pidfd_terminate_start(willing.fd, 50, 0), ESRCH);
  CHECK_ERRNO(pidguard_pidfd_terminate_start(willing.fd, 50, 2), EINVAL);
  int never = pidguard_pidfd_terminate_start(stubborn.fd, -1, 0);
  CHECK_EQ(never, -1);
  child_done(&willing);
  child_done(&stubborn);
}

/* A stopped process does not see SIGTERM unless it is continued. */
static void terminate_stopped(void) {
  for (unsigned go_on = 0; go_on < 2; go_on++) {
    struct child c = child_paused();
    siginfo_t si;
    int status;
    pidguard_pidfd_send_signal(c.fd, SIGSTOP, 0);
    CHECK_EQ(pidguard_pidfd_waitid(c.fd, &si, WSTOPPED, NULL, -1), 0);
    CHECK_EQ(pidguard_pidfd_terminate(c.fd, go_on ? 60000 : 30, go_on ? PIDGUARD_TERMINATE_CONTINUE : 0),
             go_on ? 0 : 1);
    CHECK_EQ(pidguard_pidfd_wait(c.fd, &status, 10000), 0);
    CHECK_EQ(status, go_on ? SIGTERM : SIGKILL);
    child_done(&c);
  }
}

/* The process ends and is reaped between SIGTERM and SIGCONT. A filter stands in for that moment. */
static int body_ends_between(void *unused) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 424 /* pidfd_send_signal */, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + LOW_WORD),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SIGCONT, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ESRCH),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  struct child first = child_paused(), second = child_paused();
  (void)unused;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
    return 77;
  if (pidguard_pidfd_terminate(first.fd, 60000, PIDGUARD_TERMINATE_CONTINUE))
    return 1;
  if (pidguard_pidfd_terminate_start(second.fd, 60000, PIDGUARD_TERMINATE_CONTINUE) < 0)
    return 2;
  return pidguard_pidfd_wait_end(second.fd, 60000) ? 3 : 0;
}

static void terminate_between(void) { check_in_child(body_ends_between, NULL, "no filter can be installed here"); }

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("plain", plain);
  add("kills", kills);
  add("what_arrives", what_arrives);
  add("oneself", oneself);
  add("own_group", own_group);
  add("groups", groups);
  add("one_thread", one_thread);
  add("terminate", terminate);
  add("terminate_start", terminate_start);
  add("terminate_stopped", terminate_stopped);
  add("terminate_between", terminate_between);
  add("permission", permission);
  add("no_stranger", no_stranger);
}

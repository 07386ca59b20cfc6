/* SPDX-License-Identifier: MIT */
/* Waits for children and strangers, with and without a time limit, and what the kernel keeps afterwards. */
#include "pidfd_support.h"

#include "pidfd/feature.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Does the kernel keep the status of a reaped process? */
static bool keeps_status(void) {
  struct child c = child_exited(0);
  int status;
  child_reap(&c);
  bool keeps = pidguard_pidfd_get_wait_status(c.fd, &status) == 0;
  child_done(&c);
  if (!keeps)
    pg_test_skip("the kernel keeps a wait status since Linux 6.15");
  return keeps;
}

static void children(void) {
  int status = -1;
  struct child c = child_paused();
  CHECK_ERRNO(pidguard_pidfd_wait(c.fd, &status, 0), ETIMEDOUT);
  CHECK_EQ(status, -1);
  int64_t start = now_ms(), cpu = cpu_ms();
  CHECK_ERRNO(pidguard_pidfd_wait(c.fd, &status, 60 * slowness()), ETIMEDOUT);
  PG_CHECK(now_ms() - start >= 59 * slowness() && now_ms() - start < 3000 * slowness(), "it took %lld ms",
           (long long)(now_ms() - start));
  PG_CHECK(cpu_ms() - cpu < 30 * slowness(), "it used %lld ms of CPU", (long long)(cpu_ms() - cpu));
  pidguard_pidfd_send_signal(c.fd, SIGKILL, 0);
  CHECK_EQ(pidguard_pidfd_wait(c.fd, &status, -1), 0);
  PG_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
  CHECK_EQ(pidguard_pidfd_is_child(c.fd), 0);
  child_done(&c);

  /* Any exit code, in a blocking wait, with a limit, and without a status. */
  const int limits[] = {-1, 5000, 0};
  for (size_t i = 0; i < 3; i++) {
    c = child_exited(40 + (int)i);
    CHECK_EQ(pidguard_pidfd_wait(c.fd, &status, limits[i]), 0);
    PG_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 40 + (int)i, "status %x", status);
    child_done(&c);
  }
  c = child_exited(0);
  CHECK_EQ(pidguard_pidfd_wait(c.fd, NULL, 5000), 0);
  CHECK_EQ(pidguard_pidfd_is_child(c.fd), 0);
  child_done(&c);
}

/* A child that sends no SIGCHLD. A plain wait does not see it. */
static void silent_child(void) {
  pid_t pid = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
  if (pid == 0)
    _exit(12);
  int status = -1, fd = pidguard_pidfd_open(pid, 0);
  CHECK_EQ(pidguard_pidfd_is_child(fd), 1);
  CHECK_EQ(pidguard_pidfd_wait_end(fd, 5000), 0);
  CHECK_EQ(pidguard_pidfd_get_wait_status(fd, &status), 0);
  CHECK_EQ(status, 12 << 8);
  status = -1;
  CHECK_EQ(pidguard_pidfd_wait(fd, &status, 5000), 0);
  CHECK_EQ(status, 12 << 8);
  CHECK_EQ(pidguard_pidfd_is_child(fd), 0);
  close(fd);
}

static void *late_killer(void *fd) {
  sleep_ms(50);
  pidguard_pidfd_send_signal(*(int *)fd, SIGKILL, 0);
  return NULL;
}

static void wakes_up(void) {
  for (int blocking = 0; blocking < 2; blocking++) {
    struct child c = child_paused();
    pthread_t thread;
    int status = 0;
    int64_t start = now_ms();
    pthread_create(&thread, NULL, late_killer, &c.fd);
    CHECK_EQ(pidguard_pidfd_wait(c.fd, &status, blocking ? -1 : 20000), 0);
    int64_t took = now_ms() - start;
    PG_CHECK(took >= 40 && took < 5000, "it took %lld ms", (long long)took);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    pthread_join(thread, NULL);
    child_done(&c);
  }
}

static void nonblocking_pidfd(void) {
  struct child c = child_paused();
  int status, fd = pidguard_pidfd_open(c.pid, PIDGUARD_OPEN_NONBLOCK);
  siginfo_t si;
  if (fd < 0) {
    pg_test_skip("PIDFD_NONBLOCK needs Linux 5.10");
  } else {
    CHECK_ERRNO(pidguard_pidfd_waitid(fd, &si, WEXITED, NULL, -1), EAGAIN);
    CHECK_ERRNO(pidguard_pidfd_wait(fd, &status, 20), ETIMEDOUT);
    CHECK_ERRNO(pidguard_pidfd_wait_end(fd, 20), ETIMEDOUT);
    pidguard_pidfd_send_signal(fd, SIGKILL, 0);
    CHECK_EQ(pidguard_pidfd_wait(fd, &status, 5000), 0);
    close(fd);
  }
  child_done(&c);
}

/* O_NONBLOCK belongs to the open file, so another holder of a copy can set it. An event loop does that. No limit must
 * still be no limit, for children and for others. The alarm ends a wait that blocks too long. */
static void nonblocking_by_others(void) {
  struct grandchild g = grandchild_paused();
  for (int stranger = 0; stranger < 2; stranger++) {
    struct child c = child_paused();
    pthread_t thread;
    int fd = stranger ? g.fd : c.fd, copy = fcntl(fd, F_DUPFD_CLOEXEC, 0), status = -1;
    CHECK_EQ(fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK), 0);
    pthread_create(&thread, NULL, late_killer, &fd);
    CHECK_EQ(pidguard_pidfd_wait(fd, stranger ? NULL : &status, -1), 0);
    if (!stranger)
      CHECK_EQ(status, SIGKILL);
    pthread_join(thread, NULL);
    close(copy);
    child_done(&c);
  }
  grandchild_done(&g);
}

static void full_form(void) {
  siginfo_t si;
  struct rusage ru;
  memset(&si, 7, sizeof si);
  struct child c = child_paused();
  siginfo_t untouched = si;
  CHECK_ERRNO(pidguard_pidfd_waitid(c.fd, &si, WEXITED, NULL, 0), ETIMEDOUT);
  CHECK_ERRNO(pidguard_pidfd_waitid(c.fd, &si, WEXITED | WNOHANG, NULL, -1), EAGAIN);
  CHECK_ERRNO(pidguard_pidfd_waitid(c.fd, &si, WEXITED, NULL, 30), ETIMEDOUT);
  PG_CHECK(!memcmp(&si, &untouched, sizeof si), "siginfo was touched");
  CHECK_ERRNO(pidguard_pidfd_waitid(c.fd, &si, 0, NULL, 0), EINVAL);
  CHECK_ERRNO(pidguard_pidfd_waitid(c.fd, &si, WEXITED | 0x100, NULL, 0), EINVAL);
  CHECK_ERRNO(pidguard_pidfd_waitid(c.fd, &si, WEXITED | WSTOPPED, NULL, 20), EINVAL);

  /* The child stops, continues and ends. Each time the test first looks without taking. */
  static const struct {
    int sig, option, code, status;
  } steps[] = {
      {SIGSTOP, WSTOPPED, CLD_STOPPED, SIGSTOP},
      {SIGCONT, WCONTINUED, CLD_CONTINUED, SIGCONT},
      {SIGTERM, WEXITED, CLD_KILLED, SIGTERM},
  };
  for (size_t i = 0; i < 3; i++) {
    pidguard_pidfd_send_signal(c.fd, steps[i].sig, 0);
    CHECK_EQ(pidguard_pidfd_waitid(c.fd, &si, steps[i].option | WNOWAIT, NULL, -1), 0);
    CHECK_EQ(si.si_code, steps[i].code);
    if (steps[i].option != WEXITED) /* refused, whether there is news or not */
      CHECK_ERRNO(pidguard_pidfd_waitid(c.fd, &si, steps[i].option, NULL, 1000), EINVAL);
    memset(&si, 0, sizeof si);
    CHECK_EQ(pidguard_pidfd_waitid(c.fd, &si, steps[i].option, &ru, 0), 0);
    CHECK_EQ(si.si_code, steps[i].code);
    CHECK_EQ(si.si_status, steps[i].status);
    CHECK_EQ(si.si_pid, c.pid);
    CHECK_EQ(si.si_signo, SIGCHLD);
  }
  CHECK_ERRNO(pidguard_pidfd_waitid(c.fd, &si, WEXITED, NULL, 0), ECHILD);
  CHECK_ERRNO(pidguard_pidfd_waitid(c.fd, &si, WEXITED, NULL, -1), ECHILD);
  child_done(&c);
}

static int body_burn(void *unused) {
  struct rusage ru;
  (void)unused;
  do {
    for (volatile int i = 0; i < 1000000; i++)
      ;
    getrusage(RUSAGE_SELF, &ru);
  } while (ru.ru_utime.tv_sec == 0 && ru.ru_utime.tv_usec < 30000);
  return 0;
}

static void usage(void) {
  struct rusage ru;
  siginfo_t si;
  memset(&ru, 0, sizeof ru);
  struct child c = child_running(body_burn, NULL);
  CHECK_EQ(pidguard_pidfd_waitid(c.fd, &si, WEXITED, &ru, 20000), 0);
  PG_CHECK(ru.ru_utime.tv_sec > 0 || ru.ru_utime.tv_usec >= 20000, "user time %ld us", (long)ru.ru_utime.tv_usec);
  PG_CHECK(ru.ru_maxrss > 0, "maxrss %ld", ru.ru_maxrss);
  child_done(&c);
}

static void status_conversion(void) {
  static const int codes[] = {0, 1, 127, 255};
  for (size_t i = 0; i < 4; i++) {
    struct child c = child_exited(codes[i]);
    siginfo_t si;
    CHECK_EQ(pidguard_pidfd_waitid(c.fd, &si, WEXITED | WNOWAIT, NULL, 5000), 0);
    CHECK_EQ(pidguard_siginfo_to_wait_status(&si), codes[i] << 8);
    CHECK_EQ(child_reap(&c), codes[i] << 8);
    child_done(&c);
  }
  struct child c = child_paused();
  siginfo_t si;
  int status;
  pidguard_pidfd_send_signal(c.fd, SIGSTOP, 0);
  CHECK_EQ(pidguard_pidfd_waitid(c.fd, &si, WSTOPPED | WNOWAIT, NULL, -1), 0);
  CHECK_EQ(waitpid(c.pid, &status, WUNTRACED), c.pid);
  CHECK_EQ(pidguard_siginfo_to_wait_status(&si), status);
  pidguard_pidfd_send_signal(c.fd, SIGCONT, 0);
  CHECK_EQ(pidguard_pidfd_waitid(c.fd, &si, WCONTINUED | WNOWAIT, NULL, -1), 0);
  CHECK_EQ(waitpid(c.pid, &status, WCONTINUED), c.pid);
  CHECK_EQ(pidguard_siginfo_to_wait_status(&si), status);
  child_done(&c);
}

static void strangers(void) {
  struct grandchild g = grandchild_paused();
  int status = -1;
  siginfo_t si;
  CHECK_ERRNO(pidguard_pidfd_waitid(g.fd, &si, WEXITED, NULL, 0), ECHILD);
  CHECK_ERRNO(pidguard_pidfd_wait(g.fd, &status, 0), ETIMEDOUT);
  CHECK_ERRNO(pidguard_pidfd_wait(g.fd, &status, 30), ETIMEDOUT);
  CHECK_ERRNO(pidguard_pidfd_wait_end(g.fd, 0), ETIMEDOUT);
  CHECK_ERRNO(pidguard_pidfd_get_wait_status(g.fd, &status), EAGAIN);
  grandchild_tell(&g, 'k');
  CHECK_EQ(pidguard_pidfd_wait_end(g.fd, 5000), 0);
  CHECK_EQ(pidguard_pidfd_wait(g.fd, NULL, 5000), 0);
  CHECK_ERRNO(pidguard_pidfd_get_wait_status(g.fd, &status), EAGAIN); /* it is a zombie of its parent */
  if (keeps_status()) {
    /* It has ended but was not reaped, so its status is not known yet. */
    CHECK_ERRNO(pidguard_pidfd_wait(g.fd, &status, 30), ETIMEDOUT);
    grandchild_tell(&g, 'r');
    CHECK_EQ(pidguard_pidfd_wait(g.fd, &status, 5000), 0);
    PG_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
    CHECK_EQ(pidguard_pidfd_wait(g.fd, &status, 0), 0);
    CHECK_EQ(pidguard_pidfd_get_wait_status(g.fd, &status), 0);
  }
  CHECK_EQ(status == -1 ? -1 : WTERMSIG(status), status == -1 ? -1 : SIGKILL);
  grandchild_done(&g);
}

/* The same on kernels that keep no status, cannot tell anything, and do not hang up. */
static void strangers_on_old_kernels(void) {
  const unsigned ways[] = {PG_FEATURE_INFO_EXIT, PG_FEATURE_INFO, PG_FEATURE_INFO | PG_FEATURE_HANGUP};
  for (size_t i = 0; i < 3; i++) {
    struct grandchild g = grandchild_paused();
    int status = -1;
    hide(ways[i]);
    CHECK_ERRNO(pidguard_pidfd_wait(g.fd, &status, 0), ETIMEDOUT);
    CHECK_ERRNO(pidguard_pidfd_wait_end(g.fd, 20), ETIMEDOUT);
    CHECK_ERRNO(pidguard_pidfd_get_wait_status(g.fd, &status), EAGAIN);
    grandchild_tell(&g, 'k');
    CHECK_EQ(pidguard_pidfd_wait_end(g.fd, 5000), 0);
    CHECK_EQ(pidguard_pidfd_wait(g.fd, NULL, 5000), 0);
    CHECK_ERRNO(pidguard_pidfd_get_wait_status(g.fd, &status), EAGAIN);
    grandchild_tell(&g, 'r');
    CHECK_ERRNO(pidguard_pidfd_wait(g.fd, &status, 5000), EOPNOTSUPP);
    CHECK_ERRNO(pidguard_pidfd_get_wait_status(g.fd, &status), EOPNOTSUPP);
    CHECK_EQ(status, -1);
    CHECK_EQ(pidguard_pidfd_wait_end(g.fd, 0), 0);
    hide(0);
    grandchild_done(&g);
  }
}

static void wait_status(void) {
  int status = -1;
  struct child e = child_exited(9), k = child_killed(SIGABRT), alive = child_paused();
  CHECK_EQ(pidguard_pidfd_get_wait_status(e.fd, &status), 0);
  CHECK_EQ(status, 9 << 8);
  CHECK_EQ(pidguard_pidfd_get_wait_status(e.fd, &status), 0); /* nothing was reaped */
  CHECK_EQ(pidguard_pidfd_get_wait_status(k.fd, &status), 0);
  CHECK_EQ(WTERMSIG(status), SIGABRT);
  status = -1;
  CHECK_ERRNO(pidguard_pidfd_get_wait_status(alive.fd, &status), EAGAIN);
  child_reap(&e);
  child_reap(&k);
  if (keeps_status()) {
    CHECK_EQ(pidguard_pidfd_get_wait_status(e.fd, &status), 0);
    CHECK_EQ(status, 9 << 8);
    CHECK_EQ(pidguard_pidfd_get_wait_status(k.fd, &status), 0);
    CHECK_EQ(WTERMSIG(status), SIGABRT);
    CHECK_EQ(pidguard_pidfd_wait(k.fd, &status, -1), 0); /* it was reaped elsewhere, and that is no loss */
    CHECK_EQ(WTERMSIG(status), SIGABRT);
  }
  hide(PG_FEATURE_INFO_EXIT);
  CHECK_ERRNO(pidguard_pidfd_get_wait_status(e.fd, &status), EOPNOTSUPP);
  hide(0);
  child_done(&e);
  child_done(&k);
  child_done(&alive);
}

static void on_alarm(int sig) { (void)sig; }

static void interrupted(void) {
  struct child c = child_paused();
  struct grandchild g = grandchild_paused();
  int status, restart;
  for (restart = 0; restart < 2; restart++) {
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = restart ? SA_RESTART : 0};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {.it_value = {.tv_usec = 20000}, .it_interval = {.tv_usec = 20000}}, never = {0};
    setitimer(ITIMER_REAL, &often, NULL);
    CHECK_ERRNO(pidguard_pidfd_wait(c.fd, &status, 5000), EINTR);
    CHECK_ERRNO(pidguard_pidfd_wait_end(c.fd, -1), EINTR);
    CHECK_ERRNO(pidguard_pidfd_wait(g.fd, &status, -1), EINTR);
    if (!restart)
      CHECK_ERRNO(pidguard_pidfd_wait(c.fd, &status, -1), EINTR);
    setitimer(ITIMER_REAL, &never, NULL);
  }
  signal(SIGALRM, SIG_DFL);
  child_done(&c);
  grandchild_done(&g);
}

/* A child that another process traces ends for the tracer first. A time limit must be kept, and nothing may spin. */
static int body_trace(void *arg) {
  struct {
    pid_t pid;
    int ready, go;
  } *a = arg;
  char byte = 0;
  if (ptrace(PTRACE_SEIZE, a->pid, NULL, NULL))
    return 77;
  if (write(a->ready, &byte, 1) != 1 || read(a->go, &byte, 1) < 0)
    return 1;
  return 0;
}

struct traced {
  struct child child, tracer;
  int go[2];
};

/* Makes an ended child that its tracer holds. Returns false, with a skip, if no process can be traced here. */
static bool hold(struct traced *t) {
  int ready[2];
  char byte;
  t->child = child_paused();
  if (pipe2(ready, O_CLOEXEC) || pipe2(t->go, O_CLOEXEC))
    abort();
  struct {
    pid_t pid;
    int ready, go;
  } arg = {t->child.pid, ready[1], t->go[0]};
  t->tracer = child_running(body_trace, &arg);
  close(ready[1]);
  bool held = read(ready[0], &byte, 1) == 1;
  close(ready[0]);
  if (!held)
    pg_test_skip("this user cannot trace a process");
  pidguard_pidfd_send_signal(t->child.fd, SIGKILL, 0);
  CHECK_EQ(pidguard_pidfd_wait_end(t->child.fd, 5000), 0);
  return held;
}

static void let_go(struct traced *t) {
  char byte = 0;
  if (t->go[1] >= 0 && write(t->go[1], &byte, 1) != 1)
    PG_CHECK(false, "write: %d", errno);
}

static void hold_done(struct traced *t) {
  let_go(t);
  child_await_zombie(&t->tracer);
  child_done(&t->tracer);
  close(t->go[0]);
  close(t->go[1]);
  child_done(&t->child);
}

static void *late_release(void *t) {
  sleep_ms(300);
  let_go(t);
  return NULL;
}

static void traced(void) {
  struct traced t;
  int status = -1;
  if (hold(&t)) {
    int64_t start = now_ms(), cpu = cpu_ms();
    CHECK_ERRNO(pidguard_pidfd_wait(t.child.fd, &status, 80 * slowness()), ETIMEDOUT);
    PG_CHECK(now_ms() - start >= 79, "it took %lld ms", (long long)(now_ms() - start));
    PG_CHECK(cpu_ms() - cpu < 30 * slowness(), "it used %lld ms of CPU", (long long)(cpu_ms() - cpu));
    /* The tracer lets go, and the wait ends soon, long before its limit. */
    pthread_t thread;
    pthread_create(&thread, NULL, late_release, &t);
    start = now_ms();
    CHECK_EQ(pidguard_pidfd_wait(t.child.fd, &status, 60000), 0);
    PG_CHECK(now_ms() - start < 10000, "it took %lld ms", (long long)(now_ms() - start));
    CHECK_EQ(status, SIGKILL);
    pthread_join(thread, NULL);
  }
  hold_done(&t);
}

static int body_stop(void *unused) {
  (void)unused;
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
    return 77;
  raise(SIGSTOP);
  return 0;
}

/* The kernel shows a tracer the stops of its tracee, whatever it waits for. A stop is no end, and stays the tracer's.
 */
static void traced_by_caller(void) {
  struct child c = child_running(body_stop, NULL);
  struct pidguard_info info = {.mask = PIDGUARD_INFO_WAIT_STATUS | PIDGUARD_INFO_STATE};
  siginfo_t si;
  int status = -1;
  if (waitid(P_PID, (id_t)c.pid, &si, WSTOPPED | WEXITED | WNOWAIT) || si.si_code == CLD_EXITED) {
    pg_test_skip("this user cannot trace a process");
    child_done(&c);
    return;
  }
  CHECK_ERRNO(pidguard_pidfd_get_wait_status(c.fd, &status), EAGAIN);
  CHECK_EQ(pidguard_pidfd_get_info(c.fd, &info, sizeof info), 0);
  CHECK_EQ(info.mask, PIDGUARD_INFO_STATE);
  CHECK_EQ(info.state, PIDGUARD_STATE_ALIVE);
  int64_t cpu = cpu_ms();
  CHECK_ERRNO(pidguard_pidfd_wait(c.fd, &status, 0), ETIMEDOUT);
  CHECK_ERRNO(pidguard_pidfd_wait(c.fd, &status, 80 * slowness()), ETIMEDOUT);
  PG_CHECK(cpu_ms() - cpu < 30 * slowness(), "it used %lld ms of CPU", (long long)(cpu_ms() - cpu));
  CHECK_EQ(status, -1);
  CHECK_EQ(waitid(P_PID, (id_t)c.pid, &si, WSTOPPED | WNOHANG | WNOWAIT), 0);
  CHECK_EQ(si.si_pid, c.pid);
  pthread_t thread;
  pthread_create(&thread, NULL, late_killer, &c.fd);
  cpu = cpu_ms();
  CHECK_EQ(pidguard_pidfd_wait(c.fd, &status, -1), 0);
  PG_CHECK(cpu_ms() - cpu < 30 * slowness(), "it used %lld ms of CPU", (long long)(cpu_ms() - cpu));
  CHECK_EQ(status, SIGKILL);
  pthread_join(thread, NULL);
  child_done(&c);
}

/* A handler that reaps all children comes when the wait has reaped its own. */
static volatile int by_handler;
static void reap_all(int sig) {
  int saved = errno;
  (void)sig;
  while (waitpid(-1, NULL, WNOHANG) > 0)
    by_handler = by_handler + 1;
  errno = saved;
}

/* The child ends when its parent sleeps in the wait. */
static void end_when_parent_sleeps(void) {
  char path[32], text[256] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", (int)getppid());
  for (int i = 0; i < 5000; i++) {
    FILE *file = fopen(path, "re");
    bool read = file && fgets(text, sizeof text, file);
    if (file)
      fclose(file);
    const char *name_end = read ? strrchr(text, ')') : NULL;
    if (!name_end || name_end[2] == 'S')
      break;
    sleep_ms(1);
  }
  sleep_ms(5);
  _exit(5);
}

static void with_a_reaping_handler(void) {
  enum { ROUNDS = 20 };
  struct sigaction action = {.sa_handler = reap_all, .sa_flags = SA_RESTART}, before;
  by_handler = 0;
  for (int i = 0; i < ROUNDS; i++) {
    int status = -1, earlier = by_handler;
    sigaction(SIGCHLD, &action, &before);
    pid_t pid = fork();
    if (pid == 0)
      end_when_parent_sleeps();
    int fd = pidguard_pidfd_open(pid, 0);
    int r = pidguard_pidfd_wait(fd, &status, -1);
    PG_CHECK((r == 0 && status == 5 << 8) || by_handler > earlier, "round %d: %d, errno %d, status %x", i, r, errno,
             status);
    sigaction(SIGCHLD, &before, NULL);
    close(fd);
  }
  PG_CHECK(by_handler <= ROUNDS / 2, "the handler came first %d times of %d", by_handler, ROUNDS);
}

/* The loop of every program with a set. An end that cannot be collected at once is reported again. */
static void traced_in_a_set(void) {
  struct traced t;
  int ready = -1, status = -1, set = pidguard_set_create(), told = 0, collected = -1;
  if (hold(&t)) {
    pthread_t thread;
    CHECK_EQ(pidguard_set_add(set, t.child.fd), 0);
    pthread_create(&thread, NULL, late_release, &t);
    while (collected && pidguard_set_wait(set, &ready, 1, pidguard_deadline(20000)) == 1) {
      CHECK_EQ(ready, t.child.fd);
      told++;
      collected = pidguard_pidfd_wait(ready, &status, told == 1 ? 0 : 50);
    }
    PG_CHECK(told > 1, "told %d times", told);
    CHECK_EQ(collected, 0);
    CHECK_EQ(status, SIGKILL);
    CHECK_ERRNO(pidguard_set_wait(set, &ready, 1, 0), ETIMEDOUT); /* it was collected and is not reported any more */
    pthread_join(thread, NULL);
  }
  close(set);
  hold_done(&t);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("children", children);
  add("silent_child", silent_child);
  add("wakes_up", wakes_up);
  add("nonblocking_pidfd", nonblocking_pidfd);
  add("full_form", full_form);
  add("usage", usage);
  add("status_conversion", status_conversion);
  add("strangers", strangers);
  add("strangers_on_old_kernels", strangers_on_old_kernels);
  add("wait_status", wait_status);
  add("nonblocking_by_others", nonblocking_by_others);
  add("interrupted", interrupted);
  add("traced", traced);
  add("traced_by_caller", traced_by_caller);
  add("with_a_reaping_handler", with_a_reaping_handler);
  add("traced_in_a_set", traced_in_a_set);
}

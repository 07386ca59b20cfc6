/* SPDX-License-Identifier: MIT */
/* Tracked children by the functions of the API, with libpidguard in each of its forms. The argument is "api" (the
 * functions alone), "preload" (linked with the preload object), "both" or "off". With "both" the program is linked with
 * the functions and preloaded, and there is one table. "off" is PIDGUARD_MODE=off, and all calls are libc's. */
#include "api_track.h"
#include "../programs/raw.h"
#include "refuse.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

bool preloaded, off;

static struct pidguard_counters counters(void) {
  struct pidguard_counters c;
  pidguard_get_counters(&c, sizeof c);
  return c;
}

pid_t tracked(int code) {
  pid_t pid = pidguard_fork();
  if (pid == 0 && code >= 0)
    _exit(code);
  while (pid == 0)
    pause();
  if (pid < 2)
    abort();
  return pid;
}

/* Makes a child by libc's own name. If that is protected too, the table forgets the child at once. */
static pid_t untracked(void) {
  pid_t pid = fork();
  while (pid == 0)
    pause();
  if (pid < 2)
    abort();
  if (preloaded)
    CHECK_EQ(pidguard_forget(pid), 0);
  return pid;
}

static void end(pid_t pid) {
  int status = -1;
  CHECK_EQ(pidguard_kill(pid, SIGKILL), 0);
  CHECK_EQ(pidguard_waitpid(pid, &status, 0), pid);
  CHECK_EQ(WTERMSIG(status), SIGKILL);
}

static void births_and_deaths(void) {
  struct pidguard_counters before = counters();
  errno = EXDEV;
  pid_t pid = tracked(-1);
  CHECK_EQ(errno, EXDEV);
  CHECK_EQ(pidguard_kill(pid, 0), 0);
  int status = 7;
  CHECK_EQ(pidguard_waitpid(pid, &status, WNOHANG), 0);
  CHECK_EQ(pidguard_kill(pid, SIGTERM), 0);
  CHECK_EQ(pidguard_waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, SIGTERM);
  CHECK_EQ(errno, EXDEV);
  CHECK_ERRNO(pidguard_kill(pid, SIGTERM), ESRCH);
  CHECK_ERRNO(pidguard_waitpid(pid, &status, 0), ECHILD);
  struct pidguard_counters after = counters();
  CHECK_EQ(after.births - before.births, off ? 0 : 1);
  CHECK_EQ(after.reaped - before.reaped, off ? 0 : 1);
  CHECK_EQ(after.signals - before.signals, off ? 0 : 2);
  CHECK_EQ(after.refused - before.refused, off ? 0 : 1);
}

static volatile sig_atomic_t got_value, got_code;

static void on_queued(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)context;
  got_value = info->si_value.sival_int;
  got_code = info->si_code;
}

static void signals(void) {
  int ready[2];
  char byte = 0;
  if (pipe2(ready, O_CLOEXEC))
    abort();
  pid_t pid = pidguard_fork();
  if (pid == 0) {
    struct sigaction action = {.sa_sigaction = on_queued, .sa_flags = SA_SIGINFO};
    sigset_t none;
    sigemptyset(&none);
    sigaction(SIGUSR1, &action, NULL);
    setpgid(0, 0);
    if (write(ready[1], &byte, 1) != 1)
      _exit(1);
    while (!got_code)
      poll(NULL, 0, 1);
    _exit(got_code == SI_QUEUE && got_value == 42 ? 0 : 2);
  }
  if (read(ready[0], &byte, 1) != 1)
    abort();
  union sigval value = {.sival_int = 42};
  int status = -1;
  CHECK_EQ(pidguard_sigqueue(pid, SIGUSR1, value), 0);
  CHECK_EQ(pidguard_waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
  CHECK_ERRNO(pidguard_sigqueue(pid, SIGUSR1, value), ESRCH);

  /* A group outlives its leader, and is reached through the leader. */
  pid = pidguard_fork();
  if (pid == 0) {
    setpgid(0, 0);
    pid_t member = fork();
    if (member == 0) {
      close(ready[0]);
      for (;;)
        pause();
    }
    _exit(member < 0);
  }
  close(ready[1]);
  CHECK_EQ(pidguard_waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
  CHECK_EQ(pidguard_kill(-pid, 0), 0);
  CHECK_EQ(pidguard_kill(-pid, SIGKILL), 0);
  CHECK_EQ(read(ready[0], &byte, 1), 0); /* the member held the other end */
  close(ready[0]);
  int error = 0;
  for (int i = 0; i < 500 && error != ESRCH; i++, poll(NULL, 0, 2))
    error = ERRNO_OF(pidguard_kill(-pid, 0));
  CHECK_EQ(error, ESRCH);

  /* Everything else is libc's, with its errors. */
  CHECK_EQ(pidguard_kill(getpid(), 0), 0);
  CHECK_EQ(pidguard_kill(0, 0), 0);
  CHECK_ERRNO(pidguard_kill(getpid(), 999), EINVAL);
  CHECK_ERRNO(pidguard_kill(INT_MAX, 0), ESRCH);
  CHECK_ERRNO(pidguard_kill(INT_MIN, 0), ESRCH);
}

static void waits(void) {
  int status = -1;
  struct rusage usage;
  siginfo_t info;
  pid_t pid = tracked(11);
  CHECK_EQ(pidguard_waitpid(-1, &status, 0), pid);
  CHECK_EQ(status, 11 << 8);
  pid = tracked(12);
  memset(&usage, 0xff, sizeof usage);
  CHECK_EQ(pidguard_wait4(-1, &status, 0, &usage), pid);
  CHECK_EQ(status, 12 << 8);
  PG_CHECK(usage.ru_maxrss > 0 && usage.ru_utime.tv_sec >= 0, "no usage");
  pid = tracked(13);
  memset(&usage, 0xff, sizeof usage);
  CHECK_EQ(pidguard_wait4(pid, &status, 0, &usage), pid);
  CHECK_EQ(status, 13 << 8);
  PG_CHECK(usage.ru_maxrss > 0 && usage.ru_utime.tv_sec >= 0, "no usage");
  pid = tracked(14);
  CHECK_EQ(pidguard_waitpid(pid, NULL, 0), pid);

  const idtype_t types[] = {P_PID, P_ALL, P_PGID};
  for (size_t i = 0; i < 3; i++) {
    pid = tracked(20 + (int)i);
    id_t id = types[i] == P_PID ? (id_t)pid : types[i] == P_PGID ? (id_t)getpgrp() : 0;
    CHECK_EQ(pidguard_waitid(types[i], id, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(pidguard_kill(pid, 0), 0); /* this looked at the child, but did not take it */
    memset(&info, 0, sizeof info);
    CHECK_EQ(pidguard_waitid(types[i], id, &info, WEXITED), 0);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_status, 20 + (int)i);
    CHECK_ERRNO(pidguard_kill(pid, 0), ESRCH);
  }
  int fd;
  pid = pidguard_fork_pidfd(&fd);
  if (pid == 0)
    _exit(30);
  memset(&info, 0, sizeof info);
  CHECK_EQ(pidguard_waitid((idtype_t)3 /* P_PIDFD */, (id_t)fd, &info, WEXITED), 0);
  CHECK_EQ(info.si_status, 30);
  CHECK_ERRNO(pidguard_kill(pid, 0), ESRCH);
  close(fd);

  CHECK_ERRNO(pidguard_waitpid(-1, &status, 0), ECHILD);
  CHECK_ERRNO(pidguard_wait4(-1, &status, WNOHANG, &usage), ECHILD);
  CHECK_ERRNO(pidguard_wait4(-1, &status, 0, &usage), ECHILD);
  CHECK_ERRNO(pidguard_waitid(P_ALL, 0, &info, WEXITED), ECHILD);
  CHECK_ERRNO(pidguard_waitid(P_ALL, 0, &info, 0), EINVAL);
  CHECK_ERRNO(pidguard_waitpid(-1, &status, 0x100), EINVAL);
}

static void fork_with_pidfd(void) {
  int fd = 99;
  errno = EXDEV;
  pid_t pid = pidguard_fork_pidfd(&fd);
  if (pid == 0) {
    while (fd == 99) /* fork must leave this variable alone in the child */
      pause();
    _exit(1);
  }
  CHECK_EQ(errno, EXDEV);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(pidguard_pidfd_get_pid(fd), pid);
  CHECK_EQ(pidguard_pidfd_is_child(fd), 1);
  end(pid);
  CHECK_EQ(pidguard_pidfd_get_state(fd), PIDGUARD_STATE_REAPED);
  close(fd);

  /* If the kernel reaps by itself, the child waits until it is held. */
  signal(SIGCHLD, SIG_IGN);
  for (int i = 0; i < 200; i++) {
    errno = EXDEV;
    pid = pidguard_fork_pidfd(&fd);
    if (pid == 0)
      _exit(0);
    PG_CHECK(pid > 1 && errno == EXDEV, "%d, %s", (int)pid, strerror(errno));
    if (!PG_CHECK(fd >= 0, "fork %d: the child was lost", i))
      break;
    CHECK_EQ(pidguard_pidfd_wait_end(fd, 5000), 0);
    close(fd);
  }
  /* A pidfd says that the child has ended a moment before the kernel looks whether SIGCHLD is ignored. */
  CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
  signal(SIGCHLD, SIG_DFL);

  /* Without a descriptor there is no child. */
  struct rlimit saved, none;
  getrlimit(RLIMIT_NOFILE, &saved);
  none = (struct rlimit){0, saved.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  fd = 99;
  int error = ERRNO_OF(pid = pidguard_fork_pidfd(&fd));
  if (pid == 0)
    _exit(0);
  setrlimit(RLIMIT_NOFILE, &saved);
  CHECK_EQ(error, EMFILE);
  CHECK_EQ(fd, 99);
  CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
}

static void pidfds(void) {
  pid_t pid = tracked(-1);
  if (off) {
    CHECK_ERRNO(pidguard_pidfd_open_child(pid), EOPNOTSUPP);
  } else {
    int fd = pidguard_pidfd_open_child(pid), own = pidguard_pidfd_open_child(pid);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(pidguard_pidfd_get_pid(fd), pid);
    CHECK_EQ(pidguard_pidfd_is_same(fd, own), 1);
    close(own); /* this one is the caller's; the table keeps its own */
    fcntl(fd, F_SETFL, O_NONBLOCK);
    own = pidguard_pidfd_open_child(pid);
    CHECK_EQ(fcntl(own, F_GETFL) & O_NONBLOCK, 0);
    close(own);
    CHECK_EQ(pidguard_kill(pid, 0), 0);
    close(fd);
  }
  end(pid);
  CHECK_ERRNO(pidguard_pidfd_open_child(pid), off ? EOPNOTSUPP : ESRCH);
  CHECK_ERRNO(pidguard_pidfd_open_child(0), EINVAL);
  CHECK_ERRNO(pidguard_pidfd_open_child(-1), EINVAL);
  CHECK_ERRNO(pidguard_pidfd_open_child(getppid() > 0 ? getppid() : 1), off ? EOPNOTSUPP : ECHILD);
}

static void adoption(void) {
  pid_t pid = untracked();
  struct pidguard_counters before = counters();
  if (off) {
    CHECK_ERRNO(pidguard_adopt(pid), EOPNOTSUPP);
    CHECK_ERRNO(pidguard_forget(pid), ESRCH);
    end(pid);
    return;
  }
  CHECK_ERRNO(pidguard_pidfd_open_child(pid), ECHILD);
  errno = EXDEV;
  CHECK_EQ(pidguard_adopt(pid), 0);
  CHECK_EQ(errno, EXDEV);
  CHECK_EQ(counters().adopted - before.adopted, 1);
  int fd = pidguard_pidfd_open_child(pid);
  CHECK_EQ(pidguard_pidfd_get_pid(fd), pid);
  CHECK_EQ(pidguard_adopt(pid), 0); /* adopting it again does no harm */
  end(pid);
  CHECK_ERRNO(pidguard_kill(pid, 0), ESRCH);
  CHECK_ERRNO(pidguard_adopt(pid), ESRCH);
  close(fd);
  CHECK_ERRNO(pidguard_adopt(getpid()), ECHILD);
  CHECK_ERRNO(pidguard_adopt(1), ECHILD);
  CHECK_ERRNO(pidguard_adopt(0), EINVAL);
  CHECK_ERRNO(pidguard_adopt(-7), EINVAL);

  /* A child that is forgotten is libc's again, and still a child. */
  pid = tracked(-1);
  CHECK_EQ(pidguard_forget(pid), 0);
  CHECK_ERRNO(pidguard_pidfd_open_child(pid), ECHILD);
  end(pid);
  CHECK_ERRNO(pidguard_forget(0), ESRCH);
  CHECK_ERRNO(pidguard_forget(-1), ESRCH);
  CHECK_ERRNO(pidguard_forget(INT_MAX), ESRCH);
  CHECK_ERRNO(pidguard_forget(INT_MIN), ESRCH);
}

static int send_raw(long n, pid_t pid) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_code = SI_QUEUE;
  return (int)(n == SYS_tkill    ? syscall(n, pid, 0)
               : n == SYS_tgkill ? syscall(n, pid, pid, 0)
                                 : syscall(n, pid, pid, 0, &info));
}

/* Raw signals to the first thread of a child go through its pidfd, too: another thread may reap the child now. */
static void raw_thread_signals(void) {
  static const long calls[] = {SYS_tkill, SYS_tgkill, SYS_rt_tgsigqueueinfo};
  pid_t pid = tracked(-1);
  int fd = pidguard_pidfd_open(pid, 0);
  bool by_pidfd = pidguard_pidfd_send_signal(fd, 0, PIDGUARD_SIGNAL_THREAD) == 0; /* since Linux 6.9 */
  close(fd);
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    struct pidguard_counters before = counters();
    CHECK_EQ(send_raw(calls[i], pid), 0);
    CHECK_EQ(counters().signals - before.signals, preloaded && !off && by_pidfd && RAW_MAY_BE_SEEN);
  }
  end(pid);
}

/* If no pidfd can be opened, the error must not say that something is wrong with the child. */
static void adoption_refused(void) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    pid_t child = untracked();
    int error = refuse(SYS_pidfd_open, ENOSYS) ? ERRNO_OF(pidguard_adopt(child)) : PG_TEST_SKIPPED;
    kill(child, SIGKILL);
    _exit(error);
  }
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  if (WEXITSTATUS(status) == PG_TEST_SKIPPED)
    pg_test_skip("this user cannot install a filter");
  else
    CHECK_EQ(WEXITSTATUS(status), EOPNOTSUPP);
}

/* A wait of a tracer finds its tracees. One that is the child of another process is no child to adopt. */
static void adoption_of_tracee(void) {
  int told[2];
  pid_t tracee = -1;
  if (off)
    return;
  if (pipe2(told, O_CLOEXEC))
    abort();
  pid_t parent = pidguard_fork();
  if (parent == 0) {
    pid_t pid = fork();
    if (pid != 0 && write(told[1], &pid, sizeof pid) != sizeof pid)
      abort();
    for (;;)
      pause();
  }
  if (parent < 2 || read(told[0], &tracee, sizeof tracee) != sizeof tracee || tracee < 2)
    abort();
  if (ptrace(PTRACE_SEIZE, tracee, NULL, NULL)) {
    pg_test_skip("this user cannot trace a process");
    kill(tracee, SIGKILL);
  } else {
    siginfo_t si;
    CHECK_EQ(waitid(P_PID, (id_t)tracee, &si, WEXITED | WNOHANG | WNOWAIT), 0);
    CHECK_ERRNO(pidguard_adopt(tracee), ECHILD);
    CHECK_ERRNO(pidguard_pidfd_open_child(tracee), ECHILD);
    CHECK_EQ(kill(tracee, SIGKILL), 0);
    CHECK_EQ(waitpid(tracee, NULL, __WALL), tracee);
  }
  end(parent);
  close(told[0]), close(told[1]);
}

/* In a program that has just begun: adopts a child before any other call, first while no descriptor is free. Returns
 * the step that went wrong, or 0. */
static int adopting_at_once(void) {
  struct rlimit saved, none;
  pid_t child = fork();
  while (child == 0)
    pause();
  if (child < 2 || (preloaded && pidguard_forget(child) != 0))
    return 8;
  getrlimit(RLIMIT_NOFILE, &saved);
  none = (struct rlimit){0, saved.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  int error = ERRNO_OF(pidguard_adopt(child)), step = 0;
  setrlimit(RLIMIT_NOFILE, &saved);
  if (error != EMFILE)
    step = 1;
  else if (pidguard_adopt(child) != 0)
    step = 2;
  else if (pidguard_pidfd_open_child(child) < 0)
    step = 3;
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  return step;
}

/* A moment without descriptors must not count for ever. Nor must a filter from before the exec, if it allows all. */
static void adoption_at_once(void) {
  const char *const form = preloaded ? "preload" : "api";
  char *const argv[] = {(char *)(uintptr_t) "adopt", (char *)(uintptr_t)form, (char *)(uintptr_t) "at_once", NULL};
  for (int filtered = 0; filtered < 2 && !off; filtered++) {
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
      if (filtered && !filter_call(SYS_getpid, SECCOMP_RET_ALLOW))
        _exit(PG_TEST_SKIPPED);
      execv("/proc/self/exe", argv);
      _exit(9);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == PG_TEST_SKIPPED)
      pg_test_skip("this user cannot install a filter");
    else
      PG_CHECK(status == 0, "status %#x, %s a filter", (unsigned)status, filtered ? "with" : "without");
  }
}

static void structures(void) {
  struct {
    struct pidguard_counters known;
    unsigned char future[32];
  } big;
  struct pidguard_counters small;
  tracked(0);
  CHECK_EQ(pidguard_waitpid(-1, NULL, 0) > 1, 1);
  memset(&big, 0xff, sizeof big);
  errno = EXDEV;
  CHECK_EQ(pidguard_get_counters(&big.known, sizeof big), 0);
  CHECK_EQ(errno, EXDEV);
  for (size_t i = 0; i < sizeof big.future; i++)
    PG_CHECK(big.future[i] == 0, "byte %zu is %d", i, big.future[i]);
  memset(&small, 0xff, sizeof small);
  CHECK_EQ(pidguard_get_counters(&small, sizeof small.births), 0); /* like a caller that knows only the first member */
  CHECK_EQ(small.births, big.known.births);
  CHECK_EQ(small.signals, UINT64_MAX);
  CHECK_EQ(big.known.births > 0, !off);

  char version[32];
  snprintf(version, sizeof version, "%d.%d.%d", PIDGUARD_VERSION_MAJOR, PIDGUARD_VERSION_MINOR, PIDGUARD_VERSION_PATCH);
  PG_CHECK(!strcmp(pidguard_version(), version), "%s", pidguard_version());
  CHECK_EQ(pidguard_is_preloaded(), preloaded && !off);
}

static void *thread_waits(void *pid) {
  int status;
  pidguard_waitpid(*(pid_t *)pid, &status, 0);
  return NULL;
}

/* The waits are cancellation points like those of libc, and a cancelled wait has taken nothing. */
static void cancellation(void) {
  pid_t pid = tracked(-1);
  pthread_t thread;
  void *result = NULL;
  if (pthread_create(&thread, NULL, thread_waits, &pid))
    abort();
  poll(NULL, 0, 20);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  PG_CHECK(result == PTHREAD_CANCELED, "the wait was not cancelled");
  end(pid);
}

void pg_test_plan(int argc, char **argv) {
  const char *form = argc > 1 ? argv[1] : "api";
  if (!strcmp(form, "both") && !getenv("LD_PRELOAD")) {
    if (!pg_test_preload())
      pg_test_skip_all("there is no preload object");
    setenv("LD_PRELOAD", pg_test_preload(), 1);
    execv("/proc/self/exe", argv);
    abort();
  }
  preloaded = !strcmp(form, "preload") || !strcmp(form, "both");
  off = !strcmp(form, "off");
  if (argc > 2)
    _exit(adopting_at_once());
  if (off) /* nothing has read it yet */
    setenv("PIDGUARD_MODE", "off", 1);
  pg_test_add("track", "overwritten", overwritten); /* first, before the process has had pidfds of its own */
  pg_test_add("track", "births_and_deaths", births_and_deaths);
  pg_test_add("track", "no_stranger", no_stranger);
  pg_test_add("track", "own_number", own_number);
  pg_test_add("track", "spawned_number", spawned_number);
  pg_test_add("track", "adopted_before_anything", adopted_before_anything);
  pg_test_add("track", "signals", signals);
  pg_test_add("track", "waits", waits);
  pg_test_add("track", "fork_with_pidfd", fork_with_pidfd);
  pg_test_add("track", "pidfds", pidfds);
  pg_test_add("track", "adoption", adoption);
  pg_test_add("track", "adoption_of_tracee", adoption_of_tracee);
  pg_test_add("track", "adoption_refused", adoption_refused);
  pg_test_add("track", "raw_thread_signals", raw_thread_signals);
  pg_test_add("track", "adoption_at_once", adoption_at_once);
  pg_test_add("track", "structures", structures);
  pg_test_add("track", "cancellation", cancellation);
}

/* SPDX-License-Identifier: MIT */
/* Strangers are unrelated processes that take a PID that the program under test still remembers. A helper makes them
 * and ends at once. So they belong to the init of the namespace, and no process of the test can wait for them. The code
 * makes raw system calls where a shim under test might be in the same process. Calls libc only. */
#define _GNU_SOURCE
#include "next_pid.h"
#include "pg_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* struct clone_args of Linux 5.5, with set_tid. */
struct clone_args_v1 {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size;
};

static void pause_ms(int ms) {
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
  nanosleep(&time, NULL);
}

static void tell(int report, int32_t answer) {
  if (write(report, &answer, sizeof answer) != sizeof answer)
    _exit(1);
}

/* The whole life of a stranger. It holds no descriptor of the test, because a pipe must not stay open for it. */
static void be_stranger(bool group, int report) {
  prctl(PR_SET_NAME, "stranger");
  tell(report, group && setpgid(0, 0) != 0 ? -errno : getpid());
  if (syscall(SYS_close_range, 0, ~0u, 0) != 0)
    for (int fd = 0; fd < 1024; fd++)
      close(fd);
  for (;;)
    pause();
}

/* For kernels before set_tid (5.5). The next process gets the PID after the last one, if it is free. */
static long fork_after(pid_t pid) {
  for (int tries = 0; tries < 20; tries++) {
    int arranged = next_pid_is(pid);
    if (arranged <= 0)
      return arranged ? -EPERM : -ENOSYS;
    pid_t made = fork();
    if (made == 0 && getpid() == pid)
      return 0;
    if (made == 0)
      _exit(0);
    if (made < 0 || made == pid)
      return made < 0 ? -errno : made;
    waitpid(made, NULL, 0);
  }
  return -EEXIST;
}

/* Makes a process by clone3, as fork does, with this PID if it is not 0. */
static long fork_as(pid_t pid) {
  int32_t set_tid = pid;
  struct clone_args_v1 args = {
      .exit_signal = SIGCHLD, .set_tid = pid ? (uint64_t)(uintptr_t)&set_tid : 0, .set_tid_size = pid ? 1 : 0};
  long made = syscall(SYS_clone3, &args, sizeof args);
  if (made < 0 && (errno == ENOSYS || errno == E2BIG))
    return pid ? fork_after(pid) : fork();
  return made < 0 ? -errno : made;
}

/* The PID becomes that of a group whose leader is gone. The stranger is the member that is left, with another PID. */
static void leave_group(int report) {
  if (setpgid(0, 0) != 0)
    tell(report, -errno);
  else if (fork() == 0)
    be_stranger(false, report);
  _exit(0);
}

/* Makes the stranger with the given PID. */
static void help_take(pid_t pid, enum pg_test_taking how, int report) {
  long made = fork_as(pid);
  if (made == 0 && how == PG_TEST_LEFT_GROUP)
    leave_group(report);
  if (made == 0)
    be_stranger(how == PG_TEST_GROUP, report);
  if (made > 0 && how == PG_TEST_LEFT_GROUP) {
    waitpid((pid_t)made, NULL, 0);
    return;
  }
  if (made < 0)
    tell(report, (int32_t)made);
}

/* Makes processes until one of them gets the PID by itself. */
static void help_wrap(pid_t pid, int tries, bool group, int report) {
  while (getpid() != pid && tries-- > 0) {
    long made = fork_as(0);
    if (made == 0) {
      if (getpid() != pid)
        _exit(0);
      be_stranger(group, report);
    }
    if (made < 0) {
      tell(report, (int32_t)made);
      return;
    }
    if (made == pid)
      return;
    waitpid((pid_t)made, NULL, 0);
  }
  /* The helper itself may get the PID: then another one must help. */
  tell(report, getpid() == pid ? -EAGAIN : -ETIME);
}

/* Runs one helper. The answer comes through a pipe, from the stranger or from the helper. It is the stranger's PID or
 * -errno. */
static int run_helper(pid_t pid, int tries, enum pg_test_taking how) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0)
    return -errno;
  pid_t helper = fork();
  if (helper < 0)
    return -errno;
  if (helper == 0) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    if (tries)
      help_wrap(pid, tries, how == PG_TEST_GROUP, report[1]);
    else
      help_take(pid, how, report[1]);
    _exit(0);
  }
  close(report[1]);
  int32_t answer = -EIO;
  if (read(report[0], &answer, sizeof answer) != sizeof answer)
    answer = -EIO;
  close(report[0]);
  while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
    ;
  return answer;
}

/* Reads one field of /proc/PID/status as text. It is empty if there is none. */
static void status_field(pid_t pid, const char *name, char *value, size_t size) {
  char path[64], line[256];
  value[0] = '\0';
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  FILE *file = fopen(path, "re");
  if (!file)
    return;
  size_t length = strlen(name);
  while (fgets(line, sizeof line, file)) {
    if (strncmp(line, name, length) == 0 && line[length] == ':') {
      snprintf(value, size, "%s", line + length + 1 + strspn(line + length + 1, " \t"));
      break;
    }
  }
  fclose(file);
}

static void add_text(uint64_t *hash, const char *text) {
  for (; *text; text++)
    *hash = (*hash ^ (unsigned char)*text) * 0x100000001b3u;
}

/* A hash over everything that other processes can set: group, session, priorities, policy, CPUs, tracer, limits. */
static uint64_t looks_of(pid_t pid) {
  static const char *const fields[] = {"TracerPid", "Cpus_allowed", NULL};
  uint64_t hash = 0xcbf29ce484222325u;
  char path[64], text[4096] = "", value[1100];
  for (int i = 0; fields[i]; i++) {
    status_field(pid, fields[i], value, sizeof value);
    add_text(&hash, value);
  }
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "re");
  char *rest = file && fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
  for (int field = 2; rest && (rest = strchr(rest, ' ')); rest++, field++)
    /* The fields before these are pgrp ... policy, counted from 0. */
    if (field == 4 || field == 5 || field == 17 || field == 18 || field == 40)
      add_text(&hash, (snprintf(value, sizeof value, "%.*s", (int)strcspn(rest + 1, " ") + 1, rest), value));
  if (file)
    fclose(file);
  snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
  file = fopen(path, "re");
  while (file && fgets(text, sizeof text, file))
    add_text(&hash, text);
  if (file)
    fclose(file);
  return hash;
}

static int adopt(pid_t pid, struct pg_test_stranger *ret) {
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0)
    return -errno;
  *ret = (struct pg_test_stranger){.pid = pid, .pidfd = pidfd, .looks = looks_of(pid)};
  return 0;
}

int pg_test_take_pid(pid_t pid, enum pg_test_taking how, struct pg_test_stranger *ret) {
  if (!pg_test_in_namespace() || pid <= 1)
    return -EINVAL;
  int error = 0;
  for (int tries = 0; tries < 2500; tries++) {
    error = run_helper(pid, 0, how);
    if (error != -EEXIST)
      break;
    pause_ms(tries < 20 ? 1 : 2);
  }
  return error < 0 ? error : adopt(error, ret);
}

int pg_test_probe_take_pid(void) {
  enum { ANY_NUMBER = 290 }; /* never given away after the first wrap; if it is in use, that is an answer as well */
  struct pg_test_stranger stranger;
  int error = run_helper(ANY_NUMBER, 0, PG_TEST_ALONE);
  if (error > 0 && (error = adopt(ANY_NUMBER, &stranger)) == 0)
    pg_test_stranger_release(&stranger);
  return error == -EEXIST ? 0 : error;
}

int pg_test_wrap_to_pid(pid_t pid, int tries, struct pg_test_stranger *ret) {
  if (!pg_test_in_namespace() || pid <= 1)
    return -EINVAL;
  int error;
  while ((error = run_helper(pid, tries, PG_TEST_GROUP)) == -EAGAIN)
    ;
  return error < 0 ? error : adopt(error, ret);
}

bool pg_test_stranger_alive(const struct pg_test_stranger *stranger) {
  struct pollfd dead = {.fd = stranger->pidfd, .events = POLLIN};
  return poll(&dead, 1, 0) == 0;
}

static uint64_t pending_signals(const struct pg_test_stranger *stranger) {
  char shared[64], own[64];
  status_field(stranger->pid, "ShdPnd", shared, sizeof shared);
  status_field(stranger->pid, "SigPnd", own, sizeof own);
  return strtoull(shared, NULL, 16) | strtoull(own, NULL, 16);
}

bool pg_test_stranger_got(const struct pg_test_stranger *stranger, int sig) {
  if (!pg_test_stranger_alive(stranger))
    return sig == SIGKILL;
  return pending_signals(stranger) >> (sig - 1) & 1;
}

bool pg_test_stranger_untouched(const struct pg_test_stranger *stranger) {
  char state[64];
  for (int patience = 200; patience > 0; patience--) { /* it may still be busy with becoming idle */
    if (!pg_test_stranger_alive(stranger) || pending_signals(stranger) != 0)
      return false;
    status_field(stranger->pid, "State", state, sizeof state);
    if (state[0] != 'D')
      break;
    pause_ms(1);
  }
  return (state[0] == 'S' || state[0] == 'R') && stranger->looks == looks_of(stranger->pid);
}

void pg_test_stranger_release(struct pg_test_stranger *stranger) {
  syscall(SYS_pidfd_send_signal, stranger->pidfd, SIGKILL, NULL, 0);
  while (syscall(SYS_pidfd_send_signal, stranger->pidfd, 0, NULL, 0) == 0)
    pause_ms(0);
  close(stranger->pidfd);
  *stranger = (struct pg_test_stranger){.pid = 0, .pidfd = -1};
}

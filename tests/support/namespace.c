/* SPDX-License-Identifier: MIT */
/* The pid namespace that every test runs in, so that no signal of a test can reach the machine. Calls libc only. */
#define _GNU_SOURCE
#include "pg_test.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool inside;

bool pg_test_in_namespace(void) { return inside; }

static void skip_all(const char *what, int error) {
  printf("SKIP: these tests need a pid namespace of their own: %s: %s\n", what, strerror(error));
  fflush(stdout);
  _exit(PG_TEST_SKIPPED);
}

static int write_text(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  ssize_t n = write(fd, text, strlen(text));
  int error = n < 0 ? -errno : 0;
  close(fd);
  return error;
}

/* An ordinary user may own a pid namespace only inside a user namespace, where the user is root. */
static int unshare_namespaces(void) {
  if (unshare(CLONE_NEWPID | CLONE_NEWNS) == 0)
    return 0;
  char uid_map[64], gid_map[64];
  snprintf(uid_map, sizeof uid_map, "0 %u 1", (unsigned)geteuid());
  snprintf(gid_map, sizeof gid_map, "0 %u 1", (unsigned)getegid());
  if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) != 0)
    return -errno;
  write_text("/proc/self/setgroups", "deny"); /* before 3.19 this file does not exist and is not needed */
  int error = write_text("/proc/self/uid_map", uid_map);
  return error ? error : write_text("/proc/self/gid_map", gid_map);
}

/* Process 1 of the namespace reaps every orphan and ends with the test. The kernel then kills the rest. */
static void be_init(pid_t test) {
  for (;;) {
    int status;
    pid_t pid = wait(&status);
    if (pid < 0 && errno == EINTR)
      continue;
    if (pid < 0)
      _exit(1);
    if (pid != test)
      continue;
    if (WIFEXITED(status))
      _exit(WEXITSTATUS(status));
    fprintf(stderr, "the test was killed by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    _exit(128 + WTERMSIG(status));
  }
}

void pg_test_enter_namespace(void) {
  int outside[2];
  if (pipe2(outside, O_CLOEXEC) != 0)
    skip_all("pipe", errno);
  int error = unshare_namespaces();
  if (error)
    skip_all("unshare", -error);
  fflush(NULL);

  pid_t init = fork();
  if (init < 0)
    skip_all("fork", errno);
  if (init > 0) {
    int status = 0;
    while (waitpid(init, &status, 0) < 0 && errno == EINTR)
      ;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }

  /* The outer process may have died before this process asked for its death signal. Then its pipe is already closed. */
  close(outside[1]);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct pollfd gone = {.fd = outside[0], .events = POLLIN};
  if (poll(&gone, 1, 0) != 0)
    _exit(1);
  close(outside[0]);
  /* In a chroot "/" is no mount. Then the mount of /proc, if there is one, must be private. */
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 &&
      (errno != EINVAL || mount("none", "/proc", NULL, MS_REC | MS_PRIVATE, NULL) != 0))
    skip_all("private mounts (in a chroot, mount /proc first)", errno);
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
    skip_all("mount /proc", errno);

  pid_t test = fork();
  if (test < 0)
    skip_all("fork", errno);
  if (test > 0)
    be_init(test);
  inside = true;
}

/* Counts the living processes other than init and the caller. If asked to, it kills and names them. */
static int scan_others(bool end) {
  int count = 0;
  DIR *proc = opendir("/proc");
  if (!proc)
    return 0;
  for (struct dirent *entry; (entry = readdir(proc));) {
    int pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
    if (pid <= 1 || pid == getpid())
      continue;
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
      close(fd);
    const char *state = n > 0 ? strrchr(text, ')') : NULL;
    if (!state || state[1] == '\0' || strchr("ZX", state[2])) /* it is on its way out, and init reaps it */
      continue;
    count++;
    if (end) {
      fprintf(stderr, "left over: %.60s\n", text);
      kill(pid, SIGKILL);
    }
  }
  closedir(proc);
  return count;
}

int pg_test_kill_leftovers(void) {
  if (!inside)
    return 0;
  for (int patience = 100; patience > 0; patience--) { /* orphans may just be ending by themselves */
    if (scan_others(false) == 0)
      return 0;
    usleep(2000);
  }
  return scan_others(true);
}

int pg_test_set_pid_max(int pid_max) {
  /* This checks the version. A trial would change the value of the whole machine on kernels whose namespaces have none
   * of their own. */
  if (!inside || pg_test_kernel_before(6, 14))
    return -EOPNOTSUPP;
  char text[16];
  snprintf(text, sizeof text, "%d", pid_max);
  return write_text("/proc/sys/kernel/pid_max", text);
}

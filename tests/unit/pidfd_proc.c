/* SPDX-License-Identifier: MIT */
/* /proc through a pidfd gives the right process throughout, or an error. */
#include "pidfd_support.h"

#include "pidfd/feature.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static int read_at(int dir, const char *name, char *text, size_t size) {
  int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  ssize_t n = read(fd, text, size - 1);
  int r = n < 0 ? -errno : (int)n;
  text[n < 0 ? 0 : n] = '\0';
  close(fd);
  return r;
}

static void directory(void) {
  char text[4096];
  struct child c = child_paused();
  int dir = pidguard_pidfd_open_proc(c.fd);
  PG_CHECK(dir >= 0, "errno %d", errno);
  CHECK_EQ(fcntl(dir, F_GETFD), FD_CLOEXEC);
  PG_CHECK(read_at(dir, "stat", text, sizeof text) > 0 && atoi(text) == c.pid, "stat is %.40s", text);
  int stat_file = openat(dir, "stat", O_RDONLY | O_CLOEXEC);
  pid_t pid = c.pid;
  child_reap(&c);
  CHECK_ERRNO(pidguard_pidfd_open_proc(c.fd), ESRCH);

  /* A dead process stays dead, though a stranger has its PID and its name in /proc. */
  struct pg_test_stranger s;
  int r = pg_test_take_pid(pid, false, &s);
  if (r)
    pg_test_skip("the test cannot choose a PID here: %s", strerror(-r));
  int got = read_at(dir, "stat", text, sizeof text);
  PG_CHECK(got == -ENOENT || got == -ESRCH, "read %d: %.40s", got, text);
  PG_CHECK(read(stat_file, text, sizeof text) == -1 && errno == ESRCH, "errno %d", errno);
  CHECK_ERRNO(pidguard_pidfd_open_proc(c.fd), ESRCH);
  if (!r)
    pg_test_stranger_release(&s);
  close(stat_file);
  close(dir);
  child_done(&c);
}

/* A zombie still has its directory. */
static void zombie(void) {
  struct child c = child_exited(0);
  char text[512];
  int dir = pidguard_pidfd_open_proc(c.fd);
  PG_CHECK(read_at(dir, "stat", text, sizeof text) > 0 && strstr(text, ") Z "), "stat is %.60s", text);
  close(dir);
  child_done(&c);
}

/* With no descriptor left there is an error, not an answer about another process. */
static void no_descriptors(void) {
  struct child c = child_paused();
  struct rlimit saved, low;
  uint64_t id;
  getrlimit(RLIMIT_NOFILE, &saved);
  int fill[1024], n = 0;
  low = (struct rlimit){64, saved.rlim_max};
  setrlimit(RLIMIT_NOFILE, &low);
  while (n < 1024 && (fill[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    n++;
  CHECK_ERRNO(pidguard_pidfd_open(c.pid, 0), EMFILE);
  CHECK_ERRNO(pidguard_pidfd_open(getpid(), 0), EMFILE);
  CHECK_ERRNO(pidguard_pidfd_open_proc(c.fd), EMFILE);
  CHECK_ERRNO(pidguard_set_create(), EMFILE);
  char *argv[] = {"true", NULL};
  CHECK_ERRNO(pidguard_spawn("true", argv, argv + 1, NULL, 0), EMFILE);
  CHECK_ERRNO(pidguard_pidfd_open_namespace(c.fd, PIDGUARD_NAMESPACE_UTS), EMFILE);
  int error = ERRNO_OF(pidguard_pidfd_getfd(c.fd, 0)); /* 5.6 */
  PG_CHECK(error == EMFILE || error == EOPNOTSUPP, "%s", strerror(error));
  if (pidguard_pidfd_get_id(c.fd, &id) == 0) {
    error = ERRNO_OF(pidguard_pidfd_open_id(id, 0));
    PG_CHECK(error == EMFILE || error == EOPNOTSUPP, "%s", strerror(error));
  }
  CHECK_EQ(pidguard_pidfd_get_state(c.fd), PIDGUARD_STATE_ALIVE);
  hide(PG_FEATURE_INFO);
  CHECK_ERRNO(pidguard_pidfd_get_pid(c.fd), EMFILE);
  hide(0);
  while (n--)
    close(fill[n]);
  setrlimit(RLIMIT_NOFILE, &saved);
  child_done(&c);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("directory", directory);
  add("zombie", zombie);
  add("no_descriptors", no_descriptors);
}

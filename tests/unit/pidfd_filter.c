/* SPDX-License-Identifier: MIT */
/* Filters that do not know the calls for pidfds, as in containers and sandboxes. Whether the filter says ENOSYS or
 * EPERM, the call counts as missing. The caller then gets what it gets on an older kernel. */
#include "pidfd_support.h"
#include "refuse.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct scene {
  struct child alive, reaped;
  unsigned error; /* the errno that the filter gives */
};

/* For bodies: reports a condition that does not hold, and returns 1. */
#define WANT(condition)                                                                                                \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "  not so: %s (%s)\n", #condition, strerror(errno));                                             \
      return 1;                                                                                                        \
    }                                                                                                                  \
  } while (0)

/* PIDs, credentials and namespaces then come from /proc. */
static int body_questions(void *arg) {
  struct scene *s = arg;
  struct pidguard_creds creds;
  struct pidguard_info info = {.mask = PIDGUARD_INFO_PID | PIDGUARD_INFO_CREDS};
  if (!refuse(SYS_ioctl, s->error))
    return PG_TEST_SKIPPED;
  WANT(pidguard_pidfd_get_pid(s->alive.fd) == s->alive.pid);
  WANT(ppid_of(s->alive.fd) == getppid());
  WANT(tgid_of(s->alive.fd) == s->alive.pid);
  WANT(creds_of(s->alive.fd, &creds) == 0 && creds.euid == geteuid());
  WANT(pidguard_pidfd_get_info(s->alive.fd, &info, sizeof info) == 0 && info.pid == s->alive.pid);
  WANT(same_namespace(s->alive.fd, PIDGUARD_NAMESPACE_NET) == 1);
  WANT(ERRNO_OF(pidguard_pidfd_get_pid(s->reaped.fd)) == ESRCH);
  WANT(ERRNO_OF(pidguard_pidfd_open_namespace(s->reaped.fd, PIDGUARD_NAMESPACE_NET)) == ESRCH);
  WANT(ERRNO_OF(pidguard_pidfd_get_pid(STDIN_FILENO)) == EBADF);
  return 0;
}

/* No child can be waited for by its pidfd. But the end of a process can be seen, and a program can be started. */
static int body_waits(void *arg) {
  struct scene *s = arg;
  char *argv[] = {(char[]){"true"}, NULL};
  int status;
  if (!refuse(SYS_waitid, s->error))
    return PG_TEST_SKIPPED;
  errno = 0;
  WANT(!pidguard_pidfd_is_child(s->alive.fd) && errno == EOPNOTSUPP);
  WANT(ERRNO_OF(pidguard_pidfd_wait(s->alive.fd, &status, 0)) == EOPNOTSUPP);
  WANT(ERRNO_OF(pidguard_pidfd_wait(s->alive.fd, &status, -1)) == EOPNOTSUPP);
  WANT(ERRNO_OF(pidguard_pidfd_waitid(s->alive.fd, NULL, WEXITED, NULL, 0)) == EOPNOTSUPP);
  WANT(ERRNO_OF(pidguard_pidfd_wait_end(s->alive.fd, 0)) == ETIMEDOUT && pidguard_pidfd_wait_end(s->reaped.fd, 0) == 0);
  int fd = pidguard_spawn("true", argv, environ, NULL, 0);
  WANT(fd >= 0 && pidguard_pidfd_wait_end(fd, 10000) == 0);
  WANT(waitpid(-1, &status, 0) > 0 && status == 0);
  close(fd);
  return 0;
}

static int body_release(void *arg) {
  struct scene *s = arg;
  if (!refuse(448 /* process_mrelease */, s->error))
    return PG_TEST_SKIPPED;
  WANT(ERRNO_OF(pidguard_pidfd_mrelease(s->alive.fd)) == EOPNOTSUPP);
  return 0;
}

static int body_opening(void *arg) {
  struct scene *s = arg;
  char *argv[] = {(char[]){"true"}, NULL};
  if (!refuse(SYS_pidfd_open, s->error))
    return PG_TEST_SKIPPED;
  WANT(ERRNO_OF(pidguard_pidfd_open(s->alive.pid, 0)) == EOPNOTSUPP);
  WANT(ERRNO_OF(pidguard_pidfd_open(s->alive.pid, PIDGUARD_OPEN_THREAD)) == EOPNOTSUPP);
  WANT(ERRNO_OF(pidguard_pidfd_open(getpid(), 0)) == EOPNOTSUPP &&
       ERRNO_OF(pidguard_pidfd_open_parent()) == EOPNOTSUPP);
  int fd = pidguard_spawn("true", argv, environ, NULL, 0), status = -1; /* its pidfd comes with it */
  WANT(fd >= 0 && pidguard_pidfd_wait(fd, &status, 10000) == 0 && status == 0);
  close(fd);
  WANT(pidguard_pidfd_send_signal(s->alive.fd, 0, 0) == 0 &&
       pidguard_pidfd_get_state(s->alive.fd) == PIDGUARD_STATE_ALIVE);
  return 0;
}

static int check_kinds(struct scene *s) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", s->alive.fd);
  int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC), event = eventfd(0, EFD_CLOEXEC);
  int path = open(link, O_PATH | O_CLOEXEC);
  WANT(pidguard_is_pidfd(s->alive.fd) && pidguard_is_pidfd(s->reaped.fd));
  WANT(!pidguard_is_pidfd(proc) && !pidguard_is_pidfd(event) && !pidguard_is_pidfd(path));
  WANT(!pidguard_is_pidfd(-1) && !pidguard_is_pidfd(1000000) && !pidguard_is_pidfd(PIDGUARD_SELF_THREAD));
  WANT(pidguard_pidfd_get_state(s->alive.fd) == PIDGUARD_STATE_ALIVE);
  WANT(pidguard_pidfd_get_state(s->reaped.fd) == PIDGUARD_STATE_REAPED);
  return 0;
}

/* Without fstatfs() the kind of a descriptor is found out in another way. */
static int body_kinds(void *arg) {
  struct scene *s = arg;
  struct child c = child_paused();
  int ready, status, set = pidguard_set_create();
  if (!refuse(SYS_fstatfs, s->error))
    return PG_TEST_SKIPPED;
  WANT(check_kinds(s) == 0);
  WANT(pidguard_set_add(set, c.fd) == 0);
  WANT(pidguard_pidfd_terminate(c.fd, 5000, 0) == 0);
  WANT(pidguard_set_wait(set, &ready, 1, pidguard_deadline(5000)) == 1);
  WANT(pidguard_pidfd_wait(c.fd, &status, 5000) == 0 && status == SIGTERM);
  WANT(ERRNO_OF(pidguard_set_wait(set, &ready, 1, pidguard_deadline(50))) == ETIMEDOUT);
  WANT(refuse(SYS_waitid, s->error) && check_kinds(s) == 0);
  WANT(refuse(SYS_pidfd_send_signal, s->error) && pidguard_is_pidfd(s->alive.fd) && !pidguard_is_pidfd(1000000));
  return 0;
}

#ifdef __LP64__
#define STAT SYS_fstat
#else
#define STAT SYS_statx
#endif

/* A missing call is no missing right, also where the call is not one for pidfds. */
static int body_others(void *arg) {
  struct scene *s = arg;
  char text[PIDGUARD_TEXT_MAX];
  uint64_t id;
  if (!refuse(STAT, s->error) || !refuse(SYS_timerfd_create, s->error))
    return PG_TEST_SKIPPED;
  WANT(ERRNO_OF(pidguard_pidfd_get_id(s->alive.fd, &id)) == EOPNOTSUPP);
  WANT(pidguard_pidfd_to_text(s->alive.fd, text, sizeof text) > 0);
  WANT(ERRNO_OF(pidguard_pidfd_terminate_start(s->alive.fd, 1000, 0)) == EOPNOTSUPP);
  WANT(pidguard_pidfd_get_state(s->alive.fd) == PIDGUARD_STATE_ALIVE);
  WANT(refuse(SYS_fstatfs, s->error) && ERRNO_OF(pidguard_cgroupid_from_path("/", &id)) == EOPNOTSUPP);
  return 0;
}

static void under(int (*body)(void *)) {
  static const unsigned errors[] = {ENOSYS, EPERM};
  struct scene s = {.alive = child_paused(), .reaped = child_exited(0)};
  child_reap(&s.reaped);
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    s.error = errors[i];
    struct child c = child_running(body, &s);
    child_await_zombie(&c);
    int status = child_reap(&c);
    if (WEXITSTATUS(status) == PG_TEST_SKIPPED)
      pg_test_skip("this user cannot install a filter");
    else
      PG_CHECK(status == 0, "status %x when the filter says %s", (unsigned)status, strerror(errors[i]));
    child_done(&c);
  }
  child_done(&s.alive);
  child_done(&s.reaped);
}

static void questions(void) { under(body_questions); }
static void waits(void) { under(body_waits); }
static void release(void) { under(body_release); }
static void opening(void) { under(body_opening); }
static void kinds(void) { under(body_kinds); }
static void others(void) { under(body_others); }

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("questions", questions);
  add("waits", waits);
  add("release", release);
  add("opening", opening);
  add("kinds", kinds);
  add("others", others);
}

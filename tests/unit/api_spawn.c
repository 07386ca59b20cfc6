/* SPDX-License-Identifier: MIT */
/* Programs that are started with a pidfd: what they are born with, failures, and children that no other thread can take
 * first. */
#include "pidfd_support.h"
#include "refuse.h"

#include "pidfd/feature.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int run(const char *script, const struct pidguard_spawn_options *options) {
  char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
  return pidguard_spawn("/bin/sh", argv, environ, options, sizeof *options);
}

/* Shows the signals that a program starts with. It is not a shell, because a shell would reset some of them. */
static int run_grep(const char *pattern, const struct pidguard_spawn_options *options) {
  char *argv[] = {"grep", "-E", (char *)(uintptr_t)pattern, "/proc/self/status", NULL};
  return pidguard_spawn("grep", argv, environ, options, sizeof *options);
}

/* Returns the output of the program. Its wait status goes to *status. */
static const char *output_of(int (*start)(const char *, const struct pidguard_spawn_options *), const char *script,
                             struct pidguard_spawn_options options, int *status) {
  static char text[4096];
  int ends[2];
  size_t n = 0;
  ssize_t got;
  if (pipe2(ends, O_CLOEXEC))
    abort();
  struct pidguard_spawn_fd fds[8] = {{ends[1], 1}};
  for (size_t i = 0; i < options.fd_count; i++)
    fds[i + 1] = options.fds[i];
  options.fds = fds;
  options.fd_count++;
  int fd = start(script, &options), error = errno;
  close(ends[1]);
  while (fd >= 0 && n + 1 < sizeof text && (got = read(ends[0], text + n, sizeof text - 1 - n)) > 0)
    n += (size_t)got;
  text[n] = '\0';
  close(ends[0]);
  *status = -1;
  PG_CHECK(fd >= 0, "%s: %s", script, strerror(error));
  if (fd >= 0)
    CHECK_EQ(pidguard_pidfd_wait(fd, status, 10000), 0);
  close(fd);
  return text;
}

static const char *output(const char *script, struct pidguard_spawn_options options, int *status) {
  return output_of(run, script, options, status);
}

static void statuses(void) {
  static const struct {
    const char *script;
    int status;
  } cases[] = {{"exit 0", 0}, {"exit 77", 77 << 8}, {"kill -TERM $$", SIGTERM}, {"kill -KILL $$", SIGKILL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int status = -1, fd = run(cases[i].script, NULL);
    PG_CHECK(fd >= 0, "%s", strerror(errno));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(pidguard_pidfd_is_child(fd), 1);
    CHECK_EQ(ppid_of(fd), getpid());
    CHECK_EQ(pidguard_pidfd_wait(fd, &status, 5000), 0);
    CHECK_EQ(status & ~0x80, cases[i].status);
    close(fd);
  }
}

static void path_search(void) {
  setenv("PATH", "/usr/bin:/bin", 1);
  char *argv[] = {"sh", "-c", "exit 5", NULL};
  int status = -1, fd = pidguard_spawn("sh", argv, environ, NULL, 0);
  CHECK_EQ(pidguard_pidfd_wait(fd, &status, 5000), 0);
  CHECK_EQ(status, 5 << 8);
  close(fd);
  /* The search fails twice before it succeeds, and errno does not show it. */
  setenv("PATH", "/no/such/directory:/proc::/dev/null:/usr/bin:/bin", 1);
  errno = EXDEV;
  fd = pidguard_spawn("sh", argv, environ, NULL, 0);
  CHECK_EQ(errno, EXDEV);
  CHECK_EQ(pidguard_pidfd_wait(fd, NULL, 5000), 0);
  close(fd);
  CHECK_ERRNO(pidguard_spawn("./sh", argv, environ, NULL, 0), ENOENT); /* a path is not searched for */
  CHECK_ERRNO(pidguard_spawn("no-such-program-here", argv, environ, NULL, 0), ENOENT);
  CHECK_ERRNO(pidguard_spawn("", argv, environ, NULL, 0), ENOENT);
  char name[300];
  memset(name, 'n', sizeof name);
  name[256] = '\0';
  CHECK_ERRNO(pidguard_spawn(name, argv, environ, NULL, 0), ENAMETOOLONG);
  name[255] = '\0';
  CHECK_ERRNO(pidguard_spawn(name, argv, environ, NULL, 0), ENOENT);
  CHECK_ERRNO(pidguard_spawn("/dev/null", argv, environ, NULL, 0), EACCES);
  setenv("PATH", "/dev:/no/such/directory", 1);
  CHECK_ERRNO(pidguard_spawn("null", argv, environ, NULL, 0), EACCES); /* the file is found, but it is not executable */
  setenv("PATH", "/usr/bin:/bin", 1);
}

static void descriptors(void) {
  char script[256];
  int status, ends[2], other[2];
  if (pipe2(ends, O_CLOEXEC) || pipe2(other, O_CLOEXEC))
    abort();
  /* Two descriptors change places. One stays where it is and lives through the exec. One that is not named does not. */
  const struct pidguard_spawn_fd fds[] = {{ends[0], other[0]}, {other[0], ends[0]}, {other[1], other[1]}};
  struct stat a, b;
  fstat(ends[0], &a);
  fstat(other[0], &b);
  snprintf(script, sizeof script, "stat -L -c %%i /dev/fd/%d /dev/fd/%d /dev/fd/%d; test -e /dev/fd/%d; echo $?",
           other[0], ends[0], other[1], ends[1]);
  const char *said = output(script, (struct pidguard_spawn_options){.fds = fds, .fd_count = 3}, &status);
  unsigned long first, second, third, absent;
  CHECK_EQ(sscanf(said, "%lu %lu %lu %lu", &first, &second, &third, &absent), 4);
  PG_CHECK(first == a.st_ino && second == b.st_ino && third == b.st_ino, "%s; %lu, %lu", said, (unsigned long)a.st_ino,
           (unsigned long)b.st_ino);
  CHECK_EQ(absent, 1);
  const struct pidguard_spawn_fd closed = {1000, 5}, negative = {0, -1}, too_high = {0, INT_MAX};
  CHECK_ERRNO(run("exit 0", &(struct pidguard_spawn_options){.fds = &closed, .fd_count = 1}), EBADF);
  CHECK_ERRNO(run("exit 0", &(struct pidguard_spawn_options){.fds = &negative, .fd_count = 1}), EBADF);
  CHECK_ERRNO(run("exit 0", &(struct pidguard_spawn_options){.fds = &too_high, .fd_count = 1}), EBADF);
  CHECK_ERRNO(run("exit 0", &(struct pidguard_spawn_options){.fds = fds, .fd_count = 129}), EINVAL);
  /* One that is closed is no other one's copy, which is made when two change places. */
  int high = fcntl(ends[0], F_DUPFD_CLOEXEC, 100);
  const struct pidguard_spawn_fd swapped[] = {{ends[0], high}, {high, ends[0]}, {high + 1, 0}};
  CHECK_ERRNO(fcntl(high + 1, F_GETFD), EBADF);
  CHECK_ERRNO(run("exit 0", &(struct pidguard_spawn_options){.fds = swapped, .fd_count = 3}), EBADF);
  close(high);
  close(ends[0]), close(ends[1]), close(other[0]), close(other[1]);
}

/* Descriptors change places while another one goes to the highest number that the limit allows. The copies for that go
 * to numbers that no entry wants, even if the first free ones are wanted. */
static void highest_descriptor(void) {
  struct rlimit saved;
  int status, a = open("/dev/null", O_RDONLY | O_CLOEXEC), b = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  int spare = fcntl(b, F_DUPFD_CLOEXEC, 0);
  getrlimit(RLIMIT_NOFILE, &saved);
  struct rlimit low = {(rlim_t)spare + 20, saved.rlim_max};
  const int top = spare + 19;
  const struct pidguard_spawn_fd fds[] = {{a, b}, {b, a}, {a, top}, {b, spare}, {a, spare + 1}, {a, spare + 2}};
  char script[256];
  struct stat null, zero;
  fstat(a, &null);
  fstat(b, &zero);
  snprintf(script, sizeof script, "stat -L -c %%i /dev/fd/%d /dev/fd/%d /dev/fd/%d /dev/fd/%d", a, b, top, spare);
  setrlimit(RLIMIT_NOFILE, &low);
  close(spare);
  const char *said = output(script, (struct pidguard_spawn_options){.fds = fds, .fd_count = 6}, &status);
  setrlimit(RLIMIT_NOFILE, &saved);
  unsigned long at[4];
  CHECK_EQ(sscanf(said, "%lu %lu %lu %lu", &at[0], &at[1], &at[2], &at[3]), 4);
  PG_CHECK(at[0] == zero.st_ino && at[1] == null.st_ino && at[2] == null.st_ino && at[3] == zero.st_ino,
           "%s; null %lu, zero %lu", said, (unsigned long)null.st_ino, (unsigned long)zero.st_ino);
  close(a), close(b);
}

/* The caller's blocked and ignored signals are not handed on, unless the options say so. */
static void signals(void) {
  unsigned long long blocked, ignored, term = 1ull << (SIGTERM - 1), usr1 = 1ull << (SIGUSR1 - 1);
  sigset_t mask, before, own;
  int status;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigemptyset(&own);
  sigaddset(&own, SIGUSR1);
  sigprocmask(SIG_BLOCK, &mask, &before);
  signal(SIGUSR1, SIG_IGN);
  static const struct {
    uint64_t flags;
    bool mask;
  } cases[] = {{0, false}, {PIDGUARD_SPAWN_KEEP_MASK, false}, {PIDGUARD_SPAWN_KEEP_IGNORED, false}, {0, true}};
  for (size_t i = 0; i < 4; i++) {
    struct pidguard_spawn_options options = {.flags = cases[i].flags, .mask = cases[i].mask ? &own : NULL};
    const char *said = output_of(run_grep, "SigBlk|SigIgn", options, &status);
    CHECK_EQ(sscanf(said, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
    PG_CHECK(blocked == (i == 1 ? term : i == 3 ? usr1 : 0), "case %zu: %s", i, said);
    PG_CHECK((ignored & usr1) == (i == 2 ? usr1 : 0), "case %zu: %s", i, said);
  }
  signal(SIGUSR1, SIG_DFL);
  sigset_t after;
  sigprocmask(SIG_SETMASK, &before, &after);
  PG_CHECK(sigismember(&after, SIGTERM) && !sigismember(&after, SIGINT), "the caller's own mask was changed");
}

static void places(void) {
  int status;
  const char *said =
      output("pwd; cut -d' ' -f1,5,6 /proc/self/stat; echo $$; grep NoNewPrivs /proc/self/status",
             (struct pidguard_spawn_options){.directory = "/usr", .flags = PIDGUARD_SPAWN_NEW_GROUP}, &status);
  int group, session, shell, nnp;
  CHECK_EQ(sscanf(said, "/usr %*d %d %d %d NoNewPrivs: %d", &group, &session, &shell, &nnp), 4);
  PG_CHECK(group == shell && session == getsid(0), "%s", said);
  int already = nnp;
  said = output("cut -d' ' -f1,5,6 /proc/self/stat; echo $$; grep NoNewPrivs /proc/self/status",
                (struct pidguard_spawn_options){.flags = PIDGUARD_SPAWN_NEW_SESSION | PIDGUARD_SPAWN_NO_NEW_PRIVS},
                &status);
  CHECK_EQ(sscanf(said, "%*d %d %d %d NoNewPrivs: %d", &group, &session, &shell, &nnp), 4);
  PG_CHECK(group == shell && session == shell && nnp == 1 && already == prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), "%s",
           said);
  CHECK_ERRNO(run("exit 0", &(struct pidguard_spawn_options){.directory = "/no/such"}), ENOENT);
  CHECK_ERRNO(run("exit 0", &(struct pidguard_spawn_options){.directory = "/dev/null"}), ENOTDIR);
  CHECK_ERRNO(run("exit 0", &(struct pidguard_spawn_options){.flags = 1 << 8}), EINVAL);
  CHECK_ERRNO(run("exit 0", &(struct pidguard_spawn_options){.flags = UINT64_C(1) << 40}), EINVAL);
}

/* Structures of another version: longer and zero there, longer and not zero there, or shorter than the first
 * version. */
static void sizes(void) {
  struct {
    struct pidguard_spawn_options options;
    char more[16];
  } newer;
  char *argv[] = {"true", NULL};
  memset(&newer, 0, sizeof newer);
  const size_t sizes[] = {sizeof newer.options, sizeof newer};
  for (size_t i = 0; i < 2; i++) {
    int fd = pidguard_spawn("true", argv, environ, &newer.options, sizes[i]);
    CHECK_EQ(pidguard_pidfd_wait(fd, NULL, 5000), 0);
    close(fd);
  }
  newer.more[15] = 1;
  CHECK_ERRNO(pidguard_spawn("true", argv, environ, &newer.options, sizeof newer), E2BIG);
  CHECK_ERRNO(pidguard_spawn("true", argv, environ, &newer.options, offsetof(struct pidguard_spawn_options, cgroup)),
              EINVAL);
}

/* The child is in a cgroup from the start, natively and without clone3. */
static void cgroup(void) {
  char path[128];
  uint64_t id = 0;
  int status;
  if (!cgroup_make(path, sizeof path))
    return;
  int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  CHECK_EQ(pidguard_cgroupid_from_path(path, &id), 0);
  CHECK_ERRNO(pidguard_cgroupid_from_path("/tmp", &id), EINVAL);
  CHECK_ERRNO(pidguard_cgroupid_from_path("/no/such", &id), ENOENT);
  char file[160];
  snprintf(file, sizeof file, "%s/cgroup.procs", path);
  uint64_t untouched = id;
  CHECK_ERRNO(pidguard_cgroupid_from_path(file, &untouched), ENOTDIR); /* it has a file handle of its own */
  PG_CHECK(untouched == id, "a failure stored a value");
  /* None of these is a cgroup's directory, and the last has a file with the name of a cgroup's. */
  char decoy[] = "/tmp/pidguard-test-XXXXXX";
  int others[] = {tmp, open(file, O_RDONLY | O_CLOEXEC), -1, -1};
  if (mkdtemp(decoy)) {
    others[3] = open(decoy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(openat(others[3], "cgroup.procs", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  }
  struct pidguard_spawn_options options = {.flags = PIDGUARD_SPAWN_CGROUP, .cgroup = dir};
  for (int without = 0; without < 2; without++) {
    uint64_t there = 0;
    hide(without ? PG_FEATURE_CLONE3 : 0);
    int fd = run("exec sleep 100", &options);
    PG_CHECK(fd >= 0, "%s", strerror(errno));
    CHECK_EQ(cgroupid_of(fd, &there), 0);
    PG_CHECK(there == id, "in %llu, not %llu", (unsigned long long)there, (unsigned long long)id);
    pidguard_pidfd_send_signal(fd, SIGKILL, 0);
    CHECK_EQ(pidguard_pidfd_wait(fd, &status, 5000), 0);
    close(fd);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
      options.cgroup = others[i];
      CHECK_ERRNO(run("exit 0", &options), EBADF);
    }
    options.cgroup = dir;
    hide(0);
  }
  unlinkat(others[3], "cgroup.procs", 0);
  rmdir(decoy);
  close(others[3]);
  close(others[1]);
  close(tmp);
  close(dir);
  cgroup_remove(path);
}

/* What only the newest kernels have is done or refused, but never left out. */
static void newest(void) {
  static const uint64_t flags[] = {PIDGUARD_SPAWN_AUTOREAP, PIDGUARD_SPAWN_AUTOKILL | PIDGUARD_SPAWN_NO_NEW_PRIVS};
  for (size_t i = 0; i < 2; i++) {
    struct pidguard_spawn_options options = {.flags = flags[i]};
    int status, fd = run("exec sleep 100", &options);
    if (fd < 0) {
      CHECK_EQ(errno, EOPNOTSUPP);
      pg_test_skip("CLONE_AUTOREAP and CLONE_PIDFD_AUTOKILL need Linux 7.1");
      continue;
    }
    int watch = pidguard_pidfd_open(pidguard_pidfd_get_pid(fd), 0);
    if (i == 0)
      pidguard_pidfd_send_signal(fd, SIGKILL, 0);
    close(fd);
    CHECK_EQ(pidguard_pidfd_wait(watch, &status, 10000), 0);
    CHECK_EQ(status, SIGKILL);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    close(watch);
  }
  hide(PG_FEATURE_CLONE3);
  CHECK_ERRNO(run("exit 0", &(struct pidguard_spawn_options){.flags = PIDGUARD_SPAWN_AUTOREAP}), EOPNOTSUPP);
  hide(0);
}

/* The kernel may reap by itself, or another thread may take any child. No child may be lost before it has a pidfd. */
static void ignored_children(void) {
  signal(SIGCHLD, SIG_IGN);
  char *argv[] = {"true", NULL};
  for (int i = 0; i < 200; i++) {
    int fd = pidguard_spawn("true", argv, environ, NULL, 0);
    if (!PG_CHECK(fd >= 0, "spawn %d: %s", i, strerror(errno)))
      break;
    CHECK_EQ(pidguard_pidfd_wait_end(fd, 5000 * patience()), 0);
    close(fd);
  }
  CHECK_ERRNO(pidguard_spawn("/no/such", argv, environ, NULL, 0), ENOENT);
  /* A pidfd says that the child has ended a moment before the kernel looks whether SIGCHLD is ignored. */
  CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
  signal(SIGCHLD, SIG_DFL);
}

static _Atomic bool stop;

static void *take_any(void *unused) {
  while (!stop)
    waitpid(-1, NULL, WNOHANG);
  return unused;
}

static void rival_thread(void) {
  pthread_t thread;
  char *argv[] = {"true", NULL};
  stop = false;
  pthread_create(&thread, NULL, take_any, NULL);
  for (int i = 0; i < 100; i++) {
    int fd = pidguard_spawn("true", argv, environ, NULL, 0);
    if (!PG_CHECK(fd >= 0, "spawn %d: %s", i, strerror(errno)))
      break;
    CHECK_EQ(pidguard_pidfd_wait_end(fd, 5000 * patience()), 0);
    close(fd);
  }
  stop = true;
  pthread_join(thread, NULL);
  while (waitpid(-1, NULL, 0) > 0)
    ;
}

static volatile sig_atomic_t children_told;

static void on_child(int sig) {
  (void)sig;
  children_told++;
}

/* A failure leaves nothing, and no handler sees the child of it. */
static void failures(void) {
  int before = open_descriptors();
  char *argv[] = {"x", NULL};
  signal(SIGCHLD, on_child);
  for (int i = 0; i < 20; i++)
    CHECK_ERRNO(pidguard_spawn("/no/such/program", argv, environ, NULL, 0), ENOENT);
  signal(SIGCHLD, SIG_DFL);
  CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
  CHECK_EQ(open_descriptors(), before);
}

/* The example in the header. */
static void as_in_the_header(void) {
  char *argv[] = {"sh", "-c", "trap '' TERM; while :; do sleep 0.01; done", NULL};
  struct pidguard_spawn_options options = {.flags = PIDGUARD_SPAWN_KEEP_IGNORED};
  signal(SIGTERM, SIG_IGN); /* so that the shell cannot be late with its trap */
  int worker = pidguard_spawn("sh", argv, environ, &options, sizeof options), status = -1;
  signal(SIGTERM, SIG_DFL);
  CHECK_ERRNO(pidguard_pidfd_wait(worker, &status, 20), ETIMEDOUT);
  CHECK_EQ(pidguard_pidfd_terminate(worker, 50, 0), 1);
  CHECK_EQ(pidguard_pidfd_wait(worker, &status, -1), 0);
  CHECK_EQ(WTERMSIG(status), SIGKILL);
  close(worker);
  pg_test_kill_leftovers(); /* this ends the shell's last sleep */
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("statuses", statuses);
  add("path_search", path_search);
  add("descriptors", descriptors);
  add("highest_descriptor", highest_descriptor);
  add("signals", signals);
  add("places", places);
  add("sizes", sizes);
  add("cgroup", cgroup);
  add("newest", newest);
  add("ignored_children", ignored_children);
  add("rival_thread", rival_thread);
  add("failures", failures);
  add("as_in_the_header", as_in_the_header);
}

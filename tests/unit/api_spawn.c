/* Programs started with a pidfd: attributes, file actions, failures. */
#include "pidfd_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int run(const char *script, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr) {
  char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
  return pidguard_spawn("/bin/sh", actions, attr, argv, environ);
}

static void statuses(void) {
  static const struct {
    const char *script;
    int status;
  } cases[] = {{"exit 0", 0}, {"exit 77", 77 << 8}, {"kill -TERM $$", SIGTERM}, {"kill -KILL $$", SIGKILL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int status = -1, fd = run(cases[i].script, NULL, NULL);
    PG_CHECK(fd >= 0, "%s", strerror(errno));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(pidguard_pidfd_is_child(fd), 1);
    CHECK_EQ(pidguard_pidfd_get_ppid(fd), getpid());
    CHECK_EQ(pidguard_pidfd_wait(fd, &status, 5000), 1);
    CHECK_EQ(status & ~0x80, cases[i].status);
    close(fd);
  }
}

static void path_search(void) {
  setenv("PATH", "/usr/bin:/bin", 1);
  char *argv[] = {"sh", "-c", "exit 5", NULL};
  int status = -1, fd = pidguard_spawnp("sh", NULL, NULL, argv, environ);
  CHECK_EQ(pidguard_pidfd_wait(fd, &status, 5000), 1);
  CHECK_EQ(status, 5 << 8);
  close(fd);
  /* The search fails twice before it succeeds, and errno does not tell. */
  setenv("PATH", "/no/such/directory:/proc:/usr/bin:/bin", 1);
  errno = EXDEV;
  fd = pidguard_spawnp("sh", NULL, NULL, argv, environ);
  CHECK_EQ(errno, EXDEV);
  CHECK_EQ(pidguard_pidfd_wait(fd, NULL, 5000), 1);
  close(fd);
  CHECK_ERRNO(pidguard_spawn("sh", NULL, NULL, argv, environ), ENOENT); /* no search in PATH */
  CHECK_ERRNO(pidguard_spawnp("no-such-program-here", NULL, NULL, argv, environ), ENOENT);
  CHECK_ERRNO(pidguard_spawn("/dev/null", NULL, NULL, argv, environ), EACCES);
}

static void actions_and_attributes(void) {
  int pipe_ends[2];
  char text[64] = "";
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attr;
  sigset_t defaults, mask;
  if (pipe2(pipe_ends, O_CLOEXEC))
    abort();
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 1);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawnattr_init(&attr);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGUSR1);
  sigemptyset(&mask);
  posix_spawnattr_setsigdefault(&attr, &defaults);
  posix_spawnattr_setsigmask(&attr, &mask);
  posix_spawnattr_setpgroup(&attr, 0);
  posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  signal(SIGUSR1, SIG_IGN);
  int fd = run("echo here; read x; kill -USR1 $$; exit 3", &actions, &attr);
  signal(SIGUSR1, SIG_DFL);
  close(pipe_ends[1]);
  ssize_t n = read(pipe_ends[0], text, sizeof text - 1);
  PG_CHECK(n == 5 && !strcmp(text, "here\n"), "%zd: %s", n, text);
  pid_t pid = pidguard_pidfd_get_pid(fd);
  int status = -1;
  if (pid > 0) /* it may be a zombie by now, and is still there */
    CHECK_EQ(getpgid(pid), pid);
  CHECK_EQ(pidguard_pidfd_wait(fd, &status, 5000), 1);
  PG_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1, "status %x", status);
  close(fd);
  close(pipe_ends[0]);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attr);
}

/* Where the kernel reaps by itself there may be no child left to name. It is either there, and verified, or ECHILD. */
static void ignored_children(void) {
  signal(SIGCHLD, SIG_IGN);
  int there = 0, gone = 0;
  for (int i = 0; i < 40; i++) {
    int fd = run("exit 0", NULL, NULL);
    if (fd >= 0) {
      there++;
      CHECK_EQ(pidguard_pidfd_wait_end(fd, 5000), 1);
      close(fd);
    } else {
      gone++;
      CHECK_EQ(errno, ECHILD);
    }
  }
  CHECK_EQ(there + gone, 40);
  /* One that stays is always there. */
  int fd = run("exec sleep 100", NULL, NULL);
  PG_CHECK(fd >= 0, "%s", strerror(errno));
  pidguard_pidfd_kill(fd);
  CHECK_EQ(pidguard_pidfd_wait_end(fd, 5000), 1);
  close(fd);
  signal(SIGCHLD, SIG_DFL);
}

/* The example in the header. */
static void as_in_the_header(void) {
  char *argv[] = {"sh", "-c", "trap '' TERM; while :; do sleep 0.01; done", NULL};
  signal(SIGTERM, SIG_IGN); /* so that the shell cannot be late with its trap */
  int worker = pidguard_spawnp("sh", NULL, NULL, argv, environ), status = -1;
  signal(SIGTERM, SIG_DFL);
  CHECK_EQ(pidguard_pidfd_wait(worker, &status, 20), 0);
  CHECK_EQ(pidguard_pidfd_terminate(worker, 50), 1);
  CHECK_EQ(pidguard_pidfd_wait(worker, &status, -1), 1);
  CHECK_EQ(WTERMSIG(status), SIGKILL);
  close(worker);
  pg_test_kill_leftovers(); /* the shell's last sleep */
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("statuses", statuses);
  add("path_search", path_search);
  add("actions_and_attributes", actions_and_attributes);
  add("ignored_children", ignored_children);
  add("as_in_the_header", as_in_the_header);
}

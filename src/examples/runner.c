/* SPDX-License-Identifier: MIT */
/* A test runner. Each test has a time limit, its own signals, and its own output. What the test leaves running is
 * ended.
 *
 *     runner MILLISECONDS TEST...        sh runs each TEST */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}

/* 0 passed, 1 failed. */
static int run(char *test, int limit) {
  char *argv[] = {"sh", "-c", test, NULL};
  int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = memfd_create("log", MFD_CLOEXEC), status;
  const struct pidguard_spawn_fd fds[] = {{null, 0}, {log, 1}, {log, 2}};
  const struct pidguard_spawn_options options = {
      .flags = PIDGUARD_SPAWN_NEW_GROUP | PIDGUARD_SPAWN_NO_NEW_PRIVS, .fds = fds, .fd_count = 3};
  int pidfd = pidguard_spawn("sh", argv, environ, &options, sizeof options);
  if (pidfd < 0)
    die("sh");
  if (pidguard_pidfd_wait_end(pidfd, limit) < 0) {
    printf("TIMEOUT  %s\n", test);
    pidguard_pidfd_kill_tree(pidfd, 1000); /* not the shell alone */
    pidguard_pidfd_wait(pidfd, &status, -1);
  } else {
    pidguard_pidfd_send_signal(pidfd, SIGKILL, PIDGUARD_SIGNAL_GROUP); /* what the test left in the background */
    if (pidguard_pidfd_wait(pidfd, &status, -1) < 0)
      die("wait");
    if (WIFSIGNALED(status))
      printf("SIGNAL   %s: %s\n", test, strsignal(WTERMSIG(status)));
    else
      printf("%-8s %s\n", WEXITSTATUS(status) ? "FAILED" : "passed", test);
  }
  char text[4096];
  ssize_t n = status ? pread(log, text, sizeof text, 0) : 0;
  if (n > 0)
    printf("%.*s", (int)n, text);
  close(null), close(log), close(pidfd);
  return status != 0;
}

int main(int argc, char **argv) {
  int failed = 0;
  if (argc < 3)
    return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 2; i < argc; i++)
    failed += run(argv[i], atoi(argv[1]));
  printf("%d of %d failed\n", failed, argc - 2);
  return failed > 0;
}

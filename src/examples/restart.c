/* SPDX-License-Identifier: MIT */
/* An identity that survives a restart: a manager can be replaced while its daemon runs on.
 *
 *     restart FILE start COMMAND [ARG...]   starts the command, and notes in FILE which process it is
 *     restart FILE status                   tells whether that process runs
 *     restart FILE stop                     ends it, and all that it has started
 *
 * A PID file says "4711", and the process that has the PID 4711 when it is read gets the signal. This file names the
 * process itself. After its end, and after a reboot, the file names no process. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what) {
  fprintf(stderr, "restart: %s: %s\n", what, strerror(errno));
  return 1;
}

/* The process that the file names. -1 with ESRCH if it has ended, even if another process has its PID. */
static int find(const char *file) {
  char text[PIDGUARD_TEXT_MAX + 1] = "";
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  int daemon = n < 0 ? -1 : pidguard_pidfd_from_text(text, 0); /* the newline is part of the text */
  if (daemon >= 0 &&
      pidguard_pidfd_get_state(daemon) != PIDGUARD_STATE_ALIVE) { /* it has ended, and was not reaped yet */
    close(daemon);
    errno = ESRCH;
    return -1;
  }
  return daemon;
}

static int start(const char *file, char **command) {
  char text[PIDGUARD_TEXT_MAX];
  struct pidguard_spawn_options options = {.flags = PIDGUARD_SPAWN_NEW_SESSION, .directory = "/"};
  int daemon = pidguard_spawn(command[0], command, environ, &options, sizeof options);
  if (daemon < 0)
    return fail(command[0]);
  FILE *f = pidguard_pidfd_to_text(daemon, text, sizeof text) < 0 ? NULL : fopen(file, "we");
  if (!f || fprintf(f, "%s\n", text) < 0 || fclose(f)) {
    fail(file);
    pidguard_pidfd_send_signal(daemon, SIGKILL, 0);
    return 1;
  }
  return 0;
}

static int stop(int daemon) {
  if (pidguard_pidfd_kill_tree(daemon, 1000) < 0 && errno != ESRCH)
    return fail("stop");
  if (pidguard_pidfd_wait_end(daemon, 5000) < 0) /* it is no child of this process */
    return fail("wait");
  printf("stopped\n");
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 3 && !strcmp(argv[2], "start"))
    return start(argv[1], argv + 3);
  if (argc != 3)
    return 2;
  int daemon = find(argv[1]);
  if (daemon < 0 && errno == ESRCH) {
    printf("not running\n");
    return 3;
  }
  if (daemon < 0)
    return fail(argv[1]);
  if (!strcmp(argv[2], "stop"))
    return stop(daemon);
  printf("running\n");
  return 0;
}

/* SPDX-License-Identifier: MIT */
/* A pidfd in sd-event. (sd_event_add_child_pidfd() takes one, too, but wants SIGCHLD blocked, and reaps by itself.) */
#define _GNU_SOURCE
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

static int on_end(sd_event_source *source, int pidfd, uint32_t events, void *event) {
  int status = -1;
  (void)source, (void)events;
  if (pidguard_pidfd_wait(pidfd, &status, 20) < 0)
    return 0; /* a tracer still holds it */
  printf("status %d\n", WEXITSTATUS(status));
  return sd_event_exit(event, 0);
}

int main(void) {
  char *argv[] = {"sh", "-c", "exit 7", NULL};
  sd_event *event = NULL;
  int pidfd = pidguard_spawn("sh", argv, environ, NULL, 0);
  if (pidfd < 0 || sd_event_default(&event) < 0 || sd_event_add_io(event, NULL, pidfd, EPOLLIN, on_end, event) < 0)
    return 1;
  int r = sd_event_loop(event);
  sd_event_unref(event);
  close(pidfd);
  return r < 0;
}

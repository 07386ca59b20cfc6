/* SPDX-License-Identifier: MIT */
/* A pidfd in libuv. (libuv sets O_NONBLOCK, which does not affect the waits of pidguard.) */
#define _GNU_SOURCE
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <unistd.h>
#include <uv.h>

static void on_end(uv_poll_t *poll, int error, int events) {
  int status = -1;
  (void)error, (void)events;
  if (pidguard_pidfd_wait(*(int *)poll->data, &status, 20) < 0)
    return; /* a tracer still holds it */
  printf("status %d\n", WEXITSTATUS(status));
  uv_close((uv_handle_t *)poll, NULL);
}

int main(void) {
  char *argv[] = {"sh", "-c", "exit 7", NULL};
  int pidfd = pidguard_spawn("sh", argv, environ, NULL, 0);
  uv_poll_t poll = {.data = &pidfd};
  if (pidfd < 0 || uv_poll_init(uv_default_loop(), &poll, pidfd) < 0 || uv_poll_start(&poll, UV_READABLE, on_end) < 0)
    return 1;
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  close(pidfd);
  return 0;
}

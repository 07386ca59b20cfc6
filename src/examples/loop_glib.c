/* SPDX-License-Identifier: MIT */
/* A pidfd in the main loop of GLib. (g_child_watch_add() wants a PID, and reaps by it.) */
#define _GNU_SOURCE
#include <glib-unix.h>
#include <pidguard/pidguard.h>
#include <unistd.h>

static gboolean on_end(gint pidfd, GIOCondition condition, gpointer loop) {
  int status = -1;
  (void)condition;
  if (pidguard_pidfd_wait(pidfd, &status, 20) < 0)
    return G_SOURCE_CONTINUE; /* a tracer still holds it */
  g_print("status %d\n", WEXITSTATUS(status));
  g_main_loop_quit(loop);
  return G_SOURCE_REMOVE;
}

int main(void) {
  char *argv[] = {"sh", "-c", "exit 7", NULL};
  GMainLoop *loop = g_main_loop_new(NULL, FALSE);
  int pidfd = pidguard_spawn("sh", argv, environ, NULL, 0);
  g_unix_fd_add(pidfd, G_IO_IN, on_end, loop);
  g_main_loop_run(loop);
  close(pidfd);
  g_main_loop_unref(loop);
  return 0;
}

/* SPDX-License-Identifier: MIT */
/* Passes a process to another process.
 *
 *     pass COMMAND [ARG...]
 *
 * The main process starts COMMAND, and sends its pidfd over a socket to a watchman, which is another process. The
 * watchman is not the parent, so with a PID it could signal a stranger. A pidfd names the process itself. The receiver
 * can ask about it, signal it and wait for its end; only the parent can reap it. */
#define _GNU_SOURCE
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}

/* The other process. */
static int watch(int sock) {
  /* The peer is known by a pidfd, not by a PID that may be stale. */
  int peer = pidguard_socket_peer(sock);
  if (peer < 0)
    die("watchman: peer");
  printf("watchman: the peer is %s\n", pidguard_pidfd_get_pid(peer) == getppid() ? "my parent" : "a stranger");
  close(peer);

  int worker = pidguard_socket_receive(sock); /* the library checks that it is a pidfd */
  if (worker < 0)
    die("watchman: receive");
  struct pidguard_info info = {.mask = PIDGUARD_INFO_PID | PIDGUARD_INFO_CREDS | PIDGUARD_INFO_STATE};
  if (pidguard_pidfd_get_info(worker, &info, sizeof info) < 0)
    die("watchman: info");
  printf("watchman: got a process of %s, %s\n", info.ppid == getppid() ? "my parent" : "another process",
         info.state == PIDGUARD_STATE_ALIVE ? "alive" : "ended");

  if (pidguard_pidfd_send_signal(worker, SIGTERM, 0) < 0) /* to this process, or to no process */
    die("watchman: signal");
  if (pidguard_pidfd_wait_end(worker, 5000) < 0) /* need not be a child of the watchman */
    die("watchman: wait");
  printf("watchman: it has ended\n");
  close(worker);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: pass COMMAND [ARG...]\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  int pair[2], watchman, status;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    die("socketpair");
  pid_t pid = pidguard_fork_pidfd(&watchman);
  if (pid < 0)
    die("fork");
  if (pid == 0) {
    close(pair[0]);
    exit(watch(pair[1]));
  }
  close(pair[1]);

  int worker = pidguard_spawn(argv[1], argv + 1, environ, NULL, 0);
  if (worker < 0)
    die(argv[1]);
  if (pidguard_socket_send(pair[0], worker) < 0) /* the receiver gets a copy */
    die("send");

  if (pidguard_pidfd_wait(watchman, &status, -1) < 0 || status != 0)
    return 1;
  if (pidguard_pidfd_wait(worker, &status, -1) < 0)
    die("wait");
  printf("parent: the worker %s\n", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exited");
  close(worker);
  close(watchman);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : 1;
}

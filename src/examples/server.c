/* SPDX-License-Identifier: MIT */
/* A server that asks which process its peer is.
 *
 *     server SOCKET CONNECTIONS
 *
 * The server has two questions. What may the peer do? The credentials from the connection decide, because by now the
 * peer may have executed a set-user-ID program, and be root. Which process is it? The pidfd tells, for the log, and to
 * notice its end. The PID would belong to another process some time after that end. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void serve(int sock) {
  char text[PIDGUARD_TEXT_MAX] = "gone already", name[17] = "";
  uid_t uid;
  int peer = pidguard_socket_peer(sock);
  if (pidguard_socket_peer_creds(sock, &uid, NULL) < 0)
    die("peer_creds");
  if (peer >= 0)
    pidguard_pidfd_to_text(peer, text, sizeof text);
  int proc = peer < 0 ? -1 : pidguard_pidfd_open_proc(peer);
  int comm = proc < 0 ? -1 : openat(proc, "comm", O_RDONLY | O_CLOEXEC); /* the server's own, or an error */
  if (comm >= 0 && read(comm, name, sizeof name - 1) > 0)
    name[strcspn(name, "\n")] = '\0';
  bool allowed = uid == 0 || uid == geteuid();
  printf("%s (%s) of user %u: %s\n", text, name, (unsigned)uid, allowed ? "allowed" : "refused");
  if (dprintf(sock, "%s\n", allowed ? "welcome" : "no") < 0)
    perror("answer");
  if (peer >= 0 && pidguard_pidfd_wait_end(peer, 10000) == 0)
    printf("it has ended\n");
  close(comm), close(proc), close(peer);
}

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (argc != 3 || strlen(argv[1]) >= sizeof address.sun_path)
    return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  strcpy(address.sun_path, argv[1]);
  if (bind(sock, (struct sockaddr *)&address, sizeof address) || listen(sock, 8))
    die(argv[1]);
  printf("listening\n");
  for (int i = atoi(argv[2]); i > 0; i--) {
    int connection = accept4(sock, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0)
      die("accept");
    serve(connection);
    close(connection);
  }
  unlink(argv[1]);
  return 0;
}

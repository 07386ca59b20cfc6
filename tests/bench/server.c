/* SPDX-License-Identifier: MIT */
/* A prefork server under load, all in one bounded run, on the loopback interface only. A master has WORKERS processes
 * that accept from one socket. Each of them ends after some requests and is replaced, as in web servers. A client keeps
 * CLIENTS connections busy until REQUESTS are answered. The master checks its workers by kill(pid, 0) and ends them by
 * SIGTERM, with the PIDs that it remembers. Calls libc.
 *
 *     pg_bench_server WORKERS CLIENTS REQUESTS REQUESTS-PER-WORKER */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORKERS = 1024, MAX_CLIENTS = 256, TIMEOUT = 120 };

static pid_t workers[MAX_WORKERS];
static struct sockaddr_in address;

static void die(const char *what) {
  fprintf(stderr, "pg_bench_server: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int listen_somewhere(void) {
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &size) != 0)
    die("socket");
  return fd;
}

/* Forks a child that ends if its parent is killed. */
static pid_t fork_mortal(void) {
  pid_t parent = getpid(), pid = fork();
  if (pid < 0)
    die("fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
      _exit(1);
  }
  return pid;
}

static void serve(int fd, int requests) {
  static char answer[1024];
  char question[64];
  for (; requests > 0; requests--) {
    int to = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (to < 0)
      _exit(1);
    if (read(to, question, sizeof question) > 0 && write(to, answer, sizeof answer) != sizeof answer)
      _exit(1);
    close(to);
  }
  _exit(0);
}

static int ask(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 || write(fd, "GET", 3) != 3)
    die("client");
  return fd;
}

/* Keeps `clients` questions open, and asks a new one for each that was answered. */
static void be_client(int clients, int requests) {
  struct pollfd open[MAX_CLIENTS];
  char answer[2048];
  int asked = 0, answered = 0;
  for (int i = 0; i < clients; i++, asked++)
    open[i] = (struct pollfd){.fd = ask(), .events = POLLIN};
  while (answered < requests) {
    if (poll(open, (nfds_t)clients, TIMEOUT * 1000) <= 0)
      die("poll");
    for (int i = 0; i < clients; i++) {
      if (open[i].fd < 0 || !open[i].revents || read(open[i].fd, answer, sizeof answer) > 0)
        continue;
      close(open[i].fd);
      answered++;
      open[i].fd = asked < requests ? (asked++, ask()) : -1;
    }
  }
  _exit(0);
}

int main(int argc, char **argv) {
  int count = argc == 5 ? atoi(argv[1]) : 0, clients = argc == 5 ? atoi(argv[2]) : 0;
  int requests = argc == 5 ? atoi(argv[3]) : 0, each = argc == 5 ? atoi(argv[4]) : 0;
  if (count < 1 || count > MAX_WORKERS || clients < 1 || clients > MAX_CLIENTS || requests < clients || each < 1) {
    fprintf(stderr, "usage: %s WORKERS CLIENTS REQUESTS REQUESTS-PER-WORKER\n", argv[0]);
    return 2;
  }
  alarm(TIMEOUT);
  int fd = listen_somewhere();
  for (int i = 0; i < count; i++)
    if ((workers[i] = fork_mortal()) == 0)
      serve(fd, each);
  pid_t client = fork_mortal();
  if (client == 0)
    be_client(clients, requests);
  for (int deaths = 0;;) {
    int status, at = 0;
    pid_t pid = waitpid(-1, &status, 0);
    if (pid < 0 || status != 0)
      die("a process failed");
    if (pid == client)
      break;
    while (at < count && workers[at] != pid)
      at++;
    if (at == count)
      die("a stranger");
    if ((workers[at] = fork_mortal()) == 0)
      serve(fd, each);
    if (++deaths % 16 == 0) /* now and then the master checks that all workers are there */
      for (int i = 0; i < count; i++)
        if (workers[i] <= 1 || kill(workers[i], 0) != 0)
          die("kill");
  }
  for (int i = 0; i < count; i++)
    if (workers[i] > 1)
      kill(workers[i], SIGTERM);
  for (int i = 0; i < count; i++)
    if (waitpid(workers[i], NULL, 0) != workers[i])
      die("waitpid");
  return 0;
}

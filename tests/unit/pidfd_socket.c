/* SPDX-License-Identifier: MIT */
/* pidfds over UNIX sockets: peers, cargo, senders. */
#include "pidfd_support.h"

#include "kernel/uapi.h"
#include "pidfd/feature.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_pair(int type, int pair[2]) {
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair))
    abort();
}

/* A child that connects to an abstract address. If `drop` is set, it drops its identity afterwards. */
static struct sockaddr_un address;
static socklen_t address_size;
static bool drop;

static int listen_at(const char *name) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  address = (struct sockaddr_un){.sun_family = AF_UNIX};
  int n = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "pidguard-%d-%s", (int)getpid(), name);
  address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
  if (bind(fd, (struct sockaddr *)&address, address_size) || listen(fd, 5))
    abort();
  return fd;
}

static int body_connect(void *unused) {
  (void)unused;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&address, address_size))
    return 1;
  if (drop && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
    return 77;
  if (drop && send(fd, "", 1, 0) != 1)
    return 1;
  for (;;)
    pause();
  return 0;
}

static void peers(void) {
  const unsigned ways[] = {0, PG_FEATURE_PEERPIDFD, PG_FEATURE_PEERPIDFD | PG_FEATURE_INFO, PG_FEATURE_ALL};
  int server = listen_at("peers");
  struct child c = child_running(body_connect, NULL);
  int sock = accept4(server, NULL, NULL, SOCK_CLOEXEC);
  for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
    hide(ways[w]);
    int fd = pidguard_socket_peer(sock);
    PG_CHECK(fd >= 0, "way %zu: %s", w, strerror(errno));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(pidguard_pidfd_is_same(fd, c.fd), 1);
    close(fd);
    hide(0);
  }
  /* The peer is gone. The kernel knows which process it was (6.16), or that it is gone. Without its help nothing can be
   * said safely, whether the PID is free or taken. */
  pid_t pid = c.pid;
  child_reap(&c);
  int fd = pidguard_socket_peer(sock), error = errno;
  if (fd >= 0) {
    CHECK_EQ(pidguard_pidfd_get_state(fd), PIDGUARD_STATE_REAPED);
    close(fd);
  } else {
    PG_CHECK(error == ESRCH, "%s", strerror(error));
  }
  hide(PG_FEATURE_PEERPIDFD);
  CHECK_ERRNO(pidguard_socket_peer(sock), ESRCH);
  hide(0);
  struct pg_test_stranger s;
  int r = pg_test_take_pid(pid, false, &s);
  if (r) {
    pg_test_skip("the test cannot choose a PID here: %s", strerror(-r));
  } else {
    hide(PG_FEATURE_PEERPIDFD);
    /* The socket is hung up, so the process that has the PID now is not believed. */
    CHECK_ERRNO(pidguard_socket_peer(sock), EOPNOTSUPP);
    hide(0);
    pg_test_stranger_release(&s);
  }
  child_done(&c);
  close(sock);
  close(server);
}

/* A peer that connects and becomes another user afterwards is still the user that connected. Its pidfd shows which user
 * it is now. */
static void peer_creds(void) {
  int server = listen_at("creds");
  char byte;
  uid_t uid = 1;
  gid_t gid = 1;
  struct pidguard_creds now;
  drop = true;
  struct child c = child_running(body_connect, NULL);
  drop = false;
  int sock = accept4(server, NULL, NULL, SOCK_CLOEXEC);
  if (recv(sock, &byte, 1, 0) != 1) {
    pg_test_skip("this user cannot become another user");
  } else {
    CHECK_EQ(pidguard_socket_peer_creds(sock, &uid, &gid), 0);
    PG_CHECK(uid == geteuid() && gid == getegid(), "%u, %u", (unsigned)uid, (unsigned)gid);
    CHECK_EQ(pidguard_socket_peer_creds(sock, NULL, NULL), 0);
    CHECK_EQ(creds_of(c.fd, &now), 0);
    CHECK_EQ(now.euid, 65534);
    /* The same when the peer is gone. */
    child_reap(&c);
    CHECK_EQ(pidguard_socket_peer_creds(sock, &uid, &gid), 0);
    PG_CHECK(uid == geteuid() && gid == getegid(), "%u, %u", (unsigned)uid, (unsigned)gid);
  }
  int unconnected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
      inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  uid = 77;
  CHECK_ERRNO(pidguard_socket_peer_creds(unconnected, &uid, &gid), ENODATA);
  if (inet >= 0)
    CHECK_ERRNO(pidguard_socket_peer_creds(inet, &uid, &gid), ENODATA);
  CHECK_ERRNO(pidguard_socket_peer_creds(c.fd, &uid, &gid), ENOTSOCK);
  CHECK_ERRNO(pidguard_socket_peer_creds(-1, &uid, &gid), EBADF);
  CHECK_EQ(uid, 77);
  close(unconnected), close(inet), close(sock), close(server);
  child_done(&c);
}

/* Can the kernel itself be asked for SO_PEERPIDFD? */
static bool peer_is_native(int sock) {
  int fd = -1;
  socklen_t len = sizeof fd;
  if (getsockopt(sock, SOL_SOCKET, PG_SO_PEERPIDFD, &fd, &len) != 0)
    return errno != ENOPROTOOPT;
  close(fd);
  return true;
}

static void self_as_peer(void) {
  const unsigned ways[] = {0, PG_FEATURE_PEERPIDFD};
  const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
  int self = pidguard_pidfd_open(getpid(), 0);
  for (size_t w = 0; w < 2; w++)
    for (size_t t = 0; t < 3; t++) {
      int pair[2];
      make_pair(types[t], pair);
      bool by_number = w || !peer_is_native(pair[0]);
      hide(ways[w]);
      if (by_number && types[t] == SOCK_DGRAM) { /* a datagram socket does not notice that its peer is gone */
        CHECK_ERRNO(pidguard_socket_peer(pair[0]), EOPNOTSUPP);
      } else {
        int fd = pidguard_socket_peer(pair[0]);
        CHECK_EQ(pidguard_pidfd_is_same(fd, self), 1);
        close(fd);
      }
      hide(0);
      close(pair[0]);
      close(pair[1]);
    }
  close(self);
}

/* The recorded credentials are no longer those of the process. It is a stranger, or a peer that has changed, and is not
 * believed. */
static void changed_peer(void) {
  int server = listen_at("changed");
  drop = true;
  struct child c = child_running(body_connect, NULL);
  drop = false;
  int sock = accept4(server, NULL, NULL, SOCK_CLOEXEC);
  char byte;
  if (recv(sock, &byte, 1, 0) != 1) {
    pg_test_skip("this user cannot become another user");
  } else {
    hide(PG_FEATURE_PEERPIDFD);
    CHECK_ERRNO(pidguard_socket_peer(sock), EOPNOTSUPP);
    hide(0);
    int fd = pidguard_socket_peer(sock);
    if (fd >= 0) {
      CHECK_EQ(pidguard_pidfd_is_same(fd, c.fd), 1);
      close(fd);
    }
  }
  child_done(&c);
  close(sock);
  close(server);
}

static void no_peers(void) {
  const unsigned ways[] = {0, PG_FEATURE_PEERPIDFD};
  int lone = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int file = open("/dev/null", O_RDWR | O_CLOEXEC), self = pidguard_pidfd_open(getpid(), 0);
  CHECK_ERRNO(pidguard_socket_send(lone, self), ENOTCONN);
  CHECK_ERRNO(pidguard_socket_send(file, self), ENOTSOCK);
  if (inet >= 0) /* a connected one would take a message and drop the descriptor in it */
    CHECK_ERRNO(pidguard_socket_send(inet, self), EPROTOTYPE);
  close(self);
  for (size_t w = 0; w < 2; w++) {
    hide(ways[w]);
    CHECK_ERRNO(pidguard_socket_peer(lone), ENODATA);
    if (inet >= 0)
      CHECK_ERRNO(pidguard_socket_peer(inet), ENODATA);
    CHECK_ERRNO(pidguard_socket_peer(file), ENOTSOCK);
    CHECK_ERRNO(pidguard_socket_peer(-1), EBADF);
    hide(0);
  }
  close(lone);
  if (inet >= 0)
    close(inet);
  close(file);
}

static int body_receive(void *sock) {
  int fd = pidguard_socket_receive(*(int *)sock);
  if (fd < 0)
    return 1;
  return fcntl(fd, F_GETFD) == FD_CLOEXEC && pidguard_pidfd_send_signal(fd, SIGKILL, 0) == 0 ? 0 : 2;
}

static void handed_over(void) {
  const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
  for (size_t t = 0; t < 3; t++) {
    int pair[2];
    make_pair(types[t], pair);
    struct child target = child_paused();
    struct child c = child_running(body_receive, &pair[1]);
    CHECK_EQ(pidguard_socket_send(pair[0], target.fd), 0);
    CHECK_EQ(pidguard_pidfd_wait_end(target.fd, 5000), 0);
    child_await_zombie(&c);
    CHECK_EQ(child_reap(&c), 0);
    child_done(&c);
    child_done(&target);
    close(pair[0]);
    close(pair[1]);
  }
}

enum { MOST = 253 }; /* the most descriptors that a message can carry: SCM_MAX_FD */

static void send_message(int sock, size_t size, const int *fds, size_t count) {
  char data[16] = "";
  struct iovec iov = {data, size};
  union {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int) * MOST)];
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
  if (count) {
    msg.msg_control = &control;
    msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * count);
  }
  if (syscall(SYS_sendmsg, sock, &msg, 0) != (long)size) /* sendmsg() of musl does not take MOST descriptors */
    abort();
}

static void send_fds(int sock, const int *fds, size_t count) { send_message(sock, 1, fds, count); }

/* Anything but exactly one pidfd is refused. None of it stays open, which every test checks. */
static void bad_cargo(void) {
  int pair[2], file = open("/dev/null", O_RDWR | O_CLOEXEC), many[200];
  struct child c = child_paused();
  make_pair(SOCK_STREAM, pair);
  send_fds(pair[0], NULL, 0);
  CHECK_ERRNO(pidguard_socket_receive(pair[1]), EBADMSG);
  send_fds(pair[0], &file, 1);
  CHECK_ERRNO(pidguard_socket_receive(pair[1]), EBADMSG);
  for (size_t i = 0; i < 200; i++)
    many[i] = c.fd;
  const size_t counts[] = {2, 3, 50, 120, 200};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    int before = open_descriptors();
    send_fds(pair[0], many, counts[i]);
    CHECK_ERRNO(pidguard_socket_receive(pair[1]), EBADMSG);
    CHECK_EQ(open_descriptors(), before);
  }
  CHECK_EQ(pidguard_socket_send(pair[0], c.fd), 0);
  int fd = pidguard_socket_receive(pair[1]);
  CHECK_EQ(pidguard_pidfd_is_same(fd, c.fd), 1);
  close(fd);

  /* There is no descriptor for it. */
  struct rlimit saved, low;
  getrlimit(RLIMIT_NOFILE, &saved);
  CHECK_EQ(pidguard_socket_send(pair[0], c.fd), 0);
  low = (struct rlimit){3, saved.rlim_max};
  setrlimit(RLIMIT_NOFILE, &low);
  int error = ERRNO_OF(pidguard_socket_receive(pair[1]));
  setrlimit(RLIMIT_NOFILE, &saved);
  CHECK_EQ(error, EBADMSG);

  /* There is room only for the first of two. What comes looks like one pidfd, and is not what was sent. */
  int lowest = fcntl(c.fd, F_DUPFD_CLOEXEC, 0);
  close(lowest);
  send_fds(pair[0], many, 2);
  low = (struct rlimit){(rlim_t)lowest + 1, saved.rlim_max};
  setrlimit(RLIMIT_NOFILE, &low);
  error = ERRNO_OF(pidguard_socket_receive(pair[1]));
  setrlimit(RLIMIT_NOFILE, &saved);
  CHECK_EQ(error, EBADMSG);

  CHECK_ERRNO(pidguard_socket_send(pair[0], file), EBADF);
  CHECK_ERRNO(pidguard_socket_send(pair[0], -1), EBADF);
  CHECK_ERRNO(pidguard_socket_send(file, c.fd), ENOTSOCK);
  CHECK_ERRNO(pidguard_socket_receive(file), ENOTSOCK);
  fcntl(pair[1], F_SETFL, O_NONBLOCK);
  CHECK_ERRNO(pidguard_socket_receive(pair[1]), EAGAIN);
  close(pair[0]);
  CHECK_ERRNO(pidguard_socket_receive(pair[1]), EPIPE);
  CHECK_ERRNO(pidguard_socket_send(pair[1], c.fd), EPIPE); /* and no SIGPIPE */
  close(pair[1]);
  close(file);
  child_done(&c);
}

/* One pidfd with more data than pidguard_socket_send sends, or with none; and nothing at all, which is not the end. */
static void bad_data(void) {
  const int types[] = {SOCK_SEQPACKET, SOCK_DGRAM};
  struct child c = child_paused();
  for (size_t t = 0; t < 2; t++) {
    int pair[2];
    make_pair(types[t], pair);
    send_message(pair[0], 10, &c.fd, 1);
    CHECK_ERRNO(pidguard_socket_receive(pair[1]), EBADMSG);
    send_message(pair[0], 0, &c.fd, 1);
    CHECK_ERRNO(pidguard_socket_receive(pair[1]), EBADMSG);
    send_message(pair[0], 0, NULL, 0);
    CHECK_ERRNO(pidguard_socket_receive(pair[1]), EBADMSG);
    /* The end is after the last message, even if the other end is closed before an empty message is received. */
    send_message(pair[0], 0, NULL, 0);
    CHECK_EQ(pidguard_socket_send(pair[0], c.fd), 0);
    close(pair[0]);
    CHECK_ERRNO(pidguard_socket_receive(pair[1]), EBADMSG);
    int fd = pidguard_socket_receive(pair[1]);
    PG_CHECK(fd >= 0 && !close(fd), "%s", strerror(errno));
    if (types[t] == SOCK_SEQPACKET)
      CHECK_ERRNO(pidguard_socket_receive(pair[1]), EPIPE);
    close(pair[1]);
  }
  child_done(&c);
}

static int body_say(void *sock) { return send(*(int *)sock, "hello", 5, 0) == 5 ? 0 : 1; }

static void senders(void) {
  const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
  char text[16];
  int fd;
  for (size_t t = 0; t < 3; t++) {
    int pair[2], self = pidguard_pidfd_open(getpid(), 0);
    make_pair(types[t], pair);
    if (pidguard_socket_pass_sender(pair[1], 1)) {
      CHECK_EQ(errno, EOPNOTSUPP);
      pg_test_skip("SO_PASSPIDFD needs Linux 6.5");
    } else {
      struct child c = child_running(body_say, &pair[0]);
      child_await_zombie(&c);
      memset(text, 0, sizeof text);
      CHECK_EQ(pidguard_socket_receive_from(pair[1], text, sizeof text, 0, &fd), 5);
      PG_CHECK(!strcmp(text, "hello"), "%s", text);
      CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
      CHECK_EQ(pidguard_pidfd_is_same(fd, c.fd), 1);
      close(fd);
      child_reap(&c);
      child_done(&c);

      /* A sender that was reaped before. It may be known (6.16) or not, but is never another process. */
      c = child_running(body_say, &pair[0]);
      child_await_zombie(&c);
      child_reap(&c);
      CHECK_EQ(pidguard_socket_receive_from(pair[1], text, sizeof text, 0, &fd), 5);
      if (fd >= 0) {
        CHECK_EQ(pidguard_pidfd_is_same(fd, c.fd), 1);
        close(fd);
      }
      child_done(&c);

      /* The sender also sends descriptors, which are closed. The receiver of a pidfd ignores the sender. */
      int cargo[MOST];
      for (size_t i = 0; i < MOST; i++)
        cargo[i] = self;
      /* Even the most descriptors that can be sent do not hide the sender. */
      for (size_t count = 1; count <= MOST; count += MOST - 1) {
        send_fds(pair[0], cargo, count);
        CHECK_EQ(pidguard_socket_receive_from(pair[1], text, sizeof text, 0, &fd), 1);
        CHECK_EQ(pidguard_pidfd_is_same(fd, self), 1);
        close(fd);
      }
      CHECK_EQ(pidguard_socket_send(pair[0], self), 0);
      fd = pidguard_socket_receive(pair[1]);
      CHECK_EQ(pidguard_pidfd_is_same(fd, self), 1);
      close(fd);

      CHECK_EQ(pidguard_socket_pass_sender(pair[1], 0), 0);
    }
    if (send(pair[0], "x", 1, 0) != 1)
      abort();
    fd = 77;
    CHECK_EQ(pidguard_socket_receive_from(pair[1], text, sizeof text, 0, &fd), 1);
    CHECK_EQ(fd, -1);
    fd = 77;
    CHECK_ERRNO(pidguard_socket_receive_from(pair[1], text, sizeof text, MSG_DONTWAIT, &fd), EAGAIN);
    CHECK_EQ(fd, 77);
    hide(PG_FEATURE_PASSPIDFD);
    CHECK_ERRNO(pidguard_socket_pass_sender(pair[1], 1), EOPNOTSUPP);
    hide(0);
    close(self);
    close(pair[0]);
    close(pair[1]);
  }
  CHECK_ERRNO(pidguard_socket_pass_sender(-1, 1), EBADF);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("peers", peers);
  add("peer_creds", peer_creds);
  add("self_as_peer", self_as_peer);
  add("changed_peer", changed_peer);
  add("no_peers", no_peers);
  add("handed_over", handed_over);
  add("bad_cargo", bad_cargo);
  add("bad_data", bad_data);
  add("senders", senders);
}

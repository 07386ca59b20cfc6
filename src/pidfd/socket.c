/* SPDX-License-Identifier: MIT */
#include "pidfd/socket.h"

#include "kernel/sys.h"
#include "pidfd/feature.h"
#include "pidfd/info.h"
#include "pidfd/open.h"

#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PG_SCM_MAX_FD 253 /* SCM_MAX_FD in include/net/scm.h */

/* struct ucred: the headers of libc declare it only with _GNU_SOURCE. */
struct peer_cred {
  int32_t pid;
  uint32_t uid, gid;
};

/* SO_PEERCRED records a PID, which may belong to another process by now. While the connection stands, a process holds
 * its other end. In all ordinary cases that process is the peer, so its PID is not free. A peer may also leave its end
 * to a child and die: the recorded credentials guard against that. */
static int verify_peer(int sock, int fd, const struct peer_cred *cred) {
  struct pg_pidfd_info info;
  int type = 0;
  unsigned len = sizeof type;
  int r = pg_sys_getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &len);
  if (r)
    return r;
  if (type != SOCK_STREAM && type != SOCK_SEQPACKET) /* other types do not notice that their peer is gone */
    return -EOPNOTSUPP;
  r = pg_pidfd_info(fd, PG_PIDFD_INFO_CREDS, &info);
  if (r)
    return r;
  if (info.euid != cred->uid || info.egid != cred->gid)
    return -EOPNOTSUPP;
  struct pollfd p = {.fd = sock, .events = 0};
  r = pg_sys_ppoll(&p, 1, 0);
  if (r < 0)
    return r;
  return p.revents & (POLLHUP | POLLERR) ? -EOPNOTSUPP : 0;
}

static int peer_by_number(int sock) {
  struct peer_cred cred = {0, 0, 0};
  unsigned len = sizeof cred;
  int r = pg_sys_getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len);
  if (r)
    return r == -ENOPROTOOPT ? -ENODATA : r;
  if (cred.pid <= 0)
    return cred.uid == UINT32_MAX ? -ENODATA : -EREMOTE;
  PG_AUTO_CLOSE int fd = pg_pidfd_open(cred.pid, 0);
  if (fd < 0)
    return pg_no_entry_no_process(fd);
  r = verify_peer(sock, fd, &cred);
  return r ? r : pg_take(&fd);
}

int pg_socket_peer(int sock) {
  int fd = -1;
  unsigned len = sizeof fd;
  int r = pg_feature_hidden(PG_FEATURE_PEERPIDFD) ? -ENOPROTOOPT
                                                  : pg_sys_getsockopt(sock, SOL_SOCKET, PG_SO_PEERPIDFD, &fd, &len);
  if (r == -ENOPROTOOPT)
    return peer_by_number(sock);
  if (r == -EINVAL) /* the peer was reaped (before 6.16) */
    return -ESRCH;
  return r ? r : fd;
}

int pg_socket_peer_creds(int sock, uid_t *ret_uid, gid_t *ret_gid) {
  struct peer_cred cred = {0, 0, 0};
  unsigned len = sizeof cred;
  int r = pg_sys_getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len);
  if (r)
    return r == -ENOPROTOOPT ? -ENODATA : r;
  if (cred.uid == UINT32_MAX) /* the kernel's answer if no process has connected */
    return -ENODATA;
  *ret_uid = cred.uid;
  *ret_gid = cred.gid;
  return 0;
}

int pg_socket_send(int sock, int fd) {
  int domain = 0;
  unsigned len = sizeof domain;
  int r = pg_pidfd_check(fd);
  if (!r)
    r = pg_sys_getsockopt(sock, SOL_SOCKET, SO_DOMAIN, &domain, &len);
  if (r)
    return r;
  if (domain != AF_UNIX) /* other sockets take the message, and silently drop the descriptor */
    return -EPROTOTYPE;
  char byte = 0;
  struct iovec iov = {.iov_base = &byte, .iov_len = 1};
  union {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr msg;
  memset(&msg, 0, sizeof msg);
  memset(&control, 0, sizeof control);
  msg.msg_iov = &iov;
  msg.msg_iovlen = 1;
  msg.msg_control = &control;
  msg.msg_controllen = sizeof control;
  control.head.cmsg_level = SOL_SOCKET;
  control.head.cmsg_type = SCM_RIGHTS;
  control.head.cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
  ssize_t n = pg_sys_sendmsg(sock, &msg, MSG_NOSIGNAL);
  return n < 0 ? (int)n : 0;
}

/* The descriptors of a message: the sender's pidfd, the first one sent, and how many were sent. */
struct cargo {
  int sender, first, count;
  bool cut; /* the data was longer than the buffer */
};

static void unload(struct msghdr *msg, struct cargo *ret) {
  *ret = (struct cargo){.sender = -1, .first = -1};
  for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
    if (c->cmsg_level != SOL_SOCKET)
      continue;
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      if (c->cmsg_type == PG_SCM_PIDFD && i == 0) {
        ret->sender = fd >= 0 ? fd : -1; /* before 6.16 the kernel puts an errno here if the sender was reaped */
      } else if (c->cmsg_type == SCM_RIGHTS) {
        if (ret->count++ == 0)
          ret->first = fd;
        else
          pg_sys_close(fd);
      }
    }
  }
}

static ssize_t receive(int sock, void *data, size_t size, int flags, struct cargo *cargo) {
  struct iovec iov = {.iov_base = data, .iov_len = size};
  union { /* room for all that a message can carry: a sender must not push its own pidfd out by other cargo */
    struct cmsghdr head;
    char space[CMSG_SPACE(PG_SCM_MAX_FD * sizeof(int)) + CMSG_SPACE(sizeof(struct peer_cred)) +
               CMSG_SPACE(sizeof(int)) + 512];
  } control;
  struct msghdr msg;
  memset(&msg, 0, sizeof msg);
  memset(&control, 0, sizeof control);
  msg.msg_iov = &iov;
  msg.msg_iovlen = 1;
  msg.msg_control = &control;
  msg.msg_controllen = sizeof control;
  ssize_t n = pg_sys_recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
  if (n >= 0)
    unload(&msg, cargo);
  if (n >= 0 && (msg.msg_flags & MSG_CTRUNC))
    cargo->count = -1;
  cargo->cut = n >= 0 && (msg.msg_flags & MSG_TRUNC);
  return n;
}

int pg_socket_receive(int sock) {
  char byte;
  struct cargo cargo;
  ssize_t n = receive(sock, &byte, 1, 0, &cargo);
  if (n < 0)
    return (int)n;
  pg_close_at_end(&cargo.sender);
  PG_AUTO_CLOSE int first = cargo.first;
  if (n == 1 && !cargo.cut && cargo.count == 1 && !pg_pidfd_check(first))
    return pg_take(&first);
  /* An empty message without cargo looks like the end. No message with data stands behind the end. */
  struct pollfd p = {.fd = sock, .events = POLLRDHUP};
  int left = 0;
  bool end = n == 0 && cargo.count == 0 && pg_sys_ppoll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP)) &&
             !pg_sys_ioctl(sock, FIONREAD, &left) && !left;
  return end ? -EPIPE : -EBADMSG;
}

int pg_socket_pass_sender(int sock, int on) {
  int value = !!on;
  if (pg_feature_hidden(PG_FEATURE_PASSPIDFD))
    return -EOPNOTSUPP;
  int r = pg_sys_setsockopt(sock, SOL_SOCKET, PG_SO_PASSPIDFD, &value, sizeof value);
  return r == -ENOPROTOOPT ? -EOPNOTSUPP : r;
}

ssize_t pg_socket_receive_from(int sock, void *data, size_t size, int flags, int *ret_fd) {
  struct cargo cargo;
  ssize_t n = receive(sock, data, size, flags, &cargo);
  if (n < 0)
    return n;
  pg_close_at_end(&cargo.first);
  *ret_fd = cargo.sender;
  return n;
}

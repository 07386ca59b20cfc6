/* SPDX-License-Identifier: MIT */
/* pidfds over UNIX sockets. */
#include "pidfd/socket.h"
#include "api/internal.h"

int pidguard_socket_peer(int sock) { return pg_ret(pg_given(pg_socket_peer(sock))); }

int pidguard_socket_peer_creds(int sock, uid_t *ret_uid, gid_t *ret_gid) {
  uid_t uid;
  gid_t gid;
  int r = pg_socket_peer_creds(sock, &uid, &gid);
  if (!r && ret_uid)
    *ret_uid = uid;
  if (!r && ret_gid)
    *ret_gid = gid;
  return pg_ret(r);
}

int pidguard_socket_send(int sock, int pidfd) { return pg_ret(pg_socket_send(sock, pidfd)); }

int pidguard_socket_receive(int sock) { return pg_ret(pg_given(pg_socket_receive(sock))); }

int pidguard_socket_pass_sender(int sock, bool on) { return pg_ret(pg_socket_pass_sender(sock, on)); }

ssize_t pidguard_socket_receive_from(int sock, void *data, size_t size, int flags, int *ret_pidfd) {
  ssize_t r = pg_socket_receive_from(sock, data, size, flags, ret_pidfd);
  if (r >= 0)
    pg_given(*ret_pidfd);
  return pg_retl(r);
}

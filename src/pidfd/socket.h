/* SPDX-License-Identifier: MIT */
/* pidfds over UNIX sockets: who is at the other end, who sent this, and descriptors as cargo. Nothing here is
 * a cancellation point. Calls kernel. */
#ifndef PG_PIDFD_SOCKET_H
#define PG_PIDFD_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

/* The process that connected, listened or made the socket pair at the other end (6.5). Before: its number from
 * SO_PEERCRED, opened, and believed only if the other end is still held by somebody and the process has the credentials
 * that were recorded. -ENODATA no peer is known, -ESRCH the peer was reaped, -EREMOTE it lives in another pid
 * namespace, -EOPNOTSUPP not to be told safely on this kernel. */
int pg_socket_peer(int sock);

/* The effective user and group that the peer had when the connection was made, and not what it has become since.
 * -ENODATA no peer is known. */
int pg_socket_peer_creds(int sock, uid_t *ret_uid, gid_t *ret_gid);

/* Sends the pidfd with one byte of data. 0 or -errno of sendmsg(2); never SIGPIPE. */
int pg_socket_send(int sock, int fd);

/* Receives one: the descriptor. -EPIPE the other end was closed, -EBADMSG the message carries anything but one pidfd
 * (what it carries is closed), else -errno of recvmsg(2). */
int pg_socket_receive(int sock);

/* Asks for (or declines) a pidfd of the sender with each message (6.5; -EOPNOTSUPP). */
int pg_socket_pass_sender(int sock, int on);

/* recvmsg(2) of data, with the sender's pidfd if it was asked for and there is one, else -1. Other descriptors that
 * come along are closed. */
ssize_t pg_socket_receive_from(int sock, void *data, size_t size, int flags, int *ret_fd);

#endif

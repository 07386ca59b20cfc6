/* SPDX-License-Identifier: MIT */
/* pidfds over UNIX sockets: the peer, the sender of a message, and pidfds as cargo. No function is a cancellation
 * point. Calls kernel. */
#ifndef PG_PIDFD_SOCKET_H
#define PG_PIDFD_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

/* The process that connected, listened or made the socket pair at the other end (6.5). Before, the PID from SO_PEERCRED
 * is opened. It is believed only if the connection stands, and the process has the recorded credentials. -ENODATA no
 * peer is known, -ESRCH the peer was reaped, -EREMOTE it lives in another pid namespace, -EOPNOTSUPP this kernel cannot
 * tell safely. */
int pg_socket_peer(int sock);

/* The effective user and group that the peer had when it connected, even if they have changed since. -ENODATA no peer
 * is known. */
int pg_socket_peer_creds(int sock, uid_t *ret_uid, gid_t *ret_gid);

/* Sends the pidfd with one byte of data. 0, or -errno of sendmsg(2). Never raises SIGPIPE. */
int pg_socket_send(int sock, int fd);

/* Receives a pidfd. -EPIPE the other end was closed; -EBADMSG the message carries anything but one pidfd, and its cargo
 * is closed; else -errno of recvmsg(2). */
int pg_socket_receive(int sock);

/* Asks for a pidfd of the sender with each message, or declines it (6.5; -EOPNOTSUPP before). */
int pg_socket_pass_sender(int sock, int on);

/* recvmsg(2) of data. *ret_fd is the sender's pidfd, or -1 if the kernel gave none. Closes other descriptors that come
 * along. pre: `data` has room for `size`. */
ssize_t pg_socket_receive_from(int sock, void *data, size_t size, int flags, int *ret_fd);

#endif

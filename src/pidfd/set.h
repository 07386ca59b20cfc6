/* SPDX-License-Identifier: MIT */
/* Waiting for whichever of many processes ends first, or for whichever of many descriptors is readable. A set is an
 * epoll descriptor, so it can itself be polled, and the kernel keeps the members: no memory of ours, and time that does
 * not depend on their number. Calls kernel. */
#ifndef PG_PIDFD_SET_H
#define PG_PIDFD_SET_H

#include <stdint.h>

/* An empty set, close-on-exec. -EMFILE, -ENFILE, -ENOMEM. */
int pg_set_create(void);
/* A pidfd, or anything else that can be polled. -EBADF nothing like that, -EEXIST member already, -ENOSPC too many
 * watches of this user, -ENOMEM, -EINVAL not a set. */
int pg_set_add(int set, int fd);
/* -ENOENT not a member. */
int pg_set_remove(int set, int fd);
/* The members that ended, or are readable: how many, 0 at the deadline. Each is told by every call until it was reaped
 * (and told of once), removed, or is no longer readable. -EINTR, -EINVAL max < 1. */
int pg_set_wait(int set, int *ready, int max, int64_t deadline);

#endif

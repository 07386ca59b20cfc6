/* SPDX-License-Identifier: MIT */
/* Waits for the first of many processes to end, or for the first of many descriptors to be readable. A set is an epoll
 * descriptor, so it can be polled itself. The kernel keeps the members: the set needs no memory here, and its time does
 * not depend on their number. Calls kernel. */
#ifndef PG_PIDFD_SET_H
#define PG_PIDFD_SET_H

#include <stdint.h>

/* An empty set, close-on-exec. -EMFILE, -ENFILE, -ENOMEM. */
int pg_set_create(void);
/* Adds a pidfd, or another descriptor that can be polled. -EBADF no such descriptor, -EEXIST it is a member already,
 * -ENOSPC the user has too many watches, -ENOMEM, -EINVAL not a set. */
int pg_set_add(int set, int fd);
/* -ENOENT no member. */
int pg_set_remove(int set, int fd);
/* Reports the members that have ended, or are readable: how many, or 0 at the deadline. Each call reports a member
 * until it was reaped (and reported once), removed, or is no longer readable. pre: `ready` has room for `max`. -EINTR,
 * -EINVAL max < 1. */
int pg_set_wait(int set, int *ready, int max, int64_t deadline);

#endif

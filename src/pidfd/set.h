/* Waiting for whichever of many processes ends first. A set is an epoll descriptor, so it can itself be polled, and the
 * kernel keeps the members: no memory of ours, and time that does not depend on their number. Calls kernel. */
#ifndef PG_PIDFD_SET_H
#define PG_PIDFD_SET_H

#include <stdint.h>

/* An empty set, close-on-exec. -EMFILE, -ENFILE, -ENOMEM. */
int pg_set_create(void);
/* -EBADF no pidfd, -EEXIST member already, -ENOSPC too many watches of this user, -ENOMEM, -EINVAL not a set. */
int pg_set_add(int set, int fd, uint64_t data);
/* -ENOENT not a member. */
int pg_set_remove(int set, int fd);
/* The data of members that ended, each once: how many, 0 at the deadline. -EINTR, -EINVAL max < 1. */
int pg_set_wait(int set, uint64_t *data, int max, int64_t deadline);

#endif

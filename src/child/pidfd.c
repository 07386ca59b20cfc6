/* SPDX-License-Identifier: MIT */
/* The pidfd of a tracked child, for the caller of the API. */
#include "child/child.h"

#include "child/reach.h"
#include "child/self.h"

/* Never a duplicate of a held pidfd: a duplicate shares the flags that the caller may set (O_NONBLOCK). */
int pg_child_pidfd(pid_t pid) {
  uint64_t ino;
  pg_is_guest(); /* settles a forked child first */
  pg_child_look_back();
  pg_id id = pg_number_find(pid, &ino);
  if (!id)
    return PG_PASS;
  if (!pg_id_is_live(id))
    return -ESRCH;
  int fd = pg_reach_open(id, ino);
  if (fd >= 0 && pg_sys_pidfd_send_signal(fd, 0, NULL, 0) == -ESRCH) {
    pg_sys_close(fd);
    fd = -ESRCH;
  }
  if (fd == -ESRCH)
    pg_child_found_gone(id);
  return fd;
}

int pg_child_forget(pid_t pid) {
  uint64_t ino;
  pg_is_guest();
  if (!pg_number_find(pid, &ino))
    return -ESRCH;
  pg_number_forget(pid);
  return 0;
}

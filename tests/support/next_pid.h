/* SPDX-License-Identifier: MIT */
/* For programs and tests alike. This header knows nothing of the project. */
#ifndef PG_TEST_NEXT_PID_H
#define PG_TEST_NEXT_PID_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

/* Makes the next process of this pid namespace get this PID, if it is free. Returns 1, or 0 if there is no such file
 * here or the user may not write to it. Returns -1 if the kernel did not take the PID. */
static inline int next_pid_is(pid_t pid) {
  char before[16];
  int length = snprintf(before, sizeof before, "%d", (int)pid - 1);
  int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return 0;
  int done = write(fd, before, (size_t)length) == length ? 1 : -1;
  close(fd);
  return done;
}

#endif

/* SPDX-License-Identifier: MIT */
/* For programs and tests alike. This header knows nothing of the project. */
#ifndef PG_TEST_PIDFS_H
#define PG_TEST_PIDFS_H

#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Do pidfds have inodes of their own (Linux 6.9), so that one process can be told from another? */
static inline bool pidfd_has_identity(int fd) {
  struct statfs fs;
  return fstatfs(fd, &fs) == 0 && fs.f_type == 0x50494446 /* PIDFS_MAGIC */;
}
static inline bool pidfds_have_identity(void) {
  int fd = (int)syscall(434 /* pidfd_open */, getpid(), 0);
  bool yes = fd >= 0 && pidfd_has_identity(fd);
  if (fd >= 0)
    close(fd);
  return yes;
}

/* Can a pidfd signal the process group of its process (Linux 6.9)? Flags are looked at before the descriptor. */
static inline bool pidfds_signal_groups(void) {
  return syscall(424 /* pidfd_send_signal */, -1, 0, NULL, 4 /* PIDFD_SIGNAL_PROCESS_GROUP */) == -1 && errno == EBADF;
}

#endif

/* SPDX-License-Identifier: MIT */
#include "pidfd/info.h"

#include "kernel/sys.h"
#include "pidfd/feature.h"
#include "pidfd/open.h"
#include "pidfd/proc.h"

#include <poll.h>
#include <string.h>

#define TASK_BITS (PG_PIDFD_INFO_PID | PG_PIDFD_INFO_CREDS | PG_PIDFD_INFO_CGROUPID)
#define COREDUMP_BITS (PG_PIDFD_INFO_COREDUMP | PG_PIDFD_INFO_COREDUMP_SIGNAL | PG_PIDFD_INFO_COREDUMP_CODE)

static int get_info(int fd, uint32_t ask, unsigned size, struct pg_pidfd_info *ret) {
  memset(ret, 0, sizeof *ret);
  ret->mask = ask;
  return pg_or_unsupported(pg_sys_ioctl(fd, PG_PIDFD_GET_INFO(size), ret));
}

/* -EOPNOTSUPP if the kernel lacks the ioctl. */
static int native_info(int fd, uint32_t want, struct pg_pidfd_info *ret) {
  if (pg_feature_hidden(PG_FEATURE_INFO))
    return -EOPNOTSUPP;
  /* The kernel always gets a request for EXIT. The answer contains it only for a reaped process, so a reaped process
   * differs from the ESRCH of an old kernel. */
  uint32_t ask = (want & COREDUMP_BITS ? PG_PIDFD_INFO_COREDUMP : 0) | PG_PIDFD_INFO_EXIT;
  if (pg_feature_hidden(PG_FEATURE_INFO_EXIT))
    ask &= ~PG_PIDFD_INFO_EXIT;
  if (pg_feature_hidden(PG_FEATURE_INFO_COREDUMP))
    ask &= ~PG_PIDFD_INFO_COREDUMP;
  int r = pg_feature_hidden(PG_FEATURE_INFO_SIZES) ? -ENOTTY : get_info(fd, ask, sizeof *ret, ret);
  if (pg_ioctl_is_missing(r))
    r = get_info(fd, ask & ~PG_PIDFD_INFO_COREDUMP, PG_PIDFD_INFO_SIZE_VER0,
                 ret); /* the smaller structure has no room for it */
  return pg_ioctl_is_missing(r) ? -EOPNOTSUPP : r;
}

/* Why an otherwise good answer contains none of the wanted items. */
static int missing(uint32_t want, uint64_t got) {
  if (!(got & PG_PIDFD_INFO_PID) && (want & TASK_BITS))
    return -ESRCH;
  if (want & PG_PIDFD_INFO_CGROUPID)
    return -EOPNOTSUPP;
  if (want & PG_PIDFD_INFO_EXIT)
    return -ENODATA;
  return got & PG_PIDFD_INFO_COREDUMP ? -ENODATA : -EOPNOTSUPP;
}

int pg_pidfd_info(int fd, uint32_t want, struct pg_pidfd_info *ret) {
  int r = native_info(fd, want, ret);
  /* 6.13 and 6.14 answer ESRCH also for a process of another pid namespace, and for one with a parent in another. */
  if (r == -EOPNOTSUPP || r == -ESRCH) {
    int native = r;
    r = pg_proc_info(fd, want, ret);
    if (r == -EOPNOTSUPP && native == -ESRCH)
      r = -ESRCH;
    if (r == -EOPNOTSUPP && pg_pidfd_check(fd))
      r = -EBADF;
    if (!r && !(ret->mask & want))
      r = -EOPNOTSUPP;
  }
  if (r)
    return r;
  uint64_t got = ret->mask;
  if (!ret->coredump_mask) /* 6.16 to 6.18 set the bit also when there is no record */
    ret->mask &= ~(uint64_t)COREDUMP_BITS;
  ret->mask &= want;
  return ret->mask ? 0 : missing(want, got);
}

uint64_t pg_info_supported_in(const void *answer) {
  uint64_t mask, supported;
  memcpy(&mask, answer, sizeof mask);
  if (!(mask & PG_PIDFD_INFO_SUPPORTED_MASK))
    return 0;
  memcpy(&supported, (const char *)answer + PG_PIDFD_INFO_SUPPORTED_LATER, sizeof supported);
  if (!supported) /* 6.19 fills the rest of the buffer with zeros */
    memcpy(&supported, (const char *)answer + PG_PIDFD_INFO_SUPPORTED_FIRST, sizeof supported);
  return supported;
}

int pg_pidfd_info_supported(int fd, uint64_t *ret) {
  uint64_t answer[PG_PIDFD_INFO_SIZE_LATEST / sizeof(uint64_t)] = {PG_PIDFD_INFO_SUPPORTED_MASK};
  int r = pg_pidfd_check(fd); /* other files may understand the request in another way */
  if (r)
    return r;
  if (pg_feature_hidden(PG_FEATURE_INFO) || pg_sys_ioctl(fd, PG_PIDFD_GET_INFO(sizeof answer), answer))
    return -EOPNOTSUPP;
  uint64_t supported = pg_info_supported_in(answer);
  if (!supported)
    return -EOPNOTSUPP;
  *ret = supported;
  return 0;
}

int pg_pidfd_state(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  int r = pg_pidfd_check(fd);
  if (r)
    return r;
  do
    r = pg_sys_ppoll(&p, 1, 0);
  while (r == -EINTR);
  if (r < 0)
    return r;
  if (r == 0)
    return PG_STATE_ALIVE;
  if ((p.revents & POLLHUP) && !pg_feature_hidden(PG_FEATURE_HANGUP))
    return PG_STATE_REAPED;
  /* Signal 0 finds a zombie, but no reaped process. EPERM also means that the process is there. */
  r = pg_sys_pidfd_send_signal(fd, 0, NULL, 0);
  if (r == -ESRCH)
    return PG_STATE_REAPED;
  if (r == -EINVAL) /* the process has no PID here, so no signal reaches it; POLLHUP came with pidfs (6.9) */
    return pg_sys_fstatfs_type(fd) == PG_PIDFS_MAGIC && !pg_feature_hidden(PG_FEATURE_HANGUP) ? PG_STATE_ZOMBIE
                                                                                              : -EREMOTE;
  return PG_STATE_ZOMBIE;
}

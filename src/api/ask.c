/* SPDX-License-Identifier: MIT */
/* Questions about a process, one item or several at once. */
#include "api/internal.h"
#include "kernel/sys.h"
#include "pidfd/cgroup.h"
#include "pidfd/identity.h"
#include "pidfd/info.h"
#include "pidfd/wait.h"

#include <string.h>

_Static_assert(PIDGUARD_STATE_ALIVE == (int)PG_STATE_ALIVE && PIDGUARD_STATE_ZOMBIE == (int)PG_STATE_ZOMBIE &&
                   PIDGUARD_STATE_REAPED == (int)PG_STATE_REAPED,
               "public and internal states are one");
_Static_assert(PIDGUARD_INFO_PID == PG_PIDFD_INFO_PID && PIDGUARD_INFO_CREDS == PG_PIDFD_INFO_CREDS &&
                   PIDGUARD_INFO_CGROUPID == PG_PIDFD_INFO_CGROUPID &&
                   PIDGUARD_INFO_WAIT_STATUS == PG_PIDFD_INFO_EXIT &&
                   PIDGUARD_INFO_COREDUMP == PG_PIDFD_INFO_COREDUMP &&
                   PIDGUARD_INFO_SUPPORTED_MASK == PG_PIDFD_INFO_SUPPORTED_MASK,
               "the public mask begins as the kernel's");

#define COREDUMP_ALL (PG_PIDFD_INFO_COREDUMP | PG_PIDFD_INFO_COREDUMP_SIGNAL | PG_PIDFD_INFO_COREDUMP_CODE)
#define KERNEL_BITS (PIDGUARD_INFO_PID | PIDGUARD_INFO_CREDS | PIDGUARD_INFO_CGROUPID | PIDGUARD_INFO_WAIT_STATUS)
#define INFO_SIZE_VER0 96 /* the first published struct pidguard_info */
_Static_assert(sizeof(struct pidguard_info) == INFO_SIZE_VER0, "members are only ever added, at the end");

pid_t pidguard_pidfd_get_pid(int pidfd) {
  struct pg_pidfd_info info;
  int r = pg_pidfd_info(pidfd, PG_PIDFD_INFO_PID, &info);
  return r ? pg_ret(r) : (pid_t)info.pid;
}

static void copy_creds(const struct pg_pidfd_info *info, struct pidguard_creds *ret) {
  *ret = (struct pidguard_creds){.ruid = info->ruid,
                                 .euid = info->euid,
                                 .suid = info->suid,
                                 .fsuid = info->fsuid,
                                 .rgid = info->rgid,
                                 .egid = info->egid,
                                 .sgid = info->sgid,
                                 .fsgid = info->fsgid};
}

int pidguard_pidfd_get_id(int pidfd, uint64_t *ret) { return pg_ret(pg_pidfd_id(pidfd, ret)); }

int pidguard_pidfd_get_state(int pidfd) { return pg_ret(pg_pidfd_state(pidfd)); }

int pidguard_pidfd_get_wait_status(int pidfd, int *status) { return pg_ret(pg_pidfd_exit_status(pidfd, status)); }

/* The kernel records only dumps that a program or a socket took (core(5)). The wait status tells of every dump, and of
 * its signal. */
static int get_coredump(int pidfd, struct pidguard_coredump *ret) {
  struct pg_pidfd_info info;
  struct pidguard_coredump d = {.flags = 0, .signal = PIDGUARD_COREDUMP_UNKNOWN, .code = PIDGUARD_COREDUMP_UNKNOWN};
  int status, r = pg_pidfd_info(pidfd, COREDUMP_ALL, &info);
  if (!r) {
    d.flags = info.coredump_mask;
    if (info.mask & PG_PIDFD_INFO_COREDUMP_SIGNAL)
      d.signal = (int32_t)info.coredump_signal;
    if (info.mask & PG_PIDFD_INFO_COREDUMP_CODE)
      d.code = (int32_t)info.coredump_code;
  }
  if (r != -EBADF && r != -EREMOTE && d.signal == PIDGUARD_COREDUMP_UNKNOWN && !pg_pidfd_exit_status(pidfd, &status)) {
    int dumped = WIFSIGNALED(status) && (status & 0x80);
    if (dumped) {
      d.flags |= PIDGUARD_COREDUMP_DONE;
      d.signal = WTERMSIG(status);
    }
    r = dumped || d.flags ? 0 : -ENODATA;
  }
  if (!r)
    *ret = d;
  return r;
}

static void copy_kernel(const struct pg_pidfd_info *from, uint64_t want, struct pidguard_info *to) {
  uint64_t got = from->mask & want;
  to->mask = got & KERNEL_BITS;
  if (got & PIDGUARD_INFO_PID) {
    to->pid = (pid_t)from->pid;
    to->tgid = (pid_t)from->tgid;
    to->ppid = (pid_t)from->ppid;
  }
  if (got & PIDGUARD_INFO_CREDS)
    copy_creds(from, &to->creds);
  if (got & PIDGUARD_INFO_CGROUPID)
    to->cgroupid = from->cgroupid;
  if (got & PIDGUARD_INFO_WAIT_STATUS)
    to->wait_status = from->exit_code;
}

/* Notes the result for one item. The first error stays. */
static void note(struct pidguard_info *to, uint64_t item, int r, int *error) {
  if (r >= 0)
    to->mask |= item;
  else if (!*error)
    *error = r;
}

static int get_info(int pidfd, uint64_t want, struct pidguard_info *to) {
  int error = 0;
  if (want & KERNEL_BITS) {
    struct pg_pidfd_info info;
    int r = pg_pidfd_info(pidfd, (uint32_t)(want & KERNEL_BITS), &info);
    if (!r)
      copy_kernel(&info, want, to);
    else if (want & KERNEL_BITS & ~PIDGUARD_INFO_WAIT_STATUS)
      error = r;
  }
  if (want & ~to->mask & PIDGUARD_INFO_WAIT_STATUS) /* the kernel's answer lacks the status of a zombie child */
    note(to, PIDGUARD_INFO_WAIT_STATUS, pg_pidfd_exit_status(pidfd, &to->wait_status), &error);
  if (want & PIDGUARD_INFO_COREDUMP)
    note(to, PIDGUARD_INFO_COREDUMP, get_coredump(pidfd, &to->coredump), &error);
  if (want & PIDGUARD_INFO_SUPPORTED_MASK)
    note(to, PIDGUARD_INFO_SUPPORTED_MASK, pg_pidfd_info_supported(pidfd, &to->supported_mask), &error);
  if (want & PIDGUARD_INFO_ID)
    note(to, PIDGUARD_INFO_ID, pg_pidfd_id(pidfd, &to->id), &error);
  if (want & PIDGUARD_INFO_STATE) {
    int state = pg_pidfd_state(pidfd);
    note(to, PIDGUARD_INFO_STATE, state, &error);
    to->state = state > 0 ? state : 0;
  }
  return to->mask ? 0 : error;
}

int pidguard_pidfd_get_info(int pidfd, struct pidguard_info *info, size_t size) {
  struct pidguard_info known;
  if (size < INFO_SIZE_VER0)
    return pg_ret(-EINVAL);
  uint64_t want = info->mask & PIDGUARD_INFO_ALL;
  memset(&known, 0, sizeof known);
  int r = want ? get_info(pidfd, want, &known) : -EINVAL;
  if (r)
    return pg_ret(r);
  memcpy(info, &known, size < sizeof known ? size : sizeof known);
  if (size > sizeof known)
    memset((char *)info + sizeof known, 0, size - sizeof known);
  return 0;
}

int pidguard_cgroupid_from_path(const char *path, uint64_t *ret) {
  PG_AUTO_CLOSE int dir = pg_sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  return pg_ret(dir < 0 ? dir : pg_cgroup_id_of(dir, ret));
}

/* Questions about a process, one by one and several at once. */
#include "api/internal.h"
#include "pidfd/identity.h"
#include "pidfd/info.h"
#include "pidfd/wait.h"

#include <string.h>

_Static_assert(PIDGUARD_ALIVE == PG_STATE_ALIVE && PIDGUARD_ZOMBIE == PG_STATE_ZOMBIE &&
                   PIDGUARD_REAPED == PG_STATE_REAPED,
               "public and internal states are one");
_Static_assert(PIDGUARD_INFO_PID == PG_PIDFD_INFO_PID && PIDGUARD_INFO_CREDS == PG_PIDFD_INFO_CREDS &&
                   PIDGUARD_INFO_CGROUP_ID == PG_PIDFD_INFO_CGROUPID &&
                   PIDGUARD_INFO_EXIT_STATUS == PG_PIDFD_INFO_EXIT && PIDGUARD_INFO_COREDUMP == PG_PIDFD_INFO_COREDUMP,
               "the public mask begins as the kernel's");

#define COREDUMP_ALL (PG_PIDFD_INFO_COREDUMP | PG_PIDFD_INFO_COREDUMP_SIGNAL | PG_PIDFD_INFO_COREDUMP_CODE)
#define KERNEL_BITS                                                                                                    \
  (PIDGUARD_INFO_PID | PIDGUARD_INFO_CREDS | PIDGUARD_INFO_CGROUP_ID | PIDGUARD_INFO_EXIT_STATUS |                     \
   PIDGUARD_INFO_COREDUMP)
#define INFO_SIZE_VER0 88 /* the first published struct pidguard_info */
_Static_assert(sizeof(struct pidguard_info) == INFO_SIZE_VER0, "members are only ever added, at the end");

enum number { NUMBER_PID, NUMBER_PPID, NUMBER_TGID };

static pid_t get_number(int pidfd, enum number which) {
  struct pg_pidfd_info info;
  int r = pg_pidfd_info(pidfd, PG_PIDFD_INFO_PID, &info);
  if (r)
    return pg_ret(r);
  return (pid_t)(which == NUMBER_PID ? info.pid : which == NUMBER_PPID ? info.ppid : info.tgid);
}

pid_t pidguard_pidfd_get_pid(int pidfd) {
  return get_number(pidfd, NUMBER_PID);
}

pid_t pidguard_pidfd_get_ppid(int pidfd) {
  return get_number(pidfd, NUMBER_PPID);
}

pid_t pidguard_pidfd_get_tgid(int pidfd) {
  return get_number(pidfd, NUMBER_TGID);
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

int pidguard_pidfd_get_creds(int pidfd, struct pidguard_creds *ret) {
  struct pg_pidfd_info info;
  int r = pg_pidfd_info(pidfd, PG_PIDFD_INFO_CREDS, &info);
  if (!r)
    copy_creds(&info, ret);
  return pg_ret(r);
}

int pidguard_pidfd_get_cgroup_id(int pidfd, uint64_t *ret) {
  struct pg_pidfd_info info;
  int r = pg_pidfd_info(pidfd, PG_PIDFD_INFO_CGROUPID, &info);
  if (!r)
    *ret = info.cgroupid;
  return pg_ret(r);
}

int pidguard_pidfd_get_id(int pidfd, uint64_t *ret) {
  return pg_ret(pg_pidfd_id(pidfd, ret));
}

int pidguard_pidfd_get_state(int pidfd) {
  return pg_ret(pg_pidfd_state(pidfd));
}

int pidguard_pidfd_get_exit_status(int pidfd, int *status) {
  return pg_ret(pg_pidfd_exit_status(pidfd, status));
}

static void copy_coredump(const struct pg_pidfd_info *info, struct pidguard_coredump *ret) {
  int has_signal = !!(info->mask & PG_PIDFD_INFO_COREDUMP_SIGNAL),
      has_code = !!(info->mask & PG_PIDFD_INFO_COREDUMP_CODE);
  *ret = (struct pidguard_coredump){.flags = info->coredump_mask,
                                    .signal = has_signal ? (int32_t)info->coredump_signal : PIDGUARD_UNKNOWN,
                                    .code = has_code ? (int32_t)info->coredump_code : PIDGUARD_UNKNOWN};
}

int pidguard_pidfd_get_coredump(int pidfd, struct pidguard_coredump *ret) {
  struct pg_pidfd_info info;
  int r = pg_pidfd_info(pidfd, COREDUMP_ALL, &info);
  if (!r)
    copy_coredump(&info, ret);
  return pg_ret(r);
}

int pidguard_pidfd_same(int a, int b) {
  return pg_ret(pg_pidfd_same(a, b));
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
  if (got & PIDGUARD_INFO_CGROUP_ID)
    to->cgroup_id = from->cgroupid;
  if (got & PIDGUARD_INFO_EXIT_STATUS)
    to->exit_status = from->exit_code;
  if (got & PIDGUARD_INFO_COREDUMP)
    copy_coredump(from, &to->coredump);
}

/* Fills what it can; the error is that of the first item that could not be had. */
static int get_info(int pidfd, uint64_t want, struct pidguard_info *to) {
  int error = 0, r = 0;
  if (want & KERNEL_BITS) {
    struct pg_pidfd_info info;
    uint32_t ask = (uint32_t)(want & KERNEL_BITS);
    r = pg_pidfd_info(pidfd, want & PIDGUARD_INFO_COREDUMP ? ask | COREDUMP_ALL : ask, &info);
    if (r)
      error = r;
    else
      copy_kernel(&info, want, to);
  }
  if ((want & ~to->mask) & PIDGUARD_INFO_EXIT_STATUS) { /* a zombie child's is not in the kernel's answer */
    int status = 0;
    r = pg_pidfd_exit_status(pidfd, &status);
    if (!r) {
      to->exit_status = status;
      to->mask |= PIDGUARD_INFO_EXIT_STATUS;
    } else if (!error || want == PIDGUARD_INFO_EXIT_STATUS) {
      error = r;
    }
  }
  if (want & PIDGUARD_INFO_ID) {
    r = pg_pidfd_id(pidfd, &to->id);
    to->mask |= r ? 0 : PIDGUARD_INFO_ID;
    error = error ? error : r;
  }
  if (want & PIDGUARD_INFO_STATE) {
    r = pg_pidfd_state(pidfd);
    to->state = r > 0 ? r : 0;
    to->mask |= r > 0 ? PIDGUARD_INFO_STATE : 0;
    error = error || r > 0 ? error : r;
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

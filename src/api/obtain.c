/* SPDX-License-Identifier: MIT */
/* Obtaining pidfds: by PID, of a thread, by id, from a text; and telling what a descriptor is. */
#include "api/internal.h"
#include "kernel/sys.h"
#include "pidfd/identity.h"
#include "pidfd/info.h"
#include "pidfd/open.h"
#include "pidfd/text.h"

int pidguard_pidfd_open(pid_t pid, unsigned flags) {
  bool thread = flags & PIDGUARD_OPEN_THREAD;
  int f = pg_api_open_flags(flags & ~(unsigned)PIDGUARD_OPEN_THREAD);
  if (f >= 0)
    f = thread ? pg_pidfd_open_thread(pid, (unsigned)f) : pg_pidfd_open(pid, (unsigned)f);
  return pg_ret(pg_given(f));
}

int pidguard_pidfd_open_parent(void) { return pg_ret(pg_given(pg_pidfd_open_parent())); }

int pidguard_pidfd_open_id(uint64_t id, unsigned flags) {
  int f = pg_api_open_flags(flags);
  return pg_ret(pg_given(f < 0 ? f : pg_pidfd_open_id(id, (unsigned)f)));
}

int pidguard_pidfd_to_text(int pidfd, char *text, size_t size) { return pg_ret(pg_text_write(pidfd, text, size)); }

int pidguard_pidfd_from_text(const char *text, unsigned flags) {
  int f = pg_api_open_flags(flags);
  return pg_ret(pg_given(f < 0 ? f : pg_text_open(text, (unsigned)f)));
}

bool pidguard_is_pidfd(int fd) {
  int r = pg_pidfd_check(fd);
  return pg_ret_bool(r ? r : 1);
}

/* 0, or -ECHILD: the caller is the tracer of the process, and not its parent. Or the pidfd is of a thread. */
static int verify_parent(int fd) {
  struct pg_pidfd_info info;
  int r = pg_pidfd_info(fd, PG_PIDFD_INFO_PID, &info);
  if (r)
    return r == -ESRCH || r == -EREMOTE ? -ECHILD : r;
  return info.pid == info.tgid && (pid_t)info.ppid == pg_sys_getpid() ? 0 : -ECHILD;
}

bool pidguard_pidfd_is_child(int pidfd) {
  int r = pg_pidfd_check(pidfd);
  if (!r)
    r = pg_pidfd_verify_child(pidfd);
  if (!r && pg_pidfd_is_tracee(pidfd))
    r = verify_parent(pidfd);
  if (r == -ECHILD)
    return false;
  return pg_ret_bool(r ? r : 1);
}

bool pidguard_pidfd_is_same(int a, int b) { return pg_ret_bool(pg_pidfd_same(a, b)); }

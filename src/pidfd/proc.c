/* SPDX-License-Identifier: MIT */
#include "pidfd/proc.h"

#include "base/fmt.h"
#include "kernel/sys.h"
#include "pidfd/cgroup.h"
#include "pidfd/open.h"

#include <string.h>

/* The text behind "NAME:" and blanks at the start of a line, or NULL. */
static const char *field(const char *text, const char *name) {
  size_t n = strlen(name);
  for (const char *line = text; line; line = strchr(line, '\n')) {
    if (*line == '\n')
      line++;
    if (strncmp(line, name, n) || line[n] != ':')
      continue;
    line += n + 1;
    while (*line == ' ' || *line == '\t')
      line++;
    return line;
  }
  return NULL;
}

/* Reads `count` decimal numbers separated by white space. */
static int numbers(const char *text, uint32_t *ret[], size_t count) {
  for (size_t i = 0; text && i < count; i++) {
    while (*text == ' ' || *text == '\t')
      text++;
    int64_t v = pg_parse_dec(&text);
    if (v < 0 || v > UINT32_MAX)
      return -EOPNOTSUPP;
    *ret[i] = (uint32_t)v;
  }
  return text ? 0 : -EOPNOTSUPP;
}

int pg_proc_number(int fd) {
  int r = pg_sys_fcntl(fd, F_GETFD, 0);
  if (r < 0)
    return r;
  /* thread-self: this thread may have a descriptor table of its own. And /proc/self is empty once the main thread has
   * ended. */
  char path[64], text[512];
  struct pg_buf b;
  pg_buf_init(&b, path, sizeof path);
  pg_buf_str(&b, "/proc/thread-self/fdinfo/");
  pg_buf_dec(&b, fd);
  ssize_t n = pg_sys_read_file(AT_FDCWD, path, text, sizeof text);
  if (n == -ENOENT || n == -EACCES) /* no /proc */
    return pg_pidfd_check(fd) ? -EBADF : -EOPNOTSUPP;
  if (n < 0)
    return (int)n;
  const char *p = field(text, "Pid");
  if (!p)
    return -EBADF;
  if (*p == '-')
    return -ESRCH;
  int64_t pid = pg_parse_dec(&p);
  if (pid < 0 || pid > INT32_MAX)
    return -EOPNOTSUPP;
  if (pid == 0)
    return -EREMOTE;
  /* Before 5.5 fdinfo keeps the PID of a reaped process. Signal 0 asks the kernel for the process itself. */
  return pg_sys_pidfd_send_signal(fd, 0, NULL, 0) == -ESRCH ? -ESRCH : (int)pid;
}

int pg_proc_pid(int fd) {
  char link[16];
  ssize_t n = pg_sys_readlinkat(AT_FDCWD, "/proc/self", link, sizeof link - 1);
  if (n < 0)
    return -EOPNOTSUPP;
  link[n] = '\0';
  const char *p = link;
  if (pg_parse_dec(&p) != pg_sys_getpid())
    return -EOPNOTSUPP;
  return pg_proc_number(fd);
}

int pg_proc_dir(int fd) {
  int pid = pg_proc_number(fd);
  if (pid < 0)
    return pid;
  char path[32];
  struct pg_buf b;
  pg_buf_init(&b, path, sizeof path);
  pg_buf_str(&b, "/proc/");
  pg_buf_dec(&b, pid);
  PG_AUTO_CLOSE int dir = pg_sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  /* The process had this PID before the open. If it still has the PID now, the directory is that of this process. */
  int after = pg_proc_number(fd);
  if (after != pid)
    return after < 0 ? after : -ESRCH;
  if (dir == -ENOENT)
    return -EACCES;
  return dir < 0 ? dir : pg_take(&dir);
}

static int status_info(int dir, struct pg_pidfd_info *ret) {
  char text[1024]; /* the wanted lines come first, and a small buffer suits the stack of a signal handler */
  ssize_t n = pg_sys_read_file(dir, "status", text, sizeof text);
  if (n == -ENOENT || n == 0) /* the directory of a reaped process has nothing left */
    return -ESRCH;
  if (n < 0)
    return (int)n;
  uint32_t *tgid[] = {&ret->tgid}, *pid[] = {&ret->pid}, *ppid[] = {&ret->ppid};
  uint32_t *uids[] = {&ret->ruid, &ret->euid, &ret->suid, &ret->fsuid};
  uint32_t *gids[] = {&ret->rgid, &ret->egid, &ret->sgid, &ret->fsgid};
  if (numbers(field(text, "Tgid"), tgid, 1) || numbers(field(text, "Pid"), pid, 1) ||
      numbers(field(text, "PPid"), ppid, 1) || numbers(field(text, "Uid"), uids, 4) ||
      numbers(field(text, "Gid"), gids, 4))
    return -EOPNOTSUPP;
  return 0;
}

int pg_proc_info(int fd, uint32_t want, struct pg_pidfd_info *ret) {
  memset(ret, 0, sizeof *ret);
  int own = pg_proc_pid(fd);
  if (own < 0 && own != -EOPNOTSUPP)
    return own;
  PG_AUTO_CLOSE int dir = pg_proc_dir(fd);
  if (dir < 0)
    return dir;
  int r = status_info(dir, ret);
  if (!r)
    ret->mask = PG_PIDFD_INFO_CREDS | (own > 0 ? PG_PIDFD_INFO_PID : 0);
  if (!r && (want & PG_PIDFD_INFO_CGROUPID)) {
    int cg = pg_cgroup_id(dir, &ret->cgroupid);
    if (!cg)
      ret->mask |= PG_PIDFD_INFO_CGROUPID;
    else if (cg == -ESRCH || !(ret->mask & want)) /* the only wanted item: the caller learns the reason */
      r = cg;
  }
  return r;
}

int pg_proc_start_time(int fd, uint64_t *ret) {
  char text[1024];
  PG_AUTO_CLOSE int dir = pg_proc_dir(fd);
  if (dir < 0)
    return dir;
  ssize_t n = pg_sys_read_file(dir, "stat", text, sizeof text);
  if (n <= 0)
    return n == -ENOENT || n == 0 ? -ESRCH : (int)n;
  const char *p =
      strrchr(text, ')'); /* the name may contain blanks and brackets; fields 3 to 52 follow its last bracket */
  for (int field = 2; p && field < 22; field++)
    if ((p = strchr(p, ' ')))
      p++;
  int64_t ticks = p ? pg_parse_dec(&p) : -1;
  if (ticks < 0)
    return -EOPNOTSUPP;
  *ret = (uint64_t)ticks;
  return 0;
}

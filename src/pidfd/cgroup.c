#include "pidfd/cgroup.h"

#include "base/fmt.h"
#include "kernel/sys.h"

#include <string.h>

#define PATH_CAP 4096

/* Failures that say nothing about the kernel: they are passed on as they are. */
static int is_scarcity(int r) {
  return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/* A text file line by line, whatever its length. */
struct lines {
  int fd;
  size_t start, end;
  char buf[PATH_CAP];
};

/* The next line, NUL-terminated, or NULL at the end. A line longer than the buffer is passed over. */
static char *next_line(struct lines *l) {
  int skipping = 0;
  for (;;) {
    char *nl = memchr(l->buf + l->start, '\n', l->end - l->start);
    if (nl) {
      char *line = l->buf + l->start;
      *nl = '\0';
      l->start = (size_t)(nl - l->buf) + 1;
      if (!skipping)
        return line;
      skipping = 0;
      continue;
    }
    if (l->start == 0 && l->end == sizeof l->buf) {
      skipping = 1;
      l->end = 0;
    }
    memmove(l->buf, l->buf + l->start, l->end - l->start);
    l->end -= l->start;
    l->start = 0;
    ssize_t n = pg_sys_read(l->fd, l->buf + l->end, sizeof l->buf - l->end);
    if (n <= 0) /* no signal interrupts such a read */
      return NULL;
    l->end += (size_t)n;
  }
}

/* Splits off the next blank-separated word of a line. */
static char *word(char **line) {
  char *p = *line, *start;
  while (*p == ' ')
    p++;
  start = p;
  while (*p && *p != ' ')
    p++;
  if (*p)
    *p++ = '\0';
  *line = p;
  return start;
}

/* The mount point of a cgroup2 hierarchy whose root is the root of the caller's cgroup namespace: paths in
 * /proc/PID/cgroup start there. Others, say the host's hierarchy bound into a container, would give a wrong answer. */
static int mount_point(char *ret) {
  struct lines l = {.fd = pg_sys_openat(AT_FDCWD, "/proc/thread-self/mountinfo", O_RDONLY | O_CLOEXEC, 0)};
  if (l.fd < 0)
    return is_scarcity(l.fd) ? l.fd : -EOPNOTSUPP;
  int r = -EOPNOTSUPP;
  for (char *line; r && (line = next_line(&l));) {
    word(&line); /* mount id */
    word(&line); /* parent */
    word(&line); /* device */
    char *root = word(&line), *point = word(&line);
    char *tail = strstr(line, " - ");
    if (!tail || strcmp(root, "/") || strchr(point, '\\'))
      continue;
    tail += 3;
    if (!strcmp(word(&tail), "cgroup2")) {
      strcpy(ret, point); /* both are as long as a line at most */
      r = 0;
    }
  }
  pg_sys_close(l.fd);
  return r;
}

/* The process's path in the unified hierarchy. */
static int cgroup_path(int procdir, char *ret) {
  struct lines l = {.fd = pg_sys_openat(procdir, "cgroup", O_RDONLY | O_CLOEXEC, 0)};
  if (l.fd < 0)
    return l.fd == -ENOENT ? -EOPNOTSUPP : l.fd;
  int r = -EOPNOTSUPP, seen = 0;
  for (char *line; r && (line = next_line(&l)); seen = 1) {
    size_t n = strlen(line);
    static const char gone[] = " (deleted)";
    if (strncmp(line, "0::/", 4) || (n >= sizeof gone && !strcmp(line + n - (sizeof gone - 1), gone)))
      continue;
    strcpy(ret, line + 3);
    r = strstr(ret, "/..") == ret ? -EOPNOTSUPP : 0; /* outside our cgroup namespace */
  }
  pg_sys_close(l.fd);
  return seen || !r ? r : -ESRCH; /* an empty file is what a reaped process leaves */
}

int pg_cgroup_id(int procdir, uint64_t *ret) {
  char path[2 * PATH_CAP], relative[PATH_CAP];
  int r = cgroup_path(procdir, relative);
  if (!r)
    r = mount_point(path);
  if (r)
    return r;
  struct pg_buf b;
  pg_buf_init(&b, path + strlen(path), sizeof path - strlen(path));
  pg_buf_str(&b, relative);
  int dir = pg_sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (dir < 0)
    return is_scarcity(dir) ? dir : -EOPNOTSUPP;
  struct {
    uint32_t bytes;
    int32_t type;
    uint64_t id;
  } handle = {.bytes = sizeof handle.id};
  int mount_id;
  /* The handle is the id on every kernel; the inode number is only where inode numbers have 64 bits. */
  r = pg_sys_fstatfs_type(dir) == PG_CGROUP2_SUPER_MAGIC
          ? pg_sys_name_to_handle_at(dir, "", &handle, &mount_id, PG_AT_EMPTY_PATH)
          : -EOPNOTSUPP;
  pg_sys_close(dir);
  if (r || handle.bytes != sizeof handle.id)
    return -EOPNOTSUPP;
  *ret = handle.id;
  return 0;
}

/* SPDX-License-Identifier: MIT */
#include "pidfd/cgroup.h"

#include "base/errors.h"
#include "kernel/sys.h"
#include "pidfd/feature.h"

#include <stdbool.h>
#include <string.h>

#define NAME_CAP 256 /* NAME_MAX, and the NUL */

/* What has run out is passed on. Every other failure means that the cgroup cannot be found. */
static int or_scarce(int r) { return pg_is_scarce(r) ? r : -EOPNOTSUPP; }

/* Reads a text file byte by byte. It needs little memory, because callers may run on the stack of a signal handler. */
struct stream {
  int fd, at, end;
  char buf[512];
};

static int next_byte(struct stream *s) {
  if (s->at == s->end) {
    s->at = 0;
    s->end = (int)pg_sys_read(s->fd, s->buf, sizeof s->buf);
    if (s->end <= 0) { /* no signal interrupts a read of /proc or of a cgroup file */
      s->end = 0;
      return -1;
    }
  }
  return (unsigned char)s->buf[s->at++];
}

/* Reads a word up to a blank or a newline, and cuts it to the room that there is. Returns what follows the word: a
 * blank, a newline, or -1 at the end of the file. */
static int next_word(struct stream *s, char *word, size_t cap) {
  size_t n = 0;
  int c;
  while ((c = next_byte(s)) > ' ')
    if (n + 1 < cap)
      word[n++] = (char)c;
  word[n] = '\0';
  return c;
}

static int skip_line(struct stream *s, int last) {
  while (last >= 0 && last != '\n')
    last = next_byte(s);
  return last;
}

/* Follows a path from one directory to the next. The path is read up to `end`, or to the end of the file. Closes
 * `dir`. */
static int walk(int dir, struct stream *s, int end) {
  static const char gone[] = " (deleted)";
  char name[NAME_CAP];
  for (bool more = true; more;) {
    size_t n = 0, all = 0;
    int c;
    for (; (c = next_byte(s)) >= 0 && c != end && c != '/'; all++)
      if (n + 1 < sizeof name)
        name[n++] = (char)c;
    name[n] = '\0';
    more = c == '/';
    if (!n)
      continue;
    bool removed = !more && n >= sizeof gone && !strcmp(name + n - (sizeof gone - 1), gone);
    bool outside = !strcmp(name, ".."); /* of the caller's cgroup namespace */
    int next =
        removed || outside || all != n ? -EOPNOTSUPP : pg_sys_openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    pg_sys_close(dir);
    if (next < 0)
      return or_scarce(next);
    dir = next;
  }
  return dir;
}

/* Finds the line of mountinfo with the cgroup2 hierarchy whose root is the root of the caller's cgroup namespace. Paths
 * in /proc/PID/cgroup start at that root (cgroup_namespaces(7)). Another hierarchy would give a wrong answer: a
 * container may have the host's mounted. Returns the number of the line from 1, or 0. */
static int find_mount(struct stream *s) {
  char word[16];
  for (int line = 1, c = 0; c >= 0; line++) {
    bool rooted = false, after_dash = false, found = false, escaped = false;
    c = ' ';
    for (int field = 1; c == ' '; field++) {
      if (field == 5) { /* the mount point; a path with an escaped character cannot be followed */
        while ((c = next_byte(s)) > ' ')
          escaped |= c == '\\';
        continue;
      }
      c = next_word(s, word, sizeof word);
      if (field == 4)
        rooted = !strcmp(word, "/");
      found |= after_dash && !strcmp(word, "cgroup2");
      after_dash = !strcmp(word, "-");
    }
    c = skip_line(s, c);
    if (rooted && found && !escaped)
      return line;
  }
  return 0;
}

/* Opens the directory where that hierarchy is mounted. */
static int open_mount(void) {
  static const char path[] = "/proc/thread-self/mountinfo";
  int line = 0, c = 0, root;
  for (int pass = 0; pass < 2; pass++) {
    PG_AUTO_CLOSE int fd = pg_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
      return or_scarce(fd);
    struct stream s = {.fd = fd};
    if (pass == 0) {
      line = find_mount(&s);
      root = line ? 0 : -EOPNOTSUPP;
    } else {
      while (--line && c >= 0)
        c = skip_line(&s, 0);
      for (int field = 1; field < 5 && c >= 0; field++) {
        char word[4];
        c = next_word(&s, word, sizeof word);
      }
      root = pg_sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
      if (root >= 0)
        root = walk(root, &s, ' ');
    }
    if (root)
      break;
  }
  return root;
}

/* Afterwards the stream stands behind "0::" in the line of the process. */
static int find_path(struct stream *s) {
  int seen = 0;
  for (int c = 0; c >= 0;) {
    char head[4] = "";
    int n = 0;
    while (n < 3 && (c = next_byte(s)) >= 0 && c != '\n')
      head[n++] = (char)c;
    seen += n > 0;
    if (n == 3 && !memcmp(head, "0::", 3))
      return 0;
    c = skip_line(s, c);
  }
  return seen ? -EOPNOTSUPP : -ESRCH; /* a reaped process leaves an empty file */
}

int pg_cgroup_open(int procdir) {
  PG_AUTO_CLOSE int fd = pg_sys_openat(procdir, "cgroup", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0)
    return fd == -ENOENT ? -EOPNOTSUPP : fd;
  struct stream s = {.fd = fd};
  int r = find_path(&s);
  if (!r)
    r = open_mount();
  if (r >= 0)
    r = walk(r, &s, '\n');
  PG_AUTO_CLOSE int dir = r;
  if (dir >= 0 && pg_sys_fstatfs_type(dir) != PG_CGROUP2_SUPER_MAGIC)
    return -EOPNOTSUPP;
  return dir < 0 ? dir : pg_take(&dir);
}

/* The file handle is the id on every kernel. The inode number is the id only where inode numbers have 64 bits. */
int pg_cgroup_id_of(int dir, uint64_t *ret) {
  struct pg_handle handle;
  int64_t type = pg_sys_fstatfs_type(dir);
  if (type < 0)
    return pg_or_unsupported((int)type);
  if (type != PG_CGROUP2_SUPER_MAGIC)
    return -EINVAL;
  int r = pg_sys_name_to_handle_at(dir, &handle);
  if (r || handle.bytes != sizeof handle.id)
    return -EOPNOTSUPP;
  *ret = handle.id;
  return 0;
}

int pg_cgroup_id(int procdir, uint64_t *ret) {
  PG_AUTO_CLOSE int dir = pg_cgroup_open(procdir);
  if (dir < 0)
    return dir;
  int r = pg_cgroup_id_of(dir, ret);
  return r == -EINVAL ? -EOPNOTSUPP : r;
}

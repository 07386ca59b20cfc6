/* SPDX-License-Identifier: MIT */
/* See foreign.h. This code reads /proc/self/fd with calls of its own, because opendir() is what other cases are
 * about. */
#define _GNU_SOURCE
#include "foreign.h"

#include "cases.h"
#include "raw.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry { /* struct linux_dirent64 */
  uint64_t ino;
  int64_t off;
  unsigned short length;
  unsigned char type;
  char name[];
};

static bool is_pidfd(int fd) {
  char path[32], target[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(path, target, sizeof target - 1);
  target[n > 0 ? n : 0] = '\0';
  return strncmp(target, "anon_inode:[pidfd]", 18) == 0 || strncmp(target, "pidfd:", 6) == 0;
}

static int ascending(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

void foreign_invite(const pid_t *children, int count) {
  for (int i = 0; i < count; i++) {
    setpgid(children[i], children[i]);
    for (int n = 0; n < 3; n++)
      kill_ok(children[i], 0);
  }
}

int foreign_find(int numbers[FOREIGN_MAX], int own_first, int own_last) {
  char buffer[8192] __attribute__((aligned(8)));
  int count = 0;
  long dir = raw_call(SYS_openat, AT_FDCWD, (long)"/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0), n;
  MUST(dir >= 0);
  while ((n = raw_call(SYS_getdents64, dir, (long)buffer, sizeof buffer, 0, 0)) > 0)
    for (long at = 0; at < n;) {
      struct entry *entry = (struct entry *)(void *)(buffer + at);
      int fd = atoi(entry->name);
      if (fd > 0 && is_pidfd(fd) && !(fd >= own_first && fd <= own_last) && count < FOREIGN_MAX)
        numbers[count++] = fd;
      at += entry->length;
    }
  raw_call(SYS_close, dir, 0, 0, 0, 0);
  qsort(numbers, (size_t)count, sizeof *numbers, ascending);
  note("?foreign %d", count);
  return count;
}

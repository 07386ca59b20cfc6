/* SPDX-License-Identifier: MIT */
/* Steps about descriptors. The program must get the numbers that it would get without the shim. */
#include "interp.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* glibc has these since 2.34; musl has neither. The shim has them with any glibc, and both runs must do the same. */
#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 34)
static int (*const close_range)(unsigned, unsigned, int);
static void (*const closefrom)(int);
#else
extern int close_range(unsigned, unsigned, int) __attribute__((weak));
extern void closefrom(int) __attribute__((weak));
#endif

static int compare_ints(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* Lists the open descriptors in order, by raw calls, without the one that the listing itself needs. */
static int list_fds(int *fds, int cap) {
  struct entry {
    uint64_t ino, off;
    unsigned short len;
    unsigned char type;
    char name[];
  };
  static char buf[8192];
  int n = 0, dir = pg_sys_openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (dir < 0)
    return -1;
  long got;
  while ((got = pg_sys3(SYS_getdents64, dir, buf, sizeof buf)) > 0)
    for (long at = 0; at < got;) {
      struct entry *e = (struct entry *)(buf + at);
      int fd = e->name[0] == '.' ? -1 : atoi(e->name);
      if (fd >= 0 && fd != dir && n < cap)
        fds[n++] = fd;
      at += e->len;
    }
  pg_sys_close(dir);
  qsort(fds, (size_t)n, sizeof *fds, compare_ints);
  return n;
}

/* Descriptors from 100 on are not the program's, because it never opens so many. */
static void do_fds(int i) {
  static int fds[1024];
  char text[400] = "";
  int n = list_fds(fds, 1024);
  size_t len = 0;
  for (int k = 0; k < n && fds[k] < 100 && len < sizeof text - 16; k++)
    len += (size_t)snprintf(text + len, sizeof text - len, " %d", fds[k]);
  pgd_trace("s%d fds%s%s", i, n < 0 ? " cannot be listed" : "", text);
}

/* Does what daemons do: it closes every open descriptor and looks at each result. Each one that was listed can be
 * closed. */
static void do_closeall(int i) {
  static int fds[1024];
  int n = list_fds(fds, 1024), closed = 0, failed = 0;
  bool asks = program.step[i].arg[0] == 1; /* it asks by F_GETFD, number by number, instead */
  if (asks) {
    n = 0;
    for (int fd = 3; fd < 1200; fd++)
      if (fcntl(fd, F_GETFD) >= 0 && n < 1024)
        fds[n++] = fd;
  }
  for (int k = 0; k < n; k++) {
    if (fds[k] < 3)
      continue;
    bool good = close(fds[k]) == 0;
    failed += !good;
    closed += good && fds[k] < 100;
  }
  int left = 0;
  n = list_fds(fds, 1024);
  for (int k = 0; k < n; k++)
    left += fds[k] >= 3;
  pgd_trace("s%d closeall = %d, failed %d, left %d", i, closed, failed, left);
}

static void do_openmany(int i) {
  int fds[64], count = program.step[i].arg[0], closed = 0, first = -1, last = -1;
  for (int k = 0; k < count; k++) {
    last = fds[k] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    first = k == 0 ? last : first;
  }
  for (int k = 0; k < count; k++)
    closed += close(fds[k]) == 0;
  pgd_trace("s%d openmany from %d to %d, closed %d", i, first, last, closed);
}

void pgd_do_fd(int i) {
  const struct pgd_step *s = &program.step[i];
  static const unsigned lasts[] = {5, 12, 99, UINT_MAX};
  static const int flags[] = {0, 4, 0x4000};
  int ret = 0, err = PGD_ERRNO, pair[2] = {-1, -1};
  char more[32] = "";
  unsigned first;
  switch ((enum pgd_op)s->op) {
  case OP_OPEN:
    PGD_CALL(ret, err, open("/dev/null", O_RDONLY));
    break;
  case OP_CLOSE:
    PGD_CALL(ret, err, close(s->arg[0]));
    break;
  case OP_DUP:
    PGD_CALL(ret, err, dup(s->arg[0]));
    break;
  case OP_DUP2:
    PGD_CALL(ret, err, dup2(s->arg[0], s->arg[1]));
    break;
  case OP_DUP3:
    PGD_CALL(ret, err, dup3(s->arg[0], s->arg[1], s->arg[2] ? O_CLOEXEC : 0));
    break;
  case OP_DUPFD:
    PGD_CALL(ret, err, fcntl(s->arg[0], F_DUPFD, s->arg[1]));
    break;
  case OP_PIPE:
    PGD_CALL(ret, err, pipe(pair));
    snprintf(more, sizeof more, "%d %d", pair[0], pair[1]);
    break;
  case OP_CLOSE_RANGE:
    first = (unsigned)s->arg[0];
    if (close_range)
      PGD_CALL(ret, err, close_range(first, s->arg[1] == 4 ? first - 1 : lasts[s->arg[1]], flags[s->arg[2]]));
    break;
  case OP_CLOSEFROM:
    errno = PGD_ERRNO;
    if (closefrom)
      closefrom(s->arg[0]);
    err = errno;
    break;
  case OP_OPENMANY:
    do_openmany(i);
    return;
  case OP_CLOSEALL:
    do_closeall(i);
    return;
  default:
    do_fds(i);
    return;
  }
  pgd_result(i, pgd_ops[s->op].name, ret, err, false, more);
}

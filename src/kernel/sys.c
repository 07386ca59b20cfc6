/* SPDX-License-Identifier: MIT */
/* System calls whose structures need a translation unit of their own. Raw calls only. */
#include "kernel/sys.h"

#include <sys/stat.h>
#include <sys/statfs.h>

int pg_sys_fstat(int fd, struct pg_stat *ret) {
#ifdef __LP64__ /* libc's struct stat is the kernel's */
  struct stat st;
  int r = (int)pg_sys2(SYS_fstat, fd, &st);
  if (r < 0)
    return r;
  *ret = (struct pg_stat){(uint64_t)st.st_dev,   (uint64_t)st.st_ino, st.st_mode,
                          (uint32_t)st.st_nlink, st.st_uid,           st.st_gid};
#else /* libc's is whatever the program is compiled for; this one (4.11) is the same on all architectures */
  struct {
    uint32_t mask, block;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, unused1;
    uint64_t ino;
    uint64_t unused2[12];
    uint32_t major, minor;
    uint64_t unused3[14];
  } st;
  _Static_assert(sizeof st == 256 && offsetof(__typeof__(st), major) == 136, "struct statx");
  int r = (int)pg_sys5(SYS_statx, fd, "", AT_EMPTY_PATH, 0x7ff /* STATX_BASIC_STATS */, &st);
  if (r < 0)
    return r;
  *ret = (struct pg_stat){(uint64_t)st.major << 32 | st.minor, st.ino, st.mode, st.links, st.uid, st.gid};
#endif
  return 0;
}

int pg_sys_fstat_ids(int fd, uint64_t *ret_dev, uint64_t *ret_ino) {
  struct pg_stat st;
  int r = pg_sys_fstat(fd, &st);
  if (r == 0) {
    *ret_dev = st.dev;
    *ret_ino = st.ino;
  }
  return r;
}

/* The type has 32 bits, and may have the highest one set. A filter may feign success. */
int64_t pg_sys_fstatfs_type(int fd) {
  struct statfs sfs;
  sfs.f_type = 0;
  int r = (int)pg_sys2(SYS_fstatfs, fd, &sfs);
  return r < 0 ? r : (int64_t)(uint32_t)sfs.f_type;
}

int64_t pg_sys_nofile_soft(void) {
  struct {
    uint64_t cur, max;
  } lim; /* prlimit64 speaks 64 bits on every architecture */
  int r = (int)pg_sys4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &lim);
  if (r < 0)
    return r;
  return lim.cur > INT32_MAX ? INT32_MAX : (int64_t)lim.cur;
}

ssize_t pg_sys_read_file(int dirfd, const char *path, char *buf, size_t cap) {
  int fd = pg_sys_openat(dirfd, path, PG_READ_FLAGS, 0);
  if (fd < 0)
    return fd;
  size_t len = 0;
  ssize_t n = 0;
  while (len + 1 < cap) {
    n = pg_sys_read(fd, buf + len, cap - 1 - len);
    if (n <= 0) /* no signal interrupts such a read */
      break;
    len += (size_t)n;
  }
  pg_sys_close(fd);
  buf[len] = '\0';
  return n < 0 ? n : (ssize_t)len;
}

int pg_sys_timer_create(int64_t at_ns) {
  enum { MONOTONIC = 1, ABSOLUTE = 1 };
  int fd = (int)pg_sys2(SYS_timerfd_create, MONOTONIC, O_CLOEXEC);
  if (fd < 0)
    return fd;
#ifdef SYS_timerfd_settime /* interval, and first expiry */
  long spec[4] = {0, 0, (long)(at_ns / 1000000000), (long)(at_ns % 1000000000)};
  int r = (int)pg_sys4(SYS_timerfd_settime, fd, ABSOLUTE, spec, NULL);
#else /* an architecture born with 64-bit time */
  int64_t spec[4] = {0, 0, at_ns / 1000000000, at_ns % 1000000000};
  int r = (int)pg_sys4(SYS_timerfd_settime64, fd, ABSOLUTE, spec, NULL);
#endif
  if (r == 0)
    return fd;
  pg_sys_close(fd);
  return r;
}

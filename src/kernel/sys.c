/* System calls whose structures need a translation unit of their own. Raw calls only. */
#include "kernel/sys.h"

#include <sys/stat.h>
#include <sys/statfs.h>

int pg_sys_fstat_ids(int fd, uint64_t *ret_dev, uint64_t *ret_ino) {
  struct stat st;
#ifdef SYS_fstat
  int r = (int)pg_sys2(SYS_fstat, fd, &st); /* 64-bit: libc's struct stat is the kernel's */
#else
  int r = (int)pg_sys4(SYS_fstatat64, fd, "", &st, AT_EMPTY_PATH);
#endif
  if (r < 0)
    return r;
  *ret_dev = (uint64_t)st.st_dev;
  *ret_ino = (uint64_t)st.st_ino;
  return 0;
}

long pg_sys_fstatfs_type(int fd) {
  struct statfs sfs;
  int r = (int)pg_sys2(SYS_fstatfs, fd, &sfs);
  return r < 0 ? r : (long)sfs.f_type;
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
  int fd = pg_sys_openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
  if (fd < 0)
    return fd;
  size_t len = 0;
  ssize_t n = 0;
  while (len + 1 < cap) {
    n = pg_sys_read(fd, buf + len, cap - 1 - len);
    if (n == -EINTR)
      continue;
    if (n <= 0)
      break;
    len += (size_t)n;
  }
  pg_sys_close(fd);
  buf[len] = '\0';
  return n < 0 ? n : (ssize_t)len;
}

/* SPDX-License-Identifier: MIT */
/* Raw system calls. They set no errno, are no cancellation points, and use no name that the preload object interposes.
 * So they can be used in a signal handler, in a vfork child, before constructors and after destructors. Every call
 * returns a value >= 0 or -errno. Calls nothing (an architecture without an entry below goes through libc's syscall()
 * and puts errno back). */
#ifndef PG_KERNEL_SYS_H
#define PG_KERNEL_SYS_H

#include "base/attr.h"
#include "kernel/uapi.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers are the same on every architecture since 5.1 (alpha apart, which is not supported). */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

#if defined(__x86_64__) && !defined(__ILP32__)
#define PG_HAVE_RAW_SYSCALLS 1
static inline long pg_sys6(long n, long a, long b, long c, long d, long e, long f) {
  long ret;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(ret)
                   : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return ret;
}
/* Most calls take at most four arguments; this version leaves two registers to the surrounding code. */
static inline long pg_sys4_(long n, long a, long b, long c, long d) {
  long ret;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(ret) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return ret;
}
#define pg_sys4_ pg_sys4_
#elif defined(__aarch64__)
#define PG_HAVE_RAW_SYSCALLS 1
static inline long pg_sys6(long n, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
  return x0;
}
#else
#define PG_HAVE_RAW_SYSCALLS 0
static inline long pg_sys6(long n, long a, long b, long c, long d, long e, long f) {
  int saved = errno;
  long ret = syscall(n, a, b, c, d, e, f);
  if (ret == -1)
    ret = -errno;
  errno = saved;
  return ret;
}
#endif

#ifndef pg_sys4_
#define pg_sys4_(n, a, b, c, d) pg_sys6(n, a, b, c, d, 0, 0)
#endif

#define PG_SYS_ARG_(x) ((long)(x))
#define pg_sys0(n) pg_sys4_(n, 0, 0, 0, 0)
#define pg_sys1(n, a) pg_sys4_(n, PG_SYS_ARG_(a), 0, 0, 0)
#define pg_sys2(n, a, b) pg_sys4_(n, PG_SYS_ARG_(a), PG_SYS_ARG_(b), 0, 0)
#define pg_sys3(n, a, b, c) pg_sys4_(n, PG_SYS_ARG_(a), PG_SYS_ARG_(b), PG_SYS_ARG_(c), 0)
#define pg_sys4(n, a, b, c, d) pg_sys4_(n, PG_SYS_ARG_(a), PG_SYS_ARG_(b), PG_SYS_ARG_(c), PG_SYS_ARG_(d))
#define pg_sys5(n, a, b, c, d, e)                                                                                      \
  pg_sys6(n, PG_SYS_ARG_(a), PG_SYS_ARG_(b), PG_SYS_ARG_(c), PG_SYS_ARG_(d), PG_SYS_ARG_(e), 0)

/* Calls whose newer form has another name on some machines. */
#ifdef SYS_clock_gettime64
#define PG_SYS_CLOCK SYS_clock_gettime64
#else
#define PG_SYS_CLOCK SYS_clock_gettime
#endif
#ifdef SYS_ppoll /* else an architecture born with 64-bit time */
#define PG_SYS_PPOLL SYS_ppoll
#else
#define PG_SYS_PPOLL SYS_ppoll_time64
#endif
#ifdef SYS_geteuid32
#define PG_SYS_GETEUID SYS_geteuid32
#define PG_SYS_GETEGID SYS_getegid32
#else
#define PG_SYS_GETEUID SYS_geteuid
#define PG_SYS_GETEGID SYS_getegid
#endif

static inline pid_t pg_sys_getpid(void) { return (pid_t)pg_sys0(SYS_getpid); }
static inline pid_t pg_sys_getppid(void) { return (pid_t)pg_sys0(SYS_getppid); }
static inline int pg_sys_kill(pid_t pid, int sig) { return (int)pg_sys2(SYS_kill, pid, sig); }

/* The kernel's set of signals has 8 bytes; its struct sigaction begins with these two, and is no longer than this. */
#define PG_SIGNAL_BIT(sig) ((uint64_t)1 << ((sig)-1))
struct pg_action {
  uintptr_t handler;
  unsigned long flags, rest[4];
};
static inline int pg_sys_action(int sig, const struct pg_action *action, struct pg_action *ret) {
  return (int)pg_sys4(SYS_rt_sigaction, sig, action, ret, sizeof(uint64_t));
}

static inline int pg_sys_dup3(int from, int to, int flags) { return (int)pg_sys3(SYS_dup3, from, to, flags); }
static inline int pg_sys_close(int fd) { return (int)pg_sys1(SYS_close, fd); }
/* PG_AUTO_CLOSE int fd = ...; : the descriptor is closed where its scope ends, whichever way. A negative value (an
 * error) is left alone. pg_take() hands the descriptor on instead. */
static inline void pg_close_at_end(const int *fd) {
  if (*fd >= 0)
    pg_sys_close(*fd);
}
#define PG_AUTO_CLOSE __attribute__((cleanup(pg_close_at_end)))
static inline int pg_take(int *fd) {
  int taken = *fd;
  *fd = -1;
  return taken;
}
static inline ssize_t pg_sys_read(int fd, void *buf, size_t n) { return (ssize_t)pg_sys3(SYS_read, fd, buf, n); }
static inline ssize_t pg_sys_write(int fd, const void *buf, size_t n) {
  return (ssize_t)pg_sys3(SYS_write, fd, buf, n);
}
/* A path is opened by the call that libc's loader makes. A filter from before the exec has allowed that one. */
#if defined(SYS_open) && !defined(__GLIBC__)
#define PG_SYS_OPEN SYS_open
#else
#define PG_SYS_OPEN SYS_openat
#endif
static inline int pg_sys_openat(int dir, const char *path, int flags, int mode) {
  if (PG_SYS_OPEN != SYS_openat && dir == AT_FDCWD)
    return (int)pg_sys3(PG_SYS_OPEN, path, flags, mode);
  return (int)pg_sys4(SYS_openat, dir, path, flags, mode);
}
/* New private or shared memory, or NULL. */
static inline void *pg_sys_map(size_t size, int flags) {
#ifdef SYS_mmap2 /* SYS_mmap takes its arguments in memory there */
  long p = pg_sys6(SYS_mmap2, 0, (long)size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
#else
  long p = pg_sys6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
#endif
  return p < 0 && p > -4096 ? NULL : (void *)p;
}
/* Can the kernel read the first and the last 8 of these bytes? pre: they are at most one page. rt_sigprocmask() refuses
 * this `how`, so the call changes nothing. It first copies the mask in, and fails with EFAULT or with EINVAL
 * (kernel/signal.c). */
static inline bool pg_sys_is_readable(const void *at, size_t size) {
  const int no_way = -1;
  return pg_sys4(SYS_rt_sigprocmask, no_way, at, NULL, 8) != -EFAULT &&
         pg_sys4(SYS_rt_sigprocmask, no_way, (const char *)at + size - 8, NULL, 8) != -EFAULT;
}
static inline int pg_sys_fcntl(int fd, int cmd, long arg) { return (int)pg_sys3(SYS_fcntl, fd, cmd, arg); }
static inline int pg_sys_ioctl(int fd, unsigned long req, void *arg) { return (int)pg_sys3(SYS_ioctl, fd, req, arg); }

/* 5.3 (pidfd_open(2)). */
static inline int pg_sys_pidfd_open(pid_t pid, unsigned flags) { return (int)pg_sys2(SYS_pidfd_open, pid, flags); }
/* 5.1; flags other than 0 from 6.9 (pidfd_send_signal(2)). */
static inline int pg_sys_pidfd_send_signal(int fd, int sig, const siginfo_t *info, unsigned flags) {
  return (int)pg_sys4(SYS_pidfd_send_signal, fd, sig, info, flags);
}
/* The kernel's waitid has a fifth argument that libc's lacks. This call is no cancellation point. */
static inline int pg_sys_waitid(int type, id_t id, siginfo_t *info, int options, struct rusage *ru) {
  return (int)pg_sys5(SYS_waitid, type, id, info, options, ru);
}

/* Descriptors of other kinds that pidfds are used with. */
static inline int pg_sys_epoll_create(void) { return (int)pg_sys1(SYS_epoll_create1, O_CLOEXEC); }
static inline int pg_sys_epoll_ctl(int ep, int op, int fd, void *event) {
  return (int)pg_sys4(SYS_epoll_ctl, ep, op, fd, event);
}
static inline int pg_sys_epoll_wait(int ep, void *events, int max, int timeout_ms) {
  return (int)pg_sys6(SYS_epoll_pwait, ep, (long)events, max, timeout_ms, 0, 0);
}
/* An event descriptor. It is readable once a number was written to it. */
static inline int pg_sys_event_create(void) { return (int)pg_sys2(SYS_eventfd2, 0, O_CLOEXEC); }
/* poll(2) that takes nanoseconds left, -1 for ever. */
static inline int pg_sys_ppoll(void *fds, unsigned n, int64_t timeout_ns) {
#ifdef SYS_ppoll
  long ts[2] = {(long)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000)};
  return (int)pg_sys5(PG_SYS_PPOLL, fds, n, timeout_ns < 0 ? NULL : ts, NULL, 0);
#else
  int64_t ts[2] = {timeout_ns / 1000000000, timeout_ns % 1000000000};
  return (int)pg_sys5(PG_SYS_PPOLL, fds, n, timeout_ns < 0 ? NULL : ts, NULL, 0);
#endif
}
/* The message must have been zeroed whole: libcs pad struct msghdr and struct cmsghdr differently from the kernel. */
static inline ssize_t pg_sys_sendmsg(int fd, const void *msg, int flags) {
  return (ssize_t)pg_sys3(SYS_sendmsg, fd, msg, flags);
}
static inline ssize_t pg_sys_recvmsg(int fd, void *msg, int flags) {
  return (ssize_t)pg_sys3(SYS_recvmsg, fd, msg, flags);
}
static inline int pg_sys_getsockopt(int fd, int level, int name, void *value, void *len) {
  return (int)pg_sys5(SYS_getsockopt, fd, level, name, value, len);
}
static inline int pg_sys_setsockopt(int fd, int level, int name, const void *value, unsigned len) {
  return (int)pg_sys5(SYS_setsockopt, fd, level, name, value, len);
}
static inline ssize_t pg_sys_readlinkat(int dir, const char *path, char *buf, size_t n) {
  return (ssize_t)pg_sys4(SYS_readlinkat, dir, path, buf, n);
}
/* struct file_handle with the eight bytes that pidfs and cgroup2 store in it. */
struct pg_handle {
  uint32_t bytes;
  int32_t type;
  uint64_t id;
};
/* 2.6.39; on pidfds 6.14. */
static inline int pg_sys_name_to_handle_at(int dir, struct pg_handle *ret) {
  int mount_id;
  *ret = (struct pg_handle){.bytes = sizeof ret->id};
  return (int)pg_sys5(SYS_name_to_handle_at, dir, "", ret, &mount_id, PG_AT_EMPTY_PATH);
}
static inline int pg_sys_open_by_handle_at(int mount_fd, struct pg_handle *handle, int flags) {
  return (int)pg_sys3(SYS_open_by_handle_at, mount_fd, handle, flags);
}
/* A timer descriptor, close-on-exec, that is readable from that moment of CLOCK_MONOTONIC on; 0: never. */
int pg_sys_timer_create(int64_t at_ns);
/* A process by its id on pidfs: mount_fd is any pidfd (6.14), or PG_FD_PIDFS_ROOT (6.17). -ESTALE: it is gone. */
static inline int pg_sys_pidfs_open(int mount_fd, uint64_t id, int flags) {
  struct pg_handle handle = {sizeof id, PG_FILEID_KERNFS, id};
  return pg_sys_open_by_handle_at(mount_fd, &handle, flags);
}
/* 3.0; with a pidfd 5.8. */
static inline int pg_sys_setns(int fd, int nstype) { return (int)pg_sys2(SYS_setns, fd, nstype); }
/* 5.6 */
static inline int pg_sys_pidfd_getfd(int fd, int target, unsigned flags) {
  return (int)pg_sys3(SYS_pidfd_getfd, fd, target, flags);
}
/* 5.10 */
static inline ssize_t pg_sys_process_madvise(int fd, const void *iov, size_t n, int advice, unsigned flags) {
  return (ssize_t)pg_sys5(SYS_process_madvise, fd, iov, n, advice, flags);
}
/* 5.15 */
static inline int pg_sys_process_mrelease(int fd, unsigned flags) {
  return (int)pg_sys2(SYS_process_mrelease, fd, flags);
}

struct pg_stat {
  uint64_t dev, ino;
  uint32_t mode, links, uid, gid;
};
int pg_sys_fstat(int fd, struct pg_stat *ret);
/* st_dev and st_ino of an open descriptor, or -errno. */
int pg_sys_fstat_ids(int fd, uint64_t *ret_dev, uint64_t *ret_ino);
/* f_type of the file system behind a descriptor, or -errno. */
int64_t pg_sys_fstatfs_type(int fd);
/* The soft RLIMIT_NOFILE, or -errno. */
int64_t pg_sys_nofile_soft(void);
/* To read a file of /proc. In a chroot a path there may lead to a FIFO. */
#define PG_READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
/* Reads a small file whole: the length read (buf is NUL-terminated) or -errno. */
ssize_t pg_sys_read_file(int dirfd, const char *path, char *buf, size_t cap);

#endif

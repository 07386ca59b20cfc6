/* SPDX-License-Identifier: MIT */
#include "runtime/log_file.h"

#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/hot.h"
#include "runtime/lift.h"
#include "runtime/log.h"
#include "runtime/window.h"

#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>

static struct {
  _Atomic int fd; /* -1: none */
  uint64_t dev, ino;
  uint64_t error_dev, error_ino; /* standard error, when a file was opened instead */
  _Atomic int lost;              /* a line could not be written to that file; some processors exchange no bytes */
} out = {.fd = -1};

/* Does this descriptor lead to the log's file? */
static bool is_at(int fd) {
  uint64_t dev, ino;
  return pg_sys_fstat_ids(fd, &dev, &ino) == 0 && dev == out.dev && ino == out.ino;
}

void pg_log_take(unsigned first, unsigned last) {
  int fd = atomic_load_explicit(&out.fd, memory_order_relaxed);
  if (fd >= 0 && (unsigned)fd >= first && (unsigned)fd <= last)
    atomic_store_explicit(&out.fd, -1, memory_order_release);
}

bool pg_log_is_on(int fd) { return pg_lift_was_near(fd) && atomic_load_explicit(&out.fd, memory_order_relaxed) == fd; }

bool pg_log_file_is_open(void) { return atomic_load_explicit(&out.fd, memory_order_relaxed) >= 0; }

bool pg_log_file_has_lost(void) {
  return pg_config.log_path[0] && atomic_load_explicit(&out.lost, memory_order_relaxed);
}

/* ---- Whose file it is ---- */

static bool is_by_pid(void) {
  for (const char *p = pg_config.log_path; *p; p++)
    if (p[0] == '%' && p[1] == 'p')
      return true;
  return false;
}

static bool is_trusted(uint32_t uid) { return uid == 0 || uid == (uint32_t)pg_sys0(PG_SYS_GETEUID); }

/* The user who names the log may be another one than this process runs as: sudo can keep the environment. So an
 * existing file must belong to this process's user or to root, and must have one name only. Returns NULL, or the reason
 * to refuse the file. */
static const char *refuse_file(int fd) {
  struct pg_stat st;
  if (pg_sys_fstat(fd, &st) < 0)
    return "not-ours";
  if (S_ISCHR(st.mode)) /* in a user namespace /dev/null belongs to nobody */
    return NULL;
  if (!is_trusted(st.uid))
    return "not-ours";
  if (S_ISREG(st.mode))
    return st.links == 1 ? NULL : "has-links";
  return S_ISFIFO(st.mode) ? NULL : "no-file";
}

/* Another user can foresee a PID, and could make a file of that name first. So a name with a PID needs a directory in
 * which no other user can make files. */
static const char *refuse_directory(int fd) {
  struct pg_stat st;
  if (pg_sys_fstat(fd, &st) < 0 || !is_trusted(st.uid))
    return "directory-not-ours";
  bool by_group = (st.mode & S_IWGRP) && st.gid != (uint32_t)pg_sys0(PG_SYS_GETEGID);
  return by_group || (st.mode & S_IWOTH) ? "directory-open-to-others" : NULL;
}

/* ---- Opening ---- */

/* O_NONBLOCK: a FIFO without a reader must not stop the program. */
#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW)

static void expand(char *path, size_t cap) {
  struct pg_buf b;
  pg_buf_init(&b, path, cap);
  for (const char *p = pg_config.log_path; *p; p++) {
    if (p[0] == '%' && p[1] == 'p') {
      pg_buf_dec(&b, pg_sys_getpid());
      p++;
    } else {
      pg_buf_char(&b, *p);
    }
  }
}

/* Opens the directory of a path, and returns the name in that directory in *ret_name. */
static int open_directory(char *path, char **ret_name) {
  char *name = path;
  for (char *p = path; *p; p++)
    if (*p == '/')
      name = p + 1;
  char first = *name;
  *name = '\0'; /* what is left is the directory, or nothing */
  int dir = pg_sys_openat(AT_FDCWD, name == path ? "." : path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  *name = first;
  *ret_name = name;
  return dir;
}

/* A descriptor, or -errno and perhaps the reason. */
static int open_path(const char **ret_why) {
  char path[PG_LOG_PATH_MAX + 32], *name = path;
  PG_AUTO_CLOSE int dir = -1;
  expand(path, sizeof path);
  if (is_by_pid()) {
    dir = open_directory(path, &name);
    if (dir < 0)
      return dir;
    *ret_why = refuse_directory(dir);
    if (*ret_why)
      return -EPERM;
  }
  PG_AUTO_CLOSE int fd = pg_sys_openat(dir < 0 ? AT_FDCWD : dir, name, OPEN_FLAGS, 0600);
  if (fd < 0)
    return fd;
  *ret_why = refuse_file(fd);
  return *ret_why ? -EPERM : pg_take(&fd);
}

int pg_log_file_open(const char **ret_why) {
  struct pg_window window;
  pg_window_open(&window);
  int fd = atomic_load_explicit(&out.fd, memory_order_relaxed);
  if (fd >= 0 && is_at(fd)) { /* another thread was faster */
    pg_window_close(&window);
    return fd;
  }
  int low = pg_config.log_path[0] ? open_path(ret_why) : STDERR_FILENO;
  fd = low < 0 ? low : pg_lift(low, PG_LIFT_LOG);
  if (pg_config.log_path[0] && low >= 0)
    pg_sys_close(low);
  if (fd >= 0 && pg_sys_fstat_ids(fd, &out.dev, &out.ino) < 0) {
    pg_sys_close(fd);
    fd = -1;
  }
  pg_window_close(&window);
  if (fd < 0)
    pg_count(log_failures);
  atomic_store_explicit(&out.fd, fd < 0 ? -1 : fd, memory_order_release);
  return low;
}

PG_HOT void pg_log_forked(void) {
  int fd = atomic_load_explicit(&out.fd, memory_order_relaxed);
  const char *why = NULL;
  if (fd < 0 || !is_by_pid() || !pg_filter_can(PG_CAN_LOGS))
    return;
  if (is_at(fd))
    pg_sys_close(fd);
  if (pg_log_file_open(&why) >= 0)
    atomic_store_explicit(&out.lost, 0, memory_order_relaxed);
}

void pg_log_file_note_stderr(void) { pg_sys_fstat_ids(STDERR_FILENO, &out.error_dev, &out.error_ino); }

static bool stderr_is_the_same(void) {
  uint64_t dev, ino;
  return pg_sys_fstat_ids(STDERR_FILENO, &dev, &ino) == 0 && dev == out.error_dev && ino == out.error_ino;
}

void pg_log_file_to_stderr(void) {
  if (stderr_is_the_same()) {
    out.dev = out.error_dev;
    out.ino = out.error_ino;
    atomic_store_explicit(&out.fd, STDERR_FILENO, memory_order_release);
  }
}

/* ---- Writing ---- */

/* The write can neither block nor raise a signal. SIGPIPE, SIGXFSZ and SIGTTOU are blocked meanwhile, and a SIGPIPE or
 * SIGXFSZ that this write has raised is taken away. 0, or -errno. */
static int write_quietly(int fd, const char *text, size_t n) {
  struct pollfd room = {.fd = fd, .events = POLLOUT};
  int ready = pg_sys_ppoll(&room, 1, 0);
  if (ready < 0)
    return ready;
  if (room.revents & POLLERR) /* a FIFO without a reader */
    return -EPIPE;
  if (!(room.revents & POLLOUT))
    return -EAGAIN;
  const uint64_t held = PG_SIGNAL_BIT(SIGPIPE) | PG_SIGNAL_BIT(SIGXFSZ) | PG_SIGNAL_BIT(SIGTTOU);
  uint64_t before = 0, pending = 0, raised = 0;
  pg_sys4(SYS_rt_sigprocmask, SIG_BLOCK, &held, &before, sizeof held);
  pg_sys2(SYS_rt_sigpending, &pending, sizeof pending);
  ssize_t r = pg_sys_write(fd, text, n);
  if (r == -EPIPE)
    raised = PG_SIGNAL_BIT(SIGPIPE);
  if (r == -EFBIG)
    raised = PG_SIGNAL_BIT(SIGXFSZ);
  raised &= ~pending;
  if (raised) {
    const long now[] = {0, 0};
    pg_sys4(SYS_rt_sigtimedwait, &raised, NULL, now, sizeof raised);
  }
  pg_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
  if (r < 0)
    return (int)r;
  return r == (ssize_t)n ? 0 : -ENOSPC;
}

/* A relative path may lead elsewhere by now, and a filter may forbid the calls. */
static bool may_open_again(void) { return pg_config.log_path[0] == '/' && pg_filter_can(PG_CAN_LOG_FILE); }

/* The descriptor to write to, or -errno. The program may have closed or replaced the one that was open. */
static int find_out(void) {
  const char *why = NULL;
  int fd = atomic_load_explicit(&out.fd, memory_order_acquire);
  if (fd >= 0 && is_at(fd))
    return fd;
  if (!pg_config.log_path[0])
    return is_at(STDERR_FILENO) ? STDERR_FILENO : -EBADF;
  if (!may_open_again())
    return -EBADF;
  int low = pg_log_file_open(&why);
  fd = atomic_load_explicit(&out.fd, memory_order_acquire);
  if (low < 0)
    return low;
  return fd >= 0 && is_at(fd) ? fd : -EBADF;
}

int pg_log_file_write(const char *text, size_t n) {
  int fd = find_out(), r = fd < 0 ? fd : write_quietly(fd, text, n);
  if (r == 0)
    return 0;
  pg_count(log_failures);
  bool first = !atomic_exchange_explicit(&out.lost, 1, memory_order_relaxed);
  return first && pg_config.log_path[0] ? r : 0;
}

void pg_log_file_write_error(const char *text, size_t n) {
  if (stderr_is_the_same())
    write_quietly(STDERR_FILENO, text, n);
}

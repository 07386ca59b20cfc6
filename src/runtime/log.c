/* SPDX-License-Identifier: MIT */
#include "runtime/log.h"

#include "kernel/sys.h"
#include "runtime/hot.h"
#include "runtime/lift.h"

#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

_Atomic int pg_log_level = PG_LOG_OFF;

static struct {
  _Atomic int fd; /* -1: none */
  uint64_t dev, ino;
  uint64_t error_dev, error_ino; /* standard error, when a file was opened instead */
  _Atomic bool lost;             /* a line could not be written to that file */
  char comm[24];
} out = {.fd = -1};

bool pg_log_is_at(int fd) {
  uint64_t dev, ino;
  return pg_sys_fstat_ids(fd, &dev, &ino) == 0 && dev == out.dev && ino == out.ino;
}

/* The program takes these numbers: the log goes on by its path, or on standard error if that is the same file. */
void pg_log_take(unsigned first, unsigned last) {
  int fd = atomic_load_explicit(&out.fd, memory_order_relaxed);
  if (fd >= 0 && (unsigned)fd >= first && (unsigned)fd <= last)
    atomic_store_explicit(&out.fd, -1, memory_order_release);
}

bool pg_log_is_on(int fd) { return pg_lift_was_near(fd) && atomic_load_explicit(&out.fd, memory_order_relaxed) == fd; }

static bool is_by_pid(void) {
  for (const char *p = pg_config.log_path; *p; p++)
    if (p[0] == '%' && p[1] == 'p')
      return true;
  return false;
}

#ifndef SYS_geteuid32
#define SYS_geteuid32 SYS_geteuid
#endif
#ifndef SYS_getegid32
#define SYS_getegid32 SYS_getegid
#endif

static bool is_trusted(uint32_t uid) { return uid == 0 || uid == (uint32_t)pg_sys0(SYS_geteuid32); }

/* Who names the log need not be whom this process runs as (sudo keeps what it is told to), so nothing may come of a
 * path that its owner would not do: what is already there is ours or root's, a file has no second name, and no device
 * keeps what is written to it. 0, or the reason why not. */
static const char *refuse_file(int fd) {
  struct pg_stat st;
  if (pg_sys_fstat(fd, &st) < 0 || !is_trusted(st.uid))
    return "not-ours";
  if (S_ISREG(st.mode))
    return st.links == 1 ? NULL : "has-links";
  return S_ISFIFO(st.mode) || S_ISCHR(st.mode) ? NULL : "no-file";
}

/* A PID can be foreseen: a file name with a PID belongs into a directory where no other user can make files. */
static const char *refuse_directory(int fd) {
  struct pg_stat st;
  if (pg_sys_fstat(fd, &st) < 0 || !is_trusted(st.uid))
    return "directory-not-ours";
  bool by_group = (st.mode & S_IWGRP) && st.gid != (uint32_t)pg_sys0(SYS_getegid32);
  return by_group || (st.mode & S_IWOTH) ? "directory-open-to-others" : NULL;
}

/* A descriptor, or -errno and perhaps the reason. */
static int open_path(const char **ret_why) {
  char path[PG_LOG_PATH_MAX + 32], *name = path;
  struct pg_buf b;
  int dir = AT_FDCWD;
  pg_buf_init(&b, path, sizeof path);
  for (const char *p = pg_config.log_path; *p; p++) {
    if (p[0] == '%' && p[1] == 'p') {
      pg_buf_dec(&b, pg_sys_getpid());
      p++;
    } else {
      pg_buf_char(&b, *p);
    }
  }
  if (is_by_pid()) {
    for (char *p = path; *p; p++)
      if (*p == '/')
        name = p + 1;
    char first = *name;
    *name = '\0'; /* what is before is a directory, or nothing */
    dir = pg_sys_openat(AT_FDCWD, name == path ? "." : path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    *name = first;
    if (dir < 0)
      return dir;
    *ret_why = refuse_directory(dir);
  }
  /* O_NONBLOCK: a FIFO without a reader must not stop the program. */
  int fd = *ret_why
               ? -EPERM
               : pg_sys_openat(dir, name,
                               O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW, 0600);
  if (dir >= 0)
    pg_sys_close(dir);
  if (fd >= 0 && (*ret_why = refuse_file(fd))) {
    pg_sys_close(fd);
    return -EPERM;
  }
  return fd;
}

/* A negative value: the path cannot be opened. */
static int open_out(const char **ret_why) {
  int low = pg_config.log_path[0] ? open_path(ret_why) : STDERR_FILENO;
  int fd = low < 0 ? low : pg_lift(low);
  if (pg_config.log_path[0] && low >= 0)
    pg_sys_close(low);
  if (fd >= 0 && pg_sys_fstat_ids(fd, &out.dev, &out.ino) < 0) {
    pg_sys_close(fd);
    fd = -1;
  }
  if (fd < 0)
    pg_count(log_failures);
  atomic_store_explicit(&out.fd, fd < 0 ? -1 : fd, memory_order_release);
  return low;
}

static void read_comm(void) {
  ssize_t n = pg_sys_read_file(AT_FDCWD, "/proc/self/comm", out.comm, sizeof out.comm);
  while (n > 0 && out.comm[n - 1] == '\n')
    out.comm[--n] = '\0';
}

static void open_first(void);

static void complain_why(const char *name, const char *value, const char *used, int error, const char *why) {
  struct pg_line line;
  char variable[32];
  struct pg_buf b;
  pg_buf_init(&b, variable, sizeof variable);
  pg_buf_str(&b, "PIDGUARD_");
  pg_buf_str(&b, name);
  if (atomic_load_explicit(&out.fd, memory_order_relaxed) < 0)
    open_first();
  pg_line_begin(&line, PG_LOG_ERROR, "bad-environment");
  pg_line_str(&line, "variable", variable);
  if (!pg_config.log_path[0]) /* nobody's text goes into a file: what it says there may be a command to somebody */
    pg_line_str(&line, "value", value);
  if (error < 0)
    pg_line_result(&line, error);
  if (why)
    pg_line_str(&line, "why", why);
  pg_line_str(&line, "used", used);
  pg_line_end(&line);
}

static void complain(const char *name, const char *value, const char *used) {
  complain_why(name, value, used, 0, NULL);
}

static void open_first(void) {
  char path[PG_LOG_PATH_MAX];
  const char *why = NULL;
  struct pg_buf b;
  read_comm();
  pg_sys_fstat_ids(STDERR_FILENO, &out.error_dev, &out.error_ino);
  int r = open_out(&why);
  if (r >= 0 || !pg_config.log_path[0])
    return;
  pg_buf_init(&b, path, sizeof path);
  pg_buf_str(&b, pg_config.log_path);
  pg_config.log_path[0] = '\0'; /* standard error instead, and there it is said why */
  complain_why("LOG", path, "stderr", r, why);
}

void pg_log_init(void) {
  if (pg_config.debug > PG_LOG_OFF || pg_config.summary)
    open_first();
  atomic_store_explicit(&pg_log_level, (int)pg_config.debug, memory_order_relaxed);
  if (pg_config.debug >= PG_LOG_INFO) /* what is logged of a signal that finds its child */
    pg_state_set(PG_STATE_LOG);
  pg_config_complain(complain);
}

PG_HOT void pg_log_forked(void) {
  int fd = atomic_load_explicit(&out.fd, memory_order_relaxed);
  const char *why = NULL;
  if (fd < 0 || !is_by_pid())
    return;
  if (pg_log_is_at(fd))
    pg_sys_close(fd);
  open_out(&why);
}

void pg_line_str(struct pg_line *line, const char *key, const char *value) {
  size_t n = 0;
  while (value[n])
    n++;
  pg_buf_char(&line->buf, ' ');
  pg_buf_str(&line->buf, key);
  pg_buf_char(&line->buf, '=');
  pg_buf_value(&line->buf, value, n);
}

void pg_line_int(struct pg_line *line, const char *key, int64_t value) {
  pg_buf_char(&line->buf, ' ');
  pg_buf_str(&line->buf, key);
  pg_buf_char(&line->buf, '=');
  pg_buf_dec(&line->buf, value);
}

void pg_line_time(struct pg_line *line, const char *key, int64_t ns) {
  int64_t us = ns < 0 ? 0 : ns / 1000;
  pg_line_int(line, key, us / 1000000);
  pg_buf_char(&line->buf, '.');
  for (int64_t unit = 100000; unit; unit /= 10)
    pg_buf_char(&line->buf, (char)('0' + us / unit % 10));
}

/* The kernel's, and not libc's, whose errno and vdso are not for here. */
static int64_t clock_now(clockid_t clock) {
#ifdef SYS_clock_gettime64
  struct {
    int64_t sec, nsec;
  } now = {0, 0};
  return pg_sys2(SYS_clock_gettime64, clock, &now) < 0 ? 0 : now.sec * 1000000000 + now.nsec;
#else
  struct timespec now = {0, 0};
  return pg_sys2(SYS_clock_gettime, clock, &now) < 0 ? 0 : (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
#endif
}

int64_t pg_log_now(void) { return clock_now(CLOCK_MONOTONIC); }

void pg_line_begin(struct pg_line *line, enum pg_level level, const char *event) {
  static const char levels[][8] = {"off", "error", "warn", "info", "debug"};
  pg_buf_init(&line->buf, line->text, sizeof line->text - 1); /* the newline always fits */
  pg_buf_str(&line->buf, "pidguard");
  pg_line_str(line, "level", levels[level]);
  pg_line_str(line, "event", event);
  pg_line_int(line, "pid", pg_sys_getpid());
  pg_line_str(line, "comm", out.comm);
  pg_line_time(line, "time", clock_now(CLOCK_REALTIME));
  pg_line_time(line, "mono", pg_log_now());
}

void pg_line_result(struct pg_line *line, int64_t result) {
  static const struct {
    int err;
    char name[12];
  } names[] = {{EPERM, "EPERM"},   {ESRCH, "ESRCH"},   {EINTR, "EINTR"},   {EBADF, "EBADF"},    {ECHILD, "ECHILD"},
               {EAGAIN, "EAGAIN"}, {ENOMEM, "ENOMEM"}, {EINVAL, "EINVAL"}, {ENFILE, "ENFILE"},  {EMFILE, "EMFILE"},
               {ENOSYS, "ENOSYS"}, {EACCES, "EACCES"}, {ENOENT, "ENOENT"}, {ELOOP, "ELOOP"},    {ENOSPC, "ENOSPC"},
               {EROFS, "EROFS"},   {EISDIR, "EISDIR"}, {ENXIO, "ENXIO"},   {ENOTDIR, "ENOTDIR"}};
  for (size_t i = 0; i < PG_ARRAY_LEN(names); i++) {
    if (result == -names[i].err) {
      pg_line_str(line, "result", names[i].name);
      return;
    }
  }
  pg_line_int(line, "result", result);
}

void pg_line_now(struct pg_line *line, pid_t pid) {
  char path[40], comm[24];
  struct pg_buf b;
  pg_buf_init(&b, path, sizeof path);
  pg_buf_str(&b, "/proc/");
  pg_buf_dec(&b, pid);
  pg_buf_str(&b, "/comm");
  ssize_t n = pg_sys_read_file(AT_FDCWD, path, comm, sizeof comm);
  while (n > 0 && comm[n - 1] == '\n')
    comm[--n] = '\0';
  pg_line_str(line, "now", n > 0 ? comm : "nobody");
}

/* One line of /proc/self/maps, if it covers the address: object+offset. dladdr() takes the loader's lock and may not be
 * called in a signal handler. */
static bool maps_line(struct pg_line *line, const char *text, uint64_t address) {
  uint64_t number[3] = {0, 0, 0}; /* start, end, offset */
  for (int i = 0; i < 3; i++) {
    for (; *text && *text != '-' && *text != ' '; text++)
      number[i] = number[i] << 4 | (uint64_t)(*text <= '9' ? *text - '0' : (*text | 32) - 'a' + 10);
    if (i == 1) { /* permissions stand between the addresses and the offset */
      while (*text == ' ')
        text++;
      while (*text && *text != ' ')
        text++;
    }
    if (*text)
      text++;
  }
  if (address < number[0] || address >= number[1])
    return false;
  while (*text && *text != '/' && *text != '[')
    text++;
  char where[512];
  struct pg_buf b;
  pg_buf_init(&b, where, sizeof where);
  pg_buf_str(&b, *text ? text : "anonymous");
  pg_buf_char(&b, '+');
  pg_buf_hex(&b, address - number[0] + number[2]);
  pg_line_str(line, "caller", where);
  return true;
}

void pg_line_caller(struct pg_line *line, const void *address) {
  int fd = pg_sys_openat(AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  char chunk[512], text[512];
  size_t len = 0;
  bool found = false;
  ssize_t n;
  while (fd >= 0 && !found && (n = pg_sys_read(fd, chunk, sizeof chunk)) > 0) {
    for (ssize_t i = 0; i < n && !found; i++) {
      if (chunk[i] == '\n') {
        text[len] = '\0';
        found = maps_line(line, text, (uint64_t)(uintptr_t)address);
        len = 0;
      } else if (len + 1 < sizeof text) {
        text[len++] = chunk[i];
      }
    }
  }
  if (fd >= 0)
    pg_sys_close(fd);
  if (!found) {
    pg_buf_str(&line->buf, " caller=");
    pg_buf_hex(&line->buf, (uint64_t)(uintptr_t)address);
  }
}

/* A write that can neither block nor raise a signal: SIGPIPE, SIGXFSZ and SIGTTOU are held off, and taken away again
 * if it was this write that raised them. */
static bool write_quietly(int fd, const char *text, size_t n) {
  struct pollfd room = {.fd = fd, .events = POLLOUT};
  struct {
    int64_t sec, nsec;
  } now = {0, 0};
  if (pg_sys5(SYS_ppoll, &room, 1, &now, NULL, 0) != 1 || !(room.revents & POLLOUT) || (room.revents & POLLERR))
    return false;
  const uint64_t held = (uint64_t)1 << (SIGPIPE - 1) | (uint64_t)1 << (SIGXFSZ - 1) | (uint64_t)1 << (SIGTTOU - 1);
  uint64_t before = 0, pending = 0;
  pg_sys4(SYS_rt_sigprocmask, SIG_BLOCK, &held, &before, sizeof held);
  pg_sys2(SYS_rt_sigpending, &pending, sizeof pending);
  ssize_t r = pg_sys_write(fd, text, n);
  uint64_t raised = r == -EPIPE ? (uint64_t)1 << (SIGPIPE - 1) : r == -EFBIG ? (uint64_t)1 << (SIGXFSZ - 1) : 0;
  raised &= ~pending;
  if (raised)
    pg_sys4(SYS_rt_sigtimedwait, &raised, NULL, &now, sizeof raised);
  pg_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
  return r == (ssize_t)n;
}

static int find_out(void) {
  const char *why = NULL;
  int fd = atomic_load_explicit(&out.fd, memory_order_acquire);
  if (fd >= 0 && pg_log_is_at(fd))
    return fd;
  if (!pg_config.log_path[0])
    return pg_log_is_at(STDERR_FILENO) ? STDERR_FILENO : -1;
  if (pg_config.log_path[0] == '/') /* another path may lead elsewhere by now */
    open_out(&why);
  return atomic_load_explicit(&out.fd, memory_order_acquire);
}

void pg_line_end(struct pg_line *line) {
  line->text[line->buf.len++] = '\n';
  int fd = find_out();
  if (fd >= 0 && pg_log_is_at(fd) && write_quietly(fd, line->text, line->buf.len))
    return;
  pg_count(log_failures);
  atomic_store_explicit(&out.lost, true, memory_order_relaxed);
}

/* From now on to standard error, if that is still what it was at the start: a log that is full is told of. */
static void turn_to_stderr(void) {
  uint64_t dev, ino;
  if (pg_sys_fstat_ids(STDERR_FILENO, &dev, &ino) == 0 && dev == out.error_dev && ino == out.error_ino) {
    out.dev = dev;
    out.ino = ino;
    atomic_store_explicit(&out.fd, STDERR_FILENO, memory_order_release);
  }
}

static void summary(int64_t unwaited, int64_t forgotten) {
  struct pg_line line;
  pg_line_begin(&line, PG_LOG_INFO, "summary");
  for (int c = 0; c < PG_COUNTER_COUNT; c++)
    pg_line_int(&line, pg_counter_name((enum pg_counter)c), (int64_t)pg_counter_value((enum pg_counter)c));
  pg_line_int(&line, "unwaited", unwaited);
  pg_line_int(&line, "forgotten", forgotten);
  pg_line_end(&line);
}

PG_COLD void pg_log_end(int64_t unwaited, int64_t forgotten) {
  struct pg_line line;
  bool lost = pg_config.log_path[0] && atomic_load_explicit(&out.lost, memory_order_relaxed);
  if (lost)
    turn_to_stderr();
  if (pg_config.summary) {
    summary(unwaited, forgotten);
  } else if (lost) {
    pg_line_begin(&line, PG_LOG_ERROR, "log-lost");
    pg_line_int(&line, "lines", (int64_t)pg_counter_value(PG_COUNT_log_failures));
    pg_line_end(&line);
  }
}

PG_COLD void pg_degraded(const char *what, pid_t target, int err) {
  pg_count(degraded);
  if (!pg_log_on(PG_LOG_WARN))
    return;
  struct pg_line line;
  pg_line_begin(&line, PG_LOG_WARN, "degraded");
  pg_line_str(&line, "what", what);
  pg_line_int(&line, "target", target);
  pg_line_result(&line, err);
  pg_line_end(&line);
}

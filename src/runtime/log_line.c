/* SPDX-License-Identifier: MIT */
/* One line of the log: its fields, put together on the stack of the caller. */
#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/log.h"
#include "runtime/log_file.h"
#include "runtime/window.h"

#include <time.h>

static char comm[24];

void pg_line_read_comm(void) {
  ssize_t n = pg_window_read_file("/proc/self/comm", comm, sizeof comm);
  while (n > 0 && comm[n - 1] == '\n')
    comm[--n] = '\0';
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

/* Asks the kernel. libc's function may set errno, and goes through the vdso, which may not be bound yet. */
static int64_t clock_now(clockid_t clock) {
#ifdef SYS_clock_gettime64
  int64_t now[2] = {0, 0};
#else
  long now[2] = {0, 0};
#endif
  return pg_sys2(PG_SYS_CLOCK, clock, now) < 0 ? 0 : (int64_t)now[0] * 1000000000 + now[1];
}

int64_t pg_log_now(void) { return clock_now(CLOCK_MONOTONIC); }

void pg_line_begin(struct pg_line *line, enum pg_level level, const char *event) {
  static const char levels[][8] = {"off", "error", "warn", "info", "debug"};
  pg_buf_init(&line->buf, line->text, sizeof line->text - 1); /* the newline always fits */
  pg_buf_str(&line->buf, "pidguard");
  pg_line_str(line, "level", levels[level]);
  pg_line_str(line, "event", event);
  pg_line_int(line, "pid", pg_sys_getpid());
  pg_line_str(line, "comm", comm);
  pg_line_time(line, "time", clock_now(CLOCK_REALTIME));
  pg_line_time(line, "mono", pg_log_now());
}

void pg_line_result(struct pg_line *line, int64_t result) {
  static const struct {
    int err;
    char name[12];
  } names[] = {{EPERM, "EPERM"},   {ESRCH, "ESRCH"},   {EINTR, "EINTR"},   {EBADF, "EBADF"},     {ECHILD, "ECHILD"},
               {EAGAIN, "EAGAIN"}, {ENOMEM, "ENOMEM"}, {EINVAL, "EINVAL"}, {ENFILE, "ENFILE"},   {EMFILE, "EMFILE"},
               {ENOSYS, "ENOSYS"}, {EACCES, "EACCES"}, {ENOENT, "ENOENT"}, {ELOOP, "ELOOP"},     {ENOSPC, "ENOSPC"},
               {EROFS, "EROFS"},   {EISDIR, "EISDIR"}, {ENXIO, "ENXIO"},   {ENOTDIR, "ENOTDIR"}, {EFBIG, "EFBIG"},
               {EPIPE, "EPIPE"},   {EDQUOT, "EDQUOT"}};
  for (size_t i = 0; i < PG_ARRAY_LEN(names); i++) {
    if (result == -names[i].err) {
      pg_line_str(line, "result", names[i].name);
      return;
    }
  }
  pg_line_int(line, "result", result);
}

/* A file is open in a window, or nobody else opens and closes. */
static bool may_read(void) {
  return pg_filter_can(PG_CAN_READ) && (pg_filter_can(PG_CAN_PIDFD) || pg_is_single_threaded());
}

void pg_line_now(struct pg_line *line, pid_t pid) {
  char now[24];
  ssize_t n = may_read() ? pg_window_read_of(pid, "comm", now, sizeof now) : 0;
  while (n > 0 && now[n - 1] == '\n')
    now[--n] = '\0';
  pg_line_str(line, "now", n > 0 ? now : "nobody");
}

/* Adds object+offset if this line of /proc/self/maps covers the address. dladdr() takes the loader's lock, so it may
 * not be called in a signal handler. */
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

static bool find_caller(struct pg_line *line, const void *address) {
  struct pg_window window;
  int fd = pg_window_open_file(&window, "/proc/self/maps");
  char chunk[384], text[512];
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
  pg_window_close_file(&window, fd);
  return found;
}

void pg_line_caller(struct pg_line *line, const void *address) {
  if (!may_read() || !find_caller(line, address)) {
    pg_buf_str(&line->buf, " caller=");
    pg_buf_hex(&line->buf, (uint64_t)(uintptr_t)address);
  }
}

/* A program may end or exec without another word, so the first loss is told at once. */
void pg_line_end(struct pg_line *line) {
  line->text[line->buf.len++] = '\n';
  int r = pg_log_file_write(line->text, line->buf.len);
  if (PG_UNLIKELY(r < 0)) {
    pg_line_begin(line, PG_LOG_ERROR, "log-lost");
    pg_line_result(line, r);
    line->text[line->buf.len++] = '\n';
    pg_log_file_write_error(line->text, line->buf.len);
  }
}

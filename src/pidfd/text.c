/* SPDX-License-Identifier: MIT */
#include "pidfd/text.h"

#include "base/errors.h"
#include "base/fmt.h"
#include "kernel/sys.h"
#include "pidfd/identity.h"
#include "pidfd/info.h"
#include "pidfd/open.h"
#include "pidfd/proc.h"

#include <stdbool.h>
#include <string.h>

#define BOOT_DIGITS 32
#define TEXT_CAP 80

static bool is_hex_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

/* The id of this boot, without the dashes of the kernel's text. */
static int boot_id(char *ret) {
  char text[64];
  ssize_t n = pg_sys_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, sizeof text);
  if (pg_is_scarce(n))
    return (int)n;
  size_t digits = 0;
  for (ssize_t i = 0; i < n; i++)
    if (is_hex_digit(text[i]) && digits < BOOT_DIGITS)
      ret[digits++] = text[i];
  return digits == BOOT_DIGITS ? 0 : -EOPNOTSUPP;
}

/* What tells this process from all others with the same PID. */
static int mark_of(int fd, bool by_start, uint64_t *ret) {
  return by_start ? pg_proc_start_time(fd, ret) : pg_pidfd_id(fd, ret);
}

int pg_text_write(int fd, char *text, size_t size) {
  struct pg_pidfd_info info;
  uint64_t mark;
  bool by_start = false;
  int r = mark_of(fd, false, &mark);
  if (r == -EOPNOTSUPP) {
    by_start = true;
    r = mark_of(fd, true, &mark);
  }
  char buf[TEXT_CAP], boot[BOOT_DIGITS];
  if (!r)
    r = pg_pidfd_info(fd, PG_PIDFD_INFO_PID, &info);
  if (!r)
    r = boot_id(boot);
  if (r)
    return r;
  struct pg_buf b;
  pg_buf_init(&b, buf, sizeof buf);
  pg_buf_udec(&b, info.pid);
  pg_buf_str(&b, by_start ? ":s" : ":");
  pg_buf_udec(&b, mark);
  pg_buf_char(&b, ':');
  pg_buf_mem(&b, boot, sizeof boot);
  if (b.len >= size)
    return -ERANGE;
  memcpy(text, buf, b.len + 1);
  return (int)b.len;
}

/* Reads a decimal number from 1 to max at *s, and advances behind it, also if it is out of range. */
static int parse_number(const char **s, uint64_t max, uint64_t *ret) {
  const char *p = *s;
  uint64_t v = 0;
  int r = 0;
  if (*p < '0' || *p > '9')
    return -EINVAL;
  for (; *p >= '0' && *p <= '9'; p++) {
    unsigned digit = (unsigned)(*p - '0');
    if (v > (max - digit) / 10)
      r = -ERANGE;
    v = v * 10 + digit;
  }
  *s = p;
  *ret = v;
  return v ? r : -ERANGE;
}

struct parsed {
  uint64_t pid, mark;
  bool by_start;
  char boot[BOOT_DIGITS];
};

static int parse(const char *s, struct parsed *ret) {
  int first = parse_number(&s, INT32_MAX, &ret->pid); /* EINVAL for another text comes before ERANGE for a number */
  if (first == -EINVAL || *s++ != ':')
    return -EINVAL;
  ret->by_start = *s == 's';
  s += ret->by_start;
  int second = parse_number(&s, UINT64_MAX, &ret->mark);
  if (second == -EINVAL || *s++ != ':')
    return -EINVAL;
  for (int i = 0; i < BOOT_DIGITS; i++, s++) {
    if (!is_hex_digit(*s))
      return -EINVAL;
    ret->boot[i] = *s;
  }
  s += *s == '\n';
  if (*s)
    return -EINVAL;
  return first ? first : second;
}

int pg_text_open(const char *text, unsigned flags) {
  struct parsed p;
  char boot[BOOT_DIGITS];
  int r = parse(text, &p);
  if (!r)
    r = boot_id(boot);
  if (r)
    return r;
  if (memcmp(boot, p.boot, sizeof boot))
    return -ESRCH;
  if (!p.by_start)
    return pg_pidfd_open_pid_id((pid_t)p.pid, p.mark, flags);
  PG_AUTO_CLOSE int fd = pg_pidfd_open((pid_t)p.pid, flags);
  if (fd < 0)
    return pg_no_entry_no_process(fd);
  uint64_t now;
  r = mark_of(fd, true, &now);
  if (r)
    return r;
  return now == p.mark ? pg_take(&fd) : -ESRCH;
}

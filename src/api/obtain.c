/* Obtaining pidfds: by number, of a thread, of oneself, by identity. */
#include "api/internal.h"
#include "base/fmt.h"
#include "pidfd/identity.h"
#include "pidfd/info.h"
#include "pidfd/open.h"
#include "pidfd/proc.h"

int pidguard_pidfd_open(pid_t pid, unsigned flags) {
  int f = pg_api_open_flags(flags);
  return pg_ret(pg_given(f < 0 ? f : pg_pidfd_open(pid, (unsigned)f)));
}

int pidguard_pidfd_open_thread(pid_t tid, unsigned flags) {
  int f = pg_api_open_flags(flags);
  return pg_ret(pg_given(f < 0 ? f : pg_pidfd_open_thread(tid, (unsigned)f)));
}

int pidguard_pidfd_self(void) {
  return pg_ret(pg_given(pg_pidfd_open_self()));
}

int pidguard_pidfd_parent(void) {
  return pg_ret(pg_given(pg_pidfd_open_parent()));
}

int pidguard_pidfd_check(int fd) {
  return pg_ret(pg_pidfd_check(fd));
}

int pidguard_pidfd_is_child(int pidfd) {
  int r = pg_pidfd_check(pidfd);
  if (!r)
    r = pg_pidfd_verify_child(pidfd);
  return r == -ECHILD ? 0 : r ? pg_ret(r) : 1;
}

int pidguard_pidfd_inherit(int pidfd, int inherit) {
  int r = pg_pidfd_check(pidfd);
  return pg_ret(r ? r : pg_pidfd_set_inherit(pidfd, inherit));
}

int pidguard_pidfd_open_id(uint64_t id, unsigned flags) {
  int f = pg_api_open_flags(flags);
  return pg_ret(pg_given(f < 0 ? f : pg_pidfd_open_id(id, (unsigned)f)));
}

int pidguard_pidfd_to_text(int pidfd, char *text, size_t size) {
  struct pg_pidfd_info info;
  uint64_t id;
  int r = pg_pidfd_id(pidfd, &id);
  if (!r)
    r = pg_pidfd_info(pidfd, PG_PIDFD_INFO_PID, &info);
  if (r)
    return pg_ret(r);
  char buf[PIDGUARD_TEXT_MAX];
  struct pg_buf b;
  pg_buf_init(&b, buf, sizeof buf);
  pg_buf_udec(&b, info.pid);
  pg_buf_char(&b, ':');
  pg_buf_udec(&b, id);
  if (b.len >= size)
    return pg_ret(-ERANGE);
  for (size_t i = 0; i <= b.len; i++)
    text[i] = buf[i];
  return (int)b.len;
}

/* A decimal number from 1 to max at *s, advanced behind it also if it is out of range. */
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

int pidguard_pidfd_from_text(const char *text, unsigned flags) {
  uint64_t pid = 0, id = 0;
  int f = pg_api_open_flags(flags);
  int r = f < 0 ? f : parse_number(&text, INT32_MAX, &pid);
  if (!r || r == -ERANGE) { /* that it is no such text comes first */
    int second = *text++ == ':' ? parse_number(&text, UINT64_MAX, &id) : -EINVAL;
    r = second == -EINVAL || *text ? -EINVAL : r ? r : second;
  }
  return pg_ret(pg_given(r ? r : pg_pidfd_open_pid_id((pid_t)pid, id, (unsigned)f)));
}

/* SPDX-License-Identifier: MIT */
/* Ids, text and file handles name the same process, and no other process after it. */
#include "pidfd_support.h"
#include "refuse.h"

#include "pidfd/feature.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Returns false, with a skip, if the kernel has no pidfs. */
static bool have_ids(void) {
  uint64_t id;
  int self = pidguard_pidfd_open(getpid(), 0);
  bool have = pidguard_pidfd_get_id(self, &id) == 0;
  close(self);
  if (!have)
    pg_test_skip("process ids need Linux 6.9");
  return have;
}

static void ids(void) {
  struct child a = child_paused(), b = child_paused();
  uint64_t ia = 0, ib = 0, again = 0;
  struct stat st;
  if (have_ids()) {
    CHECK_EQ(pidguard_pidfd_get_id(a.fd, &ia), 0);
    CHECK_EQ(pidguard_pidfd_get_id(b.fd, &ib), 0);
    PG_CHECK(ia != ib && ia && ib, "%" PRIu64 " and %" PRIu64, ia, ib);
    fstat(a.fd, &st);
    CHECK_EQ(st.st_ino, ia);
    child_reap(&a);
    CHECK_EQ(pidguard_pidfd_get_id(a.fd, &again), 0);
    CHECK_EQ(again, ia);
  }
  hide(PG_FEATURE_PIDFS);
  again = 42;
  CHECK_ERRNO(pidguard_pidfd_get_id(b.fd, &again), EOPNOTSUPP);
  CHECK_EQ(again, 42);
  hide(0);
  child_done(&a);
  child_done(&b);
}

static void by_id(void) {
  struct child c = child_paused();
  uint64_t id = 0;
  if (have_ids() && pidguard_pidfd_get_id(c.fd, &id) == 0) {
    const unsigned ways[] = {0, PG_FEATURE_PIDFS_ROOT};
    int fd = pidguard_pidfd_open_id(id, 0);
    if (fd < 0 && errno == EOPNOTSUPP)
      pg_test_skip("pidfs file handles need Linux 6.14");
    else
      for (size_t i = 0; i < 2; i++) {
        hide(ways[i]);
        int other = pidguard_pidfd_open_id(id, PIDGUARD_OPEN_NONBLOCK);
        CHECK_EQ(pidguard_pidfd_is_same(other, c.fd), 1);
        CHECK_EQ(fcntl(other, F_GETFD), FD_CLOEXEC);
        PG_CHECK(fcntl(other, F_GETFL) & O_NONBLOCK, "flag not set");
        close(other);
        CHECK_ERRNO(pidguard_pidfd_open_id(UINT64_MAX, 0), ESRCH);
        CHECK_ERRNO(pidguard_pidfd_open_id(0, 0), ESRCH);
        hide(0);
      }
    if (fd >= 0) {
      /* A zombie can still be opened, but a reaped process cannot, not even while a pidfd of it is open. */
      pidguard_pidfd_send_signal(c.fd, SIGKILL, 0);
      child_await_zombie(&c);
      int zombie = pidguard_pidfd_open_id(id, 0);
      CHECK_EQ(pidguard_pidfd_get_state(zombie), PIDGUARD_STATE_ZOMBIE);
      close(zombie);
      child_reap(&c);
      for (size_t i = 0; i < 2; i++) {
        hide(ways[i]);
        CHECK_ERRNO(pidguard_pidfd_open_id(id, 0), ESRCH);
        hide(0);
      }
      close(fd);
    }
  }
  hide(PG_FEATURE_HANDLE);
  CHECK_ERRNO(pidguard_pidfd_open_id(id, 0), EOPNOTSUPP);
  hide(0);
  CHECK_ERRNO(pidguard_pidfd_open_id(id, 2), EINVAL);
  child_done(&c);
}

/* A filter that knows nothing of pidfds, as in containers. */
static int body_filtered(void *error) {
  uint64_t id = 1;
  int self = pidguard_pidfd_open(getpid(), 0);
  pidguard_pidfd_get_id(self, &id);
  return refuse(SYS_open_by_handle_at, *(unsigned *)error) ? ERRNO_OF(pidguard_pidfd_open_id(id, 0)) : PG_TEST_SKIPPED;
}

static void filtered(void) {
  unsigned errors[] = {EPERM, ENOSYS};
  for (size_t i = 0; i < 2; i++) {
    struct child c = child_running(body_filtered, &errors[i]);
    child_await_zombie(&c);
    int status = child_reap(&c);
    if (WEXITSTATUS(status) == PG_TEST_SKIPPED)
      pg_test_skip("this user cannot install a filter");
    else
      CHECK_EQ(WEXITSTATUS(status), EOPNOTSUPP);
    child_done(&c);
  }
}

/* Returns the id of this boot, or of another one. */
static void boot_digits(char *ret, bool another) {
  char line[64] = "";
  int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC), n = 0;
  if (fd < 0 || read(fd, line, sizeof line - 1) < 32)
    abort();
  close(fd);
  for (const char *p = line; *p; p++)
    if (isxdigit((unsigned char)*p))
      ret[n++] = *p;
  ret[n] = '\0';
  if (another)
    ret[n - 1] = ret[n - 1] == '0' ? '1' : '0';
}

/* The text names the process by its id, or without ids by the time of its start. */
static void text_in(bool by_start) {
  char buf[PIDGUARD_TEXT_MAX], want[2 * PIDGUARD_TEXT_MAX], boot[40], small[4] = "xyz";
  struct child c = child_paused();
  uint64_t id = 0;
  hide(by_start ? PG_FEATURE_PIDFS : 0);
  boot_digits(boot, false);
  int n = pidguard_pidfd_to_text(c.fd, buf, sizeof buf);
  if (!by_start) {
    pidguard_pidfd_get_id(c.fd, &id);
    int m = snprintf(want, sizeof want, "%d:%" PRIu64 ":%s", (int)c.pid, id, boot);
    CHECK_EQ(n, m);
    PG_CHECK(!strcmp(buf, want), "%s, wanted %s", buf, want);
  } else {
    snprintf(want, sizeof want, "%d:s", (int)c.pid);
    PG_CHECK(!strncmp(buf, want, strlen(want)) && !strcmp(buf + n - 32, boot), "%s, boot %s", buf, boot);
  }
  CHECK_ERRNO(pidguard_pidfd_to_text(c.fd, small, sizeof small), ERANGE);
  PG_CHECK(!strcmp(small, "xyz"), "the buffer was touched");
  CHECK_ERRNO(pidguard_pidfd_to_text(c.fd, buf, (size_t)n), ERANGE);
  CHECK_EQ(pidguard_pidfd_to_text(c.fd, buf, (size_t)n + 1), n);

  /* The way back. A line end is part of every file. */
  for (int i = 0; i < 2; i++) {
    snprintf(want, sizeof want, "%s%s", buf, i ? "\n" : "");
    int fd = pidguard_pidfd_from_text(want, 0);
    CHECK_EQ(pidguard_pidfd_is_same(fd, c.fd), 1);
    close(fd);
  }
  snprintf(want, sizeof want, "%s\n\n", buf);
  CHECK_ERRNO(pidguard_pidfd_from_text(want, 0), EINVAL);

  /* After another boot the same numbers are another process. */
  char other[40];
  boot_digits(other, true);
  snprintf(want, sizeof want, "%.*s%s", n - 32, buf, other);
  CHECK_ERRNO(pidguard_pidfd_from_text(want, 0), ESRCH);

  static const struct {
    const char *text;
    int error;
  } bad[] = {
      {"", EINVAL},
      {"12", EINVAL},
      {"12:", EINVAL},
      {"12:13", EINVAL},
      {"12:13:", EINVAL},
      {":12:B", EINVAL},
      {"12::B", EINVAL},
      {"12:13x:B", EINVAL},
      {" 12:13:B", EINVAL},
      {"+12:13:B", EINVAL},
      {"-1:13:B", EINVAL},
      {"12:13:14", EINVAL},
      {"12:13:14:B", EINVAL},
      {"0", EINVAL},
      {"0x1:2:B", EINVAL},
      {"1:0x2:B", EINVAL},
      {"12:ss3:B", EINVAL},
      {"12:s:B", EINVAL},
      {"99999999999", EINVAL},
      {"12:13:B0", EINVAL},
      {"0:13:B", ERANGE},
      {"12:0:B", ERANGE},
      {"2147483648:13:B", ERANGE},
      {"12:s0:B", ERANGE},
      {"99999999999999:1:B", ERANGE},
      {"12:18446744073709551616:B", ERANGE},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const char *b = strchr(bad[i].text, 'B');
    snprintf(want, sizeof want, "%.*s%s%s", b ? (int)(b - bad[i].text) : 99, bad[i].text, b ? boot : "",
             b ? b + 1 : "");
    int error = ERRNO_OF(pidguard_pidfd_from_text(want, 0));
    PG_CHECK(error == bad[i].error, "\"%s\" gives %s", want, strerror(error));
  }
  snprintf(want, sizeof want, "%d:%s18446744073709551615:%s", (int)c.pid, by_start ? "s" : "", boot);
  CHECK_ERRNO(pidguard_pidfd_from_text(want, 0), ESRCH);

  /* Once the process is gone, the text names no process, even if a stranger has the PID. */
  pid_t pid = c.pid;
  child_reap(&c);
  CHECK_ERRNO(pidguard_pidfd_from_text(buf, 0), ESRCH);
  CHECK_ERRNO(pidguard_pidfd_to_text(c.fd, want, sizeof want), ESRCH);
  struct pg_test_stranger s;
  sleep_ms(30); /* wait for another tick of the clock */
  int r = pg_test_take_pid(pid, PG_TEST_ALONE, &s);
  if (r) {
    pg_test_skip("the test cannot choose a PID here: %s", strerror(-r));
  } else {
    CHECK_ERRNO(pidguard_pidfd_from_text(buf, 0), ESRCH);
    pg_test_stranger_release(&s);
  }
  hide(0);
  child_done(&c);
}

static void text(void) {
  if (have_ids())
    text_in(false);
}

static void text_by_start(void) { text_in(true); }

static void same(void) {
  const unsigned ways[] = {0, PG_FEATURE_PIDFS};
  for (size_t i = 0; i < 2; i++) {
    hide(ways[i]);
    struct child a = child_paused(), b = child_paused();
    int copy = pidguard_pidfd_open(a.pid, 0);
    CHECK_EQ(pidguard_pidfd_is_same(a.fd, a.fd), 1);
    CHECK_EQ(pidguard_pidfd_is_same(a.fd, copy), 1);
    CHECK_EQ(pidguard_pidfd_is_same(copy, a.fd), 1);
    CHECK_EQ(pidguard_pidfd_is_same(a.fd, b.fd), 0);
    child_reap(&a);
    CHECK_EQ(pidguard_pidfd_is_same(a.fd, b.fd), 0);
    CHECK_EQ(pidguard_pidfd_is_same(b.fd, a.fd), 0);
    if (ways[i]) {
      CHECK_NO(pidguard_pidfd_is_same(a.fd, copy), ESRCH);
    } else if (have_ids()) {
      CHECK_EQ(pidguard_pidfd_is_same(a.fd, copy), 1);
      child_reap(&b);
      CHECK_EQ(pidguard_pidfd_is_same(a.fd, b.fd), 0);
    }
    close(copy);
    child_done(&a);
    child_done(&b);
    hide(0);
  }
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("ids", ids);
  add("by_id", by_id);
  add("filtered", filtered);
  add("text", text);
  add("text_by_start", text_by_start);
  add("same", same);
}

/* SPDX-License-Identifier: MIT */
/* Questions about a process. The running kernel answers each, and then again with each feature hidden, as on an older
 * kernel. */
#include "pidfd_support.h"

#include "pidfd/feature.h"
#include "pidfd/info.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* All answers about one process. A member that could not be read is -errno. */
struct answers {
  long long pid, ppid, tgid, creds_error, cgroup_error, state, exit_error;
  struct pidguard_creds creds;
  uint64_t cgroup;
  int status;
};

static long long value(long long r) { return r == -1 ? -errno : r; }

static struct answers ask(int fd) {
  struct answers a;
  memset(&a, 0, sizeof a);
  a.pid = value(pidguard_pidfd_get_pid(fd));
  a.ppid = value(ppid_of(fd));
  a.tgid = value(tgid_of(fd));
  a.creds_error = value(creds_of(fd, &a.creds));
  a.cgroup_error = value(cgroupid_of(fd, &a.cgroup));
  a.state = value(pidguard_pidfd_get_state(fd));
  a.exit_error = value(pidguard_pidfd_get_wait_status(fd, &a.status));
  return a;
}

#define SAME(member)                                                                                                   \
  PG_CHECK(got.member == want.member, "%s without %s: " #member " %lld, natively %lld", who, without,                  \
           (long long)got.member, (long long)want.member)

/* Without each feature the answers must be the same. An old kernel may not give the cgroup and the exit status. */
static void compare(const char *who, int fd) {
  struct answers want = ask(fd);
  for (size_t i = 0; i < all_features_count; i++) {
    const char *without = all_features[i].name;
    hide(all_features[i].bit);
    struct answers got = ask(fd);
    hide(0);
    SAME(pid);
    SAME(ppid);
    SAME(tgid);
    SAME(creds_error);
    SAME(creds.ruid);
    SAME(creds.euid);
    SAME(creds.suid);
    SAME(creds.fsuid);
    SAME(creds.rgid);
    SAME(creds.egid);
    SAME(creds.sgid);
    SAME(creds.fsgid);
    SAME(state);
    if (got.cgroup_error != -EOPNOTSUPP && want.state != PIDGUARD_STATE_REAPED) {
      SAME(cgroup_error);
      SAME(cgroup);
    }
    if (got.exit_error != -EOPNOTSUPP) {
      SAME(exit_error);
      SAME(status);
    } else {
      PG_CHECK(want.state == PIDGUARD_STATE_REAPED, "%s without %s: no exit status", who, without);
    }
  }
}

static int body_changed(void *ready) {
  char byte = 0;
  if (setresgid(11, 12, 13) == 0 && setresuid(21, 22, 23) == 0)
    byte = 1;
  if (write(*(int *)ready, &byte, 1) != 1)
    return 1;
  for (;;)
    pause();
  return 0;
}

static void every_state(void) {
  struct child alive = child_paused(), zombie = child_exited(3), killed = child_killed(SIGTERM);
  struct child reaped = child_exited(4), reaped_killed = child_killed(SIGINT);
  struct grandchild g = grandchild_paused();
  child_reap(&reaped);
  child_reap(&reaped_killed);
  int self = pidguard_pidfd_open(getpid(), 0), init = pidguard_pidfd_open(1, 0);

  struct answers a = ask(alive.fd);
  CHECK_EQ(a.pid, alive.pid);
  CHECK_EQ(a.tgid, alive.pid);
  CHECK_EQ(a.ppid, getpid());
  CHECK_EQ(a.creds.euid, geteuid());
  CHECK_EQ(a.state, PIDGUARD_STATE_ALIVE);
  CHECK_EQ(a.exit_error, -EAGAIN);
  a = ask(zombie.fd);
  CHECK_EQ(a.pid, zombie.pid);
  CHECK_EQ(a.ppid, getpid());
  CHECK_EQ(a.state, PIDGUARD_STATE_ZOMBIE);
  CHECK_EQ(a.status, 3 << 8);
  a = ask(reaped.fd);
  CHECK_EQ(a.pid, -ESRCH);
  CHECK_EQ(a.ppid, -ESRCH);
  CHECK_EQ(a.creds_error, -ESRCH);
  CHECK_EQ(a.state, PIDGUARD_STATE_REAPED);
  a = ask(self);
  CHECK_EQ(a.pid, getpid());
  CHECK_EQ(a.ppid, getppid());
  a = ask(init);
  CHECK_EQ(a.pid, 1);
  CHECK_EQ(a.ppid, 0);

  compare("alive", alive.fd);
  compare("zombie", zombie.fd);
  compare("killed zombie", killed.fd);
  compare("reaped", reaped.fd);
  compare("reaped after a signal", reaped_killed.fd);
  compare("self", self);
  compare("init", init);
  compare("grandchild", g.fd);
  grandchild_tell(&g, 'k');
  compare("zombie grandchild", g.fd);
  grandchild_tell(&g, 'r');
  compare("reaped grandchild", g.fd);
  close(self);
  close(init);
  child_done(&alive);
  child_done(&zombie);
  child_done(&killed);
  child_done(&reaped);
  child_done(&reaped_killed);
  grandchild_done(&g);
}

static void credentials(void) {
  int ready[2];
  char byte = 0;
  if (pipe2(ready, O_CLOEXEC))
    abort();
  struct child c = child_running(body_changed, &ready[1]);
  if (read(ready[0], &byte, 1) != 1 || !byte) {
    pg_test_skip("this user cannot become another user");
  } else {
    struct pidguard_creds got;
    CHECK_EQ(creds_of(c.fd, &got), 0);
    const uid_t want[] = {21, 22, 23, 22, 11, 12, 13, 12};
    const uid_t have[] = {got.ruid, got.euid, got.suid, got.fsuid, got.rgid, got.egid, got.sgid, got.fsgid};
    for (size_t i = 0; i < 8; i++)
      PG_CHECK(have[i] == want[i], "credential %zu is %u, wanted %u", i, have[i], want[i]);
    compare("changed credentials", c.fd);
  }
  close(ready[0]);
  close(ready[1]);
  child_done(&c);
}

static int body_undumpable(void *ready) {
  char byte = 0;
  prctl(PR_SET_DUMPABLE, 0);
  if (write(*(int *)ready, &byte, 1) != 1)
    return 1;
  for (;;)
    pause();
  return 0;
}

static int body_dump(void *unused) {
  struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
  (void)unused;
  setrlimit(RLIMIT_CORE, &all);
  if (chdir("/tmp/pidguard-core"))
    return 77;
  abort();
}

static void coredumps(void) {
  struct pidguard_coredump d = {0};
  struct child alive = child_paused(), exited = child_exited(0);
  int ready[2];
  char byte;
  if (pipe2(ready, O_CLOEXEC))
    abort();
  struct child shy = child_running(body_undumpable, &ready[1]);
  if (read(ready[0], &byte, 1) != 1)
    abort();
  if (coredump_of(alive.fd, &d) < 0 && errno == EOPNOTSUPP) {
    pg_test_skip("PIDFD_INFO_COREDUMP needs Linux 6.16");
  } else {
    PG_CHECK(!(d.flags & PIDGUARD_COREDUMP_DONE), "flags %x", d.flags);
    PG_CHECK(d.flags & (PIDGUARD_COREDUMP_USER | PIDGUARD_COREDUMP_ROOT), "flags %x", d.flags);
    CHECK_EQ(d.signal, PIDGUARD_COREDUMP_UNKNOWN);
    CHECK_EQ(d.code, PIDGUARD_COREDUMP_UNKNOWN);
    CHECK_EQ(coredump_of(shy.fd, &d), 0);
    PG_CHECK(d.flags & PIDGUARD_COREDUMP_SKIPPED, "flags %x", d.flags);
    child_reap(&exited);
    CHECK_ERRNO(coredump_of(exited.fd, &d), ENODATA);

    /* The kernel makes a real dump, in a directory of the test's own mount namespace. */
    mkdir("/tmp/pidguard-core", 0700);
    if (mount("tmpfs", "/tmp/pidguard-core", "tmpfs", 0, "size=16m") == 0) {
      struct child dumper = child_running(body_dump, NULL);
      child_await_zombie(&dumper);
      struct pidguard_coredump zombie = {0};
      int told = coredump_of(dumper.fd, &zombie);
      int status = child_reap(&dumper);
      if (WCOREDUMP(status)) {
        CHECK_EQ(told, 0);
        PG_CHECK(zombie.flags & PIDGUARD_COREDUMP_DONE, "flags %x", zombie.flags);
        CHECK_EQ(coredump_of(dumper.fd, &d), 0);
        PG_CHECK(d.flags & PIDGUARD_COREDUMP_DONE, "flags %x", d.flags);
        CHECK_EQ(d.signal, SIGABRT);
        hide(PG_FEATURE_INFO_COREDUMP);
        memset(&d, 0, sizeof d);
        CHECK_EQ(coredump_of(dumper.fd, &d), 0);
        CHECK_EQ(d.flags & PIDGUARD_COREDUMP_DONE, PIDGUARD_COREDUMP_DONE);
        CHECK_EQ(d.signal, SIGABRT);
        hide(0);
      } else {
        pg_test_skip("no core was dumped (status %x): see core(5)", status);
      }
      child_done(&dumper);
      umount("/tmp/pidguard-core");
    } else {
      pg_test_skip("this user cannot mount a file system for the core");
    }
    rmdir("/tmp/pidguard-core");
  }
  /* Older kernels do not know it for any process. */
  const unsigned ways[] = {PG_FEATURE_INFO_SIZES, PG_FEATURE_INFO, PG_FEATURE_INFO_COREDUMP};
  for (size_t i = 0; i < 3; i++) {
    hide(ways[i]);
    int error = ERRNO_OF(coredump_of(alive.fd, &d));
    PG_CHECK(error == EOPNOTSUPP, "without %x: %s", ways[i], strerror(error));
    hide(0);
  }
  close(ready[0]);
  close(ready[1]);
  child_done(&shy);
  child_done(&alive);
  child_done(&exited);
}

static void several(void) {
  struct child c = child_paused(), r = child_exited(5);
  struct pidguard_info i = {.mask = PIDGUARD_INFO_ALL};
  CHECK_EQ(pidguard_pidfd_get_info(c.fd, &i, sizeof i), 0);
  PG_CHECK(i.mask & PIDGUARD_INFO_PID, "mask %" PRIx64, i.mask);
  PG_CHECK(i.mask & PIDGUARD_INFO_CREDS, "mask %" PRIx64, i.mask);
  PG_CHECK(i.mask & PIDGUARD_INFO_STATE, "mask %" PRIx64, i.mask);
  PG_CHECK(!(i.mask & PIDGUARD_INFO_WAIT_STATUS), "mask %" PRIx64, i.mask);
  CHECK_EQ(i.pid, c.pid);
  CHECK_EQ(i.tgid, c.pid);
  CHECK_EQ(i.ppid, getpid());
  CHECK_EQ(i.creds.egid, getegid());
  CHECK_EQ(i.state, PIDGUARD_STATE_ALIVE);
  CHECK_EQ(i.wait_status, 0);
  uint64_t id = 0, cgroup = 0;
  if (pidguard_pidfd_get_id(c.fd, &id) == 0)
    CHECK_EQ(i.id, id);
  CHECK_EQ(!!(i.mask & PIDGUARD_INFO_ID), id != 0);
  if (cgroupid_of(c.fd, &cgroup) == 0)
    CHECK_EQ(i.cgroupid, cgroup);

  /* Only what was asked for is answered. */
  i = (struct pidguard_info){.mask = PIDGUARD_INFO_CREDS | 1ull << 60};
  CHECK_EQ(pidguard_pidfd_get_info(c.fd, &i, sizeof i), 0);
  CHECK_EQ(i.mask, PIDGUARD_INFO_CREDS);
  CHECK_EQ(i.pid, 0);
  CHECK_EQ(i.id, 0);

  /* The exit status of a zombie child, which stays after it is reaped. */
  i = (struct pidguard_info){.mask = PIDGUARD_INFO_ALL};
  CHECK_EQ(pidguard_pidfd_get_info(r.fd, &i, sizeof i), 0);
  PG_CHECK(i.mask & PIDGUARD_INFO_WAIT_STATUS, "mask %" PRIx64, i.mask);
  CHECK_EQ(i.wait_status, 5 << 8);
  CHECK_EQ(i.state, PIDGUARD_STATE_ZOMBIE);
  CHECK_EQ(i.pid, r.pid);
  child_reap(&r);
  i = (struct pidguard_info){.mask = PIDGUARD_INFO_ALL};
  CHECK_EQ(pidguard_pidfd_get_info(r.fd, &i, sizeof i), 0);
  PG_CHECK(!(i.mask & (PIDGUARD_INFO_PID | PIDGUARD_INFO_CREDS)), "mask %" PRIx64, i.mask);
  CHECK_EQ(i.pid, 0);
  CHECK_EQ(i.state, PIDGUARD_STATE_REAPED);
  if (i.mask & PIDGUARD_INFO_WAIT_STATUS)
    CHECK_EQ(i.wait_status, 5 << 8);

  /* If nothing of it can be answered, errno gives the reason. */
  i = (struct pidguard_info){.mask = PIDGUARD_INFO_PID};
  CHECK_ERRNO(pidguard_pidfd_get_info(r.fd, &i, sizeof i), ESRCH);
  i = (struct pidguard_info){.mask = PIDGUARD_INFO_WAIT_STATUS};
  CHECK_ERRNO(pidguard_pidfd_get_info(c.fd, &i, sizeof i), EAGAIN);
  hide(PG_FEATURE_PIDFS);
  i = (struct pidguard_info){.mask = PIDGUARD_INFO_ID};
  CHECK_ERRNO(pidguard_pidfd_get_info(c.fd, &i, sizeof i), EOPNOTSUPP);
  hide(0);

  /* These structures have other sizes. */
  struct {
    struct pidguard_info known;
    unsigned char future[64];
  } big;
  memset(&big, 0xff, sizeof big);
  big.known.mask = PIDGUARD_INFO_ALL;
  CHECK_EQ(pidguard_pidfd_get_info(c.fd, &big.known, sizeof big), 0);
  CHECK_EQ(big.known.pid, c.pid);
  for (size_t k = 0; k < sizeof big.future; k++)
    PG_CHECK(big.future[k] == 0, "byte %zu is %d", k, big.future[k]);
  CHECK_ERRNO(pidguard_pidfd_get_info(c.fd, &i, sizeof i - 1), EINVAL);
  i.mask = 1ull << 60;
  CHECK_ERRNO(pidguard_pidfd_get_info(c.fd, &i, sizeof i), EINVAL);

  /* With a feature hidden, a value may be missing, but it is never different. */
  struct pidguard_info want = {.mask = PIDGUARD_INFO_ALL};
  CHECK_EQ(pidguard_pidfd_get_info(c.fd, &want, sizeof want), 0);
  for (size_t k = 0; k < all_features_count; k++) {
    hide(all_features[k].bit);
    struct pidguard_info got = {.mask = PIDGUARD_INFO_ALL};
    CHECK_EQ(pidguard_pidfd_get_info(c.fd, &got, sizeof got), 0);
    hide(0);
    const char *without = all_features[k].name;
    PG_CHECK(!(got.mask & ~want.mask), "without %s: more", without);
    PG_CHECK(got.pid == want.pid && got.ppid == want.ppid && got.tgid == want.tgid, "without %s", without);
    PG_CHECK(!memcmp(&got.creds, &want.creds, sizeof got.creds), "without %s", without);
    PG_CHECK(got.state == want.state, "without %s", without);
    PG_CHECK(!(got.mask & PIDGUARD_INFO_ID) || got.id == want.id, "without %s", without);
    PG_CHECK(!(got.mask & PIDGUARD_INFO_CGROUPID) || got.cgroupid == want.cgroupid, "without %s", without);
  }
  child_done(&c);
  child_done(&r);
}

/* The mask of supported features is at one place in 6.19 and at another in newer kernels. Then this kernel is asked. */
static void supported(void) {
  uint64_t answer[PG_PIDFD_INFO_SIZE_LATEST / sizeof(uint64_t)] = {0};
  CHECK_EQ(pg_info_supported_in(answer), 0);
  answer[PG_PIDFD_INFO_SUPPORTED_FIRST / 8] = 0x1234;
  CHECK_EQ(pg_info_supported_in(answer), 0); /* the kernel has not said that it is there */
  answer[0] = PG_PIDFD_INFO_SUPPORTED_MASK;
  CHECK_EQ(pg_info_supported_in(answer), 0x1234);
  answer[PG_PIDFD_INFO_SUPPORTED_LATER / 8] = 0x5678;
  CHECK_EQ(pg_info_supported_in(answer), 0x5678);
  struct pidguard_info info = {.mask = PIDGUARD_INFO_SUPPORTED_MASK};
  int self = pidguard_pidfd_open(getpid(), 0), r = pidguard_pidfd_get_info(self, &info, sizeof info);
  if (r == 0)
    PG_CHECK(info.supported_mask & PIDGUARD_INFO_PID, "%llx", (unsigned long long)info.supported_mask);
  else
    CHECK_EQ(errno, EOPNOTSUPP);
  close(self);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("every_state", every_state);
  add("credentials", credentials);
  add("coredumps", coredumps);
  add("several", several);
  add("supported", supported);
}

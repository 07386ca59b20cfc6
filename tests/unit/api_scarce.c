/* SPDX-License-Identifier: MIT */
/* Descriptors run out at each point of each function, natively and on older kernels. The function fails with EMFILE or
 * does what it always does, and it leaves nothing open. */
#include "pidfd_support.h"

#include "pidfd/feature.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;

static struct child target;
static int twin; /* another pidfd of the target */
static int connection, pair[2];

/* Each of these gives a result that can be compared. It is 0 for a descriptor, which is closed. */
static long closed(int fd) {
  if (fd < 0)
    return -1;
  close(fd);
  return 0;
}

static long act_open(void) { return closed(pidguard_pidfd_open(target.pid, 0)); }
static long act_nonblock(void) { return closed(pidguard_pidfd_open(target.pid, PIDGUARD_OPEN_NONBLOCK)); }
static long act_thread(void) { return closed(pidguard_pidfd_open(target.pid, PIDGUARD_OPEN_THREAD)); }
static long act_self(void) { return closed(pidguard_pidfd_open(getpid(), 0)); }
static long act_parent(void) { return closed(pidguard_pidfd_open_parent()); }
static long act_set(void) { return closed(pidguard_set_create()); }
static long act_peer(void) { return closed(pidguard_socket_peer(connection)); }
static long act_pid(void) { return pidguard_pidfd_get_pid(target.fd); }
static long act_ppid(void) { return ppid_of(target.fd); }
static long act_state(void) { return pidguard_pidfd_get_state(target.fd); }

static long act_same(void) {
  bool same = pidguard_pidfd_is_same(target.fd, twin);
  return same || !errno ? same : -1;
}

static long act_ns(void) { return closed(pidguard_pidfd_open_namespace(target.fd, PIDGUARD_NAMESPACE_UTS)); }
static long act_same_ns(void) { return same_namespace(target.fd, PIDGUARD_NAMESPACE_UTS); }
static long act_getfd(void) { return closed(pidguard_pidfd_getfd(target.fd, target.fd)); }
static long act_proc_dir(void) { return closed(pidguard_pidfd_open_proc(target.fd)); }
static long act_timer(void) { return closed(pidguard_pidfd_terminate_start(target.fd, 1000, 0)); }
static long act_signal(void) { return pidguard_pidfd_send_signal(target.fd, 0, 0); }
static long act_signal_self(void) { return pidguard_pidfd_send_signal(PIDGUARD_SELF_PROCESS, 0, 0); }
static long act_wait(void) { return pidguard_pidfd_wait(target.fd, NULL, 0); }
static long act_child(void) { return pidguard_pidfd_is_child(target.fd); }

static long act_creds(void) {
  struct pidguard_creds creds;
  return creds_of(target.fd, &creds) ? -1 : (long)creds.euid;
}

static long act_cgroup(void) {
  uint64_t id;
  return cgroupid_of(target.fd, &id) ? -1 : (long)id;
}

static long act_id(void) {
  uint64_t id;
  return pidguard_pidfd_get_id(target.fd, &id) ? -1 : (long)id;
}

static long act_open_id(void) {
  uint64_t id = 0;
  unsigned hidden = pg_feature_mask;
  hide(0);
  pidguard_pidfd_get_id(target.fd, &id);
  hide(hidden);
  return closed(pidguard_pidfd_open_id(id, 0));
}

static long act_text(void) {
  char text[PIDGUARD_TEXT_MAX];
  return pidguard_pidfd_to_text(target.fd, text, sizeof text) < 0 ? -1 : closed(pidguard_pidfd_from_text(text, 0));
}

static long act_madvise(void) {
  static char page[4096] __attribute__((aligned(4096)));
  struct iovec range = {page, sizeof page};
  return pidguard_pidfd_madvise(PIDGUARD_SELF_PROCESS, &range, 1, MADV_WILLNEED);
}

static long act_spawn(void) {
  char *argv[] = {"true", NULL};
  int status = -1, fd = pidguard_spawn("true", argv, environ, NULL, 0);
  if (fd < 0)
    return -1;
  pidguard_pidfd_wait(fd, &status, 5000);
  close(fd);
  return status;
}

/* A descriptor that does not fit is reported and closed. It was sent before, when there were enough descriptors. */
static long act_receive(void) {
  long r = closed(pidguard_socket_receive(pair[1]));
  return r < 0 && errno == EBADMSG ? (errno = EMFILE, -1) : r;
}

static const struct {
  const char *name;
  long (*act)(void);
} acts[] = {
    {"open", act_open},
    {"nonblock", act_nonblock},
    {"thread", act_thread},
    {"self", act_self},
    {"parent", act_parent},
    {"set", act_set},
    {"peer", act_peer},
    {"pid", act_pid},
    {"ppid", act_ppid},
    {"state", act_state},
    {"same", act_same},
    {"ns", act_ns},
    {"same_ns", act_same_ns},
    {"getfd", act_getfd},
    {"proc_dir", act_proc_dir},
    {"timer", act_timer},
    {"signal", act_signal},
    {"self", act_signal_self},
    {"wait", act_wait},
    {"child", act_child},
    {"creds", act_creds},
    {"cgroup", act_cgroup},
    {"id", act_id},
    {"open_id", act_open_id},
    {"text", act_text},
    {"madvise", act_madvise},
    {"spawn", act_spawn},
    {"receive", act_receive},
};

/* It keeps SIGTERM blocked, because terminate_start sends one, and all functions need a target that lives. */
static struct child immortal(void) {
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, &before);
  struct child c = child_paused();
  sigprocmask(SIG_SETMASK, &before, NULL);
  return c;
}

static long run(size_t i, unsigned hidden, int *error) {
  if (acts[i].act == act_receive && pidguard_socket_send(pair[0], target.fd))
    abort();
  hide(hidden);
  errno = 0;
  long r = acts[i].act();
  *error = r < 0 ? errno : 0;
  hide(0);
  return r;
}

static void every_function(void) {
  struct rlimit saved;
  getrlimit(RLIMIT_NOFILE, &saved);
  target = immortal();
  twin = pidguard_pidfd_open(target.pid, 0);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
    abort();
  connection = pair[0];
  int refused = 0, open_now = open_descriptors();
  for (size_t f = 0; f <= all_features_count; f++) {
    unsigned hidden = f < all_features_count ? all_features[f].bit : 0;
    const char *without = f < all_features_count ? all_features[f].name : "nothing";
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
      int want_error, error = 0;
      long want = run(i, hidden, &want_error), r = 0;
      for (int room = 0; room <= 5; room++) {
        struct rlimit low = {limit_for(room), saved.rlim_max};
        setrlimit(RLIMIT_NOFILE, &low);
        r = run(i, hidden, &error);
        setrlimit(RLIMIT_NOFILE, &saved);
        refused += error == EMFILE;
        PG_CHECK(error == EMFILE || (r == want && error == want_error),
                 "%s without %s, room for %d: %ld, %s; with room %ld, %s", acts[i].name, without, room, r,
                 strerror(error), want, strerror(want_error));
        if (!PG_CHECK(open_descriptors() == open_now, "%s without %s, room for %d: a descriptor was left open",
                      acts[i].name, without, room))
          open_now = open_descriptors();
      }
      PG_CHECK(r == want && error == want_error, "%s without %s: room for 5 is not enough", acts[i].name, without);
    }
  }
  PG_CHECK(refused > 200, "the room ran out only %d times", refused);
  close(pair[0]);
  close(pair[1]);
  close(twin);
  child_done(&target);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("every_function", every_function);
}

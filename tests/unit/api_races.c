/* SPDX-License-Identifier: MIT */
/* The worst moment, on purpose. Between two system calls of a function the process is reaped, and a stranger takes its
 * PID. A seccomp filter stops the caller at the second call until that has happened. */
#include "pidfd_support.h"

#include "kernel/sys.h"
#include "pidfd/feature.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* One race. The caller runs `act` and exits with its errno (0: success, 255: wrong in another way). */
struct race {
  int (*act)(void);
  int call;          /* the system call at which it is stopped */
  uint32_t arg_bits; /* only if the flags of an open have one of these bits; 0: always */
  void (*event)(void);
  int report; /* a socket for the listener */
};

static struct child target;
static struct pg_test_stranger stranger;
static int event_error;
static bool event_done;

/* Reaps the target and has a stranger take its PID. */
static void swap_target(void) {
  pid_t pid = target.pid;
  child_reap(&target);
  event_error = pg_test_take_pid(pid, false, &stranger);
}

static int install_filter(const struct race *race) {
  unsigned flags = race->call == SYS_openat ? 2 : 1; /* which argument */
  const struct sock_filter all[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)race->call, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + flags * sizeof(uint64_t)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, race->arg_bits, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_filter any[] = {all[0], BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)race->call, 0, 1), all[4],
                                    all[5]};
  const struct sock_fprog program = {.len = race->arg_bits ? 6 : 4,
                                     .filter = (struct sock_filter *)(uintptr_t)(race->arg_bits ? all : any)};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void pass_descriptor(int sock, int fd) {
  char byte = fd >= 0;
  struct iovec iov = {&byte, 1};
  union {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
  memset(&control, 0, sizeof control);
  if (fd >= 0) {
    msg.msg_control = &control;
    msg.msg_controllen = sizeof control;
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
  }
  if (sendmsg(sock, &msg, 0) != 1)
    _exit(255);
}

static int take_descriptor(int sock) {
  char byte = 0;
  int fd = -1;
  struct iovec iov = {&byte, 1};
  union {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1 || !byte || !CMSG_FIRSTHDR(&msg))
    return -1;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
  return fd;
}

static int body_racer(void *arg) {
  struct race *race = arg;
  int listener = install_filter(race);
  pass_descriptor(race->report, listener);
  if (listener < 0)
    return 255;
  close(listener);
  return race->act();
}

/* Answers one stop. The event happens at the first stop that is not about the racer itself. */
static void answer(int listener, const struct race *race, pid_t racer) {
  struct seccomp_notif request;
  struct seccomp_notif_resp response;
  memset(&request, 0, sizeof request);
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request))
    return;
  if (!event_done && !(race->call == SYS_pidfd_open && request.data.args[0] == (uint64_t)racer)) {
    if (!target.pid) /* the target is the process that the racer has opened */
      target.pid = (pid_t)request.data.args[0];
    race->event();
    event_done = true;
  }
  memset(&response, 0, sizeof response);
  response.id = request.id;
  response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* Returns the racer's exit code, or -1 with a skip if it cannot run. */
static int run(struct race *race) {
  int pair[2];
  event_done = false;
  event_error = 0;
  stranger = (struct pg_test_stranger){.pid = -1, .pidfd = -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
    abort();
  race->report = pair[1];
  struct child racer = child_running(body_racer, race);
  int listener = take_descriptor(pair[0]);
  close(pair[0]);
  close(pair[1]);
  struct pollfd p[] = {{.fd = racer.fd, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
  while (listener >= 0 && poll(p, 2, 10000) > 0 && !p[0].revents)
    if (p[1].revents & POLLIN)
      answer(listener, race, racer.pid);
  if (listener >= 0)
    close(listener);
  child_await_zombie(&racer);
  int status = child_reap(&racer);
  child_done(&racer);
  if (listener < 0)
    pg_test_skip("this user cannot get a seccomp listener (Linux 5.0)");
  else if (event_error)
    pg_test_skip("the test cannot choose a PID here: %s", strerror(-event_error));
  else
    PG_CHECK(event_done, "the caller never made the call at which it should stop");
  return listener < 0 || event_error ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void stranger_unharmed(void) {
  if (stranger.pid > 0) {
    PG_CHECK(pg_test_stranger_untouched(&stranger), "the stranger was hit");
    pg_test_stranger_release(&stranger);
  }
}

static int error_of(long r) { return r < 0 ? errno : 0; }

static int act_proc_dir(void) { return error_of(pidguard_pidfd_open_proc(target.fd)); }

static int act_pid(void) {
  hide(PG_FEATURE_INFO);
  return error_of(pidguard_pidfd_get_pid(target.fd));
}

static int act_creds(void) {
  struct pidguard_creds creds;
  hide(PG_FEATURE_INFO);
  return error_of(creds_of(target.fd, &creds));
}

static int act_cgroup(void) {
  uint64_t id;
  hide(PG_FEATURE_INFO);
  return error_of(cgroupid_of(target.fd, &id));
}

static int act_namespace(void) {
  hide(PG_FEATURE_NS_IOCTL);
  return error_of(pidguard_pidfd_open_namespace(target.fd, PIDGUARD_NAMESPACE_NET));
}

static int act_setns(void) {
  hide(PG_FEATURE_NS_IOCTL | PG_FEATURE_SETNS);
  return error_of(pidguard_pidfd_setns(target.fd, CLONE_NEWUTS));
}

/* Everything that goes to /proc by PID. While /proc/PID is opened, the PID goes to another process. */
static void proc_by_number(void) {
  static int (*const acts[])(void) = {act_proc_dir, act_pid, act_creds, act_cgroup, act_namespace, act_setns};
  for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
    struct race race = {.act = acts[i], .call = PG_SYS_OPEN, .arg_bits = O_DIRECTORY, .event = swap_target};
    target = child_paused();
    int error = run(&race);
    if (error >= 0)
      PG_CHECK(error == ESRCH, "act %zu: %s", i, strerror(error));
    stranger_unharmed();
    child_done(&target);
    if (error < 0)
      return;
  }
}

static int connection;

static int act_peer(void) {
  hide(PG_FEATURE_PEERPIDFD);
  return error_of(pidguard_socket_peer(connection));
}

static int body_peer(void *unused) {
  (void)unused;
  for (;;)
    pause();
  return 0;
}

/* The peer ends after its PID was read, and before the PID is opened. The stranger with that PID has the same user. */
static void peer_by_number(void) {
  int pair[2];
  struct race race = {.act = act_peer, .call = SYS_pidfd_open, .event = swap_target};
  /* A child makes the pair, keeps one end and gives the other to the test. So the child is the peer. */
  int way[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, way))
    abort();
  pid_t pid = fork();
  if (pid < 0)
    abort();
  if (pid == 0) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
      _exit(1);
    pass_descriptor(way[1], pair[0]);
    close(pair[0]);
    close(way[0]);
    close(way[1]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(body_peer(NULL));
  }
  connection = take_descriptor(way[0]);
  target = (struct child){pid, (int)syscall(SYS_pidfd_open, pid, 0)};
  close(way[0]);
  close(way[1]);
  int error = run(&race);
  if (error >= 0)
    PG_CHECK(error == EOPNOTSUPP, "%s", strerror(error));
  stranger_unharmed();
  close(connection);
  child_done(&target);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("proc_by_number", proc_by_number);
  add("peer_by_number", peer_by_number);
}

/* SPDX-License-Identifier: MIT */
/* Runs a command under a seccomp filter.
 *     filter allow COMMAND...          everything is allowed
 *     filter enosys|eperm|einval ...   calls on pidfds fail so; clone3 does, too, but not with einval
 *     filter docker ...                Docker's default filter
 *     filter service ...               systemd's @system-service; service-eperm: with SystemCallErrorNumber=EPERM
 *     filter kill FILE ...             a call that is not in the list kills the process
 *     filter record FILE ...           no filter: writes the list of the calls that the command and its children make
 * An ordinary program: it knows nothing of pidguard. Status 77: no filter can be installed here; 125: another
 * failure. */
#define _GNU_SOURCE
#include "bpf.h"
#include "raw.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static bool numbers[BPF_NUMBERS];
static struct sock_filter code[BPF_CODE_MAX];

static void give_up(int status, const char *what) {
  fprintf(stderr, "filter: %s: %s\n", what, strerror(errno));
  exit(status);
}

static void run(char **argv) {
  execvp(argv[0], argv);
  give_up(125, argv[0]);
}

static void install_and_run(size_t length, char **argv) {
  struct sock_fprog program = {(unsigned short)length, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    give_up(77, "seccomp");
  run(argv);
}

/* The descriptor number of the listener goes through shared memory. The child cannot send it by a call, because from
 * now on each of its calls waits for an answer. */
struct meeting {
  volatile int listener;
};

/* Runs the command. The kernel first reports every call of the command and its children to this program. */
struct recorded {
  char **argv;
  struct meeting *meeting;
};

static int be_recorded(void *arg) {
  struct recorded *recorded = arg;
  code[0] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
  struct sock_fprog program = {1, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    give_up(77, "no_new_privs");
  long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  recorded->meeting->listener = listener < 0 ? -2 : (int)listener;
  if (listener < 0)
    return 77;
  run(recorded->argv);
  return 125;
}

/* Answers "go on" to every report, until no process is left that could make one. Reaps the command, as before 6.11 a
 * zombie still has its filter. Returns the command's status. */
static int record_calls(int listener, pid_t pid) {
  int status = 0;
  for (bool reaped = false;;) {
    struct seccomp_notif request;
    struct seccomp_notif_resp answer;
    struct pollfd reported = {.fd = listener, .events = POLLIN};
    if (poll(&reported, 1, reaped ? -1 : 10) == 0) {
      reaped = waitpid(pid, &status, WNOHANG) == pid;
      continue;
    }
    if (reported.revents & (POLLHUP | POLLERR | POLLNVAL)) {
      if (!reaped && waitpid(pid, &status, 0) != pid)
        give_up(125, "waitpid");
      return status;
    }
    memset(&request, 0, sizeof request);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
      continue;
    if (request.data.nr == BPF_MARKER)
      memset(numbers, 0, sizeof numbers);
    else if (request.data.nr >= 0 && request.data.nr < BPF_NUMBERS)
      numbers[request.data.nr] = true;
    memset(&answer, 0, sizeof answer);
    answer.id = request.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

static int record(const char *path, char **argv) {
  static char stack[256 * 1024] __attribute__((aligned(16)));
  struct recorded recorded = {
      argv, mmap(NULL, sizeof *recorded.meeting, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
  if (recorded.meeting == MAP_FAILED)
    give_up(125, "mmap");
  recorded.meeting->listener = -1;
  /* both have one descriptor table, so the listener is here as soon as it is there */
  pid_t pid = clone(be_recorded, stack + sizeof stack, CLONE_FILES | SIGCHLD, &recorded);
  if (pid <= 1)
    give_up(125, "clone");
  while (recorded.meeting->listener == -1 && waitpid(pid, NULL, WNOHANG) == 0)
    sched_yield();
  int listener = recorded.meeting->listener;
  if (listener < 0)
    give_up(77, "seccomp listener");
  int status = record_calls(listener, pid);
  if (!bpf_save_list(path, numbers))
    give_up(125, path);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
  const char *kind = argc > 2 ? argv[1] : "";
  if (strcmp(kind, "allow") == 0)
    install_and_run(bpf_refuse_pidfds(0, false, code), argv + 2);
  if (strcmp(kind, "enosys") == 0)
    install_and_run(bpf_refuse_pidfds(ENOSYS, true, code), argv + 2);
  if (strcmp(kind, "eperm") == 0)
    install_and_run(bpf_refuse_pidfds(EPERM, true, code), argv + 2);
  if (strcmp(kind, "einval") == 0)
    install_and_run(bpf_refuse_pidfds(EINVAL, false, code), argv + 2);
  if (strcmp(kind, "docker") == 0)
    install_and_run(bpf_docker(code), argv + 2);
  if (strcmp(kind, "service") == 0)
    install_and_run(bpf_system_service(0, code), argv + 2);
  if (strcmp(kind, "service-eperm") == 0)
    install_and_run(bpf_system_service(EPERM, code), argv + 2);
  if (strcmp(kind, "kill") == 0 && argc > 3 && bpf_load_list(argv[2], numbers))
    install_and_run(bpf_kill_others(numbers, code), argv + 3);
  if (strcmp(kind, "record") == 0 && argc > 3)
    return record(argv[2], argv + 3);
  fprintf(stderr, "filter: wrong arguments\n");
  return 125;
}

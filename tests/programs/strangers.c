/* SPDX-License-Identifier: MIT */
/* See strangers.h. */
#define _GNU_SOURCE
#include "strangers.h"

#include "raw.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct request {
  int32_t pid; /* to take; negative: to end */
  int32_t kind;
};

/* struct clone_args of Linux 5.5. */
struct set_tid_args {
  struct raw_clone_args base;
  uint64_t set_tid, set_tid_size;
};

static int to_maker = -1, memory = -1;
static _Atomic unsigned *hits;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* ---- The process beside the program ---- */

/* The kernel hands out signals of lower numbers first. So everything that came before the last one has been counted. */
static void be_stranger(enum stranger_kind kind) {
  sigset_t all;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "stranger");
  close(to_maker);
  sigfillset(&all);
  for (;;) {
    int sig = sigwaitinfo(&all, NULL);
    if (sig == SIGRTMAX)
      _exit(0);
    if (sig > 0)
      atomic_fetch_add(&hits[kind], 1);
  }
}

static int32_t take(pid_t pid, enum stranger_kind kind) {
  int32_t number = pid;
  struct set_tid_args args = {.base = {.exit_signal = SIGCHLD}};
  if (pid > 0) {
    args.set_tid = (uint64_t)(uintptr_t)&number;
    args.set_tid_size = 1;
  }
  for (int tries = 0;; tries++) {
    long made = raw_call(SYS_clone3, (long)(uintptr_t)&args, sizeof args, 0, 0, 0);
    if (made == 0)
      be_stranger(kind);
    if (made > 0 && kind == STRANGER_NUMBER)
      setpgid((pid_t)made, (pid_t)made);
    if (made != -EEXIST || tries == 1000) /* the process that had it may still be on the way out */
      return (int32_t)made;
    usleep(500);
  }
}

static int32_t end(pid_t pid, enum stranger_kind kind) {
  int status = 0;
  bool died = waitpid(pid, &status, WNOHANG) == pid;
  if (!died) {
    kill(pid, SIGRTMAX);
    died = waitpid(pid, &status, 0) != pid || !WIFEXITED(status);
  }
  if (died)
    atomic_fetch_add(&hits[kind], 1);
  return 0;
}

static void make_strangers(int socket, int shared) {
  struct request request;
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL); /* strangers inherit it */
  to_maker = socket;
  hits = mmap(NULL, sizeof *hits * STRANGER_KINDS, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
  if (hits == MAP_FAILED)
    _exit(1);
  while (read(socket, &request, sizeof request) == sizeof request) {
    enum stranger_kind kind = (enum stranger_kind)request.kind;
    int32_t answer = request.pid < -1 ? end(-request.pid, kind) : take(request.pid, kind);
    if (write(socket, &answer, sizeof answer) != sizeof answer)
      break;
  }
  _exit(0); /* and the strangers with it */
}

void strangers_main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "--strangers") == 0)
    make_strangers(atoi(argv[2]), atoi(argv[3]));
}

/* ---- The program's side ---- */

static void give_up(int status, const char *what, int error) {
  fprintf(stderr, "strangers: %s: %s\n", what, strerror(error));
  exit(status);
}

/* The maker is no child of the program, because the process in between exits at once. */
static void exec_maker(int socket) {
  char first[16], second[16];
  snprintf(first, sizeof first, "%d", socket);
  snprintf(second, sizeof second, "%d", memory);
  char *const argv[] = {"strangers", "--strangers", first, second, NULL};
  if (fork() != 0)
    _exit(0);
  unsetenv("LD_PRELOAD");
  execv("/proc/self/exe", argv);
  _exit(1);
}

static void map_hits(void) {
  hits = mmap(NULL, sizeof *hits * STRANGER_KINDS, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (hits == MAP_FAILED)
    give_up(2, "mmap", errno);
}

void strangers_start(void) {
  int ends[2];
  memory = memfd_create("hits", 0);
  if (memory < 0 || ftruncate(memory, sizeof *hits * STRANGER_KINDS) != 0)
    give_up(2, "memfd", errno);
  map_hits();
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    give_up(2, "socketpair", errno);
  pid_t middle = fork();
  if (middle == 0) {
    int socket = dup(ends[1]); /* without close-on-exec */
    close(ends[0]);
    exec_maker(socket);
  }
  if (middle < 0 || waitpid(middle, NULL, 0) != middle)
    give_up(2, "fork", errno);
  fcntl(memory, F_SETFD, FD_CLOEXEC);
  close(ends[1]);
  to_maker = ends[0];
  pid_t any = stranger_take(0, STRANGER_HELD), same = any;
  if (any > 1) {
    stranger_end(any, STRANGER_HELD);
    same = stranger_take(any, STRANGER_HELD);
  }
  if (same <= 1)
    give_up(77, "no PID can be chosen here (clone3 with set_tid)", same < 0 ? -same : EIO);
  stranger_end(same, STRANGER_HELD);
}

static int32_t ask(struct request request) {
  int32_t answer = -EPIPE;
  ssize_t n;
  pthread_mutex_lock(&one_at_a_time);
  while ((n = send(to_maker, &request, sizeof request, MSG_NOSIGNAL)) < 0 && errno == EINTR)
    ;
  while (n > 0 && (n = read(to_maker, &answer, sizeof answer)) < 0 && errno == EINTR)
    ;
  pthread_mutex_unlock(&one_at_a_time);
  return n == sizeof answer ? answer : -EPIPE;
}

pid_t stranger_take(pid_t pid, enum stranger_kind kind) {
  return pid < 0 || pid == 1 ? -EINVAL : ask((struct request){pid, kind});
}

void stranger_end(pid_t pid, enum stranger_kind kind) {
  if (pid > 1)
    ask((struct request){-pid, kind});
}

unsigned strangers_hit(enum stranger_kind kind) { return atomic_load(&hits[kind]); }

void strangers_move(int fd) {
  if (fd == to_maker)
    return;
  if (dup3(to_maker, fd, O_CLOEXEC) != fd)
    give_up(2, "dup3", errno);
  close(to_maker);
  to_maker = fd;
}

void strangers_survive(int numbers[2]) {
  numbers[0] = to_maker;
  numbers[1] = memory;
  fcntl(to_maker, F_SETFD, 0);
  fcntl(memory, F_SETFD, 0);
}

void strangers_resume(const int numbers[2]) {
  to_maker = numbers[0];
  memory = numbers[1];
  map_hits();
}

void strangers_stop(void) {
  close(to_maker);
  close(memory);
}

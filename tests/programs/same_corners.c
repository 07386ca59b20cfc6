/* SPDX-License-Identifier: MIT */
/* Corners: arguments that are wrong in another way as well, results that cannot be written, and clone() with rare
 * flags. One corner is a thread that has the PID of a child that is gone. */
#define _GNU_SOURCE
#include "cases.h"

#include "../support/next_pid.h"
#include "../support/pidfs.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

#ifndef __GLIBC__
#define tgkill(...) (int)syscall(SYS_tgkill, __VA_ARGS__)
#endif

static char *page(int protection) {
  char *p = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(p != MAP_FAILED);
  return p;
}

#define NOTE(call)                                                                                                     \
  do {                                                                                                                 \
    errno = UNTOUCHED;                                                                                                 \
    int result_ = (int)(call);                                                                                         \
    note("%s: %s", #call, call_text(result_));                                                                         \
  } while (0)

/* The kernel chooses which of two errors it reports. */
static void bad_arguments(pid_t pid) {
  char *bad = page(PROT_NONE);
  void *where = bad;
  struct sched_param normal = {.sched_priority = 0}, high = {.sched_priority = 1000};
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(0, &cpus);
  MUST(pid > 1);
  NOTE(kill(pid, 999));
  NOTE(kill(pid, -1));
  NOTE(kill(-pid, 999));
  NOTE(sigqueue(pid, 999, (union sigval){.sival_int = 1}));
  NOTE(tgkill(pid, pid, 999));
  NOTE(tgkill(pid, -1, 0));
  NOTE(setpgid(pid, -5));
  NOTE(setpriority(999, (id_t)pid, 0));
  NOTE(sched_setscheduler(pid, 999, &normal));
  NOTE(sched_setscheduler(pid, SCHED_OTHER, NULL));
  NOTE(sched_setscheduler(pid, SCHED_FIFO, &high));
  NOTE(sched_setparam(pid, NULL));
  NOTE(sched_setparam(pid, where));
  NOTE(sched_getparam(pid, NULL));
  NOTE(sched_setaffinity(pid, sizeof cpus, where));
  NOTE(sched_getaffinity(pid, 1, &cpus));
  NOTE(prlimit(pid, RLIMIT_NOFILE, where, NULL));
  NOTE(prlimit(pid, 999, NULL, NULL));
  struct iovec one = {&pid, sizeof pid};
  NOTE(process_vm_readv(pid, where, 1, &one, 1, 0));
  NOTE(process_vm_readv(pid, &one, 1, where, 1, 0));
  NOTE(process_vm_readv(pid, &one, 1, &one, 1, 999));
  NOTE(process_vm_writev(pid, &one, 1, &one, 1, 999));
  NOTE(syscall(SYS_pidfd_open, pid, 0x40000000));
  NOTE(syscall(SYS_rt_sigqueueinfo, pid, SIGTERM, where));
  siginfo_t feigned = {.si_code = SI_USER};
  NOTE(syscall(SYS_rt_sigqueueinfo, pid, SIGTERM, &feigned));
  NOTE(syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGTERM, where));
  NOTE(syscall(SYS_sched_setattr, pid, where, 0));
  NOTE(syscall(SYS_sched_getattr, pid, where, 48, 0));
  NOTE(syscall(SYS_sched_getattr, pid, NULL, 48, 0));
  NOTE(syscall(SYS_ioprio_set, 999, pid, 0));
  NOTE(syscall(SYS_ioprio_get, 999, pid));
  NOTE(waitid(P_PID, (id_t)pid, NULL, 0));
  NOTE(waitpid(pid, NULL, 0x10000));
}

static void arguments_living(void) {
  pid_t pid = fork_pausing();
  bad_arguments(pid);
  finish(pid);
}

static void arguments_retired(void) {
  pid_t pid = fork_exiting(3);
  MUST(waitpid(pid, NULL, 0) == pid);
  bad_arguments(pid);
}

/* The kernel reaps first and writes afterwards, so the child is gone. */
static void faults_at(void *where, bool zombie, int options) {
  for (int how = 0; how < 6; how++) {
    pid_t pid = zombie ? fork_exiting(3) : fork_pausing();
    if (zombie)
      await_zombie(pid);
    struct rusage usage;
    int status;
    errno = UNTOUCHED;
    int result = how == 0   ? waitpid(pid, where, options)
                 : how == 1 ? waitpid(-1, where, options)
                 : how == 2 ? wait4(pid, &status, options, where)
                 : how == 3 ? wait4(pid, where, options, &usage)
                 : how == 4 ? waitid(P_PID, (id_t)pid, where, WEXITED | options)
                            : waitid(P_ALL, 0, where, WEXITED | options);
    note("way %d: %s", how, wait_text(result, pid));
    errno = UNTOUCHED;
    result = waitpid(pid, NULL, WNOHANG);
    note("then: %s", wait_text(result, pid));
    errno = UNTOUCHED;
    result = kill_ok(pid, 0);
    note("kill: %s", call_text(result));
    if (result == 0)
      finish(pid);
  }
}

static void results_unmapped(void) {
  char *p = page(PROT_NONE);
  MUST(munmap(p, 4096) == 0);
  faults_at(p, true, 0);
  faults_at(p, true, WNOHANG);
  faults_at(p, false, WNOHANG);
}

static void results_read_only(void) {
  char *p = page(PROT_READ);
  faults_at(p, true, 0);
  faults_at(p, true, WNOHANG);
  faults_at(p, false, WNOHANG);
}

/* The result is near the end of what is mapped, so only a part of it can be written. */
static void results_cut_off(void) {
  char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(p != MAP_FAILED && munmap(p + 4096, 4096) == 0);
  faults_at(p + 4096 - 2, true, 0);
  faults_at(p + 4096 - 2, true, WNOHANG);
}

/* The child has no thread pointer that it could read anything through. It makes one system call by an instruction. */
static int leave(void *arg) {
  (void)arg;
  raw_call(SYS_exit_group, 3, 0, 0, 0, 0);
  return 0;
}

static void no_tls(int flags) {
  static char stack[64 * 1024] __attribute__((aligned(16)));
  int status = 0;
  pid_t pid = clone(leave, stack + sizeof stack, flags | CLONE_SETTLS | SIGCHLD, NULL, NULL, NULL, NULL);
  MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
  note("%s", status_text(status));
  errno = UNTOUCHED;
  note("%s", call_text(kill_ok(pid, 0)));
}
static void settls_of_nothing(void) { no_tls(0); }
static void settls_of_nothing_vm(void) { no_tls(CLONE_VM); }
static void settls_of_nothing_vfork(void) { no_tls(CLONE_VM | CLONE_VFORK); }
static void settls_of_nothing_files(void) { no_tls(CLONE_FILES); }

/* The same by syscall(), on the caller's stack. */
static void settls_by_syscall(void) {
#ifndef __GLIBC__
  skip("syscall() of this libc uses the thread's memory in the child");
#endif
  struct raw_clone_args args = {.flags = CLONE_SETTLS, .exit_signal = SIGCHLD};
  for (int i = 0; i < 2; i++) {
    int status = 0;
    long pid = i ? syscall(SYS_clone3, &args, sizeof args) : syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
      raw_call(SYS_exit_group, 3, 0, 0, 0, 0);
    MUST(pid > 1 && waitpid((pid_t)pid, &status, 0) == pid);
    note("%s", status_text(status));
  }
}

/* The first process of a pid namespace borrows its memory to the first of another one, so both have PID 1. */
static void guest_of_the_first(void) {
  int status = 0;
  if (!RAW_MAY_BE_SEEN)
    skip("the shim has no vfork() for this architecture");
  if (unshare(CLONE_NEWPID) != 0)
    skip("no pid namespaces");
  pid_t first = fork_ok();
  if (first == 0) {
    pid_t pid = fork_pausing();
    MUST(unshare(CLONE_NEWPID) == 0);
    pid_t guest = vfork();
    if (guest == 0)
      _exit(kill_ok(pid, 0) == 0 ? 0 : errno);
    MUST(guest > 1 && waitpid(guest, &status, 0) == guest);
    note("%s", status_text(status));
    int result = kill_ok(pid, SIGTERM);
    note("%s", call_text(result));
    if (result == 0)
      MUST(waitpid(pid, &status, 0) == pid);
    note("%s", status_text(status));
    _exit(0);
  }
  MUST(waitpid(first, &status, 0) == first);
  note("%s", status_text(status));
}

/* The first process of a pid namespace makes the first of another one, so both have PID 1. The shim keeps handles of
 * the groups of the former, whose leaders are gone. In the latter there are no such groups. */
static void first_of_the_first(void) {
  enum { GROUPS = 4 };
  int status = 0, before = count_open_in(0, 4096);
  if (unshare(CLONE_NEWPID) != 0)
    skip("no pid namespaces");
  pid_t first = fork_ok();
  if (first == 0) {
    pid_t members[GROUPS];
    for (int i = 0; i < GROUPS; i++) {
      pid_t leader = fork_pausing();
      members[i] = fork_pausing();
      MUST(setpgid(leader, leader) == 0 && setpgid(members[i], leader) == 0 && kill(-leader, 0) == 0);
      finish(leader);
    }
    MUST(unshare(CLONE_NEWPID) == 0);
    pid_t second = fork_ok();
    if (second == 0) {
      finish(fork_pausing());
      _exit(count_open_in(0, 4096) - before);
    }
    MUST(waitpid(second, &status, 0) == second);
    note("%s", status_text(status));
    for (int i = 0; i < GROUPS; i++)
      finish(members[i]);
    _exit(0);
  }
  MUST(waitpid(first, &status, 0) == first);
  note("%s", status_text(status));
}

/* A forked child that the program makes by an instruction has many children, and then signals its siblings. */
static void forked_by_instruction(void) {
  if (!pidfds_have_identity())
    skip("before Linux 6.9 a process that an instruction has forked takes its siblings for children that are gone");
  pid_t siblings[4];
  int status = 0, refused = 0;
  for (int i = 0; i < 4; i++)
    siblings[i] = fork_pausing();
  pid_t pid = (pid_t)raw_call(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    for (int i = 0; i < 40; i++)
      waitpid(fork_exiting(0), NULL, 0);
    for (int i = 0; i < 4; i++)
      refused += kill_ok(siblings[i], 0) != 0;
    _exit(refused);
  }
  MUST(waitpid(pid, &status, 0) == pid);
  note("%s", status_text(status));
  for (int i = 0; i < 4; i++)
    finish(siblings[i]);
}

/* A living child's second thread has the PID of a child that is gone. */
static void *thread_pauses(void *arg) {
  *(volatile int *)arg = (int)raw_call(SYS_gettid, 0, 0, 0, 0, 0);
  for (;;)
    pause();
  return NULL;
}

static void thread_has_old_number(void) {
  int ends[2];
  pid_t old = fork_exiting(3), pid;
  MUST(waitpid(old, NULL, 0) == old && pipe(ends) == 0);
  for (int tries = 0; tries < 50; tries++) {
    volatile int tid = 0;
    pid = fork_ok();
    if (pid == 0) {
      pthread_t thread;
      if (next_pid_is(old) != 1 || pthread_create(&thread, NULL, thread_pauses, (void *)&tid) != 0)
        tid = -1;
      while (tid == 0)
        sched_yield();
      int got = tid;
      MUST(write(ends[1], &got, sizeof got) == sizeof got);
      for (;;)
        pause();
    }
    int got = 0;
    MUST(read(ends[0], &got, sizeof got) == sizeof got);
    if (got == -1) {
      finish(pid);
      skip("the test cannot choose PIDs here (ns_last_pid)");
    }
    if (got == old)
      break;
    finish(pid);
    pid = 0;
  }
  if (pid == 0)
    skip("another process was always faster");
  cpu_set_t cpus;
  struct sched_param param = {.sched_priority = 0};
  MUST(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
  NOTE(sched_setaffinity(old, sizeof cpus, &cpus));
  NOTE(sched_getaffinity(old, sizeof cpus, &cpus));
  NOTE(sched_getparam(old, &param));
  NOTE(sched_setparam(old, &param));
  NOTE(sched_getscheduler(old));
  NOTE(sched_setscheduler(old, SCHED_OTHER, &param));
  NOTE(setpriority(PRIO_PROCESS, (id_t)old, 0));
  NOTE(tgkill(pid, old, 0));
  finish(pid);
}

/* A thread of the program itself has the PID of a child that is gone. */
static void own_thread_has_old_number(void) {
  pid_t old = fork_exiting(3);
  volatile int tid = 0;
  MUST(waitpid(old, NULL, 0) == old);
  for (int tries = 0; tries < 50 && tid != old; tries++) {
    pthread_t thread;
    if (next_pid_is(old) != 1)
      skip("the test cannot choose PIDs here (ns_last_pid)");
    tid = 0;
    MUST(pthread_create(&thread, NULL, thread_pauses, (void *)&tid) == 0);
    while (tid == 0)
      sched_yield();
  }
  if (tid != old)
    skip("another process was always faster");
  NOTE(kill(old, 0));
  NOTE(sigqueue(old, 0, (union sigval){.sival_int = 1}));
  NOTE(tgkill(getpid(), old, 0));
}

/* A child that shares the memory and the descriptors puts a file on the lowest free number, again and again. */
static int lowest_number;
static int puts_on_lowest(void *unused) {
  (void)unused;
  for (;;) {
    raw_call(SYS_dup3, 0, lowest_number, O_CLOEXEC, 0, 0);
    raw_call(SYS_close, lowest_number, 0, 0, 0, 0);
  }
  return 0;
}

static void descriptors_shared(void) {
  static char stack[64 * 1024] __attribute__((aligned(16)));
  int failed = 0, lost = 0;
  lowest_number = dup(0);
  MUST(lowest_number > 2 && close(lowest_number) == 0);
  for (int i = 0; i < 300; i++) {
    pid_t pid = clone(puts_on_lowest, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
    MUST(pid > 1);
    failed += kill_ok(pid, SIGKILL) != 0;
    if (failed)
      raw_call(SYS_kill, pid, SIGKILL, 0, 0, 0);
    lost += waitpid(pid, NULL, 0) != pid;
  }
  note("signals that failed: %d, waits: %d", failed, lost);
}

const struct test_case cases[] = {
    {"arguments_living", arguments_living},
    {"arguments_retired", arguments_retired},
    {"results_unmapped", results_unmapped},
    {"results_read_only", results_read_only},
    {"results_cut_off", results_cut_off},
    {"settls_of_nothing", settls_of_nothing},
    {"settls_of_nothing_vm", settls_of_nothing_vm},
    {"settls_of_nothing_vfork", settls_of_nothing_vfork},
    {"settls_of_nothing_files", settls_of_nothing_files},
    {"settls_by_syscall", settls_by_syscall},
    {"guest_of_the_first", guest_of_the_first},
    {"first-of-the-first", first_of_the_first},
    {"forked_by_instruction", forked_by_instruction},
    {"thread_has_old_number", thread_has_old_number},
    {"own_thread_has_old_number", own_thread_has_old_number},
    {"descriptors-shared", descriptors_shared},
    {NULL, NULL},
};

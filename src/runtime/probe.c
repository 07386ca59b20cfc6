/* SPDX-License-Identifier: MIT */
#include "runtime/probe.h"

#include "base/fmt.h"
#include "kernel/sys.h"
#include "runtime/next.h"
#include "runtime/proc_self.h"
#include "runtime/window.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

_Atomic pid_t pg_probe_unreaped;

/* A page that the throw-away process shares, to write which calls it has survived. A forked child has the same page. So
 * each process uses an entry of its own, and the throw-away process knows its number. */
#define CELLS 1024
static _Atomic(_Atomic uint64_t *) page;

PG_COLD void pg_probe_prepare(void) {
  if (!atomic_load_explicit(&page, memory_order_relaxed))
    atomic_store_explicit(&page, (_Atomic uint64_t *)pg_sys_map(CELLS * sizeof(uint64_t), MAP_SHARED),
                          memory_order_relaxed);
}

/* No handler of the program runs in the throw-away process. A signal may come to its group, and a filter may answer a
 * call with SIGSYS. A blocked SIGSYS kills instead (force_sig_info_to_task() in kernel/signal.c). */
static bool try_block(void) {
  uint64_t all = ~(uint64_t)0, mask;
  return pg_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof all) == 0;
}

/* In this order. The last one closes descriptors. */
static const uint16_t groups[] = {PG_CAN_CHILD,  PG_CAN_ASK,  PG_CAN_THREAD, PG_CAN_PARENT,
                                  PG_CAN_ACTION, PG_CAN_HOLD, PG_CAN_SEND,   PG_CAN_PIDFD};

/* Makes the calls of a group without an effect. False: the group is refused by an errno that matters, or the answer is
 * not the kernel's. The newborn child is no child of the throw-away process. A filter may also feign success. */
static bool try_group(int group, pid_t pid) {
  siginfo_t info = {.si_code = SI_QUEUE};
  struct pg_action action;
  uint64_t dev, ino;
  int fd;
  switch (group) {
  case PG_CAN_CHILD:
    pg_sys_waitid(PG_P_PIDFD, (id_t)-1, NULL, WNOHANG | WNOWAIT | WEXITED | __WALL, NULL);
    return pg_sys_waitid(P_PID, (id_t)pid, NULL, WNOHANG | WNOWAIT | WEXITED | __WALL, NULL) == -ECHILD;
  case PG_CAN_ASK: /* INT_MAX: the kernel's own answer about a PID that no process can have */
    pg_sys_kill(pid, 0);
    return pg_sys_kill(INT_MAX, 0) == -ESRCH;
  case PG_CAN_THREAD:
    pg_sys3(SYS_tgkill, pid, pid, 0);
    return true;
  case PG_CAN_PARENT:
    pg_sys_getppid();
    return true;
  case PG_CAN_ACTION:
    return pg_sys_action(SIGCHLD, NULL, &action) == 0;
  case PG_CAN_HOLD:
    fd = pg_sys_openat(AT_FDCWD, "/", O_RDONLY | O_CLOEXEC, 0);
    pg_sys_fcntl(fd, F_DUPFD_CLOEXEC, 3);
    pg_sys_fcntl(fd, F_GETFD, 0);
    pg_sys_nofile_soft();
    return true;
  case PG_CAN_SEND:
    return pg_sys3(SYS_rt_sigqueueinfo, INT_MAX, 0, &info) == -ESRCH && pg_sys2(SYS_tkill, INT_MAX, 0) == -ESRCH &&
           pg_sys3(SYS_tgkill, INT_MAX, INT_MAX, 0) == -ESRCH;
  default: /* PG_CAN_PIDFD. All descriptors may be in use, so this process closes some; it shares none */
    for (int i = 0; i < 3; i++)
      pg_sys_close(i);
    pg_sys_getpid();
    pg_sys0(SYS_gettid);
    fd = pg_sys_pidfd_open(pid, 0);
    pg_sys_fstat_ids(fd, &dev, &ino);
    pg_sys_fstatfs_type(fd);
    pg_sys_pidfd_send_signal(fd, 0, NULL, 0);
    pg_sys0(SYS_sched_yield);
    return pg_sys_pidfd_open(-1, 0) < 0 && pg_sys_fstat_ids(-1, &dev, &ino) < 0 && pg_sys_fstatfs_type(-1) < 0 &&
           pg_sys_pidfd_send_signal(-1, 0, NULL, 0) < 0;
  }
}

/* Groups that the throw-away process leaves out, because an earlier one has died of them. */
static _Atomic int deadly;

/* The child that was just born. Each throw-away process of a program has another newborn child, and needs no system
 * call to know it. */
static pid_t newborn;

/* Where the groups that were ended stand in the entry. */
#define ENDED 16

/* This process must leave no core. With a limit of 1 byte the kernel writes none, and starts no program for one
 * (core(5)). The entry holds the PID of the newborn child, and the groups that were begun and ended. */
static void be_probe(void) {
  uint64_t core[2], said = (uint64_t)(uint32_t)newborn << 32;
  int skipped = atomic_load_explicit(&deadly, memory_order_relaxed);
  _Atomic uint64_t *cell = atomic_load_explicit(&page, memory_order_relaxed) + newborn % CELLS;
  if (pg_sys4(SYS_prlimit64, 0, RLIMIT_CORE, NULL, core) == 0) {
    core[0] = core[1] > 0;
    pg_sys4(SYS_prlimit64, 0, RLIMIT_CORE, core, NULL);
  }
  atomic_store_explicit(cell, said, memory_order_relaxed);
  if (!(skipped & PG_CAN_PIDFD)) {
    atomic_store_explicit(cell, said | PG_CAN_PIDFD, memory_order_relaxed);
    if (!try_block())
      skipped |= PG_CAN_PIDFD;
  }
  for (size_t i = 0; i < PG_ARRAY_LEN(groups); i++) {
    int group = groups[i];
    if (skipped & group)
      continue;
    atomic_store_explicit(cell, said | (uint64_t)group, memory_order_relaxed);
    if (try_group(group, newborn))
      said |= (uint64_t)group << ENDED | (uint64_t)group;
    atomic_store_explicit(cell, said, memory_order_relaxed);
  }
  for (;;)
    pg_sys1(SYS_exit_group, 0);
}

/* The throw-away process has its own memory. Older kernels, when they dump a core, kill every process that shares the
 * memory. It ends without a signal, so a wait of the program finds it only with __WCLONE or __WALL. CLONE_VFORK: the
 * caller goes on when it has ended. */
static long by_clone(bool clone3) {
  uint64_t args[8] = {CLONE_VFORK};
  long pid = clone3 ? pg_sys2(SYS_clone3, args, sizeof args) : pg_sys6(SYS_clone, CLONE_VFORK, 0, 0, 0, 0, 0);
  if (pid == 0)
    be_probe();
  return pid;
}

#if defined(SYS_vfork) && defined(__x86_64__) && !defined(__ILP32__)
#define PG_HAVE_PROBE_BY_VFORK 1
/* Before 5.16 a core dump kills all processes that share the memory (commit 0258b5fd7c71 in kernel/signal.c). To try
 * that would not be safe, so the version decides. */
static bool dumps_alone(void) {
  char text[32];
  const char *at = text;
  if (pg_window_read_file("/proc/sys/kernel/osrelease", text, sizeof text) <= 0)
    return false;
  int64_t major = pg_parse_dec(&at);
  return *at++ == '.' && (major > 5 || (major == 5 && pg_parse_dec(&at) >= 16));
}

/* The child never returns to this frame. It only makes calls below it. It is a normal child, with a SIGCHLD at its
 * end. */
static long by_vfork(void) {
  long pid;
  __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" /* the red zone belongs to the frame, too */
                   "syscall\n\t"
                   "testq %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "andq $-16, %%rsp\n\t"
                   "call *%[child]\n"
                   "1:\tleaq 128(%%rsp), %%rsp"
                   : "=a"(pid)
                   : "0"((long)SYS_vfork), [child] "r"(be_probe)
                   : "rcx", "r11", "memory", "cc");
  return pid;
}
#endif

/* The glibc (2.x) whose posix_spawn uses clone3 on this machine: the first one with clone3.S for it. */
#if defined __x86_64__ || defined __i386__
#define SPAWN_BY_CLONE3_SINCE 34
#elif defined __arm__ || defined __mips__
#define SPAWN_BY_CLONE3_SINCE 39
#else
#define SPAWN_BY_CLONE3_SINCE 38
#endif

/* Makes the throw-away process by the same system call as the program is about to use. Returns its PID, or a value <
 * 0. */
static long make_probe(enum pg_birth birth) {
  switch (birth) {
  case PG_BIRTH_VFORK:
#ifdef PG_HAVE_PROBE_BY_VFORK
    return pg_proc_self_read().quiet && dumps_alone() ? by_vfork() : -1;
#else
    return by_clone(false);
#endif
  case PG_BIRTH_SPAWN: {
    long pid = pg_libc_since(SPAWN_BY_CLONE3_SINCE) ? by_clone(true) : -ENOSYS;
    return pid == -ENOSYS ? by_clone(false) : pid;
  }
  case PG_BIRTH_CLONE:
    return by_clone(false);
  case PG_BIRTH_CLONE3:
    return by_clone(true);
  default:
    return -1;
  }
}

/* A throw-away process that died before it had asked about children. The next one tells whether that call can reap
 * it. */
static _Atomic pid_t also_unreaped;

/* The process has given up its memory already, so it becomes a zombie in a moment. The wait is short. */
static void reap_one(pid_t pid, bool by_waitid) {
  siginfo_t si;
  int status;
  long r;
  int tries_left = 100;
  if (pid <= 1)
    return;
  do
    r = by_waitid ? pg_sys_waitid(P_PID, (id_t)pid, &si, WEXITED | __WALL, NULL)
                  : pg_sys4(SYS_wait4, pid, &status, __WALL, NULL);
  while (r == -EINTR && --tries_left > 0);
}

PG_COLD void pg_probe_reap_late(bool by_waitid) {
  reap_one(atomic_exchange_explicit(&pg_probe_unreaped, 0, memory_order_relaxed), by_waitid);
  reap_one(atomic_exchange_explicit(&also_unreaped, 0, memory_order_relaxed), by_waitid);
}

/* Runs one throw-away process, and returns the groups that it survived. *ret_died: the group that it died of, or 0. -1:
 * no process could be made. */
static int try_once(enum pg_birth birth, pid_t born, int *ret_died) {
  _Atomic uint64_t *cells = atomic_load_explicit(&page, memory_order_relaxed);
  newborn = born; /* a handler that comes here has another */
  long pid = make_probe(birth);
  if (pid <= 1)
    return -1;
  uint64_t said = atomic_exchange_explicit(&cells[born % CELLS], 0, memory_order_relaxed);
  bool spoke = said >> 32 == (uint32_t)born;
  int begun = spoke ? (int)(said & 0xffff) : PG_CAN_ALL, ended = spoke ? (int)(said >> ENDED & 0xffff) : 0;
  *ret_died = begun & ~ended;
  bool first = !atomic_load_explicit(&also_unreaped, memory_order_relaxed);
  if (first && !(ended & PG_CAN_CHILD) && (*ret_died == PG_CAN_CHILD || *ret_died == PG_CAN_PIDFD)) {
    atomic_store_explicit(&also_unreaped, (pid_t)pid, memory_order_relaxed);
    return ended;
  }
  atomic_store_explicit(&pg_probe_unreaped, (pid_t)pid, memory_order_relaxed);
  if (ended & PG_CAN_CHILD)
    pg_probe_reap_late(true);
  return ended;
}

/* The program's newborn child exists, alive or as a zombie. So the throw-away process is not the first of a new pid
 * namespace, which would end with it. If that first process has ended already, the kernel makes no other. */
PG_COLD int pg_probe(enum pg_birth birth, pid_t pid) {
  int died = 0, survived;
  if (!atomic_load_explicit(&page, memory_order_relaxed))
    return -1;
  do {
    survived = try_once(birth, pid, &died);
    atomic_fetch_or_explicit(&deadly, died, memory_order_relaxed);
  } while (survived >= 0 && died && died != PG_CAN_ALL &&
           !atomic_load_explicit(&pg_probe_unreaped, memory_order_relaxed));
  return survived;
}

/* SPDX-License-Identifier: MIT */
/* Steps a process through an object, and sends it a signal at a given instruction. All of this is done by ptrace. The
 * process need not be a child of the caller. Calls libc only. */
#define _GNU_SOURCE
#include "stepped.h"

#include "../support/breakpoint.h"
#include "slowness.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_S = 20 };

int stepped_attach(pid_t pid) { return ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 ? 0 : -errno; }

#if BREAKPOINT_HAVE

/* A single step ends an exclusive access of arm64, so a loop around one never ends. Programs use other instructions
 * for their atomic operations if the processor has them. */
static bool has_exclusive_accesses_only(void) {
#ifdef __aarch64__
  return !(getauxval(AT_HWCAP) & HWCAP_ATOMICS);
#else
  return false;
#endif
}

const char *stepped_why_not(void) {
  if (has_exclusive_accesses_only())
    return "atomic operations of this processor do not end when they are stepped";
  pid_t pid = fork();
  if (pid == 0)
    for (;;)
      pause();
  int error = pid < 0 ? -errno : stepped_attach(pid);
  if (pid > 0) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
  }
  return error ? strerror(-error) : NULL;
}

typedef struct user_regs_struct registers;

/* The executable part of the object in the process. `base` is subtracted from an address to get an offset in the
 * file. */
struct range {
  uint64_t begin, end, base;
};

static int find_object(pid_t pid, const char *object, struct range *ret) {
  char path[64], line[5000], permissions[8];
  unsigned long begin, end, offset;
  int error = -ENOENT;
  snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
  FILE *maps = fopen(path, "re");
  if (!maps)
    return -errno;
  while (fgets(line, sizeof line, maps)) {
    line[strcspn(line, "\n")] = '\0';
    const char *name = strchr(line, '/');
    if (sscanf(line, "%lx-%lx %7s %lx", &begin, &end, permissions, &offset) != 4 || permissions[2] != 'x' || !name ||
        strcmp(name, object) != 0)
      continue;
    *ret = (struct range){.begin = begin, .end = end, .base = begin - offset};
    error = 0;
  }
  fclose(maps);
  return error;
}

static int read_registers(pid_t pid, registers *ret) {
  struct iovec space = {.iov_base = ret, .iov_len = sizeof *ret};
  return ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &space) == 0 ? 0 : -errno;
}

/* Some breakpoints leave the program counter before the instruction. */
static void skip_breakpoint(pid_t pid) {
#if BREAKPOINT_SKIP
  registers regs;
  struct iovec space = {.iov_base = &regs, .iov_len = sizeof regs};
  if (read_registers(pid, &regs) == 0) {
    BREAKPOINT_PC(&regs) += BREAKPOINT_SKIP;
    ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &space);
  }
#else
  (void)pid;
#endif
}

enum stop { AT_MARK, AT_TRAP, AT_SIGNAL, AT_EVENT, ENDED };

static volatile sig_atomic_t late;
static void on_alarm(int sig) {
  (void)sig;
  late = 1;
}

static enum stop which_trap(pid_t pid) {
  siginfo_t info;
  bool known = ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) == 0;
  return known && info.si_code == BREAKPOINT_CODE ? AT_MARK : AT_TRAP;
}

/* Waits for the next stop. Signals that are not the tracer's must be passed on. */
static int await_stop(pid_t pid, enum stop *ret, int *ret_signal) {
  int status;
  *ret_signal = 0;
  while (waitpid(pid, &status, __WALL) != pid) {
    if (errno != EINTR)
      return -errno;
    if (late)
      return -ETIME;
  }
  if (!WIFSTOPPED(status)) {
    *ret = ENDED;
  } else if (status >> 16) {
    *ret = AT_EVENT;
  } else if (WSTOPSIG(status) != SIGTRAP) {
    *ret = AT_SIGNAL;
    *ret_signal = WSTOPSIG(status);
  } else {
    *ret = AT_TRAP;
  }
  return 0;
}

static int run_to_mark(pid_t pid) {
  enum stop stop;
  int sig;
  for (;;) {
    int error = await_stop(pid, &stop, &sig);
    if (error)
      return error;
    if (stop == ENDED)
      return -ESRCH;
    if (stop == AT_TRAP && which_trap(pid) == AT_MARK)
      break;
    ptrace(PTRACE_CONT, pid, NULL, (void *)(long)sig);
  }
  skip_breakpoint(pid);
  return 0;
}

static int let_go(pid_t pid, int sig) { return ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)sig) == 0 ? 0 : -errno; }

/* A step onto a breakpoint leaves a second trap, that of the step. If the tracer does not take it, it kills the
 * process. */
static int let_go_past_mark(pid_t pid) {
  enum stop stop;
  int sig;
  skip_breakpoint(pid);
  ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
  int error = await_stop(pid, &stop, &sig);
  if (!error)
    error = let_go(pid, sig);
  return error ? error : STEPPED_PAST;
}

static int step_to(pid_t pid, const struct range *object, long position, struct stepped_place *ret) {
  enum stop stop;
  int sig = 0;
  *ret = (struct stepped_place){.count = 0};
  for (;;) {
    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, (void *)(long)sig) != 0)
      return -errno;
    int error = await_stop(pid, &stop, &sig);
    if (error)
      return error;
    if (stop == ENDED)
      return -ESRCH;
    registers regs;
    if (stop != AT_TRAP || read_registers(pid, &regs) != 0)
      continue;
    uint64_t pc = BREAKPOINT_PC(&regs);
    if (pc < object->begin || pc >= object->end) { /* asked only here, because most steps are in the object */
      if (which_trap(pid) == AT_MARK)
        return let_go_past_mark(pid);
      continue;
    }
    ret->offset = pc - object->base;
    if (ret->count == position)
      return let_go(pid, SIGUSR1);
    ret->count++;
  }
}

/* The alarm repeats, so that one that comes just before a wait is not lost. */
static void limit_to(int seconds) {
  struct sigaction action = {.sa_handler = on_alarm};
  struct itimerval timer = {.it_value.tv_sec = seconds, .it_interval.tv_sec = seconds ? 1 : 0};
  sigaction(SIGALRM, &action, NULL);
  late = 0;
  setitimer(ITIMER_REAL, &timer, NULL);
}

int stepped_signal_at(pid_t pid, const char *object, long position, struct stepped_place *ret) {
  struct range range;
  limit_to(LIMIT_S * patience());
  int error = run_to_mark(pid);
  if (!error)
    error = find_object(pid, object, &range);
  if (!error)
    error = step_to(pid, &range, position, ret);
  limit_to(0);
  return error;
}

#else

const char *stepped_why_not(void) { return "the test cannot step this architecture"; }

int stepped_signal_at(pid_t pid, const char *object, long position, struct stepped_place *ret) {
  (void)pid, (void)object, (void)position, (void)ret;
  return -ENOSYS;
}

#endif

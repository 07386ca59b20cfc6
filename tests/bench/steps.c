/* SPDX-License-Identifier: MIT */
/* Counts exactly and repeatably the instructions that an operation executes in user space, object by object, and its
 * system calls. It runs pg_stepped one instruction at a time between its marks. The figures do not depend on the
 * machine's speed and load, nor on counters that a virtual machine may not have. x86-64. Calls libc.
 *
 *     pg_steps [-p PRELOAD] [-c] [-t] PROGRAM WORK…
 *
 * It prints one line for each work, separated by tabs. The columns are the name, the instructions, those in the preload
 * object, in libc and in the loader, and the system calls by name. -c counts only the system calls of a start, which is
 * much faster. -t traces: it prints the object and the offset of every instruction on stderr. */
#define _GNU_SOURCE
#include "steps.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if !PG_STEPS_HAVE

int main(void) {
  puts("SKIP: instructions can be counted on x86-64 only");
  return 77;
}

#else

enum where { PRELOAD, LIBC, LOADER, OTHER, WHERES };
enum { MAX_CALLS = 128, MAX_MAPS = 512 };

static const char *preload;
static int tracing, calls_only;

/* The figures of one operation. */
struct tally {
  uint64_t total, by[WHERES];
  int calls;
  long call[MAX_CALLS];
};

static struct map {
  uint64_t begin, end, offset;
  enum where where;
  char name[64];
} maps[MAX_MAPS];
static int map_count;

static const struct {
  long number;
  const char *name;
} call_names[] = {
#define X(name)                                                                                                        \
  { SYS_##name, #name }
    X(access),
    X(arch_prctl),
    X(brk),
    X(clone),
    X(clone3),
    X(close),
    X(dup2),
    X(exit_group),
    X(fcntl),
    X(fstat),
    X(fstatfs),
    X(getpid),
    X(getppid),
    X(getrandom),
    X(ioctl),
    X(kill),
    X(madvise),
    X(mmap),
    X(mprotect),
    X(munmap),
    X(newfstatat),
    X(openat),
    X(pread64),
    X(prlimit64),
    X(read),
    X(rseq),
    X(rt_sigaction),
    X(rt_sigprocmask),
    X(set_robust_list),
    X(set_tid_address),
    X(vfork),
    X(wait4),
    X(waitid),
    X(write),
#undef X
    {424, "pidfd_send_signal"},
    {434, "pidfd_open"}};

static void die(const char *what) {
  fprintf(stderr, "pg_steps: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* ptrace() is variadic, so its arguments must have the width of a register. */
#define TRACE(request, pid, addr, data)                                                                                \
  ptrace(request, (pid_t)(pid), (void *)(uintptr_t)(addr), (void *)(uintptr_t)(data))

static void read_maps(pid_t pid) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
  FILE *f = fopen(path, "r");
  if (!f)
    die(path);
  map_count = 0;
  while (map_count < MAX_MAPS && fgets(line, sizeof line, f)) {
    struct map *m = &maps[map_count];
    char name[384] = "";
    if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %383s", &m->begin, &m->end, &m->offset, name) < 3)
      continue;
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    snprintf(m->name, sizeof m->name, "%.63s", base);
    m->where = preload && strcmp(name, preload) == 0 ? PRELOAD
               : strncmp(base, "libc.so", 7) == 0    ? LIBC
               : strncmp(base, "libc-", 5) == 0      ? LIBC
               : strncmp(base, "ld-", 3) == 0        ? LOADER
                                                     : OTHER;
    map_count++;
  }
  fclose(f);
}

static const struct map *map_of(uint64_t at) {
  for (int i = 0; i < map_count; i++)
    if (at >= maps[i].begin && at < maps[i].end)
      return &maps[i];
  return NULL;
}

/* Is there a system call instruction? The answer is remembered by address, because code does not change. */
static int is_call(pid_t pid, uint64_t at) {
  static struct {
    uint64_t at;
    int is;
  } known[65536];
  size_t i = (at ^ at >> 16) % 65536;
  if (known[i].at != at) {
    known[i].at = at;
    known[i].is = (TRACE(PTRACE_PEEKTEXT, pid, at, 0) & 0xffff) == 0x050f;
  }
  return known[i].is;
}

static uint64_t get(pid_t pid, size_t offset) { return (uint64_t)TRACE(PTRACE_PEEKUSER, pid, offset, 0); }
#define GET(pid, reg) get(pid, offsetof(struct user, regs.reg))

static void count(struct tally *t, uint64_t at, int call, long number) {
  const struct map *m = map_of(at);
  t->total++;
  t->by[m ? m->where : OTHER]++;
  if (tracing)
    fprintf(stderr, "%s %#lx\n", m ? m->name : "?", m ? at - m->begin + m->offset : at);
  if (call && t->calls < MAX_CALLS)
    t->call[t->calls++] = number;
}

/* Makes one step. Returns the signal to deliver with the next step, AT_MARK or AT_END. If the program counter has
 * moved, the instruction at its old place was executed. A signal stops the program without a step. */
enum { AT_MARK = -1, AT_END = -2 };

static int step(pid_t pid, int sig, struct tally *t) {
  uint64_t at = GET(pid, rip);
  int call = is_call(pid, at), status;
  long number = call ? (long)GET(pid, rax) : 0;
  if (TRACE(PTRACE_SINGLESTEP, pid, 0, sig) != 0)
    die("PTRACE_SINGLESTEP");
  if (waitpid(pid, &status, __WALL) != pid)
    die("waitpid");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    count(t, at, call, number);
    return AT_END;
  }
  if (!WIFSTOPPED(status)) {
    errno = ECHILD;
    die("the program failed");
  }
  siginfo_t si;
  if (WSTOPSIG(status) == SIGTRAP && TRACE(PTRACE_GETSIGINFO, pid, 0, &si) == 0 && si.si_code == SI_KERNEL)
    return AT_MARK;
  if (GET(pid, rip) != at)
    count(t, at, call, number);
  if (call && (number == SYS_mmap || number == SYS_munmap))
    read_maps(pid);
  return WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
}

/* Steps from a mark, or from the exec, to the next mark or the end. */
static void step_through(pid_t pid, struct tally *t) {
  int sig = 0;
  read_maps(pid);
  while (sig >= 0)
    sig = step(pid, sig, t);
}

/* Follows the program from the exec to the end, and counts system calls only. */
static void follow_calls(pid_t pid, struct tally *t) {
  int status, entering = 1;
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
  for (;;) {
    if (TRACE(PTRACE_SYSCALL, pid, 0, 0) != 0 || waitpid(pid, &status, __WALL) != pid)
      die("PTRACE_SYSCALL");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
      return;
    if (!WIFSTOPPED(status)) {
      errno = ECHILD;
      die("the program failed");
    }
    if (WSTOPSIG(status) != (SIGTRAP | 0x80))
      continue;
    if (entering && t->calls < MAX_CALLS)
      t->call[t->calls++] = (long)GET(pid, orig_rax);
    entering = !entering;
  }
}

/* Lets the program run to its next stop by a trap. Returns the wait status, or 0 if the program has ended well. */
static int run_to_trap(pid_t pid) {
  for (int sig = 0, status;;) {
    if (TRACE(PTRACE_CONT, pid, 0, sig) != 0)
      die("PTRACE_CONT");
    if (waitpid(pid, &status, __WALL) != pid)
      die("waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
      return 0;
    if (!WIFSTOPPED(status)) {
      errno = ECHILD;
      die("the program failed");
    }
    sig = WSTOPSIG(status);
    if (sig == SIGTRAP)
      return status;
  }
}

static pid_t start(const char *program, const char *work) {
  pid_t pid = fork();
  if (pid < 0)
    die("fork");
  if (pid == 0) {
    personality(ADDR_NO_RANDOMIZE);
    if (preload)
      setenv("LD_PRELOAD", preload, 1);
    else
      unsetenv("LD_PRELOAD");
    if (TRACE(PTRACE_TRACEME, 0, 0, 0) != 0)
      _exit(77);
    execl(program, program, work, (char *)NULL);
    _exit(127);
  }
  int status;
  if (waitpid(pid, &status, __WALL) != pid)
    die("waitpid");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
    puts("SKIP: no process may be traced here (ptrace)");
    exit(77);
  }
  if (!WIFSTOPPED(status)) {
    errno = ENOEXEC;
    die(program);
  }
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL);
  return pid;
}

/* Counts in the children of the last forks, each from where the kernel starts it to its mark. The first fork makes the
 * child that other works need. */
static int count_children(pid_t pid, struct tally *tally) {
  int n = 0, at = -1 - PG_STEPS_WARM;
  TRACE(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK);
  for (int status; n < PG_STEPS_TIMES && (status = run_to_trap(pid)); at++) {
    unsigned long child = 0;
    if (status >> 8 != (SIGTRAP | PTRACE_EVENT_FORK << 8) || TRACE(PTRACE_GETEVENTMSG, pid, 0, &child) != 0 ||
        waitpid((pid_t)child, &status, __WALL) != (pid_t)child)
      die("the child of a fork");
    if (at >= 0)
      step_through((pid_t)child, &tally[n++]);
    TRACE(PTRACE_DETACH, child, 0, 0);
  }
  return n;
}

static int count_marked(pid_t pid, struct tally *tally) {
  int n = 0;
  for (; n < PG_STEPS_TIMES && run_to_trap(pid); n++)
    step_through(pid, &tally[n]);
  return n;
}

static int compare(const void *a, const void *b) {
  const struct tally *x = a, *y = b;
  return (x->total > y->total) - (x->total < y->total);
}

/* Returns the operation with the median count. */
static const struct tally *count_work(const char *program, const char *work) {
  static struct tally tally[PG_STEPS_TIMES];
  memset(tally, 0, sizeof tally);
  pid_t pid = start(program, work);
  if (strcmp(work, "start") == 0) {
    if (calls_only)
      follow_calls(pid, &tally[0]);
    else
      step_through(pid, &tally[0]);
    return &tally[0];
  }
  int n = strcmp(work, "fork-child") == 0 ? count_children(pid, tally) : count_marked(pid, tally);
  if (n < PG_STEPS_TIMES) {
    errno = ENODATA;
    die(work);
  }
  kill(pid, SIGKILL);
  waitpid(pid, NULL, __WALL);
  qsort(tally, PG_STEPS_TIMES, sizeof *tally, compare);
  return &tally[PG_STEPS_TIMES / 2];
}

static void print_call(long number) {
  for (size_t i = 0; i < sizeof call_names / sizeof *call_names; i++)
    if (call_names[i].number == number) {
      fputs(call_names[i].name, stdout);
      return;
    }
  printf("%ld", number);
}

/* Tracer and program take turns, and on one processor that is several times faster. */
static void pin(void) {
  cpu_set_t one;
  int cpu = sched_getcpu();
  if (cpu < 0)
    return;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  sched_setaffinity(0, sizeof one, &one);
}

int main(int argc, char **argv) {
  int opt;
  pin();
  while ((opt = getopt(argc, argv, "+cp:t")) != -1) {
    if (opt == 'p')
      preload = optarg;
    else if (opt == 'c')
      calls_only = 1;
    else if (opt == 't')
      tracing = 1;
    else
      return 2;
  }
  if (argc - optind < 2) {
    fprintf(stderr, "usage: %s [-p PRELOAD] [-c] [-t] PROGRAM WORK...\n", argv[0]);
    return 2;
  }
  for (int i = optind + 1; i < argc; i++) {
    const struct tally *t = count_work(argv[optind], argv[i]);
    printf("%s\t%lu\t%lu\t%lu\t%lu\t%d\t", argv[i], t->total, t->by[PRELOAD], t->by[LIBC], t->by[LOADER], t->calls);
    for (int k = 0; k < t->calls; k++) {
      fputs(k ? "," : "", stdout);
      print_call(t->call[k]);
    }
    printf("%s\n", t->calls ? "" : "-");
  }
  return 0;
}

#endif

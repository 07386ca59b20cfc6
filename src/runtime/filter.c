#include "runtime/filter.h"

#include "base/fmt.h"
#include "kernel/bpf.h"
#include "kernel/sys.h"
#include "runtime/hot.h"

#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

_Atomic int pg_filter_state;
_Atomic pid_t pg_filter_unreaped;

/* One of the program's own filters forbids it to read files, as not a few do that let us work. */
static _Atomic bool no_reading;

/* /proc/self/status as far as it matters. Opening, reading and closing a file is what the loader has done in every
 * dynamic program, so a filter from before the exec lets it pass. */
struct status {
  int seccomp; /* 0: no filter; 1: strict mode; 2: a filter; -1: no way to know */
  bool quiet;  /* nobody would notice a SIGCHLD: it has no handler and is not blocked */
};

/* What follows the field's name, if the line begins with it. */
static const char *value_of(const char *line, const char *field) {
  while (*field && *line == *field)
    line++, field++;
  return *field ? NULL : line;
}

static bool has_sigchld(const char *mask) {
  uint64_t bits = 0;
  for (; (*mask >= '0' && *mask <= '9') || (*mask >= 'a' && *mask <= 'f'); mask++)
    bits = bits << 4 | (uint64_t)(*mask <= '9' ? *mask - '0' : *mask - 'a' + 10);
  return bits & (uint64_t)1 << (SIGCHLD - 1);
}

/* In small pieces: the first fork of a program may be made by a handler, on a small stack. */
static struct status read_status(void) {
  char chunk[256], line[64];
  size_t len = 0;
  int unseen = 2; /* of the masks */
  struct status status = {0, true}; /* a kernel without seccomp does not have the line */
  int fd = pg_sys_openat(AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC, 0);
  ssize_t n = -1;
  while (fd >= 0 && (n = pg_sys_read(fd, chunk, sizeof chunk)) > 0)
    for (ssize_t i = 0; i < n; i++) {
      if (chunk[i] != '\n') {
        if (len + 1 < sizeof line)
          line[len++] = chunk[i];
        continue;
      }
      line[len] = '\0';
      len = 0;
      const char *value = value_of(line, "Seccomp:\t");
      if (value)
        status.seccomp = *value - '0';
      else if ((value = value_of(line, "SigBlk:\t")) || (value = value_of(line, "SigCgt:\t"))) {
        unseen--;
        status.quiet &= !has_sigchld(value);
      }
    }
  if (fd >= 0)
    pg_sys_close(fd);
  status.quiet &= unseen == 0;
  return n == 0 ? status : (struct status){-1, false};
}

static void move_state(int from, int to) {
  if (to >= PG_FILTER_PRESENT)
    pg_state_set(PG_STATE_FILTER);
  if (!atomic_compare_exchange_strong_explicit(&pg_filter_state, &from, to, memory_order_relaxed, memory_order_relaxed) ||
      to != PG_FILTER_FREE)
    return;
  pg_state_clear(PG_STATE_FILTER);
  if (pg_is_passive()) /* another thread has installed one meanwhile */
    pg_state_set(PG_STATE_FILTER);
}

static bool is_free(void) { return atomic_load_explicit(&pg_filter_state, memory_order_relaxed) == PG_FILTER_FREE; }

/* Shared with throw-away processes: each puts its pid in the cell of its number when it has come to its end. (Forked
 * children have the page, too.) */
#define CELLS 1024
static _Atomic(_Atomic pid_t *) page;

static void map_page(void) {
  if (atomic_load_explicit(&page, memory_order_relaxed))
    return;
  atomic_store_explicit(&page, (_Atomic pid_t *)pg_sys_map(CELLS * sizeof(pid_t), MAP_SHARED), memory_order_relaxed);
}

PG_COLD bool pg_filter_look(void) {
  if (atomic_load_explicit(&pg_filter_state, memory_order_relaxed) == PG_FILTER_UNKNOWN) {
    int seccomp = read_status().seccomp;
    if (seccomp != 0 && seccomp != 1) /* or unknown: no /proc, no descriptor to read it with */
      map_page();
    move_state(PG_FILTER_UNKNOWN, seccomp == 0   ? PG_FILTER_FREE
                                  : seccomp == 1 ? PG_FILTER_KILLS
                                                 : PG_FILTER_PRESENT);
  }
  return is_free();
}

bool pg_filter_lets_read(void) { return pg_filter_is_free() && !atomic_load_explicit(&no_reading, memory_order_relaxed); }

/* Is libc glibc 2.minor or later? */
static bool libc_since(int minor) {
#ifdef __GLIBC__
  const char *version = gnu_get_libc_version(), *at = version + 2; /* "2.34" */
  return version[0] > '2' || pg_parse_dec(&at) >= minor;
#else
  (void)minor;
  return false;
#endif
}

/* ---- The throw-away process ---- */

/* Every kind of call that the core makes, harmlessly. Signals are held off first: a handler of the program must not run
 * here. Nobody wants a core of this process: with a limit of 1 byte none is written, nor piped to anybody. Descriptors are
 * made free, in this process alone: all may be in use. */
static void try_calls(void) {
  siginfo_t si;
  uint64_t dev, ino, all = ~(uint64_t)0, core[2];
  if (pg_sys4(SYS_prlimit64, 0, RLIMIT_CORE, NULL, core) == 0) {
    core[0] = core[1] > 0;
    pg_sys4(SYS_prlimit64, 0, RLIMIT_CORE, core, NULL);
  }
  pg_sys4(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, sizeof all);
  pid_t self = pg_sys_getpid();
  for (int i = 0; i < 3; i++)
    pg_sys_close(i);
  int fd = pg_sys_pidfd_open(self, 0);
  int high = pg_sys_fcntl(fd, F_DUPFD_CLOEXEC, 3);
  pg_sys_fstat_ids(fd, &dev, &ino);
  pg_sys_fstatfs_type(fd);
  pg_sys_nofile_soft();
  pg_sys_pidfd_send_signal(fd, 0, NULL, 0);
  pg_sys_waitid(PG_P_PIDFD, (id_t)fd, &si, WNOHANG | WNOWAIT | WEXITED | __WALL, NULL);
  pg_sys_waitid(P_PID, (id_t)self, &si, WNOHANG | WNOWAIT | WEXITED | __WALL, NULL);
  pg_sys_getppid();
  pg_sys_kill(self, 0);
  pg_sys3(SYS_tgkill, self, self, 0);
  void *mapped = pg_sys_map(4096, MAP_PRIVATE);
  if (mapped)
    pg_sys2(SYS_munmap, mapped, 4096);
  pg_sys_open_by_handle_at(-1, NULL, 0);
  if (high >= 0)
    pg_sys_close(high);
  if (fd >= 0)
    pg_sys_close(fd);
#ifdef SYS_vfork /* our vfork is a clone() */
  pid_t child = (pid_t)pg_sys6(SYS_clone, CLONE_VFORK, 0, 0, 0, 0, 0);
  if (child == 0)
    for (;;)
      pg_sys1(SYS_exit_group, 0);
  if (child > 0)
    pg_sys_waitid(P_PID, (id_t)child, &si, WEXITED | __WALL, NULL);
#endif
}

static void be_probe(void) {
  try_calls();
  pid_t self = pg_sys_getpid();
  atomic_store_explicit(atomic_load_explicit(&page, memory_order_relaxed) + self % CELLS, self, memory_order_relaxed);
  for (;;)
    pg_sys1(SYS_exit_group, 0);
}

/* With a memory of its own: when a filter kills it and a core is dumped, older kernels take everybody who shares its
 * memory. Without a signal at its end, so that no wait of the program finds it unless it asks for such children. We go
 * on when it has ended. */
static long by_clone(void) {
  long pid = pg_sys6(SYS_clone, CLONE_VFORK, 0, 0, 0, 0, 0);
  if (pid == 0)
    be_probe();
  return pid;
}

static long by_clone3(void) {
  uint64_t args[8] = {CLONE_VFORK};
  long pid = pg_sys2(SYS_clone3, args, sizeof args);
  if (pid == 0)
    be_probe();
  return pid;
}

/* Does libc's posix_spawn ask for clone3() first? */
static bool spawns_by_clone3(void) { return libc_since(34); }

#if defined(SYS_vfork) && defined(__x86_64__) && !defined(__ILP32__)
#define PG_HAVE_PROBE_BY_VFORK 1
/* Before 5.16 a core dump takes those who share the memory (commit 0258b5fd7c71 in kernel/signal.c). A question of
 * safety, which can not be tried. */
static bool dumps_alone(void) {
  char text[32];
  const char *at = text;
  if (pg_sys_read_file(AT_FDCWD, "/proc/sys/kernel/osrelease", text, sizeof text) <= 0)
    return false;
  int64_t major = pg_parse_dec(&at);
  return *at++ == '.' && (major > 5 || (major == 5 && pg_parse_dec(&at) >= 16));
}

/* The child never comes back to this frame: it only calls below it. It is a child like others, with a SIGCHLD. */
static long by_vfork(void) {
  long pid;
  __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" /* the red zone is the frame's, too */
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

/* The throw-away process by the call that the program is about to make: its pid, or < 0. */
static long make_probe(enum pg_birth birth) {
  switch (birth) {
  case PG_BIRTH_VFORK:
#ifdef PG_HAVE_PROBE_BY_VFORK
    return read_status().quiet && dumps_alone() ? by_vfork() : -1;
#else
    return by_clone();
#endif
  case PG_BIRTH_SPAWN: {
    long pid = spawns_by_clone3() ? by_clone3() : -ENOSYS;
    return pid == -ENOSYS ? by_clone() : pid;
  }
  case PG_BIRTH_CLONE:
    return by_clone();
  default:
    return -1;
  }
}

/* It has given up its memory already, else we would not be here, and is a zombie in a moment: that is waited for. */
PG_COLD void pg_filter_reap_late(bool by_waitid) {
  pid_t pid = atomic_exchange_explicit(&pg_filter_unreaped, 0, memory_order_relaxed);
  siginfo_t si;
  int status;
  long r;
  int tries = 100;
  if (pid <= 1)
    return;
  do
    r = by_waitid ? pg_sys_waitid(P_PID, (id_t)pid, &si, WEXITED | __WALL, NULL)
                  : pg_sys4(SYS_wait4, pid, &status, __WALL, NULL);
  while (r == -EINTR && --tries > 0);
}

/* By a call that needs no descriptor, and that the loader has made (for /etc/ld.so.preload), so that a filter allows it. */
static bool is_there(const char *path) {
#if defined(__GLIBC__) && defined(SYS_access)
  return pg_sys2(SYS_access, path, R_OK) == 0;
#elif defined(__GLIBC__)
  return pg_sys3(SYS_faccessat, AT_FDCWD, path, R_OK) == 0;
#else
  int fd = pg_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (fd >= 0)
    pg_sys_close(fd);
  return fd >= 0;
#endif
}

/* The inode of a file of /proc, or 0 where it cannot be had by a call that the loader has made for each library. */
static uint64_t ino_of(const char *path) {
  uint64_t dev, ino = 0;
#if defined(SYS_newfstatat) && defined(__LP64__)
  struct stat st;
  if (libc_since(33))
    return pg_sys4(SYS_newfstatat, AT_FDCWD, path, &st, 0) == 0 ? (uint64_t)st.st_ino : 0;
#endif
  int fd = pg_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (fd >= 0) {
    if (pg_sys_fstat_ids(fd, &dev, &ino) < 0)
      ino = 0;
    pg_sys_close(fd);
  }
  return ino;
}

/* Is it certain that a child would not be the first process of a new pid namespace, which ends with it? Our parent may have
 * left such a one behind (unshare, then exec). It has begun with the first child; until then the link leads nowhere
 * (4.12; fs/proc/namespaces.c, kernel/pid_namespace.c, pidns_for_children_get()), or, on 7.x kernels, to another than ours. */
static bool namespace_has_begun(void) {
  static const char own[] = "/proc/thread-self/ns/pid", next[] = "/proc/thread-self/ns/pid_for_children";
  return !pg_hot.other_namespace &&
         (atomic_load_explicit(&pg_hot.births, memory_order_relaxed) || (is_there(next) && ino_of(own) == ino_of(next)));
}

PG_COLD bool pg_filter_find_out(enum pg_birth birth) {
  static _Atomic int busy; /* one thread at a time; the others go on by number */
  pg_filter_look();
  _Atomic pid_t *cells = atomic_load_explicit(&page, memory_order_relaxed);
  if (atomic_load_explicit(&pg_filter_state, memory_order_relaxed) != PG_FILTER_PRESENT || !cells ||
      atomic_load_explicit(&no_reading, memory_order_relaxed) || !namespace_has_begun() ||
      atomic_exchange_explicit(&busy, 1, memory_order_acquire))
    return is_free();
  long pid = make_probe(birth);
  if (pid > 1) {
    bool lives = atomic_load_explicit(&cells[pid % CELLS], memory_order_relaxed) == pid;
    atomic_store_explicit(&cells[pid % CELLS], 0, memory_order_relaxed);
    atomic_store_explicit(&pg_filter_unreaped, (pid_t)pid, memory_order_relaxed);
    if (lives)
      pg_filter_reap_late(true);
    move_state(PG_FILTER_PRESENT, lives ? PG_FILTER_FREE : PG_FILTER_KILLS);
  }
  atomic_store_explicit(&busy, 0, memory_order_release);
  return is_free();
}

/* ---- Filters of the program's own ---- */

/* With those below, every kind of call that the core makes, the throw-away process included. */
static const struct pg_bpf_call needed[] = {
    {SYS_clone, 0, {0}},
    {SYS_clone3, 0, {0}},
#ifdef SYS_vfork
    {SYS_vfork, 0, {0}},
#endif
    {SYS_exit_group, 0, {0}},
    {SYS_waitid, 1, {PG_P_PIDFD}},
    {SYS_waitid, 1, {P_PID}},
    {SYS_pidfd_open, 2, {0, 0}},
    {SYS_pidfd_send_signal, 0, {0}},
    {SYS_open_by_handle_at, 0, {0}},
    {SYS_fcntl, 2, {0, F_DUPFD_CLOEXEC}},
    {SYS_fcntl, 2, {0, F_GETFD}},
#ifdef __LP64__
    {SYS_fstat, 0, {0}},
#else
    {SYS_statx, 0, {0}},
#endif
    {SYS_fstatfs, 0, {0}},
    {SYS_close, 0, {0}},
    {SYS_close_range, 0, {0}},
    {SYS_prlimit64, 7, {0, RLIMIT_NOFILE, 0}},
    {SYS_prlimit64, 3, {0, RLIMIT_CORE}},
    {SYS_tgkill, 4, {0, 0, 0}},
    {SYS_getpid, 0, {0}},
    {SYS_getppid, 0, {0}},
    {SYS_sched_yield, 0, {0}},
    {SYS_rt_sigprocmask, 0, {0}},
#ifdef SYS_mmap2
    {SYS_mmap2, 12, {0, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}},
#else
    {SYS_mmap, 12, {0, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}},
#endif
    {SYS_munmap, 0, {0}},
};
static const struct pg_bpf_call to_read[] = {
    {SYS_openat, 0, {0}},
    {SYS_read, 0, {0}},
#ifdef SYS_newfstatat
    {SYS_newfstatat, 0, {0}},
#endif
#ifdef SYS_access
    {SYS_access, 0, {0}},
#else
    {SYS_faccessat, 0, {0}},
#endif
};

/* Calls of the program's for which we make others: what refuses them must not be passed by. */
static const struct pg_bpf_call replaced[] = {
    {SYS_kill, 0, {0}},
    {SYS_wait4, 0, {0}},
};

static bool all_pass(const struct pg_bpf_program *program, const struct pg_bpf_call *calls, size_t n, bool bearable) {
  static _Atomic int busy;
  static struct pg_bpf_room room;
  if (atomic_exchange_explicit(&busy, 1, memory_order_acquire)) /* another thread installs one, too */
    return false;
  bool good = true;
  for (size_t i = 0; good && i < n; i++)
    good = pg_bpf_lets_pass(program, &calls[i], bearable, &room);
  atomic_store_explicit(&busy, 0, memory_order_release);
  return good;
}

/* What was there from the start is another matter, and is looked at first. Who is born meanwhile stays known by number, and
 * goes on by number himself. */
PG_COLD void pg_filter_comes(void) {
  pg_filter_look();
  move_state(PG_FILTER_FREE, PG_FILTER_COMES);
}

PG_COLD void pg_filter_came(bool installed, const void *program) {
  if (installed && program && !all_pass(program, to_read, PG_ARRAY_LEN(to_read), true))
    atomic_store_explicit(&no_reading, true, memory_order_relaxed);
  if (installed && !(program && all_pass(program, needed, PG_ARRAY_LEN(needed), true) &&
                     all_pass(program, replaced, PG_ARRAY_LEN(replaced), false))) {
    pg_state_set(PG_STATE_FILTER);
    atomic_store_explicit(&pg_filter_state, PG_FILTER_KILLS, memory_order_relaxed);
  }
  move_state(PG_FILTER_COMES, PG_FILTER_FREE);
}

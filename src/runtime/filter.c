#include "runtime/filter.h"

#include "kernel/sys.h"

_Atomic int pg_filter_state;

/* 0: no filter; 1: strict mode; 2: a filter; -1: no way to know. Opening, reading and closing a file is what the loader
 * has done in every dynamic program, so a filter from before the exec lets it pass. */
static int mode_from_proc(void) {
  static const char field[] = "\nSeccomp:\t";
  char text[3072];
  ssize_t n = pg_sys_read_file(AT_FDCWD, "/proc/self/status", text, sizeof text);
  if (n <= 0)
    return -1;
  for (const char *at = text; *at; at++) {
    size_t i = 0;
    while (field[i] && at[i] == field[i])
      i++;
    if (!field[i])
      return at[i] - '0';
  }
  return n + 1 < (ssize_t)sizeof text ? 0 : -1; /* a kernel without seccomp does not have the line */
}

/* Every kind of call that the core makes, harmlessly. */
static void try_calls(void) {
  siginfo_t si;
  uint64_t dev, ino;
  pid_t self = pg_sys_getpid();
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
  if (high >= 0)
    pg_sys_close(high);
  if (fd >= 0)
    pg_sys_close(fd);
}

/* A child like the ones that the program is about to make or has just made, but without a signal at its end, and with a
 * memory of its own: when a filter kills it and a core is dumped, older kernels take everybody who shares its memory.
 * -1: it could not be made. */
static int probe(void) {
  pid_t pid = (pid_t)pg_sys6(SYS_clone, 0, 0, 0, 0, 0, 0);
  if (pid == 0) {
    try_calls();
    for (;;)
      pg_sys1(SYS_exit_group, 0);
  }
  if (pid < 0)
    return -1;
  int status = 0;
  long r;
  do
    r = pg_sys4(SYS_wait4, pid, &status, __WALL, NULL);
  while (r == -EINTR);
  return r == pid && status == 0 ? PG_FILTER_FREE : PG_FILTER_KILLS;
}

PG_COLD bool pg_filter_find_out(void) {
  int state = atomic_load_explicit(&pg_filter_state, memory_order_relaxed);
  if (state == PG_FILTER_KILLS)
    return false;
  int mode = state == PG_FILTER_SUSPECT ? 2 : mode_from_proc();
  int found = mode == 0 ? PG_FILTER_FREE : mode == 1 ? PG_FILTER_KILLS : probe();
  if (found < 0)
    return false;
  /* A filter that was installed meanwhile by another thread keeps its say. */
  atomic_compare_exchange_strong_explicit(&pg_filter_state, &state, found, memory_order_relaxed, memory_order_relaxed);
  return found == PG_FILTER_FREE;
}

void pg_filter_installed(void) {
  int state = atomic_load_explicit(&pg_filter_state, memory_order_relaxed);
  while (state != PG_FILTER_KILLS &&
         !atomic_compare_exchange_weak_explicit(&pg_filter_state, &state, PG_FILTER_SUSPECT, memory_order_relaxed,
                                                memory_order_relaxed))
    ;
}

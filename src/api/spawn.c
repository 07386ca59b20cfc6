/* Starting programs that are named by a pidfd from the start. */
#include "api/internal.h"
#include "child/number.h"
#include "kernel/sys.h"
#include "pidfd/open.h"

#include <stdbool.h>

/* The child that libc has just made, and that must not go on without a pidfd. Its number is good as long as the kernel
 * calls it our child; there is no better name for it here. */
static void end_child(pid_t pid) {
  siginfo_t si;
  if (pid > 1 && !pg_sys_waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL)) {
    pg_sys_kill(pid, SIGKILL);
    while (pg_sys_waitid(P_PID, (id_t)pid, &si, WEXITED | __WALL, NULL) == -EINTR)
      ;
  }
}

/* The one place where the API makes a process. by_path: no search in PATH. -ECHILD as documented. */
static int spawn(const char *file, bool by_path, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attr, char *const argv[], char *const envp[]) {
  /* What would fail afterwards fails before there is a child: no pidfds at all, no descriptor free, no wait for it. */
  int reserve = pg_pidfd_open_self();
  if (reserve < 0)
    return reserve;
  int verified = pg_pidfd_verify_child(reserve); /* nobody is his own child */
  if (verified != -ECHILD) {
    pg_sys_close(reserve);
    return verified < 0 ? verified : -EOPNOTSUPP;
  }
  pid_t pid;
  int saved = errno; /* libc's child searches PATH in our memory, and leaves its failures there */
  int r = -(by_path ? posix_spawn(&pid, file, actions, attr, argv, envp)
                    : posix_spawnp(&pid, file, actions, attr, argv, envp));
  errno = saved;
  pg_sys_close(reserve);
  if (r)
    return r;
  int fd = pg_pidfd_open(pid, 0);
  if (fd == -ESRCH || fd == -ENOENT)
    return -ECHILD;
  if (fd < 0) {
    end_child(pid);
    return fd;
  }
  r = pg_pidfd_verify_child(fd);
  if (!r) {
#ifndef PG_PRELOAD /* there the call of libc has done so: a new child replaces whatever was known of its number */
    pg_number_forget(pid);
#endif
    return fd;
  }
  pg_sys_close(fd);
  if (r != -ECHILD)
    end_child(pid);
  return r;
}

int pidguard_spawn(const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
                   char *const argv[], char *const envp[]) {
  return pg_ret(pg_given(spawn(path, true, actions, attr, argv, envp)));
}

int pidguard_spawnp(const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
                    char *const argv[], char *const envp[]) {
  return pg_ret(pg_given(spawn(file, false, actions, attr, argv, envp)));
}

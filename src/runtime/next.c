#include "runtime/next.h"

#include "base/attr.h"
#include "kernel/sys.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct pg_next pg_next;

#ifdef PG_PRELOAD

/* Arrays, not pointers, which would have to be relocated at each start. */
static const struct {
  char symbol[16], version[12];
} names[] = {
#define X(type, name, version, args) {#name, version},
    PG_NEXT(X)
#undef X
};

/* errno is left alone. */
static void *find(const char *symbol, const char *version) {
  int saved = errno;
  void *found = dlsym(RTLD_NEXT, symbol);
#ifdef __GLIBC__
  /* The version matters where libc is the next one; between us and libc somebody may stand who knows no versions. */
  Dl_info next, libc;
  void *versioned = version && *version ? dlvsym(RTLD_NEXT, symbol, version) : NULL;
  if (versioned && versioned != found &&
      (!found || (dladdr(found, &next) && dladdr(versioned, &libc) && next.dli_fbase == libc.dli_fbase)))
    found = versioned;
#else
  (void)version;
#endif
  errno = saved;
  return found;
}

/* What a resolver may have need of, such as reading a file. There is no errno yet. */
static int early(long r) { return r < 0 ? -1 : (int)r; }
static pid_t early_fork(void) { return early(pg_sys6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0)); }
static int early_kill(pid_t pid, int sig) { return early(pg_sys_kill(pid, sig)); }
static pid_t early_wait4(pid_t pid, int *status, int options, struct rusage *ru) {
  return early(pg_sys4(SYS_wait4, pid, status, options, ru));
}
static pid_t early_waitpid(pid_t pid, int *status, int options) { return early_wait4(pid, status, options, NULL); }
static int early_waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  return early(pg_sys_waitid((int)type, id, info, options, NULL));
}
static int early_close(int fd) { return early(pg_sys_close(fd)); }
static int early_dup2(int from, int to) {
  return early(from == to ? pg_sys_fcntl(from, F_GETFD, 0) < 0 ? -EBADF : to : pg_sys3(SYS_dup3, from, to, 0));
}
/* These need libc. */
static int early_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...) {
  (void)fn, (void)stack, (void)flags, (void)arg;
  return -1;
}
static int early_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attr, char *const argv[], char *const envp[]) {
  (void)pid, (void)path, (void)actions, (void)attr, (void)argv, (void)envp;
  return ENOSYS;
}

static struct pg_next *const volatile relocated = &pg_next;

bool pg_next_bind(void) {
  if (relocated != &pg_next) {
    pg_next.fork = early_fork;
    pg_next._Fork = early_fork;
    pg_next.kill = early_kill;
    pg_next.waitpid = early_waitpid;
    pg_next.wait4 = early_wait4;
    pg_next.waitid = early_waitid;
    pg_next.close = early_close;
    pg_next.dup2 = early_dup2;
    pg_next.clone = early_clone;
    pg_next.posix_spawn = pg_next.posix_spawnp = early_spawn;
    return false;
  }
  void **at = (void **)(void *)&pg_next;
  for (size_t i = 0; i < PG_ARRAY_LEN(names); i++)
    at[i] = find(names[i].symbol, names[i].version);
  return true;
}

void *pg_next_find(_Atomic(void *) *cache, const char *symbol, const char *version) {
  void *found = atomic_load_explicit(cache, memory_order_acquire);
  if (!found) {
    found = find(symbol, version);
    atomic_store_explicit(cache, found, memory_order_release);
  }
  return found;
}

#else /* the API alone interposes nothing: libc's own names are the next ones */

bool pg_next_bind(void) {
  pg_next = (struct pg_next){.fork = fork, .kill = kill, .waitpid = waitpid, .wait4 = wait4, .waitid = waitid};
  return true;
}

#endif

/* SPDX-License-Identifier: MIT */
#include "pidfd/spawn.h"

#include "base/fmt.h"
#include "kernel/clone.h"
#include "kernel/sys.h"
#include "pidfd/feature.h"
#include "pidfd/open.h"

#include <limits.h>
#include <string.h>

#define STACK 32768
#define PATH_CAP 4096
#define SIGSET_BYTES 8
#define SIGNALS 64
#define PR_SET_NO_NEW_PRIVS_ 38

/* What parent and child share. They share either all memory, or this mapping only. */
struct shared {
  const struct pg_spawn *spawn;
  uint64_t mask; /* the program's */
  bool enter_cgroup;
  int pidfd, error;
  int saved[PG_SPAWN_FDS_MAX];
  char path[PATH_CAP];
  char stack[STACK] __attribute__((aligned(16)));
};

/* ---- In the child: system calls and this memory only ---- */

/* A sanitizer would count calls that never return in the memory of the parent. */
#define IN_CHILD __attribute__((no_sanitize_address, no_sanitize_thread))

/* Handlers of the parent must not run in the child, on shared memory. The program starts with default actions. */
IN_CHILD static void reset_signals(bool keep_ignored) {
  const struct pg_action by_default = {.handler = (uintptr_t)SIG_DFL};
  for (int sig = 1; sig <= SIGNALS; sig++) {
    struct pg_action action;
    if (!keep_ignored || pg_sys_action(sig, NULL, &action) != 0 || action.handler != (uintptr_t)SIG_IGN)
      pg_sys_action(sig, &by_default, NULL);
  }
}

/* clone3() answers EBADF unless the descriptor is a directory of the unified hierarchy, so this does, too. A filter may
 * hide the answer. */
IN_CHILD static int enter_cgroup(int cgroup) {
  int64_t type = pg_sys_fstatfs_type(cgroup);
  if (type != PG_CGROUP2_SUPER_MAGIC)
    return pg_call_is_missing(type) ? -EOPNOTSUPP : -EBADF;
  PG_AUTO_CLOSE int procs = pg_sys_openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);
  if (procs < 0)
    return procs == -ENOENT || procs == -ENOTDIR ? -EBADF : procs;
  int r = (int)pg_sys_write(procs, "0", 1);
  return r < 0 ? r : 0;
}

/* Returns a duplicate on a number that no move overwrites. */
IN_CHILD static int duplicate(const struct pg_spawn *p, int from) {
  for (int least = 0;;) {
    int fd = pg_sys_fcntl(from, F_DUPFD_CLOEXEC, least);
    if (fd < 0)
      return fd == -EINVAL ? -EMFILE : fd;
    size_t i = 0;
    while (i < p->fd_count && p->fds[i].to != fd)
      i++;
    if (i == p->fd_count)
      return fd;
    pg_sys_close(fd);
    least = fd + 1;
  }
}

/* Moves as if all at once: a descriptor that would be overwritten before its turn is duplicated first. All must be open
 * before that, or a duplicate could take the number of a closed one. */
IN_CHILD static int move_descriptors(struct shared *s) {
  const struct pg_spawn_fd *fds = s->spawn->fds;
  size_t n = s->spawn->fd_count;
  for (size_t i = 0; i < n; i++) {
    int r = pg_sys_fcntl(fds[i].from, F_GETFD, 0);
    if (r < 0)
      return r;
  }
  for (size_t i = 0; i < n; i++) {
    s->saved[i] = fds[i].from;
    for (size_t k = 0; k < i && s->saved[i] == fds[i].from; k++)
      if (fds[k].to == fds[i].from && fds[k].from != fds[k].to)
        s->saved[i] = duplicate(s->spawn, fds[i].from);
    if (s->saved[i] < 0)
      return s->saved[i];
  }
  for (size_t i = 0; i < n; i++) {
    int r = s->saved[i] == fds[i].to ? pg_sys_fcntl(fds[i].to, F_SETFD, 0)
                                     : (int)pg_sys3(SYS_dup3, s->saved[i], fds[i].to, 0);
    if (r < 0)
      return r;
  }
  return 0;
}

IN_CHILD static int execute(struct shared *s, const char *path) {
  return (int)pg_sys3(SYS_execve, path, s->spawn->argv, s->spawn->envp);
}

/* The search goes on in the next directory, as that of glibc's execvpe (posix/execvpe.c) does. */
IN_CHILD static bool is_not_here(int r) {
  return r == -ENOENT || r == -ENOTDIR || r == -ENAMETOOLONG || r == -ESTALE || r == -ENODEV || r == -ETIMEDOUT;
}

/* As execvp(3): the search goes on past a file that may not be executed, and reports EACCES in the end. */
IN_CHILD static int search(struct shared *s) {
  const char *file = s->spawn->file;
  int error = -ENOENT;
  if (!*file)
    return -ENOENT;
  if (strchr(file, '/'))
    return execute(s, file);
  if (strlen(file) > NAME_MAX)
    return -ENAMETOOLONG;
  for (const char *at = s->spawn->path, *end; at; at = *end ? end + 1 : NULL) {
    for (end = at; *end && *end != ':'; end++)
      ;
    struct pg_buf b;
    pg_buf_init(&b, s->path, sizeof s->path);
    pg_buf_mem(&b, at, (size_t)(end - at));
    if (end > at)
      pg_buf_char(&b, '/');
    pg_buf_str(&b, file);
    int r = b.len + 1 < sizeof s->path ? execute(s, s->path) : -ENAMETOOLONG; /* the path was cut */
    if (r == -EACCES)
      error = r;
    else if (!is_not_here(r))
      return r;
  }
  return error;
}

IN_CHILD static int prepare(struct shared *s) {
  const struct pg_spawn *p = s->spawn;
  int r = s->pidfd < 0 ? -EOPNOTSUPP : 0; /* kernels before 5.2 ignore CLONE_PIDFD */
  reset_signals(p->flags & PG_SPAWN_KEEP_IGNORED);
  if (!r && s->enter_cgroup)
    r = enter_cgroup(p->cgroup);
  if (!r && (p->flags & PG_SPAWN_NEW_SESSION))
    r = (int)pg_sys0(SYS_setsid);
  else if (!r && (p->flags & PG_SPAWN_NEW_GROUP))
    r = (int)pg_sys2(SYS_setpgid, 0, 0);
  if (r >= 0 && (p->flags & PG_SPAWN_NO_NEW_PRIVS))
    r = (int)pg_sys5(SYS_prctl, PR_SET_NO_NEW_PRIVS_, 1, 0, 0, 0);
  if (r >= 0 && p->directory)
    r = (int)pg_sys1(SYS_chdir, p->directory);
  if (r >= 0)
    r = move_descriptors(s);
  return r;
}

IN_CHILD static void child(void *arg) {
  struct shared *s = arg;
  int r = prepare(s);
  if (r >= 0) {
    pg_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &s->mask, NULL, SIGSET_BYTES);
    r = search(s);
  }
  s->error = r;
  for (;;)
    pg_sys1(SYS_exit_group, 127);
}

/* ---- In the parent ---- */

/* Uses clone3() if a flag needs it. Without clone3() the child can still enter a cgroup by itself; the other flags have
 * no substitute. */
static pid_t make_child(struct shared *s, uint64_t flags) {
  struct pg_child_start start = {.run = child,
                                 .arg = s,
                                 .stack = s->stack,
                                 .stack_size = sizeof s->stack,
                                 .pidfd = &s->pidfd,
                                 .flags = flags,
                                 .cgroup = s->spawn->cgroup};
  pid_t pid = -ENOSYS;
  if (!flags || !pg_feature_hidden(PG_FEATURE_CLONE3))
    pid = pg_sys_clone_child(&start);
  if (!flags || !pg_clone3_is_missing(pid))
    return pid;
  if (flags != PG_CLONE_INTO_CGROUP)
    return -EOPNOTSUPP;
  s->pidfd = -1;
  s->enter_cgroup = true;
  start.flags = 0;
  return pg_sys_clone_child(&start);
}

static uint64_t clone_flags(unsigned flags) {
  uint64_t f = 0;
  if (flags & PG_SPAWN_CGROUP)
    f |= PG_CLONE_INTO_CGROUP;
  if (flags & (PG_SPAWN_AUTOREAP | PG_SPAWN_AUTOKILL)) /* a process that dies with its pidfd has no parent to reap it */
    f |= PG_CLONE_AUTOREAP;
  if (flags & PG_SPAWN_AUTOKILL)
    f |= PG_CLONE_PIDFD_AUTOKILL | (flags & PG_SPAWN_NO_NEW_PRIVS ? PG_CLONE_NNP : 0);
  return f;
}

/* Reaps a child that executed no program, unless another wait or the kernel has reaped it. */
static void collect(pid_t pid, int pidfd) {
  siginfo_t si;
  int type = pidfd >= 0 ? PG_P_PIDFD : P_PID;
  id_t id = (id_t)(pidfd >= 0 ? pidfd : pid);
  while (pg_sys_waitid(type, id, &si, WEXITED | __WALL, NULL) == -EINTR)
    ;
}

static int check(const struct pg_spawn *spawn) {
  if ((spawn->flags & ~(unsigned)PG_SPAWN_ALL) || spawn->fd_count > PG_SPAWN_FDS_MAX)
    return -EINVAL;
  for (size_t i = 0; i < spawn->fd_count; i++)
    if (spawn->fds[i].from < 0 || spawn->fds[i].to < 0)
      return -EBADF;
  return 0;
}

int pg_spawn(const struct pg_spawn *spawn) {
  int r = check(spawn);
  if (r)
    return r;
  struct shared *s = pg_sys_map(sizeof *s, MAP_SHARED);
  if (!s)
    return -ENOMEM;
  s->spawn = spawn;
  s->pidfd = -1;
  uint64_t everything = ~UINT64_C(0), before = 0;
  pg_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &everything, &before, SIGSET_BYTES);
  if (spawn->mask)
    memcpy(&s->mask, spawn->mask, SIGSET_BYTES);
  else if (spawn->flags & PG_SPAWN_KEEP_MASK)
    s->mask = before;
  pid_t pid = make_child(s, clone_flags(spawn->flags));
  r = pid < 0 ? pid : s->error;
  PG_AUTO_CLOSE int fd = pid > 0 ? s->pidfd : -1;
  if (pid > 0 && r < 0)
    collect(pid, fd);
  else if (pid > 0)
    spawn->born(pid);
  pg_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SIGSET_BYTES);
  pg_sys2(SYS_munmap, s, sizeof *s);
  return r < 0 ? r : pg_take(&fd);
}

/* SPDX-License-Identifier: MIT */
#include "pidfd/tree.h"

#include "base/fmt.h"
#include "kernel/sys.h"
#include "pidfd/cgroup.h"
#include "pidfd/feature.h"
#include "pidfd/info.h"
#include "pidfd/open.h"
#include "pidfd/proc.h"
#include "pidfd/signal.h"
#include "pidfd/wait.h"

#include <stdbool.h>
#include <string.h>

#define GENERATIONS 64
#define PAUSE 1000000 /* 1 ms: the kernel stops a process sooner, unless the process is busy in the kernel */

/* Reads state and parent from the stat file of a process or thread. */
static int read_stat(int dir, const char *path, char *ret_state, pid_t *ret_parent) {
  char text[256]; /* the first fields; the name has at most 64 bytes */
  ssize_t n = pg_sys_read_file(dir, path, text, sizeof text);
  if (n < 0)
    return n == -ENOENT ? -ESRCH : (int)n;
  const char *p = strrchr(text, ')');
  if (!p || p[1] != ' ' || !p[2] || p[3] != ' ')
    return n ? -EOPNOTSUPP : -ESRCH;
  *ret_state = p[2];
  p += 4;
  *ret_parent = (pid_t)pg_parse_dec(&p);
  return 0;
}

static void path_of(char *path, size_t cap, const char *head, pid_t number, const char *tail) {
  struct pg_buf b;
  pg_buf_init(&b, path, cap);
  pg_buf_str(&b, head);
  pg_buf_dec(&b, number);
  pg_buf_str(&b, tail);
}

static int parent_of(pid_t pid) {
  char path[48], state;
  pid_t parent = 0;
  path_of(path, sizeof path, "/proc/", pid, "/stat");
  int r = read_stat(AT_FDCWD, path, &state, &parent);
  return r ? r : parent;
}

/* Is the caller this process, or one of its descendants? /proc may hide processes of other users. */
static bool is_inside(pid_t pid) {
  int at = pg_sys_getpid();
  while (at > 1 && at != pid)
    at = parent_of(at);
  return at == pid;
}

/* ---- By cgroup ---- */

/* The numbers in a file, separated by any other characters. */
struct numbers {
  int fd, at, end;
  char buf[128];
};

static int64_t next_number(struct numbers *s) {
  int64_t number = -1;
  for (;;) {
    if (s->at == s->end) {
      s->at = 0;
      s->end = (int)pg_sys_read(s->fd, s->buf, sizeof s->buf);
      if (s->end <= 0) {
        s->end = 0;
        return number;
      }
    }
    char c = s->buf[s->at++];
    if (c >= '0' && c <= '9')
      number = (number < 0 ? 0 : number) * 10 + (c - '0');
    else if (number >= 0)
      return number;
  }
}

/* Does every member of the cgroup belong to this tree? A process that puts other members there has made them as
 * children of the same parent, or is a member itself. Such a cgroup does not belong to the tree alone, and nor does one
 * with the caller in it. */
static bool is_its_own(int cgroup, pid_t pid, pid_t parent) {
  PG_AUTO_CLOSE int stat = pg_sys_openat(cgroup, "cgroup.stat", O_RDONLY | O_CLOEXEC, 0);
  PG_AUTO_CLOSE int procs = pg_sys_openat(cgroup, "cgroup.procs", O_RDONLY | O_CLOEXEC, 0);
  if (stat < 0 || procs < 0)
    return false;
  struct numbers s = {.fd = stat};
  bool own = next_number(&s) == 0, seen = false; /* nr_descendants: it has no cgroups below it */
  s = (struct numbers){.fd = procs};
  for (int64_t member; own && (member = next_number(&s)) >= 0;) {
    seen |= member == pid;
    if (member == pid)
      continue;
    int theirs = member > 0 ? parent_of((pid_t)member) : -ESRCH; /* 0: the member has no PID here */
    own = theirs >= 0 && theirs != parent && member != parent && member != pg_sys_getpid();
  }
  return own && seen;
}

/* True if the kernel has killed the whole cgroup. */
static int kill_cgroup(int fd, int procdir, pid_t pid, pid_t parent) {
  PG_AUTO_CLOSE int cgroup = pg_feature_hidden(PG_FEATURE_CGROUP_KILL) ? -EOPNOTSUPP : pg_cgroup_open(procdir);
  if (cgroup < 0 || !is_its_own(cgroup, pid, parent))
    return 0;
  PG_AUTO_CLOSE int file = pg_sys_openat(cgroup, "cgroup.kill", O_WRONLY | O_CLOEXEC, 0);
  return file >= 0 && pg_pidfd_signal(fd, 0, 0) != -ESRCH && pg_sys_write(file, "1", 1) == 1;
}

/* ---- By walking ---- */

struct walk {
  int64_t deadline;
  int error; /* the first error */
};

static void note(struct walk *w, int r) {
  if (r < 0 && r != -ESRCH && !w->error)
    w->error = r;
}

static bool kill_below(struct walk *w, int fd, pid_t pid, int generation);

/* Kills one process of the list of a parent's children. The PID may have changed hands between the list and the open.
 * So the parent of the opened process is compared; the parent keeps its own PID until it is reaped. True: the child was
 * alive, and will end. */
static bool kill_child(struct walk *w, int parent_fd, pid_t parent, pid_t pid, int generation) {
  struct pg_pidfd_info info;
  /* The caller moved into the tree after all, and must not kill itself. */
  PG_AUTO_CLOSE int fd = pid == pg_sys_getpid() ? -EINVAL : pg_pidfd_open(pid, 0);
  if (fd < 0) {
    note(w, pg_no_entry_no_process(fd));
    return false;
  }
  int r = pg_pidfd_state(fd) == PG_STATE_ALIVE ? pg_pidfd_info(fd, PG_PIDFD_INFO_PID, &info) : -ESRCH;
  note(w, r); /* a child whose parent cannot be read is spared, and the caller learns that */
  bool lives = !r && info.ppid == (uint32_t)parent && pg_pidfd_signal(parent_fd, 0, 0) != -ESRCH;
  return lives && kill_below(w, fd, pid, generation);
}

/* Kills the children of one thread. True: at least one was alive. */
static bool kill_children_of(struct walk *w, int fd, pid_t pid, int children, int generation) {
  struct numbers s = {.fd = children};
  bool found = false;
  for (int64_t child; (child = next_number(&s)) > 0;)
    found |= kill_child(w, fd, pid, (pid_t)child, generation);
  return found;
}

/* struct linux_dirent64, see getdents64(2). */
struct entry {
  uint64_t ino;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[];
};

/* Looks once at all threads of a process and their children. True if all threads stood still before their lists were
 * read, and no listed child was alive: then no new child can come. */
static bool look(struct walk *w, int fd, pid_t pid, int tasks, int generation) {
  char buf[256] __attribute__((aligned(8))), path[32];
  bool settled = true;
  long n;
  pg_sys3(SYS_lseek, tasks, 0, SEEK_SET);
  while ((n = pg_sys3(SYS_getdents64, tasks, buf, sizeof buf)) > 0) {
    for (long at = 0; at < n;) {
      const struct entry *e = (const struct entry *)(void *)(buf + at);
      const char *name = e->name;
      at += e->length;
      int64_t tid = pg_parse_dec(&name);
      char state = 'X';
      pid_t unused;
      if (tid < 0)
        continue;
      path_of(path, sizeof path, "", (pid_t)tid, "/stat");
      if (!read_stat(tasks, path, &state, &unused) && !strchr("TtZXx", state))
        settled = false;
      path_of(path, sizeof path, "", (pid_t)tid, "/children");
      PG_AUTO_CLOSE int children = pg_sys_openat(tasks, path, O_RDONLY | O_CLOEXEC, 0);
      if (children < 0)
        note(w, pg_no_entry_no_process(children));
      else if (kill_children_of(w, fd, pid, children, generation + 1))
        settled = false;
    }
  }
  return settled;
}

static int open_tasks(int fd, int generation) {
  if (generation > GENERATIONS)
    return -ELOOP;
  PG_AUTO_CLOSE int dir = pg_proc_dir(fd);
  return dir < 0 ? dir : pg_sys_openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

/* False: the caller may not signal the process, so it lives on. Its children may be of another user, and are killed. It
 * does not stop, so one look at them must do. */
static bool kill_below(struct walk *w, int fd, pid_t pid, int generation) {
  int r = pg_pidfd_signal(fd, SIGSTOP, 0);
  bool stops = r != -EPERM;
  note(w, r);
  PG_AUTO_CLOSE int tasks = r && stops ? r : open_tasks(fd, generation);
  note(w, pg_no_entry_no_process(tasks));
  while (tasks >= 0 && !look(w, fd, pid, tasks, generation) && stops) {
    if (!pg_deadline_left(w->deadline)) {
      note(w, -ETIMEDOUT);
      break;
    }
    pg_sys_ppoll(NULL, 0, PAUSE);
  }
  r = pg_pidfd_signal(fd, SIGKILL, 0);
  note(w, r);
  return r != -EPERM;
}

/* 1 it killed the cgroup, 0 this tree has no cgroup of its own, or -errno: the tree cannot be walked, either. */
static int try_cgroup(int fd, pid_t pid, pid_t parent) {
  PG_AUTO_CLOSE int lists = pg_sys_openat(AT_FDCWD, "/proc/thread-self/children", O_RDONLY | O_CLOEXEC, 0);
  PG_AUTO_CLOSE int dir = lists < 0 ? lists : pg_proc_dir(fd);
  if (dir == -ENOENT)
    return -EOPNOTSUPP;
  return dir < 0 ? dir : kill_cgroup(fd, dir, pid, parent);
}

int pg_tree_kill(int fd, int64_t deadline) {
  struct pg_pidfd_info info;
  int r = pg_pidfd_info(fd, PG_PIDFD_INFO_PID, &info);
  if (r)
    return r;
  int pid = pg_proc_pid(fd); /* -EOPNOTSUPP if /proc shows PIDs of another pid namespace */
  if (info.pid != info.tgid || pid == 1)
    return -EINVAL;
  if (pid < 0 || is_inside(pid))
    return pid < 0 ? pid : -EINVAL;
  r = try_cgroup(fd, pid, (pid_t)info.ppid);
  if (r)
    return r < 0 ? r : PG_TREE_CGROUP;
  struct walk w = {deadline, 0};
  kill_below(&w, fd, pid, 0);
  return w.error ? w.error : PG_TREE_WALK;
}

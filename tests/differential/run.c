/* SPDX-License-Identifier: MIT */
/* Runs one program once, in a fresh pid namespace with its own /proc. The monitor is its first process. */
#include "driver.h"

#include "kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Makes a memory file at the given descriptor number. Returns -errno if that fails. */
static int memory_file(const char *name, int at) {
  int fd = memfd_create(name, 0);
  if (fd < 0)
    return -errno;
  if (fd != at) {
    if (dup2(fd, at) < 0)
      return -errno;
    close(fd);
  }
  return at;
}

int pgd_arena_open(struct pgd_arena *arena, const struct pgd_config *config) {
  static const char script[] = "exit 7\n";
  arena->config = config;
  int fd = memory_file("pgd-board", PGD_BOARD_FD), err = fd < 0 ? fd : memory_file("pgd-script", PGD_SCRIPT_FD);
  if (err < 0)
    return err;
  if (ftruncate(fd, sizeof *arena->board) != 0 ||
      write(PGD_SCRIPT_FD, script, sizeof script - 1) != (ssize_t)sizeof script - 1)
    return -errno;
  /* A file that is open for writing cannot be executed. */
  int script_fd = open("/proc/self/fd/4", O_RDONLY);
  if (script_fd < 0 || dup2(script_fd, PGD_SCRIPT_FD) < 0)
    return -errno;
  close(script_fd);
  arena->board = mmap(NULL, sizeof *arena->board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return arena->board == MAP_FAILED ? -errno : 0;
}

bool pgd_preload_works(const struct pgd_config *config) {
  char preload[4096], *argv[] = {(char *)config->interp, "--loaded", (char *)config->preload, NULL};
  char *env[] = {preload, NULL};
  snprintf(preload, sizeof preload, "LD_PRELOAD=%s", config->preload);
  int status = -1;
  pid_t pid = fork();
  if (pid == 0) {
    execve(argv[0], argv, env);
    _exit(126);
  }
  return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Sorts the lines by process. The lines of one process keep their order. */
static void sort_trace(const struct pgd_board *board, char *trace, size_t cap) {
  size_t len = 0, total = atomic_load(&board->trace_len);
  if (total >= PGD_TRACE_SIZE)
    total = PGD_TRACE_SIZE - 1;
  for (int label = 0; label <= PGD_LABELS; label++)
    for (size_t at = 0; at < total;) {
      const char *line = board->trace + at, *newline = memchr(line, '\n', total - at);
      size_t n = newline ? (size_t)(newline - line) + 1 : total - at;
      const char *text = memchr(line, ' ', n);
      if (text && *line && atoi(line) == label && len + n + 16 < cap) {
        len += (size_t)snprintf(trace + len, cap - len, label == PGD_LABELS ? "monitor" : "c%d", label);
        memcpy(trace + len, text, n - (size_t)(text - line));
        len += n - (size_t)(text - line);
      }
      at += n;
    }
  trace[len] = '\0';
}

int pgd_run_program(struct pgd_arena *arena, const struct pgd_program *program, bool shim, char *trace, size_t cap) {
  const struct pgd_config *config = arena->config;
  struct pgd_board *board = arena->board;
  char preload[4096], *env[PGD_ENV + 4];
  int n = 0;
  size_t used = atomic_load(&board->trace_len);
  memset(board, 0, offsetof(struct pgd_board, trace));
  memset(board->trace, 0, used < PGD_TRACE_SIZE ? used : PGD_TRACE_SIZE);
  board->magic = PGD_MAGIC;
  pgd_program_print(program, false, board->text, PGD_TEXT_SIZE);
  env[n++] = "PATH=/usr/bin:/bin";
  env[n++] = "LC_ALL=C";
  if (shim && config->preload) {
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", config->preload);
    env[n++] = preload;
    for (int i = 0; i < config->env_count; i++)
      env[n++] = (char *)config->env[i];
  }
  env[n] = NULL;
  pid_t pid = (pid_t)pg_sys5(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0)
    pgd_monitor(board, config->interp, env, program->sched, config->timeout_ms);
  if (pid < 0)
    return pid;
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      return -errno;
  if (status != 0)
    return -EPROTO;
  sort_trace(board, trace, cap);
  return 0;
}

static void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    if (write(fd, text, strlen(text)) < 0)
      fprintf(stderr, "pg_diff: %s: %s\n", path, strerror(errno));
    close(fd);
  }
}

__attribute__((noreturn)) static void skip(const char *what) {
  printf("skipped: %s: %s\n", what, strerror(errno));
  exit(77);
}

void pgd_enter_namespace(void) {
  unsigned uid = getuid(), gid = getgid();
  char map[64];
  if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) != 0)
      skip("this user cannot make a pid namespace, not even through a user namespace");
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", uid);
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", gid);
    write_file("/proc/self/gid_map", map);
  }
  pid_t pid = fork();
  if (pid < 0)
    skip("fork");
  if (pid > 0) {
    int status;
    signal(SIGINT, SIG_IGN); /* the terminal signals the child too, and the caller ends when the child ends */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
      ;
    if (WIFSIGNALED(status))
      fprintf(stderr, "pg_diff: ended by signal %d\n", WTERMSIG(status));
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
    skip("no /proc of its own");
}

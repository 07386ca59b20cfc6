/* SPDX-License-Identifier: MIT */
/* Runs programs under test, with or without the shim: environment, capture, time limit, dialogue. Output goes to memory
 * files, so that a program never blocks on a pipe that no process reads. Only dialogues read from a pipe. Calls libc
 * only. */
#define _GNU_SOURCE
#include "pg_test.h"
#include "slowness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

const char *pg_test_preload(void) {
  const char *path = getenv("PIDGUARD_PRELOAD");
#ifdef PG_TEST_PRELOAD
  if (!path)
    path = PG_TEST_PRELOAD;
#endif
  return path && access(path, R_OK) == 0 ? path : NULL;
}

static char copy_directory[] = "/tmp/pidguard-object-XXXXXX", copied[sizeof copy_directory + 32];
static pid_t copied_by;

static void remove_copy(void) {
  if (getpid() != copied_by)
    return;
  unlink(copied);
  rmdir(copy_directory);
}

static bool others_reach(const char *path) {
  char part[4096];
  struct stat st;
  for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
    snprintf(part, sizeof part, "%.*s", (int)(end - path), path);
    if (stat(part, &st) != 0 || !(st.st_mode & S_IXOTH))
      return false;
  }
  return stat(path, &st) == 0 && st.st_mode & S_IROTH;
}

static bool copy_to(const char *from, const char *to) {
  char bytes[65536];
  int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
  ssize_t n = -1;
  while (in >= 0 && out >= 0 && (n = read(in, bytes, sizeof bytes)) > 0)
    if (write(out, bytes, (size_t)n) != n) {
      n = -1;
      break;
    }
  bool done = n == 0 && fchmod(out, 0755) == 0;
  if (in >= 0)
    close(in);
  if (out >= 0)
    close(out);
  return done;
}

const char *pg_test_preload_for_others(void) {
  const char *path = pg_test_preload();
  if (!path || others_reach(path) || copied_by)
    return copied_by ? copied : path;
  if (!mkdtemp(copy_directory) || chmod(copy_directory, 0755) != 0)
    return path;
  snprintf(copied, sizeof copied, "%s/libpidguard-preload.so.0", copy_directory);
  if (!copy_to(path, copied))
    return path;
  copied_by = getpid();
  atexit(remove_copy);
  return copied;
}

static void set_environment(const struct pg_test_command *command) {
  static const char *const ours[] = {"PIDGUARD_MODE",        "PIDGUARD_DEBUG",    "PIDGUARD_LOG",
                                     "PIDGUARD_RETIRED_MAX", "PIDGUARD_FD_MAX",   "PIDGUARD_SUMMARY",
                                     "PIDGUARD_FAMILY",      "PIDGUARD_DEEPBIND", "LD_PRELOAD"};
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
    unsetenv(ours[i]);
  setenv("LC_ALL", "C", 1);
#ifdef PG_TEST_RUNTIME /* the runtime of a sanitizer; leaks are not tested here */
  char both[4096];
  setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
  if (command->preload) {
    snprintf(both, sizeof both, "%s%s", PG_TEST_RUNTIME, command->preload);
    setenv("LD_PRELOAD", both, 1);
  }
#else
  if (command->preload)
    setenv("LD_PRELOAD", command->preload, 1);
#endif
  for (size_t i = 0; command->env && command->env[i]; i++)
    putenv((char *)(uintptr_t)command->env[i]);
}

/* The child's side. Each program leads a session (or at least a group) of its own. So its kill(0) and waitpid(0) never
 * concern the driver. */
static void become(const struct pg_test_command *command, int in, int out, int errors) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (command->same_session)
    setpgid(0, 0);
  else
    setsid();
  set_environment(command);
  if (command->errors && command->errors[0])
    errors = open(command->errors, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(errors, 2) < 0)
    _exit(125);
  if (command->errors && !command->errors[0])
    close(2);
  if (syscall(SYS_close_range, 3, ~0u, 0) != 0)
    for (int fd = 3; fd < 1024; fd++)
      close(fd);
  execvp(command->argv[0], (char *const *)(uintptr_t)command->argv);
  _exit(126);
}

/* The kernel does not lock the offset of a memory file. Without O_APPEND two processes that write at once would lose
 * lines. */
static int memory_file(void) {
  int fd = memfd_create("output", MFD_CLOEXEC);
  if (fd >= 0)
    fcntl(fd, F_SETFL, O_APPEND);
  return fd;
}

static int spawn(const struct pg_test_command *command, int in, int out, struct pg_test_process *process) {
  pg_test_need_pidfd();
  process->limit_ms = (command->limit_ms ? command->limit_ms : 10000) * patience();
  process->errors = memory_file();
  if (process->errors < 0)
    return -errno;
  process->pid = fork();
  if (process->pid < 0)
    return -errno;
  if (process->pid == 0)
    become(command, in, out, process->errors);
  process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
  return process->pidfd < 0 ? -errno : 0;
}

static char *read_all(int fd, size_t *size) {
  struct stat stat;
  *size = fd >= 0 && fstat(fd, &stat) == 0 ? (size_t)stat.st_size : 0;
  char *text = calloc(1, *size + 1);
  if (!text)
    abort();
  for (size_t got = 0; got < *size;) {
    ssize_t n = pread(fd, text + got, *size - got, (off_t)got);
    if (n <= 0)
      break;
    got += (size_t)n;
  }
  return text;
}

/* Waits for the end of the program. When the time-out expires, it kills the program and its process group, so that what
 * the program leaves behind does not outlive it. */
static void collect(struct pg_test_process *process, int out, struct pg_test_outcome *ret) {
  struct pollfd end = {.fd = process->pidfd, .events = POLLIN};
  int ready;
  while ((ready = poll(&end, 1, process->limit_ms)) < 0 && errno == EINTR)
    ;
  *ret = (struct pg_test_outcome){.timed_out = ready == 0};
  if (ret->timed_out && process->pid > 1) {
    kill(-process->pid, SIGKILL);
    kill(process->pid, SIGKILL);
  }
  while (waitpid(process->pid, &ret->status, 0) < 0 && errno == EINTR)
    ;
  ret->out = read_all(out, &ret->out_size);
  ret->err = read_all(process->errors, &ret->err_size);
  close(process->pidfd);
  close(process->errors);
}

void pg_test_run(const struct pg_test_command *command, struct pg_test_outcome *ret) {
  struct pg_test_process process = {.pid = -1};
  int in = open("/dev/null", O_RDONLY | O_CLOEXEC), out = memory_file();
  int error = in < 0 || out < 0 ? -errno : spawn(command, in, out, &process);
  if (error) {
    fprintf(stderr, "cannot start %s: %s\n", command->argv[0], strerror(-error));
    abort();
  }
  close(in);
  collect(&process, out, ret);
  close(out);
}

void pg_test_outcome_free(struct pg_test_outcome *outcome) {
  free(outcome->out);
  free(outcome->err);
  *outcome = (struct pg_test_outcome){.status = 0};
}

bool pg_test_exited(const struct pg_test_outcome *outcome, int status) {
  return !outcome->timed_out && WIFEXITED(outcome->status) && WEXITSTATUS(outcome->status) == status;
}

bool pg_test_installed(const char *command) {
  char path[PATH_MAX];
  if (strchr(command, '/'))
    return access(command, X_OK) == 0;
  for (const char *dir = getenv("PATH"); dir; dir = strchr(dir, ':')) {
    dir += *dir == ':';
    snprintf(path, sizeof path, "%.*s/%s", (int)strcspn(dir, ":"), dir, command);
    if (access(path, X_OK) == 0)
      return true;
  }
  return false;
}

int pg_test_start(const struct pg_test_command *command, struct pg_test_process *ret) {
  int in[2], out[2];
  *ret = (struct pg_test_process){.pid = -1};
  if (pipe2(in, O_CLOEXEC) != 0)
    return -errno;
  if (pipe2(out, O_CLOEXEC) != 0)
    return -errno;
  signal(SIGPIPE, SIG_IGN); /* if a program ended early, that is an -EPIPE, and not the end of the driver */
  int error = spawn(command, in[0], out[1], ret);
  close(in[0]);
  close(out[1]);
  ret->in = in[1];
  ret->out = out[0];
  return error;
}

static int64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int pg_test_read_line(struct pg_test_process *process, char *line, size_t size) {
  int64_t deadline = now_ms() + process->limit_ms;
  for (;;) {
    char *newline = memchr(process->pending, '\n', process->fill);
    if (newline) {
      size_t length = (size_t)(newline - process->pending);
      snprintf(line, size, "%.*s", (int)length, process->pending);
      process->fill -= length + 1;
      memmove(process->pending, newline + 1, process->fill);
      return 0;
    }
    int64_t left = deadline - now_ms();
    if (left <= 0)
      return -ETIME;
    struct pollfd readable = {.fd = process->out, .events = POLLIN};
    if (poll(&readable, 1, (int)left) <= 0)
      continue;
    if (process->fill == sizeof process->pending)
      return -ENOBUFS;
    ssize_t n = read(process->out, process->pending + process->fill, sizeof process->pending - process->fill);
    if (n == 0)
      return -EPIPE;
    if (n < 0 && errno != EINTR)
      return -errno;
    process->fill += n > 0 ? (size_t)n : 0;
  }
}

int pg_test_write_line(struct pg_test_process *process, const char *format, ...) {
  char line[1024];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(line, sizeof line - 1, format, args);
  va_end(args);
  if (length < 0 || length >= (int)sizeof line - 1)
    return -EMSGSIZE;
  line[length++] = '\n';
  return write(process->in, line, (size_t)length) == length ? 0 : -errno;
}

void pg_test_finish(struct pg_test_process *process, struct pg_test_outcome *ret) {
  close(process->in);
  collect(process, -1, ret);
  close(process->out);
}

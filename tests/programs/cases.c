/* SPDX-License-Identifier: MIT */
/* The frame of the same_* programs: main(), trace, texts. See cases.h. */
#define _GNU_SOURCE
#include "cases.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void note(const char *format, ...) {
  char line[1024];
  int kept = errno;
  va_list args;
  va_start(args, format);
  int length = vsnprintf(line, sizeof line - 1, format, args);
  va_end(args);
  if (length > (int)sizeof line - 2)
    length = (int)sizeof line - 2;
  line[length++] = '\n';
  if (write(STDOUT_FILENO, line, (size_t)length) != length)
    _exit(3);
  errno = kept;
}

void must_failed(const char *file, int line, const char *text) {
  note("FAILED %s:%d: %s (errno %d)", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line, text, errno);
  _exit(1);
}

void skip(const char *reason) {
  note("SKIP: %s", reason);
  _exit(77);
}

/* Each text of one note has its own buffer. */
static char *text_buffer(void) {
  static char buffers[8][160];
  static unsigned next;
  return buffers[next++ % 8];
}

const char *errno_text(int error) {
  static const struct {
    int value;
    const char *name;
  } names[] = {{0, "0"},           {UNTOUCHED, "-"},     {EPERM, "EPERM"},   {ENOENT, "ENOENT"}, {ESRCH, "ESRCH"},
               {EINTR, "EINTR"},   {ENOEXEC, "ENOEXEC"}, {EBADF, "EBADF"},   {ECHILD, "ECHILD"}, {EAGAIN, "EAGAIN"},
               {ENOMEM, "ENOMEM"}, {EACCES, "EACCES"},   {EFAULT, "EFAULT"}, {EINVAL, "EINVAL"}, {ENOSYS, "ENOSYS"},
               {EMFILE, "EMFILE"}, {EXDEV, "EXDEV"},     {EUSERS, "EUSERS"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].value == error)
      return names[i].name;
  char *text = text_buffer();
  snprintf(text, 160, "errno=%d", error);
  return text;
}

const char *status_text(int status) {
  char *text = text_buffer();
  if (WIFEXITED(status))
    snprintf(text, 160, "exited(%d)", WEXITSTATUS(status));
  else if (WIFSIGNALED(status))
    snprintf(text, 160, "killed(%d%s)", WTERMSIG(status), WCOREDUMP(status) ? ",core" : "");
  else if (WIFSTOPPED(status))
    snprintf(text, 160, "stopped(%d,event=%d)", WSTOPSIG(status), (unsigned)status >> 16);
  else if (WIFCONTINUED(status))
    snprintf(text, 160, "continued");
  else
    snprintf(text, 160, "%#x", (unsigned)status);
  return text;
}

const char *siginfo_text(const siginfo_t *info, pid_t child) {
  char *text = text_buffer();
  const char *who = info->si_pid == child ? "child" : info->si_pid == 0 ? "0" : info->si_pid == -1 ? "-1" : "other";
  snprintf(text, 160, "signo=%d errno=%d code=%d pid=%s uid=%s status=%#x", info->si_signo, info->si_errno,
           info->si_code, who,
           info->si_uid == getuid() ? "own"
           : info->si_uid == 0      ? "0"
                                    : "other",
           (unsigned)info->si_status);
  return text;
}

const char *wait_text(pid_t result, pid_t child) {
  char *text = text_buffer();
  const char *what = result == -1 ? "-1" : result == 0 ? "0" : result == child ? "child" : "other";
  snprintf(text, 160, "%s %s", what, errno_text(errno));
  return text;
}

const char *call_text(int result) {
  char *text = text_buffer();
  snprintf(text, 160, "%d %s", result, errno_text(errno));
  return text;
}

pid_t fork_ok(void) {
  pid_t pid = fork();
  MUST(pid >= 0);
  return pid;
}

pid_t fork_pausing(void) {
  pid_t pid = fork_ok();
  while (pid == 0)
    pause();
  return pid;
}

pid_t fork_exiting(int code) {
  pid_t pid = fork_ok();
  if (pid == 0)
    _exit(code);
  return pid;
}

int kill_ok(pid_t pid, int sig) {
  MUST(pid > 1);
  return kill(pid, sig);
}

void finish(pid_t pid) {
  int status;
  MUST(kill_ok(pid, SIGKILL) == 0);
  MUST(waitpid(pid, &status, __WALL) == pid);
}

void await_zombie(pid_t pid) {
  siginfo_t info;
  MUST(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | __WALL) == 0);
}

int kill_until_gone(pid_t pid) {
  int result = 0;
  for (int i = 0; i < 5000; i++) {
    errno = UNTOUCHED;
    if ((result = kill_ok(pid, 0)) != 0)
      break;
    usleep(200);
  }
  return result;
}

void sleep_ms(int ms) {
  struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
  while (nanosleep(&left, &left) != 0 && errno == EINTR)
    ;
}

int count_descriptors(void) {
  int count = 0;
  DIR *directory = opendir("/proc/self/fd");
  MUST(directory);
  while (readdir(directory))
    count++;
  closedir(directory);
  return count - 3; /* ".", ".." and the directory itself */
}

int count_open_in(int from, int to) {
  int count = 0;
  for (int fd = from; fd < to; fd++)
    count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

char **case_arguments;

int main(int argc, char **argv) {
  signal(SIGINT, SIG_DFL); /* both are ignored below unshare --fork of util-linux 2.36 */
  signal(SIGTERM, SIG_DFL);
  case_arguments = argv + (argc > 1 ? 2 : 1);
  for (const struct test_case *c = cases; c->name; c++) {
    if (argc == 1) {
      if (c->name[0] != '-')
        printf("%s\n", c->name);
    } else if (strcmp(argv[1], c->name) == 0) {
      c->run();
      note("end");
      return 0;
    }
  }
  return argc == 1 ? 0 : 2;
}

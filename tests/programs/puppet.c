/* SPDX-License-Identifier: MIT */
/* A program that obeys commands, one a line, and answers each with one line:
 *     wait PID       waitpid                           -> "wait RETURN ERRNO STATUS"
 *     kill PID SIG   (PID > 1, or < -1 for a group)    -> "kill RETURN ERRNO"
 *     vkill PID SIG  the same, in a vfork child        -> "vkill RETURN ERRNO"
 *     open FD PATH   opens PATH as descriptor FD       -> "open RETURN"
 *     close FD                                         -> "close RETURN ERRNO"
 *     write FD TEXT                                    -> "write RETURN"
 *     exit N
 *     fork-exit N    a child that exits with N         -> "fork PID"
 *     fork           a child that pauses               -> "fork PID"
 * An ordinary program: it knows nothing of pidguard. */
#define _GNU_SOURCE
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_as(int fd, const char *path) {
  int opened = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (opened < 0 || opened == fd)
    return opened;
  int result = dup2(opened, fd);
  close(opened);
  return result;
}

static int make_child(int code) {
  pid_t pid = fork();
  if (pid == 0 && code >= 0)
    _exit(code);
  while (pid == 0)
    pause();
  return pid;
}

/* Two results in the memory that the child shares with its parent. */
static void kill_in_vfork(pid_t pid, int sig, volatile int ret[2]) {
  pid_t child = vfork();
  if (child == 0) {
    ret[0] = kill(pid, sig);
    ret[1] = errno;
    _exit(0);
  }
  if (child > 1)
    waitpid(child, NULL, 0);
}

/* Reads one line without a buffer, so that a child inherits nothing that was read ahead. */
static int read_line(char *line, size_t size) {
  size_t length = 0;
  while (length + 1 < size && read(STDIN_FILENO, line + length, 1) == 1)
    if (line[length++] == '\n') {
      line[length - 1] = '\0';
      return 1;
    }
  return 0;
}

int main(void) {
  char line[512], text[256];
  int a, b, status = 0;
  while (read_line(line, sizeof line)) {
    errno = 0;
    if (strcmp(line, "fork") == 0)
      say("fork %d\n", make_child(-1));
    else if (sscanf(line, "fork-exit %d", &a) == 1)
      say("fork %d\n", make_child(a));
    else if (sscanf(line, "wait %d", &a) == 1) {
      int result = waitpid(a, &status, 0);
      say("wait %d %d %d\n", result, errno, status);
    } else if (sscanf(line, "kill %d %d", &a, &b) == 2 && (a > 1 || a < -1)) {
      int result = kill(a, b);
      say("kill %d %d\n", result, errno);
    } else if (sscanf(line, "vkill %d %d", &a, &b) == 2 && (a > 1 || a < -1)) {
      volatile int result[2] = {-2, 0};
      kill_in_vfork(a, b, result);
      say("vkill %d %d\n", result[0], result[1]);
    } else if (sscanf(line, "open %d %255s", &a, text) == 2)
      say("open %d\n", open_as(a, text));
    else if (sscanf(line, "close %d", &a) == 1) {
      int result = close(a);
      say("close %d %d\n", result, errno);
    } else if (sscanf(line, "write %d %255s", &a, text) == 2)
      say("write %d\n", (int)write(a, text, strlen(text)));
    else if (sscanf(line, "exit %d", &a) == 1)
      return a;
    else
      return 2;
  }
  return 0;
}

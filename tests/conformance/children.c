/* SPDX-License-Identifier: MIT */
/* Makes, stops, signals and waits for children in the usual ways, and prints what it saw. It runs under debuggers,
 * tracers and other preload objects. The output never depends on PIDs. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* `status` is a pointer, because arguments are evaluated in any order. */
static void say(const char *what, int result, const int *status) {
  printf("%s: %s, status %04x\n", what,
         result > 0    ? "child"
         : result == 0 ? "nobody"
                       : strerror(errno),
         (unsigned)*status);
  fflush(stdout);
}

static void killed(const char *what, pid_t pid, int sig) {
  int r = pid > 1 ? kill(pid, sig) : -2;
  printf("%s: %d, %s\n", what, r, r < 0 ? strerror(errno) : "sent");
  fflush(stdout);
}

static void *from_thread(void *unused) {
  int status = -1;
  pid_t pid = fork();
  if (pid == 0)
    _exit(5);
  say("thread", waitpid(pid, &status, 0), &status);
  return unused;
}

int main(void) {
  int status = -1, none = 0;
  setvbuf(stdout, NULL, _IOLBF, 0); /* under valgrind a forked child writes out its copy of the buffer */
  pid_t pid = fork();
  if (pid == 0)
    _exit(3);
  say("fork", waitpid(pid, &status, 0), &status);
  killed("fork, again", pid, 0);

  pid = vfork();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", "exit 4", (char *)0);
    _exit(127);
  }
  say("vfork", waitpid(pid, &status, 0), &status);

  char *argv[] = {"sleep", "60", NULL};
  if (posix_spawnp(&pid, "sleep", NULL, NULL, argv, environ) != 0)
    return 1;
  killed("stop", pid, SIGSTOP);
  say("stopped", waitpid(pid, &status, WUNTRACED), &status);
  killed("continue", pid, SIGCONT);
  say("continued", waitpid(pid, &status, WCONTINUED), &status);
  say("not yet", waitpid(pid, &status, WNOHANG), &none);
  killed("terminate", pid, SIGTERM);
  struct rusage usage;
  say("terminated", wait4(pid, &status, 0, &usage), &status);

  pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    for (;;)
      pause();
  }
  setpgid(pid, pid);
  int r = pid > 1 ? killpg(pid, SIGKILL) : -2;
  printf("killpg: %d\n", r);
  siginfo_t info = {.si_pid = 0};
  r = waitid(P_PID, (id_t)pid, &info, WEXITED);
  printf("waitid: %d, code %d, status %d\n", r, info.si_code, info.si_status);

  pthread_t thread;
  if (pthread_create(&thread, NULL, from_thread, NULL) == 0)
    pthread_join(thread, NULL);

  fflush(stdout);
  signal(SIGCHLD, SIG_IGN);
  pid = fork();
  if (pid == 0)
    _exit(0);
  r = wait(&status);
  printf("ignored: %d, %s\n", r, strerror(errno));
  printf("system: %04x\n", (unsigned)system("exit 7"));
  FILE *pipe = popen("echo from a pipe", "r");
  char line[64] = "";
  if (pipe && fgets(line, sizeof line, pipe))
    fputs(line, stdout);
  r = pipe ? pclose(pipe) : -2;
  printf("pclose: %d\n", r);
  return 0;
}

/* leak MODE WARMUP ROUNDS: makes and loses children, and prints the number of its open descriptors and its resident
 * memory (kB) after a warm-up and at the end: "before FDS KB", "after FDS KB". MODE: reap (vfork, one in a hundred
 * fork), any (killed and reaped by wait), ignored (SIGCHLD ignored, never waits). Exits 1 if a wait or a signal goes
 * wrong. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void report(const char *when) {
  int descriptors = 0;
  long pages = 0, resident = 0;
  DIR *directory = opendir("/proc/self/fd");
  while (directory && readdir(directory))
    descriptors++;
  if (directory)
    closedir(directory);
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2)
    exit(1);
  fclose(file);
  printf("%s %d %ld\n", when, descriptors, resident * (sysconf(_SC_PAGESIZE) / 1024));
  fflush(stdout);
}

static int check(int good) {
  if (!good) {
    printf("failed: %s\n", strerror(errno));
    exit(1);
  }
  return 0;
}

static void reap_round(int i) {
  pid_t pid = i % 100 == 0 ? fork() : vfork();
  int status;
  if (pid == 0)
    _exit(5);
  check(pid > 1 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
  check(kill(pid, 0) == -1 && errno == ESRCH);
}

static void any_round(void) {
  pid_t pid = fork();
  int status;
  while (pid == 0)
    pause();
  check(pid > 1 && kill(pid, SIGKILL) == 0 && wait(&status) == pid && WTERMSIG(status) == SIGKILL);
}

static void ignored_round(void) {
  pid_t pid = vfork();
  if (pid == 0)
    _exit(0);
  check(pid > 1);
}

static void rounds(const char *mode, int count) {
  for (int i = 0; i < count; i++) {
    if (strcmp(mode, "reap") == 0)
      reap_round(i);
    else if (strcmp(mode, "any") == 0)
      any_round();
    else
      ignored_round();
  }
}

int main(int argc, char **argv) {
  if (argc != 4)
    return 2;
  if (strcmp(argv[1], "ignored") == 0)
    signal(SIGCHLD, SIG_IGN);
  rounds(argv[1], atoi(argv[2]));
  report("before");
  rounds(argv[1], atoi(argv[3]));
  report("after");
  return 0;
}

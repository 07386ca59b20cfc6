/* SPDX-License-Identifier: MIT */
/* posix_spawn and posix_spawnp: attributes, file actions, failures, and the difference between their two versions. */
#define _GNU_SOURCE
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;
typedef int spawn_fn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                     char *const[], char *const[]);

#if defined __x86_64__ && defined __GLIBC__
spawn_fn old_posix_spawn, old_posix_spawnp;
__asm__(".symver old_posix_spawn,posix_spawn@GLIBC_2.2.5");
__asm__(".symver old_posix_spawnp,posix_spawnp@GLIBC_2.2.5");
#else
#define old_posix_spawn posix_spawn
#define old_posix_spawnp posix_spawnp
#endif

static spawn_fn *const functions[] = {posix_spawn, posix_spawnp, old_posix_spawn, old_posix_spawnp};
static const char *const names[] = {"posix_spawn", "posix_spawnp", "old posix_spawn", "old posix_spawnp"};
enum { FUNCTIONS = 4 };

/* Notes the result of a spawn, how its child ended, and that there is nothing else to wait for. */
static void conclude(const char *what, int error, const pid_t *pid) {
  int status = 0;
  note("%s: %s, errno %s, pid %s", what, errno_text(error), errno_text(errno), *pid == -5 ? "untouched" : "set");
  if (error == 0) {
    MUST(waitpid(*pid, &status, 0) == *pid);
    note("  %s", status_text(status));
  }
  errno = UNTOUCHED;
  pid_t got = waitpid(-1, NULL, WNOHANG);
  note("  nothing left: %s", wait_text(got, 0));
}

static void plain(void) {
  char *const argv[] = {"sh", "-c", "exit 6", NULL};
  for (int f = 0; f < FUNCTIONS; f++) {
    pid_t pid = -5;
    errno = UNTOUCHED;
    int error = functions[f](&pid, f % 2 ? "sh" : "/bin/sh", NULL, NULL, argv, environ);
    conclude(names[f], error, &pid);
    errno = UNTOUCHED;
    error = functions[f](NULL, f % 2 ? "sh" : "/bin/sh", NULL, NULL, argv, environ);
    int status = 0;
    note("no pid wanted: %s, errno %s", errno_text(error), errno_text(errno));
    MUST(wait(&status) > 0);
    note("  %s", status_text(status));
  }
}

static void failures(void) {
  char *const argv[] = {"x", NULL};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, 987, 1);
  for (int f = 0; f < FUNCTIONS; f++) {
    pid_t pid = -5;
    errno = UNTOUCHED;
    conclude("missing", functions[f](&pid, "/nonexistent/x", NULL, NULL, argv, environ), &pid);
    pid = -5;
    errno = UNTOUCHED;
    conclude("no such name", functions[f](&pid, "no-such-program-here", NULL, NULL, argv, environ), &pid);
    pid = -5;
    errno = UNTOUCHED;
    conclude("a directory", functions[f](&pid, "/tmp", NULL, NULL, argv, environ), &pid);
    pid = -5;
    errno = UNTOUCHED;
    conclude("bad action", functions[f](&pid, "/bin/true", &actions, NULL, argv, environ), &pid);
    errno = UNTOUCHED;
    int error = functions[f](NULL, "/nonexistent/x", NULL, NULL, argv, environ);
    note("no pid wanted: %s", errno_text(error));
  }
  posix_spawn_file_actions_destroy(&actions);
  /* After failures the program can still signal a living child. */
  pid_t living = fork_pausing();
  for (int i = 0; i < 100; i++)
    posix_spawn(NULL, "/nonexistent/x", NULL, NULL, argv, environ);
  note("living: %d", kill_ok(living, 0));
  finish(living);
}

/* A script without #!. The version of GLIBC_2.2.5 hands it to the shell, the later one fails with ENOEXEC. */
static void script_without_interpreter(void) {
  char path[] = "/tmp/pidguard-script-XXXXXX";
  int fd = mkstemp(path);
  MUST(fd >= 0 && write(fd, "exit 9\n", 7) == 7 && fchmod(fd, 0700) == 0 && close(fd) == 0);
  char *const argv[] = {"script", NULL};
  for (int f = 0; f < FUNCTIONS; f++) {
    pid_t pid = -5;
    errno = UNTOUCHED;
    conclude(names[f], functions[f](&pid, path, NULL, NULL, argv, environ), &pid);
  }
  unlink(path);
}

static pid_t spawn_shell(const char *script, short flags, posix_spawnattr_t *attributes,
                         posix_spawn_file_actions_t *actions) {
  char *const argv[] = {"sh", "-c", (char *)script, NULL};
  pid_t pid = -5;
  if (attributes)
    MUST(posix_spawnattr_setflags(attributes, flags) == 0);
  int error = posix_spawn(&pid, "/bin/sh", actions, attributes, argv, environ);
  if (error) /* a success is not noted, because the child prints as well and may be first */
    note("spawn: %s", errno_text(error));
  return error ? 0 : pid;
}

static void spawn_and_conclude(const char *script, short flags, posix_spawnattr_t *attributes) {
  pid_t pid = spawn_shell(script, flags, attributes, NULL);
  int status = 0;
  MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
  note("  %s", status_text(status));
}

static void attributes(void) {
  posix_spawnattr_t a;
  sigset_t set;
  struct sched_param parameter = {.sched_priority = 0};
  posix_spawnattr_init(&a);

  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  posix_spawnattr_setsigmask(&a, &set);
  spawn_and_conclude("grep SigBlk /proc/self/status; kill -TERM $$; exit 2", POSIX_SPAWN_SETSIGMASK, &a);

  signal(SIGUSR1, SIG_IGN);
  spawn_and_conclude("kill -USR1 $$; exit 3", 0, &a);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  posix_spawnattr_setsigdefault(&a, &set);
  spawn_and_conclude("kill -USR1 $$; exit 3", POSIX_SPAWN_SETSIGDEF, &a);

  posix_spawnattr_setpgroup(&a, 0);
  const char *leads = "set -- $(cat /proc/$$/stat); test $5 = $$";
  spawn_and_conclude(leads, POSIX_SPAWN_SETPGROUP, &a);
  posix_spawnattr_setpgroup(&a, getpgrp());
  spawn_and_conclude(leads, POSIX_SPAWN_SETPGROUP, &a);
  spawn_and_conclude("set -- $(cat /proc/$$/stat); test $6 = $$", POSIX_SPAWN_SETSID, &a);
  spawn_and_conclude("exit 4", POSIX_SPAWN_RESETIDS, &a);
  posix_spawnattr_setschedpolicy(&a, SCHED_BATCH);
  posix_spawnattr_setschedparam(&a, &parameter);
  spawn_and_conclude("set -- $(cat /proc/$$/stat); shift 40; exit $1", POSIX_SPAWN_SETSCHEDULER, &a);
  spawn_and_conclude("exit 5", POSIX_SPAWN_USEVFORK, &a);
  posix_spawnattr_destroy(&a);
}

static void file_actions(void) {
  char path[] = "/tmp/pidguard-spawn-XXXXXX", text[64] = "";
  int fd = mkstemp(path);
  MUST(fd >= 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 7, path, O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, 7, 1);
  posix_spawn_file_actions_addclose(&actions, 7);
  posix_spawn_file_actions_addclose(&actions, 765); /* never open: no error */
  posix_spawn_file_actions_addchdir_np(&actions, "/");
  pid_t pid = spawn_shell("pwd; ls /proc/self/fd | tr '\\n' ' '", 0, NULL, &actions);
  int status;
  MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
  MUST(read(fd, text, sizeof text - 1) > 0);
  note("%s: %s", status_text(status), text);
  posix_spawn_file_actions_destroy(&actions);
  close(fd);
  unlink(path);
}

/* A spawned child has only the descriptors that the program gave it, however many children there are. */
static void descriptors_of_the_spawned(void) {
  pid_t living[5];
  for (int i = 0; i < 5; i++)
    living[i] = fork_pausing();
  pid_t pid = spawn_shell("ls /proc/self/fd | tr '\\n' ' '; echo", 0, NULL, NULL);
  MUST(pid > 1 && waitpid(pid, NULL, 0) == pid);
  note("system: %d", system("ls /proc/self/fd | tr '\\n' ' '; echo"));
  for (int i = 0; i < 5; i++)
    finish(living[i]);
}

/* system() and popen() wait for a child of libc's. The program's own children stay its own. */
static void inside_libc(void) {
  pid_t pid = fork_exiting(8), living = fork_pausing();
  await_zombie(pid);
  errno = UNTOUCHED;
  note("system: %s", status_text(system("exit 3")));
  FILE *pipe = popen("echo hello; exit 4", "r");
  char line[32] = "";
  MUST(pipe && fgets(line, sizeof line, pipe));
  note("popen: %s %s", strtok(line, "\n"), status_text(pclose(pipe)));
  note("errno %s", errno_text(errno));
  int status;
  MUST(waitpid(-1, &status, 0) == pid);
  note("ours: %s", status_text(status));
  note("living: %d", kill_ok(living, SIGTERM));
  MUST(waitpid(living, &status, 0) == living);
  errno = UNTOUCHED;
  pid_t got = wait(NULL);
  note("nothing left: %s", wait_text(got, 0));
}

const struct test_case cases[] = {
    {"plain", plain},
    {"failures", failures},
    {"script-without-interpreter", script_without_interpreter},
    {"attributes", attributes},
    {"file-actions", file_actions},
    {"descriptors-of-the-spawned", descriptors_of_the_spawned},
    {"inside-libc", inside_libc},
    {NULL, NULL},
};

/* SPDX-License-Identifier: MIT */
/* What waits report: statuses of every kind, every option, NULL and bad pointers, rusage. */
#define _GNU_SOURCE
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIDFD_ID ((idtype_t)3)

/* The forms of wait for one child that can take options; `form` counts them. */
enum { FORMS = 6 };
static pid_t wait_form(int form, pid_t pid, int *status, int options) {
  struct rusage usage;
  switch (form) {
  case 0:
    return waitpid(pid, status, options);
  case 1:
    return waitpid(-1, status, options);
  case 2:
    return waitpid(0, status, options);
  case 3:
    return wait4(pid, status, options, &usage);
  case 4:
    return wait4(-1, status, options, NULL);
  default:
    return wait3(status, options, &usage);
  }
}

static void exit_codes(void) {
  static const int codes[] = {0, 1, 2, 77, 126, 127, 128, 255, 256 + 5};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    for (int form = 0; form < FORMS; form++) {
      pid_t pid = fork_exiting(codes[i]);
      int status = 0x5a5a;
      errno = UNTOUCHED;
      pid_t got = wait_form(form, pid, &status, 0);
      note("exit %d form %d: %s %s raw %#x", codes[i], form, wait_text(got, pid), status_text(status),
           (unsigned)status);
      errno = UNTOUCHED;
      got = wait_form(form, pid, &status, 0);
      note("  again: %s", wait_text(got, pid));
    }
  pid_t pid = fork_exiting(9);
  int status = 0;
  errno = UNTOUCHED;
  pid_t got = wait(&status);
  note("wait: %s %s", wait_text(got, pid), status_text(status));
}

static void killed(void) {
  static const int signals[] = {SIGHUP, SIGINT, SIGKILL, SIGUSR1, SIGPIPE, SIGALRM, SIGTERM, SIGXCPU, SIGIO, SIGSYS};
  struct rlimit none = {0, 0};
  MUST(setrlimit(RLIMIT_CORE, &none) == 0);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    for (int form = 0; form < FORMS; form++) {
      pid_t pid = fork_pausing();
      int status = 0x5a5a;
      MUST(kill_ok(pid, signals[i]) == 0);
      pid_t got = wait_form(form, pid, &status, 0);
      note("signal %d form %d: %d %s", signals[i], form, got == pid, status_text(status));
    }
  for (int rt = 0; rt < 2; rt++) {
    pid_t pid = fork_pausing();
    int status, sig = rt ? SIGRTMAX : SIGRTMIN;
    MUST(kill_ok(pid, sig) == 0 && waitpid(pid, &status, 0) == pid);
    note("real-time: %d", WIFSIGNALED(status) && WTERMSIG(status) == sig);
  }
}

static void core_dumped(void) {
  char directory[] = "/tmp/pidguard-core-XXXXXX", command[64];
  struct rlimit all;
  MUST(mkdtemp(directory) && chdir(directory) == 0);
  MUST(getrlimit(RLIMIT_CORE, &all) == 0);
  all.rlim_cur = all.rlim_max;
  MUST(setrlimit(RLIMIT_CORE, &all) == 0);
  for (int form = 0; form < 4; form++) {
    pid_t pid = fork_ok();
    if (pid == 0)
      abort();
    int status = 0;
    siginfo_t info = {.si_pid = -1};
    if (form < 3) {
      MUST(wait_form(form, pid, &status, 0) == pid);
      note("form %d: %s", form, status_text(status));
    } else {
      MUST(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0);
      note("waitid: %s", siginfo_text(&info, pid));
    }
  }
  MUST(chdir("/") == 0);
  snprintf(command, sizeof command, "rm -rf %s", directory);
  MUST(system(command) == 0);
}

static void stopped(void) {
  for (int form = 0; form < FORMS; form++) {
    pid_t pid = fork_pausing();
    int status = 0x5a5a;
    MUST(kill_ok(pid, SIGSTOP) == 0);
    pid_t got = wait_form(form, pid, &status, WUNTRACED);
    note("form %d: %d %s", form, got == pid, status_text(status));
    errno = UNTOUCHED;
    got = wait_form(form, pid, &status, WUNTRACED | WNOHANG);
    note("  told once: %s", wait_text(got, pid));
    MUST(kill_ok(pid, SIGCONT) == 0);
    got = wait_form(form, pid, &status, WCONTINUED);
    note("  %d %s", got == pid, status_text(status));
    errno = UNTOUCHED;
    got = wait_form(form, pid, &status, WCONTINUED | WUNTRACED | WNOHANG);
    note("  told once: %s", wait_text(got, pid));
    MUST(kill_ok(pid, SIGSTOP) == 0);
    siginfo_t info = {.si_pid = -1};
    MUST(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT) == 0);
    note("  waitid: %s", siginfo_text(&info, pid));
    got = wait_form(form, pid, &status, WNOHANG);
    note("  not asked for: %s", wait_text(got, pid));
    MUST(kill_ok(pid, SIGTERM) == 0 && kill_ok(pid, SIGCONT) == 0);
    got = wait_form(form, pid, &status, WUNTRACED);
    note("  end: %d %s", got == pid, status_text(status));
  }
}

static void null_status(void) {
  for (int form = 0; form < FORMS; form++) {
    pid_t pid = fork_exiting(3);
    errno = UNTOUCHED;
    pid_t got = wait_form(form, pid, NULL, 0);
    note("form %d: %s", form, wait_text(got, pid));
  }
  pid_t pid = fork_exiting(3);
  errno = UNTOUCHED;
  pid_t got = wait(NULL);
  note("wait: %s", wait_text(got, pid));
  pid = fork_exiting(3);
  errno = UNTOUCHED;
  int result = waitid(P_PID, (id_t)pid, NULL, WEXITED);
  note("waitid: %s", call_text(result));
  got = waitpid(pid, NULL, 0);
  note("  again: %s", wait_text(got, pid));
  pid = fork_exiting(3);
  got = wait4(pid, NULL, 0, NULL);
  note("wait4: %d", got == pid);
}

static void bad_pointers(void) {
  if (sizeof(void *) == 4)
    skip("libc itself writes the usage of resources here");
  int *status = (int *)(uintptr_t)8;
  siginfo_t *info = (siginfo_t *)(uintptr_t)8;
  struct rusage *usage = (struct rusage *)(uintptr_t)8;
  for (int what = 0; what < 5; what++) {
    pid_t pid = fork_exiting(3);
    pid_t got;
    await_zombie(pid);
    errno = UNTOUCHED;
    switch (what) {
    case 0:
      got = waitpid(pid, status, 0);
      break;
    case 1:
      got = waitpid(-1, status, 0);
      break;
    case 2:
      got = wait4(pid, NULL, 0, usage);
      break;
    case 3:
      got = wait4(-1, NULL, 0, usage);
      break;
    default:
      got = waitid(P_PID, (id_t)pid, info, WEXITED);
      break;
    }
    note("%d: %s", what, wait_text(got, pid));
    got = waitpid(pid, NULL, 0);
    note("  then: %s", wait_text(got, pid));
  }
}

/* Every combination of option bits, valid or not, in three situations. WNOHANG keeps a wait from blocking if needed. */
static void options_of_wait4(void) {
  static const unsigned bits[] = {WNOHANG, WUNTRACED, WEXITED,     WCONTINUED, 0x10u,
                                  WNOWAIT, __WALL,    __WNOTHREAD, __WCLONE};
  enum { BITS = sizeof bits / sizeof *bits };
  for (unsigned set = 0; set < 1u << BITS; set++) {
    unsigned options = 0;
    for (unsigned i = 0; i < BITS; i++)
      options |= set >> i & 1 ? bits[i] : 0;
    int status = 0x5a5a;
    errno = UNTOUCHED;
    pid_t got = waitpid(-1, &status, (int)options);
    note("none %#x: %s %#x", options, wait_text(got, -2), (unsigned)status);
  }
  pid_t living = fork_pausing();
  for (unsigned set = 0; set < 1u << BITS; set++) {
    unsigned options = WNOHANG;
    for (unsigned i = 1; i < BITS; i++)
      options |= set >> i & 1 ? bits[i] : 0;
    for (int form = 0; form < 2; form++) {
      int status = 0x5a5a;
      errno = UNTOUCHED;
      pid_t got = wait_form(form, living, &status, (int)options);
      note("living %#x form %d: %s %#x", options, form, wait_text(got, living), (unsigned)status);
    }
  }
  finish(living);
  for (unsigned set = 0; set < 1u << BITS; set += 3) {
    unsigned options = WNOHANG;
    for (unsigned i = 0; i < BITS; i++)
      options |= set >> i & 1 ? bits[i] : 0;
    pid_t pid = fork_exiting(5);
    await_zombie(pid);
    int status = 0x5a5a;
    errno = UNTOUCHED;
    pid_t got = waitpid(pid, &status, (int)options);
    note("zombie %#x: %s %#x", options, wait_text(got, pid), (unsigned)status);
    waitpid(pid, NULL, __WALL);
  }
}

static void options_of_waitid(void) {
  static const unsigned bits[] = {WNOHANG, WSTOPPED, WEXITED, WCONTINUED, WNOWAIT, __WALL, 0x10u};
  static const struct {
    const char *name;
    idtype_t type;
  } types[] = {{"P_PID", P_PID}, {"P_ALL", P_ALL}, {"P_PGID", P_PGID}, {"P_PIDFD", PIDFD_ID}, {"99", (idtype_t)99}};
  enum { BITS = sizeof bits / sizeof *bits };
  for (unsigned state = 0; state < 3; state++) /* living, stopped, zombie */
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
      pid_t pid = 0;
      int pidfd = -1;
      for (unsigned set = 0; set < 1u << BITS; set++) {
        unsigned options = WNOHANG;
        for (unsigned i = 0; i < BITS; i++)
          options |= set >> i & 1 ? bits[i] : 0;
        if (pid == 0) {
          pid = state == 2 ? fork_exiting(6) : fork_pausing();
          setpgid(pid, pid);
          pidfd = (int)syscall(434 /* pidfd_open */, pid, 0);
          if (pidfd < 0)
            skip("this kernel has no pidfd_open");
          if (state == 1) {
            siginfo_t info;
            MUST(kill_ok(pid, SIGSTOP) == 0 && waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT) == 0);
          }
          if (state == 2)
            await_zombie(pid);
        }
        siginfo_t info;
        memset(&info, 0x5a, sizeof info);
        errno = UNTOUCHED;
        id_t id = types[t].type == PIDFD_ID ? (id_t)pidfd : (id_t)pid;
        int result = waitid(types[t].type, id, &info, (int)options);
        note("%u %s %#x: %s %s", state, types[t].name, options, call_text(result), siginfo_text(&info, pid));
        if (state == 2 && result == 0 && info.si_pid == pid && !(options & WNOWAIT)) {
          close(pidfd); /* reaped: the next round needs a new one */
          pid = 0;
        }
      }
      if (pid) {
        close(pidfd);
        if (state != 2)
          kill_ok(pid, SIGKILL);
        waitpid(pid, NULL, __WALL);
      }
    }
}

static void pidfd_ids(void) {
  pid_t pid = fork_exiting(4);
  await_zombie(pid);
  siginfo_t info;
  static const int ids[] = {-1, 0, 12345};
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    errno = UNTOUCHED;
    int result = waitid(PIDFD_ID, (id_t)ids[i], &info, WEXITED | WNOHANG);
    note("id %d: %s", ids[i], call_text(result));
  }
  int own = (int)syscall(434 /* pidfd_open */, getpid(), 0);
  errno = UNTOUCHED;
  int result = waitid(PIDFD_ID, (id_t)own, &info, WEXITED | WNOHANG);
  note("own: %s", call_text(result));
  pid_t living = fork_pausing();
  int nonblocking = (int)syscall(434 /* pidfd_open */, living, O_NONBLOCK);
  if (nonblocking >= 0) {
    errno = UNTOUCHED;
    result = waitid(PIDFD_ID, (id_t)nonblocking, &info, WEXITED);
    note("non-blocking: %s", call_text(result));
  }
  finish(living);
  MUST(waitpid(pid, NULL, 0) == pid);
}

/* The kernel sets the unused fields of rusage to 0, says getrusage(2). ru_ixrss stands for them here. */
static void usage_of_child(void) {
  struct rusage before, after, usage;
  for (int form = 0; form < 3; form++) {
    MUST(getrusage(RUSAGE_CHILDREN, &before) == 0);
    pid_t pid = fork_ok();
    if (pid == 0) {
      do
        getrusage(RUSAGE_SELF, &usage);
      while (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec < 20000 && usage.ru_utime.tv_sec == 0);
      _exit(0);
    }
    memset(&usage, 0x5a, sizeof usage);
    int status;
    pid_t got = form == 0 ? wait3(&status, 0, &usage) : wait4(form == 1 ? pid : -1, &status, 0, &usage);
    MUST(got == pid);
    long spent =
        (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    MUST(getrusage(RUSAGE_CHILDREN, &after) == 0);
    long grown =
        (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
        after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec;
    note("form %d: plausible %d, added up %d, memory %d, ixrss %ld", form,
         spent >= 20000 && spent<5000000, grown >= spent - 2000, usage.ru_maxrss> 100 && usage.ru_maxrss < 10000000,
         usage.ru_ixrss);
  }
  pid_t pid = fork_pausing();
  const long untouched = (long)0x5a5a5a5a5a5a5a5aULL;
  memset(&usage, 0x5a, sizeof usage);
  pid_t got = wait4(pid, NULL, WNOHANG, &usage);
  note("nothing to report: %d, rusage untouched %d", (int)got, usage.ru_maxrss == untouched);
  finish(pid);
  memset(&usage, 0x5a, sizeof usage);
  got = wait4(pid, NULL, 0, &usage);
  note("error: %s, rusage untouched %d", wait_text(got, pid), usage.ru_maxrss == untouched);
  /* waitid() reaps this child and has no rusage in libc. The sum must grow all the same. */
  MUST(getrusage(RUSAGE_CHILDREN, &before) == 0);
  pid = fork_exiting(0);
  siginfo_t info;
  MUST(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0 && getrusage(RUSAGE_CHILDREN, &after) == 0);
  note("faults counted: %d", after.ru_minflt > before.ru_minflt);
}

const struct test_case cases[] = {
    {"exit-codes", exit_codes},
    {"killed", killed},
    {"core-dumped", core_dumped},
    {"stopped", stopped},
    {"null-status", null_status},
    {"bad-pointers", bad_pointers},
    {"options-of-wait4", options_of_wait4},
    {"options-of-waitid", options_of_waitid},
    {"pidfd-ids", pidfd_ids},
    {"usage-of-child", usage_of_child},
    {NULL, NULL},
};

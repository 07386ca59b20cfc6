/* SPDX-License-Identifier: MIT */
/* stale MAKE REAP SEND: makes a child, has it reaped, says "ready PID" and waits for a line. Then it signals the PID
 * that it still remembers, and says "result RETURN ERRNO". The classes of bugs of real programs come down to this.
 * `stale --child FD` is the child after an exec. `stale --resume ...` goes on after the program has exec'd itself. */
#define _GNU_SOURCE
#include "stale.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct scenario scenario = {.child = -1, .child_pidfd = -1};

void fail(const char *what) {
  say("failed %s/%s/%s: %s: %s\n", scenario.make, scenario.reap, scenario.send, what, strerror(errno));
  _exit(2);
}

void be_child(void) {
  char byte;
  if (scenario.leader)
    setpgid(0, 0);
  if (scenario.hold && read(scenario.gate[0], &byte, 1) != 1)
    _exit(99);
  _exit(CHILD_STATUS);
}

static int child_after_exec(int gate) {
  char byte;
  if (gate >= 0 && read(gate, &byte, 1) != 1)
    return 99;
  return CHILD_STATUS;
}

static bool one_of(const char *word, const char *list) {
  size_t length = strlen(word);
  for (const char *at = list; (at = strstr(at, word)); at += length)
    if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
      return true;
  return false;
}

static void at_exit(void) {
  int error, result = send_stale(&error);
  say("result %d %d\n", result, error);
}

void reap_and_send(void) {
  if (scenario.leader && setpgid(scenario.child, scenario.child) != 0) {
    /* EACCES: the child has exec'd; EPERM: it leads a session; ESRCH: it is reaped already. It is a leader by then. */
  }
  if (strcmp(scenario.reap, "waitid-pidfd") == 0)
    scenario.child_pidfd = (int)syscall(434 /* pidfd_open */, scenario.child, 0);
  prepare_reap_late();
  if (scenario.hold && write(scenario.gate[1], "", 1) != 1)
    fail("gate");
  reap_child();
  end_members();

  say("ready %d\n", (int)scenario.child);
  char line[16];
  if (read(STDIN_FILENO, line, sizeof line) <= 0)
    fail("go");
  if (strcmp(scenario.send, "atexit") == 0) {
    atexit(at_exit);
    exit(0);
  }
  at_exit();
  exit(0);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--child") == 0)
    return child_after_exec(atoi(argv[2]));
  bool resumed = argc == 8 && strcmp(argv[1], "--resume") == 0;
  if (!resumed && argc != 4)
    return 2;
  char **way = resumed ? argv + 5 : argv + 1;
  scenario.make = way[0];
  scenario.reap = way[1];
  scenario.send = way[2];
  scenario.leader = strstr(scenario.send, "-group") || strcmp(scenario.send, "killpg") == 0 ||
                    one_of(scenario.reap, "waitpid-group waitid-pgid");
  scenario.hold = !one_of(scenario.make, "vfork clone-vfork");
  scenario.wall = one_of(scenario.make, "clone-urg clone-silent clone-urg-then-exec");
  prepare_reap();
  if (resumed) {
    scenario.child = atoi(argv[2]);
    scenario.gate[0] = atoi(argv[3]);
    scenario.gate[1] = atoi(argv[4]);
  } else {
    if (pipe(scenario.gate) != 0)
      fail("pipe");
    make_child();
  }
  if (scenario.child <= 1)
    fail(scenario.make);
  reap_and_send();
}

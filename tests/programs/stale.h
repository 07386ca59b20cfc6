/* SPDX-License-Identifier: MIT */
/* The parts of the program `stale`: ways to make a child, to have it reaped, and to signal its PID afterwards. An
 * ordinary program: it knows nothing of pidguard and is not linked with it. */
#ifndef STALE_H
#define STALE_H

#include "say.h"

#include <stdbool.h>
#include <sys/types.h>

#define CHILD_STATUS 7 /* every child exits with it, so that a wait can tell that it got the right one */

/* The parts of a scenario. Children read one byte from `gate` before they exit, if they can be held. */
struct scenario {
  const char *make, *reap, *send;
  bool leader; /* the child becomes leader of its own process group */
  bool hold;   /* the child waits at the gate */
  bool wall;   /* the child does not die with SIGCHLD, so waits need __WALL */
  int gate[2];
  pid_t child;
  int child_pidfd; /* a pidfd of the program's own, for waitid(P_PIDFD) */
};

extern struct scenario scenario;

/* stale.c: plays the rest of the scenario in the calling thread. */
void reap_and_send(void) __attribute__((noreturn));

/* stale_make.c: makes the child and stores its PID. May return in another process than it was called in. */
void make_child(void);
/* The child's end. Safe in a vfork child. */
void be_child(void) __attribute__((noreturn));

/* Ends the processes that are left in the child's group after the reaping. */
void end_members(void);

/* stale_reap.c: sets up what is needed before the child is made, and after it. Then reaps the child. */
void prepare_reap(void);
void prepare_reap_late(void);
void reap_child(void);

/* stale_send.c: sends SIGTERM (or signal 0) to the stale PID. Gives the result and errno of the call. */
int send_stale(int *error);

/* stale_other.c: makes one of the other calls that touch the PID. Returns 0, or -1 with errno. */
int touch_stale(const char *how);

void fail(const char *what) __attribute__((noreturn)); /* prints it with errno, exits 2 */

#endif

/* SPDX-License-Identifier: MIT */
/* The parts of the program `stale`: ways to make a child, to have it reaped, and to signal its number afterwards.
 * An ordinary program: it knows nothing of pidguard and is not linked with it. */
#ifndef STALE_H
#define STALE_H

#include "say.h"

#include <stdbool.h>
#include <sys/types.h>

#define CHILD_STATUS 7 /* every child exits with it, so that a wait can tell that it got the right one */

/* What a scenario is made of. Children read one byte from `gate` before they exit, where they can be held. */
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

/* stale.c: the rest of the scenario, in whichever thread the child was made. */
void reap_and_send(void) __attribute__((noreturn));

/* stale_make.c: makes the child, stores its PID. May return in another process than it was called in. */
void make_child(void);
/* The child's end. Safe in a vfork child. */
void be_child(void) __attribute__((noreturn));

/* After the reaping: who was left in the child's group is ended. */
void end_members(void);

/* stale_reap.c: what must be set up before the child is made, and after; then the reaping itself. */
void prepare_reap(void);
void prepare_reap_late(void);
void reap_child(void);

/* stale_send.c: sends SIGTERM (or signal 0) to the stale number; the result and errno of the call. */
int send_stale(int *error);

/* stale_other.c: every other call that touches it; 0 or -1 with errno. */
int touch_stale(const char *how);

void fail(const char *what) __attribute__((noreturn)); /* prints it with errno, exits 2 */

#endif

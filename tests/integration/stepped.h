/* SPDX-License-Identifier: MIT */
/* What the test of interrupted operations (stepped.c) asks of its tracer (stepped_tracer.c). */
#ifndef STEPPED_H
#define STEPPED_H

#include <stdint.h>
#include <sys/types.h>

enum { STEPPED_PAST = 1 }; /* the operation is over and has no such position */

/* The place of a process when the signal came: an offset in the file of the object. */
struct stepped_place {
  uint64_t offset;
  long count; /* instructions in the object that were executed before */
};

/* Can processes be stepped here? Returns NULL, or why not. */
const char *stepped_why_not(void);

/* Attaches to a process that waits for a line. What it does after that line is stepped. Returns 0 or -errno. */
int stepped_attach(pid_t pid);

/* Lets the process run to its first mark, and then one instruction at a time. Before the instruction number `position`
 * in the object (counted from 0) it sends SIGUSR1 and lets the process go for good. Returns 0; STEPPED_PAST at the
 * second mark, without a signal; or -errno: -ESRCH if the process ended before, -ETIME. */
int stepped_signal_at(pid_t pid, const char *object, long position, struct stepped_place *ret);

#endif

/* SPDX-License-Identifier: MIT */
/* What the test of interrupted operations (stepped.c) asks of its tracer (stepped_tracer.c). */
#ifndef STEPPED_H
#define STEPPED_H

#include <stdint.h>
#include <sys/types.h>

enum { STEPPED_PAST = 1 }; /* the operation is over: it has no such position */

/* Where a process was when the signal came: an offset in the file of the object. */
struct stepped_place {
  uint64_t offset;
  long count; /* instructions in the object that were executed before */
};

/* Can processes be traced here? 0 or -errno. */
int stepped_probe(void);

/* Attaches to a process that waits for a line; what it does after that line is stepped. 0 or -errno. */
int stepped_attach(pid_t pid);

/* Lets it run to its first mark, then one instruction at a time, until it is before that which is, from 0, number
 * `position` of those in the object; sends SIGUSR1 there and lets it go for good. 0, STEPPED_PAST (without a signal, at
 * the second mark), or -errno: -ESRCH it ended before, -ETIME. */
int stepped_signal_at(pid_t pid, const char *object, long position, struct stepped_place *ret);

#endif

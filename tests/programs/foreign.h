/* SPDX-License-Identifier: MIT */
/* Descriptors that the program finds in /proc/self/fd and never opened. They are pidfds that other code in its process
 * opened. */
#ifndef FOREIGN_H
#define FOREIGN_H

#include <sys/types.h>

#define FOREIGN_MAX 512

/* Makes it worthwhile to keep a pidfd of each of these children. Each child leads a process group, and the program
 * signals it again and again. Call this before foreign_find(). */
void foreign_invite(const pid_t *children, int count);

/* Lists them in ascending order, and notes how many there were for the driver: "?foreign N" is no part of the trace.
 * The program's own pidfds are those from own_first to own_last; -1 means that it has none. */
int foreign_find(int numbers[FOREIGN_MAX], int own_first, int own_last);

#endif

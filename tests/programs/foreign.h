/* SPDX-License-Identifier: MIT */
/* Descriptors that the program finds in /proc/self/fd and never opened: pidfds of somebody else in its process. */
#ifndef FOREIGN_H
#define FOREIGN_H

#include <sys/types.h>

#define FOREIGN_MAX 512

/* Lists them in ascending order and tells the test driver how many there were: in a line that begins with '?', which is
 * no part of the trace. The program's own pidfds are those from own_first to own_last (-1: none). */
/* Makes it worthwhile to keep a pidfd of each of these children: it leads a process group, and is asked about again and
 * again. Before foreign_find(). */
void foreign_invite(const pid_t *children, int count);

int foreign_find(int numbers[FOREIGN_MAX], int own_first, int own_last);

#endif

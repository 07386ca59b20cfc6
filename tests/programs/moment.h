/* SPDX-License-Identifier: MIT */
/* A moment in the life of a process. MOMENT=WHEN:WHAT in the environment names it, and what is done when it comes. */
#ifndef MOMENT_H
#define MOMENT_H

/* Does WHAT if `when` is WHEN. It does nothing for any other WHAT than these:
 *     same     makes every call that the shim stands in front of, and prints what came out
 *     stale    makes a child, reaps it, says "ready PID", reads a line, signals the PID, says "result RETURN ERRNO"
 *     bare     makes all those calls that a library's resolver can make
 *     refused  makes the others
 *     joined   makes those that "same" leaves out, in a thread that it waits for, as it may be in a constructor
 *     born     makes a child that exits, and leaves its PID in moment_child */
void moment(const char *when) __attribute__((visibility("hidden")));
extern int moment_child __attribute__((visibility("hidden")));

/* A program does this with the PID of a child that a library made. It waits for the child and goes on as "stale"
 * does. */
void moment_stale(int child) __attribute__((visibility("hidden")));

#endif

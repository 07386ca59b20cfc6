/* SPDX-License-Identifier: MIT */
/* A moment in the life of a process: the environment's MOMENT=WHEN:WHAT names one, and what is done when it comes. */
#ifndef MOMENT_H
#define MOMENT_H

/* Does WHAT if `when` is WHEN: "same" makes every call that the shim stands in front of, and prints what came out;
 * "stale" makes a child, has it reaped, says "ready PID", reads a line, signals the number and says "result RETURN
 * ERRNO"; "bare" makes all those that a library's resolver can make, "refused" the others; "joined" makes those
 * that "same" does not make in a thread and waits for it, as it may be in a constructor; "born" makes a child that
 * exits, and tells its number by moment_child. Anything else: nothing. */
void moment(const char *when) __attribute__((visibility("hidden")));
extern int moment_child __attribute__((visibility("hidden")));

/* What a program does with the number of a child that is somebody else's work: waits, then as "stale" goes on. */
void moment_stale(int child) __attribute__((visibility("hidden")));

#endif

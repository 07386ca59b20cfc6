/* SPDX-License-Identifier: MIT */
/* Strangers for a program under test to meet. They are no children of the program. Each has the PID that was asked for
 * (clone3 with set_tid), and counts the signals that it gets. A process beside the program makes them, and runs without
 * any preloaded object. This needs Linux 5.5, and the right to choose PIDs in the pid namespace. */
#ifndef STRANGERS_H
#define STRANGERS_H

#include <sys/types.h>

enum stranger_kind {
  STRANGER_HELD,   /* the program has a pidfd of it, and never signals it */
  STRANGER_NUMBER, /* it has the PID of a child that was reaped, and leads a group of its own */
  STRANGER_KINDS
};

/* main() calls this first. It does not return in the process that makes strangers. */
void strangers_main(int argc, char **argv);
/* Call this before threads are made. It ends the program with status 77 and a reason if strangers cannot be had. */
void strangers_start(void);
/* Makes a stranger with this PID, or with any for 0. Returns its PID, or -errno. Thread-safe, and safe in a handler
 * that does not interrupt another call of these. */
pid_t stranger_take(pid_t pid, enum stranger_kind kind);
/* Ends the stranger. Everything that it got before is in strangers_hit() then. Its death before that is a hit, too. */
void stranger_end(pid_t pid, enum stranger_kind kind);
unsigned strangers_hit(enum stranger_kind kind);
/* The way to the strangers moves to this number, which the program keeps open. */
void strangers_move(int fd);
/* For an exec of the program. These two descriptors survive it, and the new program gives them to
 * strangers_resume(). */
void strangers_survive(int numbers[2]);
void strangers_resume(const int numbers[2]);
/* Ends the process that makes them. */
void strangers_stop(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Strangers for a program under test to meet: processes which are nobody's child there, each with the number that was
 * asked for (clone3 with set_tid), counting the signals that they get. A process beside the program makes them; it runs
 * without any preloaded object. Linux 5.5, and the right to choose numbers in the pid namespace. */
#ifndef STRANGERS_H
#define STRANGERS_H

#include <sys/types.h>

enum stranger_kind {
  STRANGER_HELD,   /* the program has a pidfd of it, and never signals it */
  STRANGER_NUMBER, /* it has the number of a child that was reaped, and leads a group of its own */
  STRANGER_KINDS
};

/* The first thing in main(): in the process that makes strangers it does not return. */
void strangers_main(int argc, char **argv);
/* Before threads are made. Ends the program with status 77 and a reason where strangers cannot be had. */
void strangers_start(void);
/* A stranger with this number, or with any for 0. Its PID, or -errno. Thread-safe, and safe in a handler that does not
 * interrupt another call of these. */
pid_t stranger_take(pid_t pid, enum stranger_kind kind);
/* Ends it. Everything that it got before is in strangers_hit() then; that it died is a hit, too. */
void stranger_end(pid_t pid, enum stranger_kind kind);
unsigned strangers_hit(enum stranger_kind kind);
/* The way to them moves to this number, which the program keeps open. */
void strangers_move(int fd);
/* Through an exec of the program: these two survive it, in the new program they are given to strangers_resume(). */
void strangers_survive(int numbers[2]);
void strangers_resume(const int numbers[2]);
/* Ends the process that makes them. */
void strangers_stop(void);

#endif

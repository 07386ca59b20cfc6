/* SPDX-License-Identifier: MIT */
/* The parts of `interrupted`, a program that does one operation. A signal comes at an instruction that the tracer
 * chooses, and its handler does something. Then the program checks whether everything is as it must be. An ordinary
 * program: it knows nothing of pidguard. It expects what libc alone gives (interrupted_after.c). PIDs of dead children
 * that others have by now are the exception, because only a protected program can tell them apart. */
#ifndef INTERRUPTED_H
#define INTERRUPTED_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* There are few descriptor numbers, so that they are soon used up. The program's own are in the lower half. */
enum { NUMBERS = 64, OWN_NUMBERS = NUMBERS / 2, FEWER_NUMBERS = 48, FIRST_NUMBER = 3 };
/* Exit codes of the operation's child, of the handler's, and of one that is dead from the start. */
enum { CODE_OPERATION = 3, CODE_HANDLER = 7, CODE_ZOMBIE = 9 };

enum kind {
  BIRTH, /* result: the child */
  WAIT,  /* result: the child, status */
  CALL,  /* result: 0 */
};

struct operation {
  const char *name;
  enum kind kind;
  void (*prepare)(void); /* or NULL */
  void (*run)(void);     /* what is interrupted; leaves its result in the scene */
  void (*check)(void);   /* or NULL, if the check of the kind is all */
  bool in_child;         /* all is played in a forked child, where this is the first call */
  bool blocks;           /* until a child dies, so the handler must not take that child away */
};

struct handler {
  const char *name;
  void (*run)(void);
  bool reaps, jumps, closes; /* any child; out of the operation; descriptors that are not its own */
  bool fills;                /* descriptor numbers, until the operation is done */
};

extern const struct operation operations[]; /* end with a name of NULL */
extern const struct handler handlers[];

extern struct scene {
  const struct operation *operation;
  const struct handler *handler;
  bool protected;             /* a stranger has the dead child's PID, and no signal must reach it */
  volatile sig_atomic_t copy; /* this is a forked child, and the children below are its siblings */
  volatile sig_atomic_t handled, jumped;
  sigjmp_buf out;
  pid_t living, other, zombie; /* children; those that are gone are 0 */
  pid_t dead, stranger;        /* a child that is reaped, and the process that has its PID now */
  pid_t born, kept;            /* children of the operation, of the handler */
  pid_t reaped[16];            /* all that the handler reaped */
  int reaped_status[16], reaped_count;
  int descriptors; /* the program's own, before the operation */
  int filled[NUMBERS], filled_count;
  long result;
  int error, status;
} scene;

/* If the condition does not hold, the program says what it saw, and ends with status 1. So does a copy. */
#define MUST(condition, ...)                                                                                           \
  do {                                                                                                                 \
    if (!(condition))                                                                                                  \
      must_failed(#condition, __VA_ARGS__);                                                                            \
  } while (0)
void must_failed(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
void leave(int code) __attribute__((noreturn)); /* at once, and past every wrapper */

/* fork() that must succeed. The first child does nothing until it is killed or its parent dies. */
pid_t make_pausing(void);
pid_t make_exiting(int code);
void pause_for_ever(void) __attribute__((noreturn));
/* Makes a process with this PID that no wrapper sees. Returns 0 if that PID cannot be had. */
pid_t make_stranger(pid_t number);
/* The kernel's own view, past every wrapper. */
void await_zombie(pid_t child);
bool is_own_child(pid_t pid);
bool is_open(int fd);
int count_open(int from, int to);
void set_numbers(int soft_limit);

const int *reaped_by_handler(pid_t pid);                     /* its status, or NULL */
void check_reaped(pid_t child, int status, const char *who); /* waits for it; then kill() refuses its PID */
void check_after(void);
void check_birth(void);
void check_wait(void);

#endif

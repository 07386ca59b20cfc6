/* SPDX-License-Identifier: MIT */
/* The parts of `interrupted`: a program that does one operation, in which a signal comes at an instruction of somebody
 * else's choice, whose handler does something; then it looks whether everything is as it must be. An ordinary program:
 * it knows nothing of pidguard. What is looked at afterwards is what libc alone gives (interrupted_after.c), but for
 * numbers of dead children that others have by now, which only a protected program can tell apart. */
#ifndef INTERRUPTED_H
#define INTERRUPTED_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* Few numbers, so that they are soon used up and looked at: the program's own are in the lower half. */
enum { NUMBERS = 64, OWN_NUMBERS = NUMBERS / 2, FEWER_NUMBERS = 48, FIRST_NUMBER = 3 };
/* Exit codes of children: of the operation, of the handler, of one that is dead from the start. */
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
  void (*check)(void);   /* or NULL: what the kind says is all */
  bool in_child;         /* the whole is played in a forked child: this is its first call there */
  bool blocks;           /* until a child dies: not together with a handler that takes that child away */
};

struct handler {
  const char *name;
  void (*run)(void);
  bool reaps, jumps, closes; /* any child; out of the operation; numbers that are not its own */
};

extern const struct operation operations[]; /* end with a name of NULL */
extern const struct handler handlers[];

extern struct scene {
  const struct operation *operation;
  const struct handler *handler;
  bool protected;             /* the dead child's number has a stranger, whom no signal must reach */
  volatile sig_atomic_t copy; /* this is a forked child: the children below are its siblings */
  volatile sig_atomic_t handled, jumped;
  sigjmp_buf out;
  pid_t living, other, zombie; /* children; those that are gone are 0 */
  pid_t dead, stranger;        /* a child that is reaped, and who has the number now */
  pid_t born, kept;            /* children of the operation, of the handler */
  pid_t reaped[16];            /* by the handler, whoever it was */
  int reaped_status[16], reaped_count;
  int descriptors; /* the program's own, before the operation */
  long result;
  int error, status;
} scene;

/* What must hold: otherwise the program says what it saw, and ends with status 1; a copy as well. */
#define MUST(condition, ...)                                                                                           \
  do {                                                                                                                 \
    if (!(condition))                                                                                                  \
      must_failed(#condition, __VA_ARGS__);                                                                            \
  } while (0)
void must_failed(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
void leave(int code) __attribute__((noreturn)); /* at once, and past every wrapper */

/* fork() that must succeed; a child that does nothing until it is killed or its parent dies. */
pid_t make_pausing(void);
pid_t make_exiting(int code);
void pause_for_ever(void) __attribute__((noreturn));
/* A process that no wrapper saw being made; with this number, or 0 if that cannot be had. */
pid_t make_stranger(pid_t number);
/* The kernel's own view, past every wrapper. */
void await_zombie(pid_t child);
bool is_own_child(pid_t pid);
bool is_open(int fd);
int count_open(int from, int to);
void set_numbers(int soft_limit);

const int *reaped_by_handler(pid_t pid);                     /* its status, or NULL */
void check_reaped(pid_t child, int status, const char *who); /* waits for it; then its number is refused */
void check_after(void);
void check_birth(void);
void check_wait(void);

#endif

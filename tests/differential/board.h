/* SPDX-License-Identifier: MIT */
/* The page that the interpreter processes of one program share with their monitor and the driver. It says which
 * processes exist and which may take its next step, and it holds the text of the program and the trace. It is mapped
 * memory and not a pipe, so that the harness holds no descriptor in the processes under test. Their programs may close
 * everything and count what is open. */
#ifndef PGD_BOARD_H
#define PGD_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

#define PGD_LABELS 64 /* c0 (the root) to c63 */
#define PGD_PIDS 4096 /* PIDs that can have a name; a program in its fresh namespace stays far below */
#define PGD_TRACE_SIZE 262144u
#define PGD_TEXT_SIZE 65536u
#define PGD_MAGIC 0x70676431u
#define PGD_BOARD_FD 3  /* of the monitor, so that every interpreter finds the board as /proc/1/fd/3 */
#define PGD_SCRIPT_FD 4 /* also of the monitor: an executable file without a #! line */

/* These are in linux/futex.h, which musl does not bring along. */
#define PGD_FUTEX_WAIT 0
#define PGD_FUTEX_WAKE 1

enum pgd_state {
  PGD_NONE,     /* not made yet, or making it failed */
  PGD_EXPECTED, /* a process is making it: the monitor must wait */
  PGD_ALIVE,    /* an interpreter, which takes turns */
  PGD_FOREIGN,  /* another program, which runs until it is dead or stopped */
};

struct pgd_entry {
  _Atomic int state;
  _Atomic int pid;
  _Atomic int tid;        /* the thread that takes the steps if it is not the main one, else 0 */
  _Atomic int also;       /* a second process that must be gone before all is quiet (what daemon() leaves), else 0 */
  _Atomic unsigned go;    /* a futex: the monitor counts it up to give a turn */
  _Atomic int ready;      /* the process wants a turn */
  _Atomic uint64_t want;  /* ... for the step with this key */
  _Atomic int in_call;    /* may be blocked in a call, see enum pgd_call */
  _Atomic int in_vfork;   /* the label of the child that it may be suspended for, else 0 */
  _Atomic int own_memory; /* has been through exec and suspends no process any more */
  _Atomic int held_back;  /* signals came while it was suspended: they meet the SIGCHLD of that child in any order */
  _Atomic int forklike;   /* was made by a call that copies memory, so it has page faults of its own */
};

enum pgd_call {
  PGD_CALL_NO,
  PGD_CALL_ONE,  /* only one event can end it: the outcome does not depend on which of two deaths came first */
  PGD_CALL_MANY, /* several events could end it */
  PGD_CALL_PAUSE /* any signal that is handled ends it, and no outcome depends on which */
};

struct pgd_name {
  int16_t label; /* the label + 1, so that zero means no process */
  int16_t sub;
};

struct pgd_board {
  uint32_t magic;
  uint64_t pid_ns;            /* st_ino of the namespace that the program must run in */
  _Atomic unsigned bell;      /* a futex, rung when a process becomes ready */
  _Atomic unsigned round;     /* turns given so far */
  _Atomic unsigned fuzzy;     /* the last round in which two processes changed state at once */
  _Atomic unsigned unordered; /* the last round in which one signal went to several processes */
  _Atomic int subreaper;      /* a process has set PR_SET_CHILD_SUBREAPER */
  struct pgd_entry entry[PGD_LABELS];
  struct pgd_name name[PGD_PIDS];
  _Atomic unsigned trace_len;
  char trace[PGD_TRACE_SIZE];
  char text[PGD_TEXT_SIZE];
};

#endif

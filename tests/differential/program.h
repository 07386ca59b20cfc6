/* SPDX-License-Identifier: MIT */
/* The parts of a random program. One table (program.c) describes every kind of step. It drives the parser, the printer,
 * the generator and the shrinker. So a new kind of step is a row there and a function in the interpreter. */
#ifndef PGD_PROGRAM_H
#define PGD_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PGD_STEPS 320
#define PGD_ARGS 5

enum pgd_op {
  OP_MAKE,
  OP_SPAWN,
  OP_BECOME,
  OP_EXECV,
  OP_THREAD,
  OP_DAEMON,
  OP_EXIT,
  OP_STOP,
  OP_PAUSE,
  OP_KILL,
  OP_KILLPG,
  OP_QUEUE,
  OP_WAIT,
  OP_CANCEL,
  OP_CHLD,
  OP_DISP,
  OP_MASK,
  OP_TAKE,
  OP_SETPGID,
  OP_SETSID,
  OP_GETPGID,
  OP_SUBREAPER,
  OP_OPEN,
  OP_OPENMANY,
  OP_CLOSE,
  OP_DUP,
  OP_DUP2,
  OP_DUP3,
  OP_DUPFD,
  OP_PIPE,
  OP_FDS,
  OP_CLOSE_RANGE,
  OP_CLOSEFROM,
  OP_CLOSEALL,
  OP_SYSTEM,
  OP_POPEN,
  OP_PTRACE,
  OP_BURST,
  OP_TURN,
  OP_BESIDE,
  OP_RUSAGE,
  OP_COUNT
};

enum pgd_arg_kind {
  ARG_NONE,
  ARG_LABEL, /* the name that a step gives to the child that it makes */
  ARG_WORD,  /* one of a list of words */
  ARG_FLAGS, /* any set of a list of words */
  ARG_PID,   /* the PID of a process: c3, self, parent, unknown */
  ARG_WHO,   /* what kill() and waitpid() take: also g3 (the group led by c3), any, zero, intmin */
  ARG_SIG,   /* a word of pgd_signal_words */
  ARG_INT    /* lo..hi */
};

struct pgd_arg_spec {
  const char *name;
  enum pgd_arg_kind kind;
  const char *const *words;
  int lo, hi;
};

/* Where a step may stand. */
#define IN_VFORK 1u  /* in a child that shares its parent's memory */
#define IN_THREAD 2u /* in a thread that is not the main one */

struct pgd_op_spec {
  const char *name;
  bool block;      /* steps in braces follow */
  unsigned weight; /* how often the generator takes it */
  unsigned where;
  struct pgd_arg_spec arg[PGD_ARGS];
};

struct pgd_step {
  int op;
  int end; /* index of the first step after this one and its block */
  int arg[PGD_ARGS];
};

struct pgd_program {
  uint64_t sched; /* decides which ready process gets the next turn, see pgd_rank; 0: the youngest */
  int count;
  struct pgd_step step[PGD_STEPS];
};

/* Values of ARG_PID and ARG_WHO: a label, a label + WHO_GROUP, or one of these. */
enum { WHO_GROUP = 64, WHO_SELF = 128, WHO_PARENT, WHO_UNKNOWN, WHO_ANY, WHO_ZERO, WHO_INTMIN, WHO_END };

enum pgd_how {
  HOW_FORK,
  HOW_UFORK,
  HOW_VFORK,
  HOW_CLONE,
  HOW_CLONE_USR1,
  HOW_CLONE_0,
  HOW_CLONE_VFORK,
  HOW_CLONE_PIDFD,
  HOW_CLONE_SETTID,
  HOW_CLONE_PARENT,
  HOW_RAW,
  HOW_FORKPTY,
  HOW_SPAWN,
  HOW_SPAWNP,
  HOW_SPAWN_OLD,
  HOW_SPAWNP_OLD
};
enum pgd_what { WHAT_TRUE, WHAT_EXIT3, WHAT_KILLED, WHAT_STOPS, WHAT_SCRIPT, WHAT_MISSING };
enum pgd_form { FORM_WAITPID, FORM_WAIT, FORM_WAIT3, FORM_WAIT4, FORM_WAITID, FORM_WAITID_FD };
enum {
  OPT_NOHANG = 1,
  OPT_UNTRACED = 2,
  OPT_EXITED = 4,
  OPT_CONTINUED = 8,
  OPT_NOWAIT = 16,
  OPT_NOTHREAD = 32,
  OPT_WALL = 64,
  OPT_WCLONE = 128,
  OPT_BAD = 256
};
enum { BUF_NULL = 1, BUF_RUSAGE = 2 };
enum { SPAWN_PGROUP = 1, SPAWN_SIGDEF = 2, SPAWN_SIGMASK = 4, SPAWN_ACTIONS = 8 };
enum pgd_chld {
  CHLD_DEFAULT,
  CHLD_HANDLER,
  CHLD_REAPER,
  CHLD_IGNORE,
  CHLD_NOCLDWAIT,
  CHLD_NOCLDWAIT_HANDLER,
  CHLD_NOCLDSTOP,
  CHLD_RESTART
};
enum pgd_disp { DISP_DEFAULT, DISP_IGNORE, DISP_HANDLER, DISP_RESTART, DISP_JUMP };

extern const struct pgd_op_spec pgd_ops[OP_COUNT];
extern const char *const pgd_signal_words[];

/* Returns the real number of a signal word. */
int pgd_signal_number(int word);

/* Counts the words of a list. */
int pgd_word_count(const char *const *words);

/* These append nothing past cap, and always terminate the text. They return the length that they wrote. */
size_t pgd_step_print(const struct pgd_step *step, char *buf, size_t cap);
size_t pgd_program_print(const struct pgd_program *program, bool numbered, char *buf, size_t cap);

/* Returns 0, or the number of the line that is wrong. */
int pgd_program_parse(struct pgd_program *program, const char *text);

/* Fills program from one seed. The same seed gives the same program everywhere. */
void pgd_generate(struct pgd_program *program, uint64_t seed);

/* Makes a program smaller for as long as differs() stays true for it. Gives up after max_tries tries. Returns how many
 * tries it took. */
int pgd_shrink(struct pgd_program *program, bool (*differs)(const struct pgd_program *, void *), void *data,
               int max_tries, int enough);

/* This is splitmix64: small, good enough, and the same everywhere. */
static inline uint64_t pgd_random(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static inline int pgd_below(uint64_t *state, int n) { return (int)(pgd_random(state) % (uint64_t)n); }

/* A number for a step. It covers the process, the kind and the arguments of the step, but not its place. */
static inline uint64_t pgd_step_key(int label, const struct pgd_step *step) {
  uint64_t key = (uint64_t)label << 32 | (step ? (uint64_t)step->op + 1 : 0);
  for (int i = 0; step && i < PGD_ARGS; i++) {
    key ^= (uint64_t)step->arg[i] << 8;
    key = pgd_random(&key);
  }
  return key;
}

/* The ready step with the highest rank is the next one. So the order of two steps stays the same when others are left
 * out. Otherwise the difference would go away with the order, and a program could not be shrunk. */
static inline uint64_t pgd_rank(uint64_t sched, uint64_t key) {
  key ^= sched;
  return pgd_random(&key);
}

#endif

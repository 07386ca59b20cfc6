/* SPDX-License-Identifier: MIT */
/* Random programs. Most of this file does not know what a step does. It only makes the interesting arguments likelier
 * than the absurd ones, so that programs live long enough to do something. But some things happen only after several
 * steps in the right order. A child must be stopped before another process can see it go on, for instance. Chance alone
 * does not find those. So short tales are strewn in, with other steps between theirs. */
#include "program.h"

#include <string.h>

struct making {
  struct pgd_program *program;
  uint64_t random;
  int labels;   /* labels given so far; c0 is the root */
  int kids[64]; /* children of the block that is being made, the youngest last */
  int kids_count;
  int label;      /* the label of the process that runs the block */
  unsigned where; /* IN_VFORK, IN_THREAD */
  int depth;
};

static bool chance(struct making *m, int percent) { return pgd_below(&m->random, 100) < percent; }

/* The PID of some process, mostly of a child. */
static int some_pid(struct making *m) {
  if (m->kids_count > 0 && chance(m, 80))
    return m->kids[m->kids_count - 1 - pgd_below(&m->random, chance(m, 60) ? 1 : m->kids_count)];
  if (chance(m, 50))
    return pgd_below(&m->random, m->labels);
  return WHO_SELF + pgd_below(&m->random, 3);
}

static int some_who(struct making *m, bool wait) {
  int roll = pgd_below(&m->random, 100);
  if (roll < 70)
    return some_pid(m);
  if (roll < 82) {
    int pid = some_pid(m);
    return pid < WHO_GROUP ? pid + WHO_GROUP : pid;
  }
  if (wait)
    return roll < 95 ? WHO_ANY : roll < 99 ? WHO_ZERO : WHO_INTMIN;
  return roll < 90 ? WHO_ZERO : roll < 92 ? WHO_ANY : roll < 94 ? WHO_INTMIN : some_pid(m);
}

/* Programs that kill their root at once show little, so the processes that carry on get gentle signals. */
static int some_signal(struct making *m, int who) {
  static const int gentle[] = {0, 0, 3, 4, 3, 4, 6, 8};
  bool own = who == WHO_SELF || who == WHO_PARENT || who == 0 || who == m->label || who == WHO_ZERO;
  if (own && !chance(m, 8))
    return gentle[pgd_below(&m->random, 8)];
  return pgd_below(&m->random, pgd_word_count(pgd_signal_words));
}

static int some_options(struct making *m, int form) {
  if (chance(m, 6))
    return pgd_below(&m->random, 512);
  int options = 0;
  if (chance(m, 45))
    options |= OPT_NOHANG;
  if (chance(m, 30))
    options |= OPT_UNTRACED;
  if (chance(m, 25))
    options |= OPT_CONTINUED;
  if (chance(m, 12))
    options |= OPT_WALL;
  if (chance(m, 5))
    options |= OPT_WCLONE;
  if (chance(m, 4))
    options |= OPT_NOTHREAD;
  if (form >= FORM_WAITID) {
    if (chance(m, 85))
      options |= OPT_EXITED;
    if (chance(m, 35))
      options |= OPT_NOWAIT;
  }
  return options;
}

static int some_how(struct making *m) {
  static const int plain[] = {HOW_FORK, HOW_FORK, HOW_FORK, HOW_VFORK, HOW_SPAWN, HOW_CLONE, HOW_UFORK};
  if (chance(m, 50))
    return plain[pgd_below(&m->random, 7)];
  return pgd_below(&m->random, HOW_SPAWNP_OLD + 1);
}

static void fill_args(struct making *m, struct pgd_step *s) {
  const struct pgd_op_spec *op = &pgd_ops[s->op];
  for (int i = 0; i < PGD_ARGS && op->arg[i].kind; i++) {
    const struct pgd_arg_spec *spec = &op->arg[i];
    switch (spec->kind) {
    case ARG_LABEL:
      s->arg[i] = m->labels++;
      break;
    case ARG_WORD:
      s->arg[i] = pgd_below(&m->random, pgd_word_count(spec->words));
      break;
    case ARG_FLAGS:
      s->arg[i] = chance(m, 60) ? 0 : pgd_below(&m->random, 1 << pgd_word_count(spec->words));
      break;
    case ARG_PID:
      s->arg[i] = some_pid(m);
      break;
    case ARG_WHO:
      s->arg[i] = some_who(m, s->op == OP_WAIT);
      break;
    case ARG_SIG:
      s->arg[i] = i > 0 ? some_signal(m, s->arg[0]) : pgd_below(&m->random, pgd_word_count(spec->words));
      break;
    default:
      s->arg[i] = spec->lo + pgd_below(&m->random, spec->hi - spec->lo + 1);
    }
  }
  if (s->op == OP_MAKE)
    s->arg[1] = some_how(m);
  if (s->op == OP_WAIT)
    s->arg[2] = some_options(m, s->arg[0]);
  if (s->op == OP_SETPGID && chance(m, 70)) /* often groups that children lead or share with each other */
    s->arg[1] = chance(m, 60) ? s->arg[0] : some_pid(m);
}

static int some_op(struct making *m) {
  unsigned total = 0;
  for (int pass = 0, pick = 0;; pass++) {
    unsigned sum = 0;
    for (int op = 0; op < OP_COUNT; op++) {
      if ((m->where & ~pgd_ops[op].where) || (pgd_ops[op].block && m->depth >= 4))
        continue;
      sum += pgd_ops[op].weight;
      if (pass == 1 && sum > (unsigned)pick)
        return op;
    }
    total = sum;
    pick = pgd_below(&m->random, (int)total);
  }
}

static void make_block(struct making *m, int steps);
static void make_step(struct making *m);

/* Appends a step with these arguments. The order of writes is the same with every compiler. */
static struct pgd_step *append(struct pgd_program *p, int op, int first, int second, int third) {
  struct pgd_step *s = &p->step[p->count];
  p->count++;
  *s = (struct pgd_step){.op = op, .end = p->count, .arg = {first, second, third}};
  return s;
}

/* This leaves room for the ends of tales and blocks that have begun. */
static bool room(const struct making *m) { return m->program->count < PGD_STEPS - 120; }

/* Adds one step of a tale, and sometimes another one after it. */
static void tell(struct making *m, int op, int first, int second, int third) {
  struct pgd_step *s = append(m->program, op, first, second, third);
  if (op == OP_WAIT && chance(m, 20))
    s->arg[3] = pgd_below(&m->random, 4);
  if (chance(m, 25) && room(m))
    make_step(m);
}

/* Adds a wait that may see what the options name; `who` is a value of ARG_WHO. */
static void tell_wait(struct making *m, int who, int options) {
  static const int forms[] = {FORM_WAITPID, FORM_WAITPID, FORM_WAIT4, FORM_WAITID, FORM_WAITID_FD, FORM_WAIT3};
  int form = forms[pgd_below(&m->random, who < WHO_GROUP ? 6 : 4)];
  if (form < FORM_WAITID)
    options &= OPT_NOHANG | OPT_UNTRACED | OPT_CONTINUED | OPT_WALL;
  else if (!(options & (OPT_UNTRACED | OPT_CONTINUED)))
    options |= OPT_EXITED;
  if (chance(m, 30))
    options |= OPT_NOHANG;
  tell(m, OP_WAIT, form, who, options);
}

/* Adds a child that stays until a process ends it. When it gets to act at all, it first signals `victim` (-1: none). */
static int tell_child(struct making *m, int victim, int sig) {
  struct pgd_program *p = m->program;
  int label = m->labels++;
  struct pgd_step *s = append(p, OP_MAKE, label, some_how(m), 0);
  if (s->arg[1] == HOW_VFORK || s->arg[1] == HOW_CLONE_VFORK)
    s->arg[1] = HOW_FORK;
  if (victim >= 0)
    append(p, OP_KILL, victim, sig, 0);
  append(p, OP_PAUSE, 0, 0, 0);
  s->end = p->count;
  if (m->kids_count < 64)
    m->kids[m->kids_count++] = label;
  return label;
}

static void make_tale(struct making *m) {
  enum { TERM = 1, KILL = 2, USR1 = 3, STOP = 5, CONT = 6 };
  int child = tell_child(m, -1, 0), other;
  if (!(m->where & IN_THREAD) && chance(m, 20))
    tell(m, OP_CHLD, pgd_below(&m->random, CHLD_RESTART + 1), 0, 0);
  if (!(m->where & IN_THREAD) && chance(m, 15))
    tell(m, OP_CANCEL, child, pgd_below(&m->random, FORM_WAITID_FD + 1), 0);
  switch (pgd_below(&m->random, 5)) {
  case 0: /* the child is stopped, continued and ended */
    tell(m, OP_KILL, child, STOP, 0);
    tell_wait(m, child, OPT_UNTRACED | (chance(m, 30) ? OPT_NOWAIT : 0));
    tell(m, OP_KILL, child, CONT, 0);
    tell_wait(m, child, OPT_CONTINUED | (chance(m, 30) ? OPT_NOWAIT : 0));
    tell(m, OP_KILL, child, TERM, 0);
    tell_wait(m, child, 0);
    break;
  case 1: /* the child is signalled after it was waited for */
    tell(m, OP_KILL, child, KILL, 0);
    tell_wait(m, child, 0);
    tell(m, chance(m, 70) ? OP_KILL : OP_QUEUE, child, pgd_below(&m->random, 7), 0);
    tell_wait(m, child, 0);
    break;
  case 2: /* the child is looked at, then waited for */
    tell(m, OP_KILL, child, TERM, 0);
    tell_wait(m, chance(m, 70) ? child : WHO_ANY, OPT_NOWAIT);
    if (chance(m, 40))
      tell(m, OP_KILL, child, 0, 0);
    tell_wait(m, chance(m, 50) ? child : WHO_ANY, 0);
    break;
  case 3: /* a group whose leader goes first */
    other = tell_child(m, -1, 0);
    tell(m, OP_SETPGID, child, child, 0);
    tell(m, OP_SETPGID, other, child, 0);
    tell(m, chance(m, 50) ? OP_KILLPG : OP_KILL, child, pgd_below(&m->random, 7), 0);
    tell(m, OP_KILL, child, KILL, 0);
    tell_wait(m, child, 0);
    tell(m, OP_KILLPG, child, pgd_below(&m->random, 7), 0);
    tell(m, OP_KILL, child + WHO_GROUP, TERM, 0);
    tell_wait(m, child + WHO_GROUP, 0);
    break;
  default: /* another child acts while this process waits */
    other = tell_child(m, chance(m, 60) ? child : m->label, chance(m, 50) ? USR1 : 1 + pgd_below(&m->random, 6));
    tell_wait(m, chance(m, 60) ? child : WHO_ANY, pgd_below(&m->random, 32));
    tell(m, OP_KILL, child, CONT, 0);
    tell_wait(m, chance(m, 60) ? child : other, pgd_below(&m->random, 32));
  }
}

static void make_step(struct making *m) {
  struct pgd_program *p = m->program;
  struct pgd_step *s = &p->step[p->count];
  memset(s, 0, sizeof *s);
  s->op = some_op(m);
  if ((s->op == OP_MAKE || s->op == OP_SPAWN) && m->labels >= 40)
    s->op = OP_WAIT;
  fill_args(m, s);
  /* A thread that makes a vfork child would leave its main thread running in the same memory. */
  if (s->op == OP_MAKE && m->where & IN_THREAD && (s->arg[1] == HOW_VFORK || s->arg[1] == HOW_CLONE_VFORK))
    s->arg[1] = HOW_FORK;
  p->count++;
  if (pgd_ops[s->op].block) {
    struct making inner = *m;
    inner.depth++;
    if (s->op == OP_MAKE) {
      inner.label = s->arg[0];
      inner.kids_count = 0;
      inner.where = s->arg[1] == HOW_VFORK || s->arg[1] == HOW_CLONE_VFORK ? IN_VFORK : 0;
    } else if (s->op == OP_BECOME) {
      inner.where = 0;
    } else {
      inner.where |= IN_THREAD;
    }
    make_block(&inner, pgd_below(&m->random, s->op == OP_MAKE ? 6 : 8));
    if (s->op == OP_MAKE && chance(&inner, 25)) /* the child stays until a process ends it */
      append(p, OP_PAUSE, 0, 0, 0);
    m->random = inner.random;
    m->labels = inner.labels;
    if (s->op != OP_MAKE)
      m->kids_count = inner.kids_count, memcpy(m->kids, inner.kids, sizeof m->kids);
  }
  s->end = p->count;
  if ((s->op == OP_MAKE || s->op == OP_SPAWN) && m->kids_count < 64)
    m->kids[m->kids_count++] = s->arg[0];
}

static void make_block(struct making *m, int steps) {
  for (int i = 0; i < steps && room(m); i++) {
    if (!(m->where & IN_VFORK) && m->labels < 40 && chance(m, m->depth ? 6 : 10))
      make_tale(m);
    else
      make_step(m);
  }
}

void pgd_generate(struct pgd_program *program, uint64_t seed) {
  struct making m = {.program = program, .random = seed, .labels = 1};
  memset(program, 0, sizeof *program);
  pgd_random(&m.random);
  program->sched = pgd_random(&m.random) | 1;
  /* Most programs survive the signals that they send each other. */
  if (chance(&m, 80))
    append(program, OP_DISP, 3, DISP_HANDLER, 0);
  if (chance(&m, 80))
    append(program, OP_DISP, 4, chance(&m, 30) ? DISP_JUMP : DISP_RESTART, 0);
  if (chance(&m, 50))
    append(program, OP_CHLD, pgd_below(&m.random, CHLD_RESTART + 1), 0, 0);
  make_block(&m, 5 + pgd_below(&m.random, 25));
}

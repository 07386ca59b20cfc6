/* SPDX-License-Identifier: MIT */
/* Makes a failing program small. It leaves steps out (a step goes with its block) and takes the steps of a block out of
 * the block. It gives the arguments that are left their simplest values. It ends when nothing more can be taken
 * away, or when the program has at most `enough` steps. */
#include "program.h"

#include <string.h>

struct shrinking {
  struct pgd_program *best;
  bool (*differs)(const struct pgd_program *, void *);
  void *data;
  int tries, max_tries, enough;
};

/* Tries a candidate and keeps it if it still differs. */
static bool keep(struct shrinking *s, const struct pgd_program *candidate) {
  if (s->tries >= s->max_tries || s->best->count <= s->enough)
    return false;
  s->tries++;
  if (!s->differs(candidate, s->data))
    return false;
  *s->best = *candidate;
  return true;
}

/* Takes the steps [from, to) out. The ends of the blocks around them move. */
static void cut(struct pgd_program *p, int from, int to) {
  int n = to - from;
  memmove(&p->step[from], &p->step[to], (size_t)(p->count - to) * sizeof p->step[0]);
  p->count -= n;
  for (int i = 0; i < p->count; i++)
    if (p->step[i].end >= to)
      p->step[i].end -= n;
}

/* The end of a run of `length` sibling steps that starts at `from`. The run is shorter if the block ends before. */
static int run_end(const struct pgd_program *p, int from, int length) {
  int limit = p->count;
  for (int i = 0; i < from; i++) /* the innermost block around it ends first */
    if (p->step[i].end > from && p->step[i].end < limit)
      limit = p->step[i].end;
  int end = from;
  for (; length > 0 && end < limit; length--)
    end = p->step[end].end;
  return end;
}

/* If a step is left out, the others get their turns in another order. That alone may hide the difference. So a small
 * program is tried in some more orders. */
static bool keep_in_some_order(struct shrinking *s, struct pgd_program *candidate) {
  if (keep(s, candidate))
    return true;
  for (candidate->sched = 0; candidate->count <= 16 && candidate->sched < 8; candidate->sched++)
    if (keep(s, candidate))
      return true;
  return false;
}

static bool cut_runs(struct shrinking *s, int length) {
  bool any = false;
  for (int at = 0; at < s->best->count;) {
    struct pgd_program candidate = *s->best;
    cut(&candidate, at, run_end(&candidate, at, length));
    if (length > 1 ? keep(s, &candidate) : keep_in_some_order(s, &candidate))
      any = true; /* the step that now stands there is tried next */
    else
      at++;
  }
  return any;
}

/* Puts the steps of a block in place of the block's own step. For a child this makes its parent do them; the same goes
 * for a thread and a new image. */
static bool unwrap(struct shrinking *s) {
  bool any = false;
  for (int at = 0; at < s->best->count; at++) {
    if (!pgd_ops[s->best->step[at].op].block)
      continue;
    struct pgd_program candidate = *s->best;
    candidate.step[at].end = at + 1;
    cut(&candidate, at, at + 1);
    any |= keep(s, &candidate);
  }
  return any;
}

static bool try_value(struct shrinking *s, int at, int arg, int value) {
  if (s->best->step[at].arg[arg] == value)
    return false;
  struct pgd_program candidate = *s->best;
  candidate.step[at].arg[arg] = value;
  return keep(s, &candidate);
}

static bool simplify(struct shrinking *s) {
  bool any = false;
  for (int at = 0; at < s->best->count; at++)
    for (int i = 0; i < PGD_ARGS; i++) {
      const struct pgd_arg_spec *spec = &pgd_ops[s->best->step[at].op].arg[i];
      int value = s->best->step[at].arg[i];
      if (spec->kind == ARG_FLAGS) {
        for (int bit = 0; spec->words[bit]; bit++)
          if (value & 1 << bit)
            any |= try_value(s, at, i, s->best->step[at].arg[i] & ~(1 << bit));
      } else if (spec->kind == ARG_WORD || spec->kind == ARG_SIG || spec->kind == ARG_INT) {
        if (value > spec->lo && !try_value(s, at, i, spec->lo) && spec->kind == ARG_INT)
          any |= value > spec->lo + 1 && try_value(s, at, i, (spec->lo + value) / 2);
        else
          any |= s->best->step[at].arg[i] != value;
      }
    }
  if (s->best->sched != 0) {
    struct pgd_program candidate = *s->best;
    candidate.sched = 0;
    any |= keep(s, &candidate);
  }
  return any;
}

int pgd_shrink(struct pgd_program *program, bool (*differs)(const struct pgd_program *, void *), void *data,
               int max_tries, int enough) {
  struct shrinking s = {program, differs, data, 0, max_tries, enough};
  for (bool any = true; any && s.tries < s.max_tries;) {
    any = false;
    for (int length = program->count > 1 ? program->count / 2 : 1; length > 0; length /= 2)
      any |= cut_runs(&s, length);
    any |= unwrap(&s);
    any |= simplify(&s);
  }
  return s.tries;
}

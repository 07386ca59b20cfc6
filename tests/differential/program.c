/* SPDX-License-Identifier: MIT */
/* The table of steps, and the text form of a program. It has one step on a line, "op name=value ...", and a block in
 * braces. */
#include "program.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS(...)                                                                                                     \
  (const char *const[]) { __VA_ARGS__, NULL }
#define BOTH (IN_VFORK | IN_THREAD)

const char *const pgd_signal_words[] = {"0",    "TERM", "KILL", "USR1", "USR2", "STOP",
                                        "CONT", "HUP",  "CHLD", "RT",   "BAD",  NULL};

static const char *const how_words[] = {"fork",       "_Fork",       "vfork",       "clone",        "clone_usr1",
                                        "clone_0",    "clone_vfork", "clone_pidfd", "clone_settid", "clone_parent",
                                        "raw",        "forkpty",     "spawn",       "spawnp",       "spawn_old",
                                        "spawnp_old", NULL};
static const char *const spawn_words[] = {"spawn", "spawnp", "spawn_old", "spawnp_old", NULL};
static const char *const what_words[] = {"true", "exit3", "killed", "stops", "script", "missing", NULL};
static const char *const form_words[] = {"waitpid", "wait", "wait3", "wait4", "waitid", "waitid_fd", NULL};
static const char *const option_words[] = {"nohang",   "untraced", "exited", "continued", "nowait",
                                           "nothread", "wall",     "wclone", "bad",       NULL};
static const char *const chld_words[] = {"default",           "handler",   "reaper",  "ignore", "nocldwait",
                                         "nocldwait_handler", "nocldstop", "restart", NULL};
static const char *const disp_words[] = {"default", "ignore", "handler", "restart", "jump", NULL};

/* A table reads by rows. */
/* clang-format off */
const struct pgd_op_spec pgd_ops[OP_COUNT] = {
    [OP_MAKE] = {"make", true, 26, IN_THREAD, {{"child", ARG_LABEL, NULL, 0, 0}, {"how", ARG_WORD, how_words, 0, 0},
                  {"attr", ARG_FLAGS, WORDS("pgroup", "sigdef", "sigmask", "actions"), 0, 0}}},
    [OP_SPAWN] = {"spawn", false, 7, IN_THREAD, {{"child", ARG_LABEL, NULL, 0, 0}, {"how", ARG_WORD, spawn_words, 0, 0},
                   {"what", ARG_WORD, what_words, 0, 0},
                   {"attr", ARG_FLAGS, WORDS("pgroup", "sigdef", "sigmask", "actions"), 0, 0}}},
    [OP_BECOME] = {"become", true, 2, IN_VFORK, {{0}}},
    [OP_EXECV] = {"execv", false, 1, IN_VFORK, {{"what", ARG_WORD, what_words, 0, 0}}},
    [OP_THREAD] = {"thread", true, 3, 0, {{0}}},
    [OP_DAEMON] = {"daemon", false, 1, 0, {{0}}},
    [OP_EXIT] = {"exit", false, 5, BOTH, {{"code", ARG_INT, NULL, 0, 255},
                  {"by", ARG_WORD, WORDS("_exit", "exit"), 0, 0}}},
    [OP_STOP] = {"stop", false, 3, IN_THREAD, {{0}}},
    [OP_PAUSE] = {"pause", false, 2, IN_VFORK, {{0}}},
    [OP_KILL] = {"kill", false, 30, BOTH, {{"who", ARG_WHO, NULL, 0, 0}, {"sig", ARG_SIG, pgd_signal_words, 0, 0}}},
    [OP_KILLPG] = {"killpg", false, 6, BOTH, {{"who", ARG_PID, NULL, 0, 0}, {"sig", ARG_SIG, pgd_signal_words, 0, 0}}},
    [OP_QUEUE] = {"queue", false, 8, BOTH, {{"who", ARG_PID, NULL, 0, 0}, {"sig", ARG_SIG, pgd_signal_words, 0, 0},
                   {"value", ARG_INT, NULL, 0, 9}}},
    [OP_WAIT] = {"wait", false, 46, BOTH, {{"form", ARG_WORD, form_words, 0, 0}, {"who", ARG_WHO, NULL, 0, 0},
                  {"options", ARG_FLAGS, option_words, 0, 0}, {"buf", ARG_FLAGS, WORDS("null", "rusage"), 0, 0}}},
    [OP_CANCEL] = {"cancel", false, 2, 0, {{"who", ARG_PID, NULL, 0, 0}, {"form", ARG_WORD, form_words, 0, 0}}},
    [OP_CHLD] = {"chld", false, 7, IN_VFORK, {{"mode", ARG_WORD, chld_words, 0, 0}}},
    [OP_DISP] = {"disp", false, 6, IN_VFORK, {{"sig", ARG_SIG, pgd_signal_words, 0, 0},
                  {"mode", ARG_WORD, disp_words, 0, 0}}},
    [OP_MASK] = {"mask", false, 3, IN_VFORK, {{"sig", ARG_SIG, pgd_signal_words, 0, 0},
                  {"how", ARG_WORD, WORDS("block", "unblock"), 0, 0}}},
    [OP_TAKE] = {"take", false, 2, IN_VFORK, {{"sig", ARG_SIG, pgd_signal_words, 0, 0}}},
    [OP_SETPGID] = {"setpgid", false, 8, BOTH, {{"who", ARG_PID, NULL, 0, 0}, {"group", ARG_PID, NULL, 0, 0}}},
    [OP_SETSID] = {"setsid", false, 2, BOTH, {{0}}},
    [OP_GETPGID] = {"getpgid", false, 2, BOTH, {{"who", ARG_PID, NULL, 0, 0}}},
    [OP_SUBREAPER] = {"subreaper", false, 2, IN_THREAD, {{"on", ARG_INT, NULL, 0, 1}}},
    [OP_OPEN] = {"open", false, 4, BOTH, {{0}}},
    [OP_OPENMANY] = {"openmany", false, 1, BOTH, {{"count", ARG_INT, NULL, 1, 60}}},
    [OP_CLOSE] = {"close", false, 4, BOTH, {{"fd", ARG_INT, NULL, 0, 9}}},
    [OP_DUP] = {"dup", false, 3, BOTH, {{"fd", ARG_INT, NULL, 0, 9}}},
    [OP_DUP2] = {"dup2", false, 3, BOTH, {{"from", ARG_INT, NULL, 0, 9}, {"to", ARG_INT, NULL, 0, 12}}},
    [OP_DUP3] = {"dup3", false, 2, BOTH, {{"from", ARG_INT, NULL, 0, 9}, {"to", ARG_INT, NULL, 0, 12},
                  {"cloexec", ARG_INT, NULL, 0, 1}}},
    [OP_DUPFD] = {"dupfd", false, 2, BOTH, {{"from", ARG_INT, NULL, 0, 9}, {"least", ARG_INT, NULL, 0, 20}}},
    [OP_PIPE] = {"pipe", false, 3, BOTH, {{0}}},
    [OP_FDS] = {"fds", false, 5, BOTH, {{0}}},
    [OP_CLOSE_RANGE] = {"close_range", false, 3, BOTH, {{"first", ARG_INT, NULL, 0, 12},
                         {"last", ARG_WORD, WORDS("5", "12", "99", "max", "-1first"), 0, 0},
                         {"flags", ARG_WORD, WORDS("0", "cloexec", "bad"), 0, 0}}},
    [OP_CLOSEFROM] = {"closefrom", false, 1, BOTH, {{"first", ARG_INT, NULL, 0, 12}}},
    [OP_CLOSEALL] = {"closeall", false, 2, BOTH, {{"by", ARG_WORD, WORDS("listing", "asking"), 0, 0}}},
    [OP_SYSTEM] = {"system", false, 2, IN_THREAD, {{"what", ARG_WORD, what_words, 0, 0}}},
    [OP_POPEN] = {"popen", false, 2, IN_THREAD, {{"code", ARG_INT, NULL, 0, 9}}},
    [OP_PTRACE] = {"ptrace", false, 2, IN_THREAD, {{"form", ARG_WORD, form_words, 0, 0}}},
    [OP_BURST] = {"burst", false, 1, IN_THREAD, {{"count", ARG_INT, NULL, 1, 24},
                   {"order", ARG_WORD, WORDS("first", "last"), 0, 0}}},
    [OP_TURN] = {"turn", false, 1, IN_THREAD, {{"count", ARG_INT, NULL, 1, 90},
                  {"order", ARG_WORD, WORDS("first", "last"), 0, 0}}},
    [OP_BESIDE] = {"beside", false, 2, IN_THREAD, {{"count", ARG_INT, NULL, 1, 12},
                   {"order", ARG_WORD, WORDS("first", "last"), 0, 0},
                   {"what", ARG_WORD, WORDS("dup2", "dup3", "open", "high"), 0, 0}}},
    [OP_RUSAGE] = {"rusage", false, 3, IN_THREAD, {{0}}},
};
/* clang-format on */

int pgd_signal_number(int word) {
  static const int numbers[] = {0, SIGTERM, SIGKILL, SIGUSR1, SIGUSR2, SIGSTOP, SIGCONT, SIGHUP, SIGCHLD, 0, 4711};
  return word == 9 ? SIGRTMIN + 3 : numbers[word];
}

int pgd_word_count(const char *const *words) {
  int n = 0;
  while (words[n])
    n++;
  return n;
}

/* Appends formatted text at *len; what does not fit is dropped. */
__attribute__((format(printf, 4, 5))) static void put(char *buf, size_t cap, size_t *len, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = *len < cap ? vsnprintf(buf + *len, cap - *len, format, args) : 0;
  va_end(args);
  if (n > 0)
    *len = *len + (size_t)n < cap ? *len + (size_t)n : cap - 1;
}

static const char *const special_words[] = {"self", "parent", "unknown", "any", "zero", "intmin", NULL};

size_t pgd_step_print(const struct pgd_step *step, char *buf, size_t cap) {
  const struct pgd_op_spec *op = &pgd_ops[step->op];
  size_t len = 0;
  put(buf, cap, &len, "%s", op->name);
  for (int i = 0; i < PGD_ARGS && op->arg[i].kind; i++) {
    const struct pgd_arg_spec *spec = &op->arg[i];
    int value = step->arg[i];
    put(buf, cap, &len, " %s=", spec->name);
    switch (spec->kind) {
    case ARG_INT:
      put(buf, cap, &len, "%d", value);
      break;
    case ARG_WORD:
    case ARG_SIG:
      put(buf, cap, &len, "%s", spec->words[value]);
      break;
    case ARG_FLAGS:
      for (int bit = 0, first = 1; spec->words[bit]; bit++)
        if (value & 1 << bit) {
          put(buf, cap, &len, "%s%s", first ? "" : ",", spec->words[bit]);
          first = 0;
        }
      break;
    default:
      if (value >= WHO_SELF)
        put(buf, cap, &len, "%s", special_words[value - WHO_SELF]);
      else
        put(buf, cap, &len, "%c%d", value >= WHO_GROUP ? 'g' : 'c', value % WHO_GROUP);
    }
  }
  return len;
}

size_t pgd_program_print(const struct pgd_program *program, bool numbered, char *buf, size_t cap) {
  size_t len = 0;
  int ends[PGD_STEPS], depth = 0;
  put(buf, cap, &len, "sched %llu\n", (unsigned long long)program->sched);
  for (int i = 0; i <= program->count; i++) {
    for (; depth > 0 && ends[depth - 1] == i; depth--)
      put(buf, cap, &len, "%s%*s}\n", numbered ? "     " : "", 2 * (depth - 1), "");
    if (i == program->count)
      break;
    char text[256];
    pgd_step_print(&program->step[i], text, sizeof text);
    bool block = pgd_ops[program->step[i].op].block;
    if (numbered)
      put(buf, cap, &len, "%4d ", i);
    put(buf, cap, &len, "%*s%s%s\n", 2 * depth, "", text, block ? " {" : "");
    if (block)
      ends[depth++] = program->step[i].end;
  }
  return len;
}

static int find_word(const char *const *words, const char *text, size_t len) {
  for (int i = 0; words[i]; i++)
    if (strlen(words[i]) == len && strncmp(words[i], text, len) == 0)
      return i;
  return -1;
}

static int parse_number(const char *text, size_t len, int lo, int hi) {
  char buf[16];
  char *end;
  if (len == 0 || len >= sizeof buf)
    return -1;
  memcpy(buf, text, len);
  buf[len] = '\0';
  long n = strtol(buf, &end, 10);
  return *end == '\0' && n >= lo && n <= hi ? (int)n : -1;
}

/* Returns the value of one argument, or -1. */
static int parse_value(const struct pgd_arg_spec *spec, const char *text, size_t len) {
  if (spec->kind == ARG_INT)
    return parse_number(text, len, spec->lo, spec->hi);
  if (spec->kind == ARG_WORD || spec->kind == ARG_SIG)
    return find_word(spec->words, text, len);
  if (spec->kind == ARG_FLAGS) {
    int flags = 0;
    while (len > 0) {
      size_t word = 0;
      while (word < len && text[word] != ',')
        word++;
      int bit = find_word(spec->words, text, word);
      if (bit < 0)
        return -1;
      flags |= 1 << bit;
      word += word < len;
      text += word;
      len -= word;
    }
    return flags;
  }
  int special = find_word(special_words, text, len);
  if (special >= 0 && spec->kind != ARG_LABEL && (spec->kind == ARG_WHO || special < WHO_ANY - WHO_SELF))
    return WHO_SELF + special;
  if (len < 2 || (text[0] != 'c' && (text[0] != 'g' || spec->kind != ARG_WHO)))
    return -1;
  int label = parse_number(text + 1, len - 1, 0, WHO_GROUP - 1);
  return label < 0 ? -1 : label + (text[0] == 'g' ? WHO_GROUP : 0);
}

/* Reads one step from its line, without the brace. Returns true if every word was understood. */
static bool parse_step(struct pgd_step *step, const char *line, size_t len) {
  size_t word = strcspn(line, " \n");
  memset(step, 0, sizeof *step);
  for (step->op = 0; step->op < OP_COUNT; step->op++)
    if (strlen(pgd_ops[step->op].name) == word && strncmp(pgd_ops[step->op].name, line, word) == 0)
      break;
  if (step->op == OP_COUNT)
    return false;
  for (int i = 0; i < PGD_ARGS; i++)
    step->arg[i] = pgd_ops[step->op].arg[i].lo;
  const char *at = line + word, *end = line + len;
  while (at < end) {
    while (at < end && *at == ' ')
      at++;
    if (at == end)
      break;
    size_t n = strcspn(at, " \n"), name = strcspn(at, "=");
    int i = 0;
    for (; i < PGD_ARGS && pgd_ops[step->op].arg[i].kind; i++)
      if (strlen(pgd_ops[step->op].arg[i].name) == name && strncmp(pgd_ops[step->op].arg[i].name, at, name) == 0)
        break;
    if (name >= n || i == PGD_ARGS || !pgd_ops[step->op].arg[i].kind)
      return false;
    if ((step->arg[i] = parse_value(&pgd_ops[step->op].arg[i], at + name + 1, n - name - 1)) < 0)
      return false;
    at += n;
  }
  return true;
}

int pgd_program_parse(struct pgd_program *program, const char *text) {
  int open[PGD_STEPS], depth = 0, number = 0;
  memset(program, 0, sizeof *program);
  for (const char *line = text; *line;) {
    number++;
    size_t len = strcspn(line, "\n");
    const char *next = line + len + (line[len] == '\n');
    while (len > 0 && *line == ' ')
      line++, len--;
    while (len > 0 && line[len - 1] == ' ')
      len--;
    if (len == 0 || *line == '#') {
      line = next;
      continue;
    }
    if (strncmp(line, "sched ", 6) == 0) {
      program->sched = strtoull(line + 6, NULL, 10);
    } else if (len == 1 && *line == '}') {
      if (depth == 0)
        return number;
      program->step[open[--depth]].end = program->count;
    } else {
      bool brace = line[len - 1] == '{';
      struct pgd_step *step = &program->step[program->count];
      if (program->count == PGD_STEPS || !parse_step(step, line, len - brace) || pgd_ops[step->op].block != brace)
        return number;
      if (brace)
        open[depth++] = program->count;
      program->count++;
      step->end = program->count;
    }
    line = next;
  }
  return depth ? number + 1 : 0;
}

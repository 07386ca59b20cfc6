/* SPDX-License-Identifier: MIT */
/* Can a file be protected when the kernel starts it? Follows scripts to the program that really runs. */
#ifndef PG_TOOL_JUDGE_H
#define PG_TOOL_JUDGE_H

#include "tool/object.h"

#include <stddef.h>

enum verdict {
  JUDGED_FINE,    /* a program that the preload object is loaded into */
  JUDGED_LINKER,  /* the dynamic linker itself */
  JUDGED_LIBRARY, /* a shared object, which is protected as the program that loads it */
  JUDGED_OTHER,   /* neither ELF nor a script: binfmt_misc decides */
  JUDGED_STATIC,  /* from here on: cannot be protected */
  JUDGED_SETUID,
  JUDGED_SETGID,
  JUDGED_CAPABILITIES,
  JUDGED_IDS, /* the caller's own real and effective ids differ */
  JUDGED_MACHINE,
  JUDGED_LIBC,
  JUDGED_UNREADABLE, /* not known */
  JUDGED_CUT,        /* a program or object that cannot run at all */
  JUDGED_DAMAGED,
};

struct judgement {
  enum verdict verdict;
  char text[4096 + 512]; /* the obstacle: a sentence that begins with the file's name */
  char program[4096];    /* the file that was judged in the end: a script's interpreter, not the script */
};

const char *verdict_name(enum verdict v);
static inline bool verdict_protects(enum verdict v) { return v < JUDGED_STATIC; }

enum judge_for {
  JUDGE_CALLER, /* the verdict for a start by this process */
  JUDGE_ANYBODY /* the verdict for a start by any user: a set-user-id bit counts also for its owner */
};
/* As execvp() does, JUDGE_SHELL runs a text that the kernel refuses to run. */
#define JUDGE_SHELL "/bin/sh"
struct judgement judge(const char *file, const struct object *o, enum judge_for whom);

/* Looks up a command as execvp() does, in the given PATH (NULL: unset). The caller frees the path. NULL: there is none,
 * and *ret_denied tells of a file that may not be executed. */
char *find_command(const char *name, const char *path, bool *ret_denied);

/* The interpreter on the first line of a script, as the kernel reads it: a copy, or NULL if the file is no script. It
 * is empty if the line names none, or if a part of the name is beyond the bytes that the kernel reads. *ret_rest is the
 * rest of the line, without blanks around it, in the same copy. */
char *script_interpreter(const unsigned char *head, size_t size, char **ret_rest);

#endif

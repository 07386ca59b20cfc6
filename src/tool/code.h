/* SPDX-License-Identifier: MIT */
/* What an object's own instructions do past libc's functions: system calls about processes, and dlopen with
 * RTLD_DEEPBIND. */
#ifndef PG_TOOL_CODE_H
#define PG_TOOL_CODE_H

#include "tool/elf.h"

#define CODE_CALLS 12

struct code {
  bool known;              /* the machine's instructions are understood */
  unsigned raw;            /* system call instructions */
  unsigned unnumbered;     /* of these: which call it is was not to be seen */
  unsigned of[CODE_CALLS]; /* how many of which call, see code_call_name() */
  bool deepbind;           /* a call of dlopen() with RTLD_DEEPBIND */
  bool dlmopen;            /* uses dlmopen(): a namespace of its own */
  char exports[256];       /* functions of its own that bear a name that is interposed */
};

const char *code_call_name(unsigned i);
void code_look(const struct elf *e, struct code *ret);

#endif

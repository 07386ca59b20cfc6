/* SPDX-License-Identifier: MIT */
/* What an object's own instructions do past the functions of libc: system calls about processes, and dlopen with
 * RTLD_DEEPBIND. */
#ifndef PG_TOOL_CODE_H
#define PG_TOOL_CODE_H

#include "tool/elf.h"

#define CODE_CALLS 12

struct code {
  bool known;              /* the code of this machine can be read */
  unsigned raw;            /* system call instructions */
  unsigned unnumbered;     /* of these: those whose call cannot be seen */
  unsigned of[CODE_CALLS]; /* how many of which call, see code_call_name() */
  bool deepbind;           /* a call of dlopen() with RTLD_DEEPBIND */
  bool dlmopen;            /* uses dlmopen(), which makes a namespace of its own */
  char exports[256];       /* its own functions with a name that the shim interposes */
};

const char *code_call_name(unsigned i);
void code_look(const struct elf *e, struct code *ret);

#endif

/* SPDX-License-Identifier: MIT */
/* Where a call was made: object+offset as the log has it, as function and source line where that can be had. */
#ifndef PG_TOOL_SITE_H
#define PG_TOOL_SITE_H

struct site {
  char function[512]; /* "": not known */
  char source[512];   /* FILE:LINE, "": not known */
};

/* `caller` is OBJECT+0xOFFSET, the offset being the return address's in the file. */
void site_resolve(const char *caller, struct site *ret);

#endif

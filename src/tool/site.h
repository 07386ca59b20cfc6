/* SPDX-License-Identifier: MIT */
/* The place of a call: object+offset from the log, as function and source line if they can be found. */
#ifndef PG_TOOL_SITE_H
#define PG_TOOL_SITE_H

struct site {
  char function[512]; /* "": unknown */
  char source[512];   /* FILE:LINE, "": unknown */
};

/* `caller` is OBJECT+0xOFFSET. The offset is that of the return address in the file. */
void site_resolve(const char *caller, struct site *ret);

#endif

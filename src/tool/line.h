/* SPDX-License-Identifier: MIT */
/* One line of the log (logfmt, see src/runtime/log.h), parsed in its place. */
#ifndef PG_TOOL_LINE_H
#define PG_TOOL_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_FIELDS 40

struct line {
  int fields;
  const char *key[LINE_FIELDS], *value[LINE_FIELDS]; /* NUL-terminated, unquoted, in the text itself */
};

enum line_state {
  LINE_OURS,
  LINE_FOREIGN, /* perhaps output of the program */
  LINE_CUT,     /* it begins as a line of the log, and is incomplete */
};

/* pre: text[n] is writable. It becomes a NUL. */
enum line_state line_parse(char *text, size_t n, struct line *ret);
/* "" if there is no such field. */
const char *line_text(const struct line *l, const char *key);
bool line_has(const struct line *l, const char *key);
int64_t line_number(const struct line *l, const char *key);
/* A time in seconds with a fraction, in microseconds; -1: there is none. */
int64_t line_time(const struct line *l, const char *key);

#endif

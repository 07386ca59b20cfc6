/* SPDX-License-Identifier: MIT */
/* Text into a fixed buffer: async-signal-safe, no locale, no allocation. Text that is too long is cut. Calls
 * nothing. */
#ifndef PG_BASE_FMT_H
#define PG_BASE_FMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg_buf {
  char *data; /* always NUL-terminated while cap > 0 */
  size_t len; /* without the NUL */
  size_t cap;
};

void pg_buf_init(struct pg_buf *b, char *storage, size_t cap);
void pg_buf_char(struct pg_buf *b, char c);
void pg_buf_str(struct pg_buf *b, const char *s);
void pg_buf_mem(struct pg_buf *b, const char *s, size_t n);
void pg_buf_dec(struct pg_buf *b, int64_t v);
void pg_buf_udec(struct pg_buf *b, uint64_t v);
void pg_buf_hex(struct pg_buf *b, uint64_t v); /* with 0x */
/* A logfmt value. It is quoted, with control characters escaped, unless it is one plain word. */
void pg_buf_value(struct pg_buf *b, const char *s, size_t n);

/* The text behind the prefix, or NULL if it does not begin so. */
const char *pg_text_behind(const char *text, const char *prefix);
/* The number behind the first place of this key in the text. 0: there is none. */
int64_t pg_text_number(const char *text, const char *key);
bool pg_text_is(const char *text, const char *word);

/* Reads a decimal number at *s, and advances behind it. -1: there is no number, or it does not fit an int64_t. */
int64_t pg_parse_dec(const char **s);

#endif

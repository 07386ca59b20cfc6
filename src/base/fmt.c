/* SPDX-License-Identifier: MIT */
#include "base/fmt.h"

void pg_buf_init(struct pg_buf *b, char *storage, size_t cap) {
  b->data = storage;
  b->len = 0;
  b->cap = cap;
  if (cap)
    storage[0] = '\0';
}

void pg_buf_char(struct pg_buf *b, char c) {
  if (b->len + 1 >= b->cap)
    return;
  b->data[b->len++] = c;
  b->data[b->len] = '\0';
}

void pg_buf_mem(struct pg_buf *b, const char *s, size_t n) {
  for (size_t i = 0; i < n; i++)
    pg_buf_char(b, s[i]);
}

void pg_buf_str(struct pg_buf *b, const char *s) {
  while (*s)
    pg_buf_char(b, *s++);
}

void pg_buf_udec(struct pg_buf *b, uint64_t v) {
  char digits[20];
  size_t n = 0;
  do {
    digits[n++] = (char)('0' + v % 10);
    v /= 10;
  } while (v);
  while (n)
    pg_buf_char(b, digits[--n]);
}

void pg_buf_dec(struct pg_buf *b, int64_t v) {
  if (v < 0) {
    pg_buf_char(b, '-');
    pg_buf_udec(b, 0 - (uint64_t)v);
  } else {
    pg_buf_udec(b, (uint64_t)v);
  }
}

void pg_buf_hex(struct pg_buf *b, uint64_t v) {
  static const char hex[] = "0123456789abcdef";
  char digits[16];
  size_t n = 0;
  do {
    digits[n++] = hex[v & 15];
    v >>= 4;
  } while (v);
  pg_buf_str(b, "0x");
  while (n)
    pg_buf_char(b, digits[--n]);
}

static int is_plain(const char *s, size_t n) {
  if (n == 0)
    return 0;
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
      return 0;
  }
  return 1;
}

void pg_buf_value(struct pg_buf *b, const char *s, size_t n) {
  static const char hex[] = "0123456789abcdef";
  if (is_plain(s, n)) {
    pg_buf_mem(b, s, n);
    return;
  }
  pg_buf_char(b, '"');
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c == '"' || c == '\\') {
      pg_buf_char(b, '\\');
      pg_buf_char(b, (char)c);
    } else if (c < ' ' || c == 0x7f) {
      pg_buf_str(b, "\\x");
      pg_buf_char(b, hex[c >> 4]);
      pg_buf_char(b, hex[c & 15]);
    } else {
      pg_buf_char(b, (char)c);
    }
  }
  pg_buf_char(b, '"');
}

const char *pg_text_behind(const char *text, const char *prefix) {
  for (; *prefix; prefix++, text++)
    if (*text != *prefix)
      return NULL;
  return text;
}

int64_t pg_text_number(const char *text, const char *key) {
  const char *value = NULL;
  while (*text && !(value = pg_text_behind(text, key)))
    text++;
  return value ? pg_parse_dec(&value) : 0;
}

bool pg_text_is(const char *text, const char *word) {
  const char *rest = pg_text_behind(text, word);
  return rest && !*rest;
}

int64_t pg_parse_dec(const char **s) {
  const char *p = *s;
  int64_t v = 0;
  if (*p < '0' || *p > '9')
    return -1;
  for (; *p >= '0' && *p <= '9'; p++) {
    if (v > (INT64_MAX - 9) / 10)
      return -1;
    v = v * 10 + (*p - '0');
  }
  *s = p;
  return v;
}

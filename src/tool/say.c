/* SPDX-License-Identifier: MIT */
/* Messages to the user. */
#include "tool/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The length that the first byte of an UTF-8 character announces, or 0. */
static size_t utf8_announced(unsigned char first) {
  if (first < 0x80)
    return 1;
  if (first >= 0xc2 && first < 0xe0)
    return 2;
  if ((first & 0xf0) == 0xe0)
    return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* The length of the UTF-8 character at `s`, or 0. */
static size_t utf8_length(const unsigned char *s, size_t left) {
  size_t n = utf8_announced(s[0]);
  if (!n || n > left)
    return 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80)
      return 0;
  bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
  bool outside = (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf4 && s[1] >= 0x90);
  return overlong || outside ? 0 : n;
}

/* One of the characters U+0000 to U+001F and U+007F to U+009F, which can steer a terminal. */
static bool is_control(const unsigned char *s, size_t n) {
  return n == 1 ? *s < ' ' || *s == 0x7f : n == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

static void make_plain(char *text) {
  char *to = text;
  for (size_t left = strlen(text), n; left; left -= n, text += n) {
    const unsigned char *s = (const unsigned char *)text;
    size_t length = utf8_length(s, left);
    n = length ? length : 1;
    if (length && !is_control(s, length)) {
      memmove(to, text, n);
      to += n;
    } else {
      *to++ = '?';
    }
  }
  *to = '\0';
}

static void say_v(const char *format, va_list args) {
  char *text;
  if (vasprintf(&text, format, args) < 0) {
    fputs("pidguard: no memory\n", stderr);
    return;
  }
  make_plain(text);
  fprintf(stderr, "pidguard: %s\n", text);
  free(text);
}

void say(const char *format, ...) {
  va_list args;
  va_start(args, format);
  say_v(format, args);
  va_end(args);
}

void die(int status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  say_v(format, args);
  va_end(args);
  exit(status);
}

void flush_or_die(int status) {
  errno = 0;
  if (fflush(stdout) != 0 || ferror(stdout))
    die(status, "cannot write to standard output: %s", strerror(errno ? errno : EIO));
}

void *must_alloc(void *old, size_t size) {
  void *p = realloc(old, size ? size : 1);
  if (!p)
    die(PG_EXIT_TROUBLE, "no memory for %zu bytes", size);
  return p;
}

char *must_dup(const char *text) {
  size_t n = strlen(text) + 1;
  return memcpy(must_alloc(NULL, n), text, n);
}

char *must_format(const char *format, ...) {
  va_list args;
  char *text = NULL;
  va_start(args, format);
  if (vasprintf(&text, format, args) < 0)
    die(PG_EXIT_TROUBLE, "no memory");
  va_end(args);
  return text;
}

void json_string(FILE *out, const char *text, size_t length) {
  const unsigned char *s = (const unsigned char *)text;
  fputc('"', out);
  for (size_t i = 0; i < length;) {
    size_t n = utf8_length(s + i, length - i);
    if (!n)
      fputs("\\ufffd", out);
    else if (s[i] == '"' || s[i] == '\\')
      fprintf(out, "\\%c", s[i]);
    else if (is_control(s + i, n))
      fprintf(out, "\\u%04x", s[i + n - 1]);
    else
      fwrite(s + i, 1, n, out);
    i += n ? n : 1;
  }
  fputc('"', out);
}

void json_text(FILE *out, const char *text) { json_string(out, text, strlen(text)); }

void print_plain(FILE *out, const char *text) {
  char *plain = must_dup(text);
  make_plain(plain);
  fputs(plain, out);
  free(plain);
}

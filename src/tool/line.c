/* SPDX-License-Identifier: MIT */
#include "tool/line.h"

#include <stdlib.h>
#include <string.h>

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Unquotes a value in its place. Returns what follows its end, or NULL if it does not end. */
static char *unquote(char *at) {
  char *to = at;
  for (char *from = at + 1;; from++) {
    if (*from == '\0')
      return NULL;
    if (*from == '"') {
      *to = '\0';
      return from + 1;
    }
    if (*from == '\\') {
      from++;
      if (*from == 'x' && hex_digit(from[1]) >= 0 && hex_digit(from[2]) >= 0) {
        int c = hex_digit(from[1]) << 4 | hex_digit(from[2]);
        *to++ = c ? (char)c : ' ';
        from += 2;
        continue;
      }
      if (*from != '"' && *from != '\\')
        return NULL;
    }
    *to++ = *from;
  }
}

enum line_state line_parse(char *text, size_t n, struct line *ret) {
  static const char start[] = "pidguard level=";
  text[n] = '\0';
  if (memchr(text, '\0', n))
    return LINE_FOREIGN;
  /* On standard error the line may follow one that the program has not ended. */
  char *at = strncmp(text, start, sizeof start - 1) == 0 ? text : strstr(text, start);
  if (!at)
    return LINE_FOREIGN;
  at += strlen("pidguard ");
  for (ret->fields = 0; ret->fields < LINE_FIELDS;) {
    char *key = at;
    while ((*at >= 'a' && *at <= 'z') || *at == '_' || *at == '-')
      at++;
    if (at == key || *at != '=')
      return LINE_CUT;
    *at++ = '\0';
    ret->key[ret->fields] = key;
    ret->value[ret->fields++] = at;
    at = *at == '"' ? unquote(at) : at + strcspn(at, " ");
    if (!at || (*at && *at != ' '))
      return LINE_CUT;
    if (!*at)
      break;
    *at++ = '\0';
  }
  return ret->fields >= 3 && strcmp(ret->key[0], "level") == 0 && strcmp(ret->key[1], "event") == 0 ? LINE_OURS
                                                                                                    : LINE_CUT;
}

static const char *find(const struct line *l, const char *key) {
  for (int i = 0; i < l->fields; i++)
    if (strcmp(l->key[i], key) == 0)
      return l->value[i];
  return NULL;
}

const char *line_text(const struct line *l, const char *key) {
  const char *value = find(l, key);
  return value ? value : "";
}

bool line_has(const struct line *l, const char *key) { return find(l, key) != NULL; }

int64_t line_number(const struct line *l, const char *key) { return strtoll(line_text(l, key), NULL, 10); }

int64_t line_time(const struct line *l, const char *key) {
  const char *value = find(l, key);
  char *end;
  if (!value || *value < '0' || *value > '9')
    return -1;
  long long seconds = strtoll(value, &end, 10), fraction = 0, unit = 100000;
  if (seconds > INT64_MAX / 1000000 - 1)
    return -1;
  if (*end == '.')
    for (end++; *end >= '0' && *end <= '9' && unit; end++, unit /= 10)
      fraction += (*end - '0') * unit;
  return seconds * 1000000 + fraction;
}

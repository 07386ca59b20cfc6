/* SPDX-License-Identifier: MIT */
#include "runtime/config.h"

#include "base/attr.h"
#include "base/fmt.h"

#include <stddef.h>

struct pg_config pg_config = {.retired_max = -1, .fd_max = -1};

static const char *const modes[] = {NULL, "off", "audit", "enforce"};
static const char *const levels[] = {"off", "error", "warn", "info", "debug"};

static int word_of(const char *value, const char *const *words, int n) {
  for (int i = 0; i < n; i++)
    if (words[i] && pg_text_is(value, words[i]))
      return i;
  return -1;
}

static int64_t number_of(const char *value, int64_t max) {
  int64_t n = pg_parse_dec(&value);
  return *value || n > max ? -1 : n;
}

/* Each reader returns whether the value is usable. */
static bool read_mode(const char *value) {
  int m = word_of(value, modes, PG_ARRAY_LEN(modes));
  if (m > 0)
    pg_config.mode = (enum pg_mode)m;
  return m > 0;
}

static bool read_debug(const char *value) {
  int64_t l = word_of(value, levels, PG_ARRAY_LEN(levels));
  if (l < 0)
    l = number_of(value, PG_LOG_DEBUG);
  if (l >= 0)
    pg_config.debug = (enum pg_level)l;
  return l >= 0;
}

static bool read_log(const char *value) {
  size_t n = 0;
  while (value[n])
    n++;
  if (n == 0 || n >= PG_LOG_PATH_MAX)
    return false;
  if (pg_text_is(value, "stderr"))
    n = 0;
  for (size_t i = 0; i < n; i++)
    pg_config.log_path[i] = value[i];
  pg_config.log_path[n] = '\0';
  return true;
}

static bool read_number(const char *value, int64_t max, int64_t *ret) {
  *ret = number_of(value, max);
  return *ret >= 0;
}

static bool read_retired_max(const char *value) { return read_number(value, PG_RETIRED_MOST, &pg_config.retired_max); }
static bool read_fd_max(const char *value) { return read_number(value, PG_CELLS, &pg_config.fd_max); }

static bool read_summary(const char *value) {
  int64_t n = number_of(value, 1);
  pg_config.summary = n == 1;
  return n >= 0;
}

/* One of two words, of which the second one sets *ret. */
static bool read_word(const char *value, const char *no, const char *yes, bool *ret) {
  *ret = pg_text_is(value, yes);
  return *ret || pg_text_is(value, no);
}

static bool read_family(const char *value) { return read_word(value, "off", "on", &pg_config.family); }
static bool read_deepbind(const char *value) { return read_word(value, "keep", "clear", &pg_config.deepbind_clear); }

static struct {
  const char *name; /* behind PIDGUARD_ */
  bool (*read)(const char *value);
  const char *fallback;
  const char *unusable; /* the value, if it is unusable */
} variables[] = {
    {"MODE", read_mode, "enforce", NULL}, {"DEBUG", read_debug, "off", NULL},
    {"LOG", read_log, "stderr", NULL},    {"RETIRED_MAX", read_retired_max, "pid_max/256", NULL},
    {"FD_MAX", read_fd_max, "64", NULL},  {"SUMMARY", read_summary, "0", NULL},
    {"FAMILY", read_family, "off", NULL}, {"DEEPBIND", read_deepbind, "keep", NULL},
};

/* Returns the value if `entry` is PIDGUARD_name=value, else NULL. */
static const char *value_of(const char *entry, const char *name) {
  const char *at = pg_text_behind(entry, "PIDGUARD_");
  at = at ? pg_text_behind(at, name) : NULL;
  return at && *at == '=' ? at + 1 : NULL;
}

static void take_out(char **env) {
  char **to = env;
  for (char **from = env; *from; from++)
    if (!pg_text_behind(*from, "PIDGUARD_"))
      *to++ = *from;
  *to = NULL;
}

void pg_config_read(char **env, bool secure) {
  pg_config.mode = PG_MODE_ENFORCE;
  pg_config.secure = secure;
  if (secure && env)
    take_out(env);
  for (char **e = env; !secure && e && *e; e++) {
    if ((*e)[0] != 'P' || (*e)[1] != 'I')
      continue;
    for (size_t v = 0; v < PG_ARRAY_LEN(variables); v++) {
      const char *value = value_of(*e, variables[v].name);
      if (value && *value && !variables[v].read(value))
        variables[v].unusable = value;
    }
  }
}

void pg_config_complain(void (*fn)(const char *name, const char *value, const char *used)) {
  for (size_t v = 0; v < PG_ARRAY_LEN(variables); v++) {
    if (variables[v].unusable)
      fn(variables[v].name, variables[v].unusable, variables[v].fallback);
    variables[v].unusable = NULL;
  }
}

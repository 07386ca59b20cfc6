/* SPDX-License-Identifier: MIT */
/* The environment, read once into one structure. Calls base. */
#ifndef PG_RUNTIME_CONFIG_H
#define PG_RUNTIME_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

enum pg_mode { PG_MODE_UNREAD, PG_MODE_OFF, PG_MODE_AUDIT, PG_MODE_ENFORCE };
enum pg_level { PG_LOG_OFF, PG_LOG_ERROR, PG_LOG_WARN, PG_LOG_INFO, PG_LOG_DEBUG };

#define PG_LOG_PATH_MAX 1024
#define PG_CELLS 64            /* pidfds that stay open at the most */
#define PG_RETIRED_MOST 16384u /* retired PIDs that are remembered at the most */

struct pg_config {
  enum pg_mode mode;
  enum pg_level debug;
  int64_t retired_max;            /* -1: from pid_max */
  int64_t fd_max;                 /* -1: the default */
  bool family;                    /* share retired PIDs with other processes of the user */
  bool deepbind_clear;            /* take RTLD_DEEPBIND out of the flags of dlopen() */
  bool summary;                   /* write one line of counters at exit */
  bool secure;                    /* AT_SECURE */
  char log_path[PG_LOG_PATH_MAX]; /* empty: standard error */
};

extern struct pg_config pg_config;

/* Reads the environment. Unusable values are kept for pg_config_complain(). secure (AT_SECURE): reads no variable, and
 * removes those that begin with PIDGUARD_, as the loader does with its own (ld.so(8)). The user of a set-user-id
 * program must not tell the programs that it starts, as another user, where to write. */
void pg_config_read(char **env, bool secure);

/* Calls fn(name, value, used) once for each variable with an unusable value. The value is the user's text. */
void pg_config_complain(void (*fn)(const char *name, const char *value, const char *used));

#endif

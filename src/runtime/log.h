/* SPDX-License-Identifier: MIT */
/* The debug log: logfmt, one write a line, to a descriptor of the shim's own. A failure of the log never reaches the
 * program. Where a filter of the program's own forbids the calls, nothing is logged. Async-signal-safe.
 * log.c begins and ends the log, log_line.c makes a line, log_file.c writes it.
 * Calls config, counters, filter, lift, kernel, base. */
#ifndef PG_RUNTIME_LOG_H
#define PG_RUNTIME_LOG_H

#include "base/attr.h"
#include "base/fmt.h"
#include "runtime/config.h"
#include "runtime/filter.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

extern _Atomic int pg_log_level; /* PG_LOG_OFF until pg_log_init() */

static inline bool pg_log_on(enum pg_level level) {
  return PG_UNLIKELY(atomic_load_explicit(&pg_log_level, memory_order_relaxed) >= (int)level) &&
         pg_filter_can(PG_CAN_LOG);
}

struct pg_line {
  struct pg_buf buf;
  char text[864];
};

/* After pg_config_read(). Reports unusable environment values. */
void pg_log_init(void);
/* In a forked child: a path with %p in it is a new file. */
void pg_log_forked(void);

/* Is this the log's own descriptor? */
bool pg_log_is_on(int fd);
/* The program takes the descriptors from first to last. The log goes on by its path, or on standard error if that is
 * the same file. */
void pg_log_take(unsigned first, unsigned last);

/* Reads the name of this process, for the lines to come. */
void pg_line_read_comm(void);
/* level= event= pid= comm= time= (seconds since 1970) mono= (seconds of CLOCK_MONOTONIC). */
void pg_line_begin(struct pg_line *line, enum pg_level level, const char *event);
void pg_line_str(struct pg_line *line, const char *key, const char *value);
void pg_line_int(struct pg_line *line, const char *key, int64_t value);
/* Nanoseconds as seconds with six places. */
void pg_line_time(struct pg_line *line, const char *key, int64_t ns);
/* CLOCK_MONOTONIC in nanoseconds; 0: the kernel refuses to tell. */
int64_t pg_log_now(void);
/* The name of an errno (negative), or the number itself. */
void pg_line_result(struct pg_line *line, int64_t result);
/* now=COMM: the process that has the PID at this moment, or "nobody". */
void pg_line_now(struct pg_line *line, pid_t pid);
/* caller=OBJECT+0xOFFSET */
void pg_line_caller(struct pg_line *line, const void *address);
/* pre: pg_line_begin() has begun the line, and the line has not ended. If the log loses its first line here, the shim
 * says so on standard error. */
void pg_line_end(struct pg_line *line);

/* At the end of the program: event=summary with all counters, if the user wants it. If lines were lost, it goes to
 * standard error. unwaited: children that were not waited for; forgotten: retired PIDs that made room for others. */
PG_COLD void pg_log_end(int64_t unwaited, int64_t forgotten);
/* A child was born or has ended, at level info. how: the call, or how that was found out. */
PG_COLD void pg_log_child(const char *event, pid_t pid, const char *how);
/* The shim cannot protect something: counted, and logged at level warn. effect: one word for what happens instead. */
PG_COLD void pg_degraded(const char *what, pid_t target, int err, const char *effect);

#endif

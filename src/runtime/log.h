/* The debug log: logfmt, one write a line, to a descriptor of our own; nothing that goes wrong with it reaches the
 * program. Async-signal-safe. Calls config, counters, ours, kernel, base. */
#ifndef PG_RUNTIME_LOG_H
#define PG_RUNTIME_LOG_H

#include "base/attr.h"
#include "base/fmt.h"
#include "runtime/config.h"

#include <sys/types.h>

extern _Atomic int pg_log_level; /* PG_LOG_OFF until pg_log_init() */

static inline bool pg_log_on(enum pg_level level) {
  return PG_UNLIKELY(__atomic_load_n((int *)(void *)&pg_log_level, __ATOMIC_RELAXED) >= (int)level);
}

struct pg_line {
  struct pg_buf buf;
  char text[864];
};

/* After pg_config_read() and pg_ours_init(). Reports unusable environment values. */
void pg_log_init(void);
/* In a forked child: a path with %p in it is a new file. */
void pg_log_forked(void);

/* Is this the log's descriptor, in the table of whoever asks? */
bool pg_log_is_at(int fd);

/* level=… event=… pid=… comm=… time=… mono=…: seconds since 1970, and of the clock that nobody sets. */
void pg_line_begin(struct pg_line *line, enum pg_level level, const char *event);
void pg_line_str(struct pg_line *line, const char *key, const char *value);
void pg_line_int(struct pg_line *line, const char *key, int64_t value);
/* Nanoseconds as seconds with six places. */
void pg_line_time(struct pg_line *line, const char *key, int64_t ns);
/* The monotonic clock, nanoseconds; 0: there is none. */
int64_t pg_log_now(void);
/* The name of an errno (negative), or the number itself. */
void pg_line_result(struct pg_line *line, int64_t result);
/* now=COMM: the process that has the number at this moment. */
void pg_line_now(struct pg_line *line, pid_t pid);
/* caller=OBJECT+0xOFFSET */
void pg_line_caller(struct pg_line *line, const void *address);
void pg_line_end(struct pg_line *line);

/* event=summary with all counters; how many children were not waited for, and how many retired numbers were forgotten for
 * others. */
void pg_log_summary(int64_t unwaited, int64_t forgotten);
/* Something could not be protected: counted, and logged at level warn. */
PG_COLD void pg_degraded(const char *what, pid_t target, int err);

#endif

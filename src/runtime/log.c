/* SPDX-License-Identifier: MIT */
#include "runtime/log.h"

#include "runtime/hot.h"
#include "runtime/log_file.h"

#include <stdatomic.h>

_Atomic int pg_log_level = PG_LOG_OFF;

static void open_first(void);

static void complain_why(const char *name, const char *value, const char *used, int error, const char *why) {
  struct pg_line line;
  char variable[32];
  struct pg_buf b;
  pg_buf_init(&b, variable, sizeof variable);
  pg_buf_str(&b, "PIDGUARD_");
  pg_buf_str(&b, name);
  if (!pg_log_file_is_open())
    open_first();
  pg_line_begin(&line, PG_LOG_ERROR, "bad-environment");
  pg_line_str(&line, "variable", variable);
  if (!pg_config.log_path[0]) /* another user's text must not get into a file, where it may be a command */
    pg_line_str(&line, "value", value);
  if (error < 0)
    pg_line_result(&line, error);
  if (why)
    pg_line_str(&line, "why", why);
  pg_line_str(&line, "used", used);
  pg_line_end(&line);
}

static void complain(const char *name, const char *value, const char *used) {
  complain_why(name, value, used, 0, NULL);
}

static void open_first(void) {
  char path[PG_LOG_PATH_MAX];
  const char *why = NULL;
  struct pg_buf b;
  pg_line_read_comm();
  pg_log_file_note_stderr();
  int r = pg_log_file_open(&why);
  if (r >= 0 || !pg_config.log_path[0])
    return;
  pg_buf_init(&b, path, sizeof path);
  pg_buf_str(&b, pg_config.log_path);
  pg_config.log_path[0] = '\0'; /* the log goes to standard error instead, and tells there why */
  complain_why("LOG", path, "stderr", r, why);
}

void pg_log_init(void) {
  if (pg_config.debug > PG_LOG_OFF || pg_config.summary)
    open_first();
  atomic_store_explicit(&pg_log_level, (int)pg_config.debug, memory_order_relaxed);
  if (pg_config.debug >= PG_LOG_INFO) /* what is logged of a signal that finds its child */
    pg_state_set(PG_STATE_LOG);
  pg_config_complain(complain);
}

static void summary(int64_t unwaited, int64_t forgotten) {
  struct pg_line line;
  pg_line_begin(&line, PG_LOG_INFO, "summary");
  for (int c = 0; c < PG_COUNTER_COUNT; c++)
    pg_line_int(&line, pg_counter_name((enum pg_counter)c), (int64_t)pg_counter_value((enum pg_counter)c));
  pg_line_int(&line, "unwaited", unwaited);
  pg_line_int(&line, "forgotten", forgotten);
  pg_line_end(&line);
}

PG_COLD void pg_log_end(int64_t unwaited, int64_t forgotten) {
  if (!pg_config.summary || !pg_filter_can(PG_CAN_LOG))
    return;
  bool lost = pg_log_file_has_lost();
  if (lost)
    pg_log_file_to_stderr();
  summary(unwaited, forgotten);
  if (!lost && pg_log_file_has_lost()) { /* the summary itself */
    pg_log_file_to_stderr();
    summary(unwaited, forgotten);
  }
}

PG_COLD void pg_log_child(const char *event, pid_t pid, const char *how) {
  struct pg_line line;
  pg_line_begin(&line, PG_LOG_INFO, event);
  pg_line_int(&line, "target", pid);
  pg_line_str(&line, "how", how);
  pg_line_end(&line);
}

PG_COLD void pg_degraded(const char *what, pid_t target, int err, const char *effect) {
  pg_count(degraded);
  if (!pg_log_on(PG_LOG_WARN))
    return;
  struct pg_line line;
  pg_line_begin(&line, PG_LOG_WARN, "degraded");
  pg_line_str(&line, "what", what);
  pg_line_int(&line, "target", target);
  pg_line_result(&line, err);
  pg_line_str(&line, "effect", effect);
  pg_line_end(&line);
}

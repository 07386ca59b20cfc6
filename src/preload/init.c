/* The object's one constructor and one destructor. Wrappers get ready by themselves when they are called earlier. */
#include "preload/border.h"

#include "runtime/log.h"

__attribute__((constructor)) static void begin(void) {
  if (pg_mode() != PG_MODE_OFF)
    pg_child_adopt_all();
}

static void count_unwaited(struct pg_record *rec, void *arg) {
  bool own = pg_seq_after(pg_record_seq(rec), atomic_load_explicit(&pg_hot.inherited, memory_order_relaxed));
  *(int64_t *)arg += own && (pg_record_word(rec) & PG_RECORD_LIVE);
}

static void log_summary(void) {
  int64_t unwaited = 0, forgotten = (int64_t)pg_table_entered().tickets - pg_table_retired_max();
  pg_table_each(count_unwaited, &unwaited);
  pg_log_summary(unwaited, forgotten > 0 ? forgotten : 0);
}

__attribute__((destructor)) static void end(void) {
  if (pg_config.summary && pg_mode() != PG_MODE_OFF && !pg_is_guest())
    log_summary();
}

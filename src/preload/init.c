/* The object's one constructor and one destructor. Wrappers get ready by themselves when they are called earlier. */
#include "preload/border.h"

#include "runtime/log.h"

__attribute__((constructor)) static void begin(void) {
  extern char **environ;
  if (pg_mode() != PG_MODE_OFF)
    pg_child_adopt_all();
  if (PG_UNLIKELY(pg_config.secure)) /* where a resolver was the first to call, libc had no environment yet */
    pg_config_read(environ, true);
}

__attribute__((destructor)) static void end(void) {
  if (pg_config.summary && pg_mode() != PG_MODE_OFF && !pg_is_guest())
    pg_log_summary();
}

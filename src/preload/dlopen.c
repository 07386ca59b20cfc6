/* SPDX-License-Identifier: MIT */
/* dlopen(): an object that is opened with RTLD_DEEPBIND calls libc directly, and goes past every preload object. The
 * shim takes the flag out if PIDGUARD_DEEPBIND says so, and else logs it. The entry is in dlopen_<arch>.S, and ends in
 * a jump. For libc the caller must stay the caller, because its RUNPATH and its namespace count (dlopen(3)). */
#include "preload/border.h"

#include "runtime/log.h"

#include <dlfcn.h>

_Atomic(void *) pg_dlopen_next PG_HIDDEN;
int pg_dlopen_flags(const char *path, int flags) PG_HIDDEN;

static void *none(const char *path, int flags) { return (void)path, (void)flags, NULL; }

/* Called if the flag is there, or the first time. Returns the flags to use. Afterwards pg_dlopen_next is set. */
int pg_dlopen_flags(const char *path, int flags) {
  bool on = pg_mode() != PG_MODE_OFF, clear = on && pg_config.deepbind_clear;
  void *no = (void *)(uintptr_t)none;
  if (!pg_next_find(&pg_dlopen_next, "dlopen", NULL))
    atomic_store(&pg_dlopen_next, no);
  if (on && (flags & RTLD_DEEPBIND) && path && pg_log_on(clear ? PG_LOG_INFO : PG_LOG_WARN)) {
    struct pg_line line;
    pg_line_begin(&line, clear ? PG_LOG_INFO : PG_LOG_WARN, "deepbind");
    pg_line_str(&line, "object", path);
    pg_line_str(&line, "flag", clear ? "cleared" : "kept");
    pg_line_end(&line);
  }
  return clear ? flags & ~RTLD_DEEPBIND : flags;
}

/* SPDX-License-Identifier: MIT */
/* dlopen(): an object that is opened with RTLD_DEEPBIND calls libc's functions past whoever is preloaded. The flag is
 * taken out if that is asked for; else it is said. The way in is in dlopen_<arch>.S, which ends in a jump: for libc the
 * caller must stay the caller, whose RUNPATH and namespace count. */
#include "preload/border.h"

#include "runtime/log.h"

#include <dlfcn.h>

_Atomic(void *) pg_dlopen_next PG_HIDDEN;
int pg_dlopen_flags(const char *path, int flags) PG_HIDDEN;

static void *none(const char *path, int flags) { return (void)path, (void)flags, NULL; }

/* When the flag is there, or the first time. Returns the flags to use; pg_dlopen_next is there then. */
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

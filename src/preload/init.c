/* SPDX-License-Identifier: MIT */
/* The object's one constructor and one destructor. Wrappers get ready by themselves when they are called earlier. */
#include "preload/border.h"

#include "runtime/log.h"

__attribute__((constructor)) static void begin(void) {
  pg_mode();
  pg_child_environment();
}

__attribute__((destructor)) static void end(void) {
  if (pg_mode() != PG_MODE_OFF && !pg_is_guest())
    pg_child_log_end();
}

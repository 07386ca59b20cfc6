/* SPDX-License-Identifier: MIT */
/* The one constructor and the one destructor of the object. A wrapper that is called earlier gets ready by itself. */
#include "preload/border.h"

__attribute__((constructor)) static void begin(void) {
  pg_mode();
  pg_child_environment();
}

__attribute__((destructor)) static void end(void) {
  if (pg_mode() != PG_MODE_OFF && !pg_is_guest())
    pg_child_log_end();
}

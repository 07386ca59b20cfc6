/* SPDX-License-Identifier: MIT */
/* What goes around a call by which the program installs a seccomp filter. */
#include "child/call.h"

#include "child/self.h"
#include "runtime/window.h"

enum { NOBODYS, OWN, GUESTS };

/* The filter of a guest is not that of the process whose memory it borrows. A vfork child has a mark, and keeps to
 * libc's calls from now on. A guest without a mark cannot be told from its owner, so its filter counts for both. */
int pg_call_before_filter(bool for_all) {
  struct pg_window window;
  if (pg_mode() == PG_MODE_OFF)
    return NOBODYS;
  bool guest = pg_is_guest();
  if (guest && (pg_self_marks & PG_VFORKS)) {
    __atomic_fetch_or(&pg_self_marks, PG_BARE, __ATOMIC_RELAXED);
    return GUESTS;
  }
  if (!guest)
    pg_child_look_back();
  pg_filter_turn();
  pg_window_open(&window); /* no other thread has one now, and those that open one later look again */
  bool may_sleep = pg_filter_can_now(PG_CAN_SHARE);
  pg_filter_comes(for_all);
  if (window.open && !guest)
    pg_hazards_end(may_sleep);
  pg_window_close(&window);
  return OWN;
}

void pg_call_after_filter(int whose, bool installed, const void *program) {
  if (whose == OWN)
    pg_filter_came(installed, program);
  else if (whose == GUESTS && !installed)
    __atomic_fetch_and(&pg_self_marks, ~PG_BARE, __ATOMIC_RELAXED);
}

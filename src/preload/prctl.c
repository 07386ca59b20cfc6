/* SPDX-License-Identifier: MIT */
/* prctl: the shim must know when the program installs a seccomp filter. Some options take a PID. */
#include "preload/numbers.h"

#include "runtime/filter.h"

#include <stdarg.h>
#include <sys/prctl.h>

PG_EXPORT int prctl(int option, ...) {
  va_list ap;
  va_start(ap, option);
  long a = va_arg(ap, long), b = va_arg(ap, long), c = va_arg(ap, long), d = va_arg(ap, long);
  va_end(ap);
  PG_EARLY(pg_sys5(SYS_prctl, option, a, b, c, d));
  long args[] = {option, a, b, c};
  pg_numbers_replace(PG_ROW_prctl, args, PG_CALL("prctl"));
  if (PG_LIKELY(option != PR_SET_SECCOMP))
    return pg_ret((int)pg_sys5(SYS_prctl, option, args[1], args[2], c, d));
  int whose = pg_call_before_filter(false);
  int r = (int)pg_sys5(SYS_prctl, option, a, b, c, d);
  pg_call_after_filter(whose, r == 0, a == PG_SECCOMP_MODE_FILTER ? (const void *)b : NULL);
  return pg_ret(r);
}

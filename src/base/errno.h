/* SPDX-License-Identifier: MIT */
/* The border between -errno (inside) and errno (outside). Public functions and wrappers fail in this one way. A success
 * leaves errno alone. Calls nothing. */
#ifndef PG_BASE_ERRNO_H
#define PG_BASE_ERRNO_H

#include <errno.h>

static inline long pg_retl(long r) {
  if (r >= 0)
    return r;
  errno = (int)-r;
  return -1;
}

static inline int pg_ret(int r) { return (int)pg_retl(r); }

#endif

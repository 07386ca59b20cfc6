/* Which process this is, without asking the kernel each time. Calls kernel.
 *
 * Code of this object can run in a process that shares our memory but is not us: the child of vfork(), or of a
 * clone() with CLONE_VM. Such a child has descriptors and children of its own, so it must not change the table. The
 * mark, or vm_shared (a child with CLONE_VM was made and may still run), says "perhaps"; only then is the kernel
 * asked. */
#ifndef PG_RUNTIME_SELF_H
#define PG_RUNTIME_SELF_H

#include "base/attr.h"
#include "kernel/sys.h"
#include "runtime/hot.h"

#include <stdatomic.h>
#include <stdbool.h>

extern PG_TLS int pg_vfork_mark; /* this thread is in a vfork, on either side of it */

/* Makes pg_is_guest() able to answer: before the first mark is set. */
static inline void pg_self_know(void) {
  if (PG_UNLIKELY(!pg_hot.pid))
    pg_hot.pid = pg_sys_getpid();
}

static inline bool pg_is_guest(void) {
  if (PG_LIKELY(!(pg_vfork_mark | atomic_load_explicit(&pg_hot.vm_shared, memory_order_relaxed))))
    return false;
  return pg_sys_getpid() != pg_hot.pid;
}

#endif

#include "runtime/next.h"

#include "base/attr.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct pg_next pg_next;

#ifdef PG_PRELOAD

static const char names[][8] = {
#define X(type, name, args) #name,
    PG_NEXT(X)
#undef X
};

/* errno is left alone. */
static void *find(const char *symbol, const char *version) {
  int saved = errno;
  void *found = NULL;
#ifdef __GLIBC__
  if (version)
    found = dlvsym(RTLD_NEXT, symbol, version);
#else
  (void)version;
#endif
  if (!found)
    found = dlsym(RTLD_NEXT, symbol);
  errno = saved;
  return found;
}

void pg_next_bind(void) {
  void **at = (void **)(void *)&pg_next;
  for (size_t i = 0; i < PG_ARRAY_LEN(names); i++)
    at[i] = find(names[i], NULL);
}

void *pg_next_find(_Atomic(void *) *cache, const char *symbol, const char *version) {
  void *found = atomic_load_explicit(cache, memory_order_acquire);
  if (!found) {
    found = find(symbol, version);
    atomic_store_explicit(cache, found, memory_order_release);
  }
  return found;
}

#else /* the API alone interposes nothing: libc's own names are the next ones */

void pg_next_bind(void) {
  pg_next = (struct pg_next){.fork = fork, .kill = kill, .waitpid = waitpid, .wait4 = wait4, .waitid = waitid};
}

#endif

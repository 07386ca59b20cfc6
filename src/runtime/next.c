#include "runtime/next.h"

#include "base/attr.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct pg_next pg_next;

#ifdef PG_PRELOAD

static const struct {
  char symbol[16], version[12];
} names[] = {
#define X(type, name, args, symbol, version) {symbol, version},
    PG_NEXT(X)
#undef X
};

void pg_next_bind(void) {
  int saved = errno;
  void **at = (void **)(void *)&pg_next;
  for (size_t i = 0; i < PG_ARRAY_LEN(names); i++) {
    void *found = NULL;
#ifdef __GLIBC__
    if (names[i].version[0])
      found = dlvsym(RTLD_NEXT, names[i].symbol, names[i].version);
#endif
    at[i] = found ? found : dlsym(RTLD_NEXT, names[i].symbol);
  }
  errno = saved;
}

void *pg_next_find(_Atomic(void *) *cache, const char *symbol) {
  void *found = atomic_load_explicit(cache, memory_order_acquire);
  if (!found) {
    int saved = errno;
    found = dlsym(RTLD_NEXT, symbol);
    atomic_store_explicit(cache, found, memory_order_release);
    errno = saved;
  }
  return found;
}

#else /* the API alone interposes nothing: libc's own names are the next ones */

void pg_next_bind(void) {
  pg_next = (struct pg_next){.fork = fork,
                             .kill = kill,
                             .killpg = killpg,
                             .sigqueue = sigqueue,
                             .wait = wait,
                             .waitpid = waitpid,
                             .wait3 = wait3,
                             .wait4 = wait4,
                             .waitid = waitid,
                             .posix_spawn = posix_spawn,
                             .posix_spawnp = posix_spawnp};
}

#endif

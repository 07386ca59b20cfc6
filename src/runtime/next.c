/* SPDX-License-Identifier: MIT */
#include "runtime/next.h"

#include "base/attr.h"

#include <dlfcn.h>
#include <errno.h>
#ifdef __GLIBC__
#include <gnu/lib-names.h>
#endif
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

struct pg_next pg_next;

#ifdef PG_PRELOAD

/* Arrays instead of pointers, because the loader would have to relocate pointers at each start. */
static const struct {
  char symbol[16], version[12];
} names[] = {
#define X(type, name, version, args) {#name, version},
    PG_NEXT(X)
#undef X
};

#if PG_VERSIONED
/* The version matters if libc is the next object. Another preload object in between may have no versions. Before glibc
 * 2.36, RTLD_NEXT finds libc's oldest version. dladdr() could tell whose function that is, but it reads all symbols. */
static void *find_version(const char *symbol, const char *version, void *found) {
  const char *other = strcmp(version, PG_SPAWN_VERSION) == 0 ? PG_SPAWN_BEFORE : PG_SPAWN_VERSION;
  void *versioned = dlvsym(RTLD_NEXT, symbol, version);
  if (!versioned || versioned == found)
    return found;
  return !found || found == dlvsym(RTLD_NEXT, symbol, other) ? versioned : found;
}
#endif

/* The object stands behind libc if a library that needs both names libc first. Before glibc 2.34 a library that only a
 * plugin needs is not among the next ones, either; it has forkpty(). */
static PG_COLD void *find_behind(const char *symbol) {
#ifdef __GLIBC__
  static const char libraries[][16] = {LIBC_SO, "libutil.so.1"};
#else
  static const char libraries[][16] = {"libc.so"};
#endif
  union {
    void *found;
    __typeof__(&dlopen) call;
  } open = {dlsym(RTLD_NEXT, "dlopen")}; /* not the shim's own */
  void *found = NULL;
  if (!open.found)
    open.found = dlsym(RTLD_DEFAULT, "dlopen");
  for (size_t i = 0; i < PG_ARRAY_LEN(libraries) && open.found && !found; i++) {
    void *library = open.call(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
    found = library ? dlsym(library, symbol) : NULL;
  }
  return found;
}

/* Leaves errno alone. */
static void *find(const char *symbol, const char *version) {
  int saved = errno;
  void *found = dlsym(RTLD_NEXT, symbol);
#if PG_VERSIONED
  if (version && *version)
    found = find_version(symbol, version, found);
#else
  (void)version;
#endif
  if (!found)
    found = find_behind(symbol);
  errno = saved;
  return found;
}

/* Only the loader stores a value here. Relocations of called functions alone come later. */
void *(*const volatile pg_next_mark)(void *restrict, const char *restrict) = dlsym;

#ifdef __SANITIZE_ADDRESS__
static volatile bool started;
__attribute__((constructor(101), no_sanitize_address)) static void start(void) { started = true; }
__attribute__((no_sanitize_address)) bool pg_next_is_early(void) { return !pg_next_mark || !started; }
#endif

/* The shim must not ask for a name that the next libc lacks. Before 2.34 the loader ends the program for such a
 * question, as long as it has not relocated the program itself. Resolvers of the program may call the shim by then. */
#ifdef __GLIBC__
static bool has__Fork(void) { return pg_libc_since(34); }
#else
static bool has__Fork(void) { return true; }
#endif

void pg_next_bind(void) {
  enum { FORK = offsetof(struct pg_next, _Fork) / sizeof(void *) };
  void **at = (void **)(void *)&pg_next;
  for (size_t i = 0; i < PG_ARRAY_LEN(names); i++)
    at[i] = i != FORK || has__Fork() ? find(names[i].symbol, names[i].version) : NULL;
  if (!at[FORK])
    pg_next._Fork = pg_next.fork;
}

/* Before glibc 2.34 libpthread has some of the names as well, but not this one. */
bool pg_next_is_behind(void) { return wait4 == pg_next.wait4; }

void *pg_next_find(_Atomic(void *) *cache, const char *symbol, const char *version) {
  void *found = atomic_load_explicit(cache, memory_order_acquire);
  if (!found) {
    found = find(symbol, version);
    atomic_store_explicit(cache, found, memory_order_release);
  }
  return found;
}

#else /* the API alone interposes nothing, so libc's names are the next ones */

void pg_next_bind(void) {
  pg_next = (struct pg_next){.fork = fork, .kill = kill, .waitpid = waitpid, .wait4 = wait4, .waitid = waitid};
}

#endif

/* SPDX-License-Identifier: MIT */
#include "tool/object.h"

#include "tool/elf.h"
#include "tool/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define NAME "libpidguard-preload.so.0"

/* The folder of this program. Without /proc, by the name that the kernel was given. */
static char *own_folder(void) {
  char *self = realpath("/proc/self/exe", NULL);
  const char *name = (const char *)getauxval(AT_EXECFN);
  if (!self && name)
    self = realpath(name, NULL);
  if (!self)
    die(PG_EXIT_TROUBLE, "cannot find the folder of this program: %s", strerror(errno));
  *strrchr(self, '/') = '\0';
  return self;
}

/* `relative` may begin with any number of "../", which are removed from the folder. The path must not contain a name
 * that is missing if the program has another root or prefix. */
static char *join(const char *folder, const char *relative) {
  char *start = must_dup(folder);
  while (strncmp(relative, "../", 3) == 0) {
    char *slash = strrchr(start, '/');
    if (slash)
      *slash = '\0';
    relative += 3;
  }
  char *path = must_format("%s/%s/" NAME, start, relative);
  free(start);
  return path;
}

char *object_path(void) {
  /* The place of the object when it is installed, and when it is built. */
  static const char *const places[] = {PG_TOOL_LIBDIR, "../lib"};
  char *folder = own_folder(), *first = NULL;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    char *path = places[i][0] == '/' ? must_format("%s/" NAME, places[i]) : join(folder, places[i]);
    if (access(path, F_OK) == 0 || errno != ENOENT) {
      free(first);
      free(folder);
      return path;
    }
    if (first)
      free(path);
    else
      first = path;
  }
  free(folder);
  return first;
}

/* Reports a path that the dynamic linker would take for something else. */
static void check_path(const char *path) {
  static const char *const tokens[] = {"$ORIGIN", "${ORIGIN}", "$LIB", "${LIB}", "$PLATFORM", "${PLATFORM}"};
  if (strpbrk(path, " \t\n:"))
    die(PG_EXIT_TROUBLE, "%s: the dynamic linker splits LD_PRELOAD at blanks and colons; move it", path);
  for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
    if (strstr(path, tokens[i]))
      die(PG_EXIT_TROUBLE, "%s: the dynamic linker would replace the %s in LD_PRELOAD; move it", path, tokens[i]);
}

struct object object_find(void) {
  struct object o = {.path = object_path()};
  struct elf e;
  int state = elf_open(&e, o.path);
  if (state == -ENOENT)
    die(PG_EXIT_TROUBLE, "%s does not exist; install pidguard again", o.path);
  if (state < 0)
    die(PG_EXIT_TROUBLE, "%s cannot be read: %s", o.path, elf_explain(state));
  if (state != ELF_FINE)
    die(PG_EXIT_TROUBLE, "%s %s; install pidguard again", o.path, elf_explain(state));
  if (e.type != ET_DYN || e.phnum == 0)
    die(PG_EXIT_TROUBLE, "%s is not a shared object; install pidguard again", o.path);
  o.is64 = e.is64;
  o.big = e.big;
  o.machine = e.machine;
  char needed[256];
  for (unsigned i = 0; elf_dynamic_text(&e, DT_NEEDED, i, needed, sizeof needed); i++)
    o.is_musl |= strcmp(needed, "libc.so") == 0 || strncmp(needed, "libc.musl-", 10) == 0;
  elf_close(&e);
  check_path(o.path);
  return o;
}

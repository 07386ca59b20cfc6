/* SPDX-License-Identifier: MIT */
/* pidguard check: tells whether and how far programs can be protected, for files and for whole folders. */
#include "tool/code.h"
#include "tool/judge.h"
#include "tool/tool.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
  bool json, quiet;
  struct object object;
  unsigned long fully, partly, not, unknown, shown;
} sum;

enum degree { FULLY, PARTLY, NOT, UNKNOWN };
static const char *const degrees[] = {"full", "partial", "none", "unknown"};

/* Describes the calls of the program that bypass the shim. The text is empty if none can be seen. */
static void describe(const struct code *c, char *text, size_t size) {
  size_t n = 0;
  text[0] = '\0';
#define ADD(...) (n += (size_t)snprintf(text + n, n < size ? size - n : 0, __VA_ARGS__))
  const char *before = "makes system calls by instructions of its own: ";
  for (unsigned i = 0; i < CODE_CALLS && n < size; i++) {
    if (!c->of[i])
      continue;
    ADD("%s%s", before, code_call_name(i));
    before = ", ";
  }
  if (c->unnumbered && n < size)
    ADD("%shas %u system call instructions whose call number is unknown", n ? "; " : "", c->unnumbered);
  if (c->deepbind && n < size)
    ADD("%sopens libraries with RTLD_DEEPBIND, whose calls bypass the shim", n ? "; " : "");
  if (c->dlmopen && n < size)
    ADD("%suses dlmopen, whose libraries' calls bypass the shim", n ? "; " : "");
  if (*c->exports && n < size)
    ADD("%sexports functions that the shim also exports: %s", n ? "; " : "", c->exports);
#undef ADD
}

static bool goes_past(const struct code *c) {
  bool some = c->unnumbered || c->deepbind || c->dlmopen || *c->exports;
  for (unsigned i = 0; i < CODE_CALLS; i++)
    some |= c->of[i] != 0;
  return some;
}

static void json_result(const char *file, enum degree degree, const struct judgement *j, const char *why,
                        const struct code *c) {
  fputs(sum.shown++ ? ",\n{\"file\":" : "\n{\"file\":", stdout);
  json_text(stdout, file);
  printf(",\"protection\":\"%s\",\"kind\":\"%s\",\"program\":", degrees[degree], verdict_name(j->verdict));
  json_text(stdout, j->program);
  fputs(",\"why\":", stdout);
  json_text(stdout, why);
  fputs(",\"own_calls\":[", stdout);
  const char *comma = "";
  for (unsigned i = 0; c && i < CODE_CALLS; i++) {
    if (c->of[i]) {
      printf("%s\"%s\"", comma, code_call_name(i));
      comma = ",";
    }
  }
  printf("],\"unknown_calls\":%u,\"deepbind\":%s}", c ? c->unnumbered : 0, c && c->deepbind ? "true" : "false");
}

static void text_result(const char *file, enum degree degree, const char *why) {
  if (sum.quiet && degree == FULLY)
    return;
  printf("%-7s  ", degrees[degree]);
  print_plain(stdout, file);
  if (*why) {
    /* The sentence begins with the name of the file that is the obstacle. */
    size_t n = strlen(file);
    const char *rest = strncmp(why, file, n) == 0 && why[n] == ' ' ? why + n + 1 : why;
    fputs(": ", stdout);
    print_plain(stdout, rest);
  }
  putchar('\n');
}

static void check_file(const char *file) {
  struct judgement j = judge(file, &sum.object, JUDGE_ANYBODY);
  char why[sizeof j.text];
  struct code code;
  bool looked = false;
  enum degree degree = verdict_protects(j.verdict) ? FULLY : NOT;
  if (j.verdict == JUDGED_UNREADABLE)
    degree = UNKNOWN;
  snprintf(why, sizeof why, "%s", j.text);
  if (j.verdict == JUDGED_FINE || j.verdict == JUDGED_LIBRARY) {
    struct elf e;
    looked = elf_open(&e, j.program) == ELF_FINE;
    if (looked)
      code_look(&e, &code);
    elf_close(&e);
    if (looked && goes_past(&code)) {
      degree = PARTLY;
      describe(&code, why, sizeof why);
    }
  }
  sum.fully += degree == FULLY;
  sum.partly += degree == PARTLY;
  sum.not += degree == NOT;
  sum.unknown += degree == UNKNOWN;
  if (sum.json)
    json_result(file, degree, &j, why, looked ? &code : NULL);
  else
    text_result(file, degree, why);
}

/* In a folder: files that can be executed or loaded, and not the data beside them. */
static bool is_wanted(const char *file, const struct stat *st) {
  struct elf e;
  int state = elf_open(&e, file);
  bool elf = state == ELF_FINE || state == ELF_CUT || state == ELF_DAMAGED;
  bool program = elf && (e.type == ET_EXEC || e.type == ET_DYN || state != ELF_FINE);
  bool script = state == ELF_OTHER && e.head_size >= 2 && e.head[0] == '#' && e.head[1] == '!' && (st->st_mode & 0111);
  bool closed = state < 0 && (st->st_mode & 0111);
  elf_close(&e);
  return program || script || closed;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void check_folder(const char *folder) {
  DIR *d = opendir(folder);
  struct dirent *entry;
  char **names = NULL;
  size_t n = 0;
  if (!d) {
    say("%s: %s", folder, strerror(errno));
    sum.unknown++;
    return;
  }
  while ((entry = readdir(d))) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    if ((n & (n - 1)) == 0)
      names = must_alloc(names, sizeof *names * (n ? 2 * n : 1));
    names[n++] = must_format("%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", entry->d_name);
  }
  closedir(d);
  qsort(names, n, sizeof *names, by_name);
  for (size_t i = 0; i < n; i++) {
    struct stat st; /* lstat(), because the target of a link is checked under its own name, or lies elsewhere */
    bool there = lstat(names[i], &st) == 0;
    if (!there && errno != ENOENT) { /* ENOENT: it was removed meanwhile */
      say("%s: %s", names[i], strerror(errno));
      sum.unknown++;
    }
    if (there && S_ISDIR(st.st_mode))
      check_folder(names[i]);
    else if (there && S_ISREG(st.st_mode) && is_wanted(names[i], &st))
      check_file(names[i]);
    free(names[i]);
  }
  free(names);
}

static void check_name(const char *name) {
  struct stat st;
  bool denied = false;
  char *found = strchr(name, '/') || stat(name, &st) == 0 ? NULL : find_command(name, getenv("PATH"), &denied);
  const char *file = found ? found : name;
  if (stat(file, &st) < 0) {
    say("%s: %s", name, strerror(errno));
    sum.unknown++;
  } else if (S_ISDIR(st.st_mode)) {
    check_folder(file);
  } else {
    check_file(file);
  }
  free(found);
}

int tool_check(int argc, char **argv) {
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; i++) {
    if (strcmp(argv[i], "--") == 0) {
      i++;
      break;
    }
    if (strcmp(argv[i], "--json") == 0)
      sum.json = true;
    else if (strcmp(argv[i], "--quiet") == 0)
      sum.quiet = true; /* print only those that are not fully protected */
    else
      die(PG_EXIT_BAD, "check: unknown option %s (see --help)", argv[i]);
  }
  if (i == argc)
    die(PG_EXIT_BAD, "check: no program or folder was given");
  sum.object = object_find();
  if (sum.json)
    fputs("{\"files\":[", stdout);
  for (; i < argc; i++)
    check_name(argv[i]);
  if (sum.json)
    printf("],\n\"full\":%lu,\"partial\":%lu,\"none\":%lu,\"unknown\":%lu}\n", sum.fully, sum.partly, sum.not,
           sum.unknown);
  else
    printf("%lu in full, %lu in part, %lu not, %lu not known\n", sum.fully, sum.partly, sum.not, sum.unknown);
  flush_or_die(PG_EXIT_BAD);
  if (sum.unknown)
    return PG_EXIT_BAD;
  return sum.partly || sum.not ? PG_EXIT_FINDINGS : 0;
}

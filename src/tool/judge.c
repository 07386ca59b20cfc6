/* SPDX-License-Identifier: MIT */
#include "tool/judge.h"

#include "tool/elf.h"
#include "tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DEPTH_MAX 5  /* as many as the kernel follows (fs/exec.c) */
#define HEAD_MAX 256 /* as much of a script as the kernel reads (BINPRM_BUF_SIZE, since 5.1) */

const char *verdict_name(enum verdict v) {
  static const char *const names[] = {"program", "dynamic-linker", "library",      "other",  "static",
                                      "setuid",  "setgid",         "capabilities", "ids",    "machine",
                                      "libc",    "unreadable",     "cut",          "damaged"};
  return names[v];
}

static void conclude(struct judgement *j, enum verdict v, const char *file, const char *format, ...) PG_PRINTF(4, 5);
static void conclude(struct judgement *j, enum verdict v, const char *file, const char *format, ...) {
  va_list args;
  int n = snprintf(j->text, sizeof j->text, "%.4095s ", file);
  va_start(args, format);
  vsnprintf(j->text + n, sizeof j->text - (size_t)n, format, args);
  va_end(args);
  j->verdict = v;
}

char *find_command(const char *name, const char *path, bool *ret_denied) {
  *ret_denied = false;
  if (!path)
    path = "/bin:/usr/bin";
  for (const char *end;; path = end + 1) {
    end = strchrnul(path, ':');
    int length = (int)(end - path);
    char *file = must_format("%.*s%s%s", length, path, length ? "/" : "./", name);
    struct stat st;
    if (stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
      if (faccessat(AT_FDCWD, file, X_OK, AT_EACCESS) == 0)
        return file;
      *ret_denied = true;
    }
    free(file);
    if (!*end)
      return NULL;
  }
}

char *script_interpreter(const unsigned char *head, size_t size, char **ret_rest) {
  if (size < 2 || head[0] != '#' || head[1] != '!')
    return NULL;
  size_t end = 2;
  while (end < size && head[end] != '\n' && head[end] != '\0')
    end++;
  char *line = must_alloc(NULL, end);
  memcpy(line, head + 2, end - 2);
  line[end - 2] = '\0';
  char *start = line + strspn(line, " \t");
  if (end == HEAD_MAX && !strpbrk(start, " \t")) /* load_script() in fs/binfmt_script.c */
    *start = '\0';
  for (size_t n = end - 2; n && (line[n - 1] == ' ' || line[n - 1] == '\t'); n--)
    line[n - 1] = '\0';
  memmove(line, start, strlen(start) + 1);
  *ret_rest = line + strcspn(line, " \t");
  if (**ret_rest) {
    *(*ret_rest)++ = '\0';
    *ret_rest += strspn(*ret_rest, " \t");
  }
  return line;
}

/* The file of the command that `env WORDS` starts, or NULL. */
static char *env_command(char *words) {
  char *save = NULL;
  for (char *word = strtok_r(words, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
    bool denied;
    if (strncmp(word, "-S", 2) == 0)
      word += 2;
    if (!*word || strchr(word, '=') || strcmp(word, "-i") == 0 || strcmp(word, "-v") == 0)
      continue;
    if (word[0] == '-')
      return NULL;
    return strchr(word, '/') ? must_dup(word) : find_command(word, getenv("PATH"), &denied);
  }
  return NULL;
}

/* Is this id unmapped in this user namespace, so that it shows as the overflow id? Then the kernel ignores its bit. */
static bool is_unmapped(unsigned long id, const char *map) {
  FILE *f = fopen(map, "re");
  unsigned long inside, outside, count;
  bool mapped = !f;
  while (f && !mapped && fscanf(f, "%lu %lu %lu", &inside, &outside, &count) == 3)
    mapped = id >= inside && id - inside < count;
  if (f)
    fclose(f);
  return !mapped;
}

static bool has_capabilities(const char *file, bool anybody) {
  struct vfs_ns_cap_data caps;
  memset(&caps, 0, sizeof caps);
  ssize_t n = getxattr(file, "security.capability", &caps, sizeof caps);
  if (n < (ssize_t)sizeof(struct vfs_cap_data) - 8)
    return false;
  bool some = caps.magic_etc & VFS_CAP_FLAGS_EFFECTIVE; /* little endian; the byte of the flag is, too */
  const unsigned char *bytes = (const unsigned char *)&caps;
  some |= bytes[0] & 1;
  for (size_t i = 4; i < (size_t)n && i < sizeof(struct vfs_cap_data); i++)
    some |= bytes[i] != 0;
  return some && (anybody || getuid() != 0);
}

/* Does the kernel start the file in secure mode (security/commoncap.c)? Then the dynamic linker takes no preload. Under
 * no_new_privs, or on a file system that is mounted nosuid, a program gains no rights. Since Linux 6.16 the ids of a
 * setuid program must be those of the caller, real and effective. Before, the real ones were enough. */
static bool is_secure(const char *file, enum judge_for whom, struct judgement *j) {
  static const char why[] = "so the dynamic linker ignores preloads";
  bool anybody = whom == JUDGE_ANYBODY;
  struct stat st;
  struct statvfs fs;
  bool gains = stat(file, &st) == 0 && !(statvfs(file, &fs) == 0 && (fs.f_flag & ST_NOSUID));
  if (gains && (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || anybody)) {
    bool uid = st.st_mode & S_ISUID && !is_unmapped(st.st_uid, "/proc/self/uid_map");
    bool gid =
        (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !is_unmapped(st.st_gid, "/proc/self/gid_map");
    if (uid && (anybody || st.st_uid != getuid() || st.st_uid != geteuid())) {
      conclude(j, JUDGED_SETUID, file, "is setuid, %s", why);
      return true;
    }
    if (gid && (anybody || st.st_gid != getgid() || st.st_gid != getegid())) {
      conclude(j, JUDGED_SETGID, file, "is setgid, %s", why);
      return true;
    }
  }
  if (gains && has_capabilities(file, anybody)) {
    conclude(j, JUDGED_CAPABILITIES, file, "has file capabilities, %s", why);
    return true;
  }
  if (!anybody && (getuid() != geteuid() || getgid() != getegid())) {
    conclude(j, JUDGED_IDS, file, "gets an effective user or group that differs from the real one, %s", why);
    return true;
  }
  return false;
}

static const char *machine_name(uint16_t machine) {
  static const struct {
    uint16_t machine;
    const char *name;
  } names[] = {{EM_386, "i386"},    {EM_X86_64, "x86-64"},  {EM_ARM, "arm"},   {EM_AARCH64, "aarch64"},
               {EM_RISCV, "riscv"}, {EM_PPC64, "ppc64"},    {EM_S390, "s390"}, {EM_MIPS, "mips"},
               {EM_PPC, "ppc"},     {EM_SPARCV9, "sparc64"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].machine == machine)
      return names[i].name;
  return NULL;
}

static const char *base_name(const char *file) {
  const char *slash = strrchr(file, '/');
  return slash ? slash + 1 : file;
}

/* ld.so, ld-linux.so.2, ld64.so.1, ld-musl-x86_64.so.1 */
static bool is_linker(const char *file) {
  const char *base = base_name(file);
  return strncmp(base, "ld", 2) == 0 && strchr(".-3456", base[2]) && strstr(base, ".so");
}

static bool is_library_name(const char *file) {
  const char *so = strstr(base_name(file), ".so");
  while (so && so[3] && so[3] != '.')
    so = strstr(so + 3, ".so");
  return so;
}

static void judge_elf(const char *file, struct elf *e, const struct object *o, enum judge_for whom,
                      struct judgement *j) {
  char interp[4096], soname[256];
  if (is_secure(file, whom, j))
    return;
  if (e->machine != o->machine || e->is64 != o->is64 || e->big != o->big) {
    char what[32];
    const char *name = machine_name(e->machine);
    if (name)
      snprintf(what, sizeof what, "%s", name);
    else
      snprintf(what, sizeof what, "ELF machine %u", e->machine);
    conclude(j, JUDGED_MACHINE, file, "is for another machine (%s-bit, %s) than the preload object",
             e->is64 ? "64" : "32", what);
    return;
  }
  if (!elf_interp(e, interp, sizeof interp)) {
    if (is_linker(file))
      j->verdict = JUDGED_LINKER; /* the linker preloads */
    else if (e->type == ET_DYN && (elf_dynamic_text(e, DT_SONAME, 0, soname, sizeof soname) || is_library_name(file)))
      j->verdict = JUDGED_LIBRARY;
    else
      conclude(j, JUDGED_STATIC, file, "is statically linked, so nothing can be preloaded");
    return;
  }
  bool musl = strstr(interp, "/ld-musl-") != NULL;
  if (musl != o->is_musl)
    conclude(j, JUDGED_LIBC, file, "uses %s, and the preload object was built for %s", musl ? "musl" : "glibc",
             o->is_musl ? "musl" : "glibc");
}

static void judge_at(const char *file, const struct object *o, enum judge_for whom, int depth, struct judgement *j);

/* interpreter: with the rest of the line behind it. */
static void judge_script(const char *file, char *interpreter, char *rest, const struct object *o, enum judge_for whom,
                         int depth, struct judgement *j) {
  const char *base = strrchr(interpreter, '/');
  if (depth < DEPTH_MAX && access(interpreter, F_OK) == 0) {
    judge_at(interpreter, o, whom, depth + 1, j);
    char *command = base && strcmp(base, "/env") == 0 && verdict_protects(j->verdict) ? env_command(rest) : NULL;
    if (command)
      judge_at(command, o, whom, depth + 1, j);
    free(command);
  } else if (whom == JUDGE_ANYBODY && depth < DEPTH_MAX) {
    conclude(j, JUDGED_DAMAGED, file, "names an interpreter that is not there: %s", interpreter);
  }
}

static bool is_text(const struct elf *e) { return !memchr(e->head, '\0', e->head_size < 80 ? e->head_size : 80); }

static void judge_at(const char *file, const struct object *o, enum judge_for whom, int depth, struct judgement *j) {
  struct elf e;
  int state = elf_open(&e, file);
  char *rest = NULL, *interpreter = script_interpreter(e.head, e.head_size, &rest);
  j->verdict = JUDGED_FINE;
  snprintf(j->program, sizeof j->program, "%s", file);
  if (state == ELF_FINE)
    judge_elf(file, &e, o, whom, j);
  else if (state < 0)
    conclude(j, JUDGED_UNREADABLE, file, "cannot be read (%s), so it is unknown whether it can be protected",
             strerror(-state));
  else if (state == ELF_CUT)
    conclude(j, JUDGED_CUT, file, "is cut short; it ends after %llu bytes, and its headers describe more",
             (unsigned long long)e.size);
  else if (state == ELF_DAMAGED || state == ELF_SPECIAL || state == ELF_DIRECTORY)
    conclude(j, JUDGED_DAMAGED, file, "%s", elf_explain(state));
  else if (interpreter && *interpreter)
    judge_script(file, interpreter, rest, o, whom, depth, j);
  else if (is_text(&e) && depth < DEPTH_MAX)
    judge_at(JUDGE_SHELL, o, whom, depth + 1, j);
  else
    j->verdict = JUDGED_OTHER;
  free(interpreter);
  elf_close(&e);
}

struct judgement judge(const char *file, const struct object *o, enum judge_for whom) {
  struct judgement j;
  j.text[0] = j.program[0] = '\0';
  judge_at(file, o, whom, 0, &j);
  return j;
}

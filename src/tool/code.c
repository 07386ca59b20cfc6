/* SPDX-License-Identifier: MIT */
#include "tool/code.h"

#include "tool/tool.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK (1u << 20)
#define OVERLAP 64u

/* In the order of `of`. System call numbers: x86-64, aarch64 (-1: it has no such call). */
static const struct {
  const char *name;
  int x86_64, aarch64;
} calls[CODE_CALLS] = {
    {"kill", 62, 129},  {"tkill", 200, 130},  {"tgkill", 234, 131},     {"rt_sigqueueinfo", 129, 138},
    {"wait4", 61, 260}, {"waitid", 247, 95},  {"fork", 57, -1},         {"vfork", 58, -1},
    {"clone", 56, 220}, {"clone3", 435, 435}, {"pidfd_open", 434, 434}, {"pidfd_send_signal", 424, 424}};

const char *code_call_name(unsigned i) { return calls[i].name; }

static void count_call(struct code *c, uint32_t number, bool x86) {
  for (unsigned i = 0; i < CODE_CALLS; i++)
    c->of[i] += number == (uint32_t)(x86 ? calls[i].x86_64 : calls[i].aarch64);
}

static uint32_t get32(const unsigned char *p) {
  return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

struct dlopen_search {
  const struct elf *e;
  uint64_t jmprel, jmprelsz, rela, relasz, symtab, strtab;
  uint64_t got; /* the address of dlopen's entry; 0: it is not used */
};

static bool dlopen_entry(void *arg, int64_t tag, uint64_t value) {
  struct dlopen_search *d = arg;
  switch (tag) {
  case DT_JMPREL:
    d->jmprel = value;
    break;
  case DT_PLTRELSZ:
    d->jmprelsz = value;
    break;
  case DT_RELA:
    d->rela = value;
    break;
  case DT_RELASZ:
    d->relasz = value;
    break;
  case DT_SYMTAB:
    d->symtab = value;
    break;
  case DT_STRTAB:
    d->strtab = value;
    break;
  }
  return true;
}

static void look_relocations(struct dlopen_search *d, uint64_t at, uint64_t size) {
  const struct elf *e = d->e;
  uint64_t offset, symbols, names;
  if (!at || !elf_offset_of(e, at, &offset) || !elf_offset_of(e, d->symtab, &symbols) ||
      !elf_offset_of(e, d->strtab, &names))
    return;
  for (uint64_t i = 0; i + 24 <= size && !d->got; i += 24) {
    unsigned char entry[24], symbol[4];
    char name[8];
    if (!elf_read(e, offset + i, entry, sizeof entry))
      return;
    uint64_t nth = elf_number(e, entry + 8, 8) >> 32;
    if (nth && elf_read(e, symbols + nth * 24, symbol, sizeof symbol) &&
        elf_read_text(e, names + elf_number(e, symbol, 4), name, sizeof name) && strcmp(name, "dlopen") == 0)
      d->got = elf_number(e, entry, 8);
  }
}

/* Does the call instruction at `code`, whose address is known, lead to dlopen? It goes through the PLT, or directly
 * through the GOT. */
static bool calls_dlopen(const struct dlopen_search *d, const unsigned char *code, uint64_t address) {
  if (code[0] == 0xff && code[1] == 0x15)
    return address + 6 + (uint64_t)(int64_t)(int32_t)get32(code + 2) == d->got;
  if (code[0] != 0xe8)
    return false;
  unsigned char stub[16];
  uint64_t target = address + 5 + (uint64_t)(int64_t)(int32_t)get32(code + 1), offset;
  if (!elf_offset_of(d->e, target, &offset) || !elf_read(d->e, offset, stub, sizeof stub))
    return false;
  static const unsigned char endbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
  unsigned at = memcmp(stub, endbr, sizeof endbr) == 0 ? 4 : 0;
  at += stub[at] == 0xf2; /* bnd */
  return stub[at] == 0xff && stub[at + 1] == 0x25 &&
         target + at + 6 + (uint64_t)(int64_t)(int32_t)get32(stub + at + 2) == d->got;
}

/* mov $FLAGS,%esi, with the call soon after. RTLD_LAZY or RTLD_NOW must be among the flags. */
static bool is_deepbind(const struct dlopen_search *d, const unsigned char *code, size_t left, uint64_t address) {
  uint32_t flags = get32(code + 1);
  if (code[0] != 0xbe || !(flags & 8) || !(flags & 3) || (flags & ~0x110fu))
    return false;
  for (size_t i = 5; i < OVERLAP - 8 && i + 6 <= left; i++)
    if (calls_dlopen(d, code + i, address + i))
      return true;
  return false;
}

/* Does the code behind a system call use its result? */
static bool uses_result(const unsigned char *next) {
  static const unsigned char starts[][2] = {{0x48, 0x3d}, {0x48, 0x85}, {0x48, 0x83},
                                            {0x48, 0x89}, {0x48, 0x8b}, {0x85, 0xc0}};
  bool does = next[0] == 0xc3;
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
    does |= memcmp(next, starts[i], 2) == 0;
  return does;
}

/* syscall, with mov $NUMBER,%eax before it. The two bytes may also be a part of another instruction. Then no number
 * stands before them, and they do not count. A number in %eax that comes from a register does count, as in a function
 * like syscall(). */
static void look_x86(struct code *c, const struct dlopen_search *d, const unsigned char *p, size_t n, size_t from,
                     uint64_t address) {
  for (size_t i = from; i + 6 <= n; i++) {
    if (d->got && p[i] == 0xbe)
      c->deepbind |= is_deepbind(d, p + i, n - i, address + i);
    if (p[i] != 0x0f || p[i + 1] != 0x05)
      continue;
    size_t back = i < 32 ? i : 32, at = 0;
    for (size_t b = 5; b <= back && !at; b++)
      if (p[i - b] == 0xb8 && get32(p + i - b + 1) < 600)
        at = b;
    /* the last instruction before is mov %edi,%eax, mov %rdi,%rax, or similar */
    bool moved = i >= 2 && p[i - 2] == 0x89 && (p[i - 1] & 0xc7) == 0xc0;
    for (size_t b = 3; b <= back && !moved && !at; b++)
      moved = p[i - b] == 0x48 && p[i - b + 1] == 0x89 && (p[i - b + 2] & 0xc7) == 0xc0;
    moved &= uses_result(p + i + 2);
    c->raw += at || moved;
    c->unnumbered += !at && moved;
    if (at)
      count_call(c, get32(p + i - at + 1), true);
  }
}

/* svc #0, with mov x8, #NUMBER (or w8) before it. */
static void look_aarch64(struct code *c, const unsigned char *p, size_t n, size_t from) {
  for (size_t i = (from + 3) & ~(size_t)3; i + 4 <= n; i += 4) {
    if (get32(p + i) != 0xd4000001u)
      continue;
    bool found = false;
    c->raw++;
    for (size_t b = 4; b <= 48 && b <= i && !found; b += 4) {
      uint32_t word = get32(p + i - b);
      found = (word & 0x7fe0001fu) == 0x52800008u;
      if (found)
        count_call(c, word >> 5 & 0xffff, false);
    }
    c->unnumbered += !found;
  }
}

static bool has_word(const char *list, const char *word) {
  size_t n = strlen(word);
  for (const char *at = list; (at = strstr(at, word)); at += n)
    if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
      return true;
  return false;
}

static bool look_name(void *arg, const struct elf_symbol *s) {
  static const char *const names[] = {"fork",    "vfork",  "kill",    "killpg",      "sigqueue",    "wait",
                                      "waitpid", "waitid", "wait3",   "wait4",       "clone",       "close",
                                      "dup2",    "dup3",   "syscall", "posix_spawn", "posix_spawnp"};
  struct code *c = arg;
  if (strcmp(s->name, "dlmopen") == 0 && !s->defined)
    c->dlmopen = true;
  for (size_t i = 0; s->defined && s->type == STT_FUNC && i < sizeof names / sizeof *names; i++) {
    size_t n = strlen(c->exports);
    if (strcmp(names[i], s->name) == 0 && !has_word(c->exports, names[i]))
      snprintf(c->exports + n, sizeof c->exports - n, "%s%s", n ? " " : "", names[i]);
  }
  return true;
}

void code_look(const struct elf *e, struct code *ret) {
  static unsigned char buffer[CHUNK + OVERLAP];
  bool x86 = e->machine == EM_X86_64 && e->is64, arm = e->machine == EM_AARCH64;
  struct dlopen_search d = {.e = e};
  struct elf_segment s;
  memset(ret, 0, sizeof *ret);
  ret->known = x86 || arm;
  elf_symbols(e, SHT_DYNSYM, look_name, ret);
  if (!ret->known)
    return;
  if (x86) {
    elf_dynamic(e, dlopen_entry, &d);
    look_relocations(&d, d.jmprel, d.jmprelsz);
    if (!d.got)
      look_relocations(&d, d.rela, d.relasz);
  }
  for (uint32_t i = 0; i < e->phnum && elf_segment(e, i, &s); i++) {
    if (s.type != PT_LOAD || !(s.flags & PF_X))
      continue;
    /* Each piece begins with the end of the previous one, so that no instruction is cut in two. The common part counts
     * once. */
    for (uint64_t at = 0; at < s.filesz; at += CHUNK) {
      size_t before = at ? OVERLAP : 0, n = s.filesz - at < CHUNK ? (size_t)(s.filesz - at) : CHUNK;
      if (!elf_read(e, s.offset + at - before, buffer, n + before))
        return;
      if (x86)
        look_x86(ret, &d, buffer, n + before, before ? before - 8 : 0, s.vaddr + at - before);
      else
        look_aarch64(ret, buffer, n + before, before);
    }
  }
}

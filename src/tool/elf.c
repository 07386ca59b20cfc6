/* SPDX-License-Identifier: MIT */
#include "tool/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SANE_HEADERS 65536u

uint64_t elf_number(const struct elf *e, const void *at, unsigned size) {
  const unsigned char *p = at;
  uint64_t n = 0;
  for (unsigned i = 0; i < size; i++)
    n |= (uint64_t)p[e->big ? size - 1 - i : i] << 8 * i;
  return n;
}

bool elf_read(const struct elf *e, uint64_t offset, void *to, size_t n) {
  if (offset > e->size || n > e->size - offset)
    return false;
  for (size_t got = 0; got < n;) {
    ssize_t r = pread(e->fd, (char *)to + got, n - got, (off_t)(offset + got));
    if (r < 0 && errno == EINTR)
      continue;
    if (r <= 0)
      return false;
    got += (size_t)r;
  }
  return true;
}

bool elf_read_text(const struct elf *e, uint64_t offset, char *to, size_t size) {
  if (offset >= e->size || size == 0)
    return false;
  size_t n = e->size - offset < size ? (size_t)(e->size - offset) : size;
  if (!elf_read(e, offset, to, n))
    return false;
  if (memchr(to, '\0', n))
    return true;
  to[n - 1] = '\0';
  return false;
}

const char *elf_explain(int state) {
  switch (state) {
  case ELF_FINE:
    return "is fine";
  case ELF_DIRECTORY:
    return "is a directory";
  case ELF_SPECIAL:
    return "is not a regular file";
  case ELF_EMPTY:
    return "is empty";
  case ELF_OTHER:
    return "is not an ELF file";
  case ELF_CUT:
    return "is cut short";
  case ELF_DAMAGED:
    return "is damaged";
  default:
    return strerror(-state);
  }
}

static void read_header(struct elf *e) {
  const unsigned char *h = e->head;
  unsigned w = e->is64 ? 8 : 4, at = 24 + w; /* e_entry is before `at` */
  e->type = (uint16_t)elf_number(e, h + 16, 2);
  e->machine = (uint16_t)elf_number(e, h + 18, 2);
  e->phoff = elf_number(e, h + at, w);
  e->shoff = elf_number(e, h + at + w, w);
  at += 2 * w + 4 + 2; /* e_flags, e_ehsize */
  e->phentsize = (uint32_t)elf_number(e, h + at, 2);
  e->phnum = (uint32_t)elf_number(e, h + at + 2, 2);
  e->shentsize = (uint32_t)elf_number(e, h + at + 4, 2);
  e->shnum = (uint32_t)elf_number(e, h + at + 6, 2);
  e->shstrndx = (uint32_t)elf_number(e, h + at + 8, 2);
}

static int check_headers(const struct elf *e) {
  if (e->phnum && e->phentsize < (e->is64 ? 56u : 32u))
    return ELF_DAMAGED;
  if (e->phoff > e->size || (uint64_t)e->phnum * e->phentsize > e->size - e->phoff)
    return ELF_CUT;
  struct elf_segment s;
  for (uint32_t i = 0; i < e->phnum; i++) {
    if (!elf_segment(e, i, &s))
      return ELF_CUT;
    if ((s.type == PT_LOAD || s.type == PT_DYNAMIC || s.type == PT_INTERP) &&
        (s.offset > e->size || s.filesz > e->size - s.offset))
      return ELF_CUT;
  }
  return ELF_FINE;
}

int elf_open(struct elf *e, const char *path) {
  struct stat st;
  memset(e, 0, sizeof *e);
  e->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (e->fd < 0)
    return -errno;
  if (fstat(e->fd, &st) < 0)
    return -errno;
  if (S_ISDIR(st.st_mode))
    return ELF_DIRECTORY;
  if (!S_ISREG(st.st_mode))
    return ELF_SPECIAL;
  if (st.st_size == 0)
    return ELF_EMPTY;
  e->size = (uint64_t)st.st_size;
  e->head_size = e->size < sizeof e->head ? (size_t)e->size : sizeof e->head;
  if (!elf_read(e, 0, e->head, e->head_size))
    return -EIO;
  if (e->head_size < SELFMAG || memcmp(e->head, ELFMAG, SELFMAG) != 0)
    return ELF_OTHER;
  if (e->head_size < sizeof(Elf32_Ehdr))
    return ELF_CUT;
  e->is64 = e->head[EI_CLASS] == ELFCLASS64;
  e->big = e->head[EI_DATA] == ELFDATA2MSB;
  if ((!e->is64 && e->head[EI_CLASS] != ELFCLASS32) || (!e->big && e->head[EI_DATA] != ELFDATA2LSB))
    return ELF_DAMAGED;
  if (e->is64 && e->head_size < sizeof(Elf64_Ehdr))
    return ELF_CUT;
  read_header(e);
  return check_headers(e);
}

void elf_close(struct elf *e) {
  if (e->fd >= 0)
    close(e->fd);
  e->fd = -1;
}

bool elf_segment(const struct elf *e, uint32_t i, struct elf_segment *ret) {
  unsigned char h[56];
  if (i >= e->phnum || !elf_read(e, e->phoff + (uint64_t)i * e->phentsize, h, e->is64 ? 56 : 32))
    return false;
  ret->type = (uint32_t)elf_number(e, h, 4);
  ret->flags = (uint32_t)elf_number(e, h + (e->is64 ? 4 : 24), 4);
  ret->offset = e->is64 ? elf_number(e, h + 8, 8) : elf_number(e, h + 4, 4);
  ret->vaddr = e->is64 ? elf_number(e, h + 16, 8) : elf_number(e, h + 8, 4);
  ret->filesz = e->is64 ? elf_number(e, h + 32, 8) : elf_number(e, h + 16, 4);
  ret->memsz = e->is64 ? elf_number(e, h + 40, 8) : elf_number(e, h + 20, 4);
  return true;
}

bool elf_section(const struct elf *e, uint32_t i, struct elf_section *ret) {
  unsigned char h[64];
  unsigned size = e->is64 ? 64 : 40, w = e->is64 ? 8 : 4;
  if (i >= e->shnum || e->shnum > SANE_HEADERS || e->shentsize < size || e->shoff > e->size ||
      !elf_read(e, e->shoff + (uint64_t)i * e->shentsize, h, size))
    return false;
  ret->name = (uint32_t)elf_number(e, h, 4);
  ret->type = (uint32_t)elf_number(e, h + 4, 4);
  ret->flags = elf_number(e, h + 8, w);
  ret->addr = elf_number(e, h + 8 + w, w);
  ret->offset = elf_number(e, h + 8 + 2 * w, w);
  ret->size = elf_number(e, h + 8 + 3 * w, w);
  ret->link = (uint32_t)elf_number(e, h + 8 + 4 * w, 4);
  ret->entsize = elf_number(e, h + size - w, w);
  return true;
}

static bool translate(const struct elf *e, bool to_offset, uint64_t from, uint64_t *ret) {
  struct elf_segment s;
  for (uint32_t i = 0; i < e->phnum && elf_segment(e, i, &s); i++) {
    uint64_t start = to_offset ? s.vaddr : s.offset;
    if (s.type == PT_LOAD && from >= start && from - start < s.filesz) {
      *ret = from - start + (to_offset ? s.offset : s.vaddr);
      return true;
    }
  }
  return false;
}

bool elf_offset_of(const struct elf *e, uint64_t vaddr, uint64_t *ret) { return translate(e, true, vaddr, ret); }
bool elf_vaddr_of(const struct elf *e, uint64_t offset, uint64_t *ret) { return translate(e, false, offset, ret); }

bool elf_interp(const struct elf *e, char *to, size_t size) {
  struct elf_segment s;
  for (uint32_t i = 0; i < e->phnum && elf_segment(e, i, &s); i++)
    if (s.type == PT_INTERP)
      return elf_read_text(e, s.offset, to, size);
  return false;
}

void elf_dynamic(const struct elf *e, bool (*fn)(void *arg, int64_t tag, uint64_t value), void *arg) {
  struct elf_segment s;
  unsigned w = e->is64 ? 8 : 4;
  for (uint32_t i = 0; i < e->phnum && elf_segment(e, i, &s); i++) {
    if (s.type != PT_DYNAMIC)
      continue;
    for (uint64_t at = 0; at + 2 * w <= s.filesz && at < SANE_HEADERS; at += 2 * w) {
      unsigned char entry[16];
      if (!elf_read(e, s.offset + at, entry, 2 * w))
        return;
      uint64_t tag = elf_number(e, entry, w);
      if (tag == DT_NULL || !fn(arg, (int64_t)tag, elf_number(e, entry + w, w)))
        return;
    }
    return;
  }
}

struct text_search {
  int64_t tag;
  unsigned nth;
  bool found;
  uint64_t at, strtab;
};

static bool text_entry(void *arg, int64_t tag, uint64_t value) {
  struct text_search *search = arg;
  if (tag == DT_STRTAB)
    search->strtab = value;
  else if (tag == search->tag && !search->found && search->nth-- == 0) {
    search->found = true;
    search->at = value;
  }
  return true;
}

bool elf_dynamic_text(const struct elf *e, int64_t tag, unsigned i, char *to, size_t size) {
  struct text_search search = {.tag = tag, .nth = i};
  uint64_t offset;
  elf_dynamic(e, text_entry, &search);
  return search.found && search.strtab && elf_offset_of(e, search.strtab, &offset) &&
         elf_read_text(e, offset + search.at, to, size);
}

static bool symbol_read(const struct elf *e, const struct elf_section *s, const struct elf_section *names, uint64_t at,
                        struct elf_symbol *ret) {
  unsigned char entry[24];
  if (!elf_read(e, s->offset + at, entry, e->is64 ? 24 : 16))
    return false;
  unsigned char info = entry[e->is64 ? 4 : 12];
  ret->type = info & 15;
  ret->bind = info >> 4;
  ret->defined = elf_number(e, entry + (e->is64 ? 6 : 14), 2) != SHN_UNDEF;
  ret->value = e->is64 ? elf_number(e, entry + 8, 8) : elf_number(e, entry + 4, 4);
  ret->size = e->is64 ? elf_number(e, entry + 16, 8) : elf_number(e, entry + 8, 4);
  uint64_t name = elf_number(e, entry, 4);
  ret->name[0] = '\0';
  if (name < names->size)
    elf_read_text(e, names->offset + name, ret->name, sizeof ret->name);
  return true;
}

void elf_symbols(const struct elf *e, uint32_t section_type, bool (*fn)(void *arg, const struct elf_symbol *s),
                 void *arg) {
  struct elf_section s, names;
  struct elf_symbol symbol;
  uint64_t step = e->is64 ? 24 : 16;
  for (uint32_t i = 0; elf_section(e, i, &s); i++) {
    if (s.type != section_type || s.offset > e->size || !elf_section(e, s.link, &names) || names.type != SHT_STRTAB)
      continue;
    for (uint64_t at = 0; at + step <= s.size && symbol_read(e, &s, &names, at, &symbol); at += step)
      if (!fn(arg, &symbol))
        return;
  }
}

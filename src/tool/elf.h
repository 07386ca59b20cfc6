/* SPDX-License-Identifier: MIT */
/* Reads ELF files of any class and byte order. It trusts nothing in a file: every offset is checked against the size.
 * The file is read, not mapped, so a file that is truncated meanwhile is an error and no signal. */
#ifndef PG_TOOL_ELF_H
#define PG_TOOL_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum elf_state {
  ELF_FINE,
  ELF_DIRECTORY,
  ELF_SPECIAL, /* a device, a FIFO, a socket */
  ELF_EMPTY,
  ELF_OTHER, /* no ELF file */
  ELF_CUT,   /* it ends before what its headers name */
  ELF_DAMAGED,
}; /* or -errno */

struct elf {
  int fd;
  uint64_t size;
  bool is64, big;
  uint16_t machine, type;
  uint64_t phoff, shoff;
  uint32_t phnum, phentsize, shnum, shentsize, shstrndx;
  unsigned char head[256]; /* the first bytes, of whatever file it is */
  size_t head_size;
};

struct elf_segment {
  uint32_t type, flags;
  uint64_t offset, vaddr, filesz, memsz;
};

struct elf_section {
  uint32_t name, type, link;
  uint64_t flags, addr, offset, size, entsize;
};

struct elf_symbol {
  char name[256]; /* cut to fit */
  uint64_t value, size;
  unsigned char type, bind;
  bool defined;
};

/* An elf_state, or -errno. Call elf_close() whatever it returns. On ELF_CUT the headers that are there can be read. */
int elf_open(struct elf *e, const char *path);
void elf_close(struct elf *e);
/* The meaning of a state other than ELF_FINE, as the end of a sentence that begins with the file's name. */
const char *elf_explain(int state);

bool elf_read(const struct elf *e, uint64_t offset, void *to, size_t n);
/* At most size - 1 bytes up to a NUL; false if the text does not end there. */
bool elf_read_text(const struct elf *e, uint64_t offset, char *to, size_t size);
bool elf_segment(const struct elf *e, uint32_t i, struct elf_segment *ret);
bool elf_section(const struct elf *e, uint32_t i, struct elf_section *ret);
/* The offset of a virtual address in the file, and the address of an offset; false: there is none. */
bool elf_offset_of(const struct elf *e, uint64_t vaddr, uint64_t *ret);
bool elf_vaddr_of(const struct elf *e, uint64_t offset, uint64_t *ret);
bool elf_interp(const struct elf *e, char *to, size_t size);
/* Calls fn for each entry of the dynamic section until it says false. */
void elf_dynamic(const struct elf *e, bool (*fn)(void *arg, int64_t tag, uint64_t value), void *arg);
/* The i-th string of the given tag (DT_NEEDED, DT_SONAME, ...). */
bool elf_dynamic_text(const struct elf *e, int64_t tag, unsigned i, char *to, size_t size);
/* Calls fn for each symbol of the sections of this type (SHT_DYNSYM, SHT_SYMTAB) until it says false. */
void elf_symbols(const struct elf *e, uint32_t section_type, bool (*fn)(void *arg, const struct elf_symbol *s),
                 void *arg);

uint64_t elf_number(const struct elf *e, const void *at, unsigned size);

#endif

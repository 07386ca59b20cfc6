/* SPDX-License-Identifier: MIT */
#include "tool/memory.h"

#include "tool/tool.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int process_open(pid_t pid, struct process *ret, bool *ret_denied) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d", (int)pid);
  *ret = (struct process){.dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), .mem = -1, .pid = pid};
  *ret_denied = false;
  if (ret->dir < 0)
    return -errno;
  ret->mem = openat(ret->dir, "mem", O_RDONLY | O_CLOEXEC);
  *ret_denied = ret->mem < 0;
  return ret->mem < 0 ? -errno : 0;
}

void process_close(struct process *p) {
  if (p->dir >= 0)
    close(p->dir);
  if (p->mem >= 0)
    close(p->mem);
}

bool process_read(const struct process *p, uint64_t address, void *to, size_t n) {
  for (size_t got = 0; got < n;) {
    ssize_t r = pread(p->mem, (char *)to + got, n - got, (off_t)(address + got));
    if (r < 0 && errno == EINTR)
      continue;
    if (r <= 0)
      return false;
    got += (size_t)r;
  }
  return true;
}

FILE *process_file(const struct process *p, const char *name) {
  int fd = openat(p->dir, name, O_RDONLY | O_CLOEXEC);
  FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
  if (!f && fd >= 0)
    close(fd);
  return f;
}

void process_comm(const struct process *p, char *to, size_t size) {
  FILE *f = process_file(p, "comm");
  to[0] = '\0';
  if (f && fgets(to, (int)size, f))
    to[strcspn(to, "\n")] = '\0';
  if (f)
    fclose(f);
}

char process_state(const struct process *p) {
  FILE *f = process_file(p, "stat");
  char line[512];
  char *end = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
  if (f)
    fclose(f);
  return end && end[1] == ' ' ? end[2] : '?';
}

pid_t process_leader(const struct process *p) {
  FILE *f = process_file(p, "status");
  char line[256];
  int leader = 0;
  while (f && !leader && fgets(line, sizeof line, f))
    if (sscanf(line, "Tgid: %d", &leader) != 1)
      leader = 0;
  if (f)
    fclose(f);
  return leader;
}

void process_objects(const struct process *p, bool (*fn)(void *arg, uint64_t start, const char *path), void *arg) {
  FILE *maps = process_file(p, "maps");
  char *line = NULL;
  size_t size = 0;
  bool more = true;
  while (maps && more && getline(&line, &size, maps) > 0) {
    unsigned long long start, offset;
    char perms[8];
    int at = 0;
    if (sscanf(line, "%llx-%*x %7s %llx %*s %*s %n", &start, perms, &offset, &at) == 3 && at && offset == 0 &&
        perms[0] == 'r' && line[at] == '/') {
      line[strcspn(line, "\n")] = '\0';
      more = fn(arg, start, line + at);
    }
  }
  free(line);
  if (maps)
    fclose(maps);
}

/* One segment of notes. */
static uint64_t find_note(const struct process *p, uint64_t at, uint64_t end, const char *owner, uint32_t type,
                          uint32_t size) {
  ElfW(Nhdr) note;
  char name[16];
  size_t wanted = strlen(owner) + 1;
  for (int i = 0; i < 64 && at + sizeof note <= end && process_read(p, at, &note, sizeof note); i++) {
    uint64_t contents = at + sizeof note + ((uint64_t)note.n_namesz + 3) / 4 * 4;
    if (note.n_namesz == wanted && wanted <= sizeof name && note.n_type == type && note.n_descsz >= size &&
        contents + size <= end && process_read(p, at + sizeof note, name, wanted) && memcmp(name, owner, wanted) == 0)
      return contents;
    at = contents + ((uint64_t)note.n_descsz + 3) / 4 * 4;
  }
  return 0;
}

uint64_t process_note(const struct process *p, uint64_t start, const char *owner, uint32_t type, uint32_t size) {
  ElfW(Ehdr) head;
  ElfW(Phdr) segments[64];
  if (!process_read(p, start, &head, sizeof head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
      head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) || head.e_phentsize != sizeof *segments)
    return 0;
  size_t n = head.e_phnum < 64 ? head.e_phnum : 64;
  if (!process_read(p, start + head.e_phoff, segments, n * sizeof *segments))
    return 0;
  uint64_t bias = start;
  for (size_t i = 0; i < n; i++)
    if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0)
      bias = start - segments[i].p_vaddr;
  for (size_t i = 0; i < n; i++) {
    uint64_t at = bias + segments[i].p_vaddr;
    uint64_t found = segments[i].p_type == PT_NOTE ? find_note(p, at, at + segments[i].p_filesz, owner, type, size) : 0;
    if (found)
      return found;
  }
  return 0;
}

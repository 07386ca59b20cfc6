/* SPDX-License-Identifier: MIT */
#include "tool/site.h"

#include "tool/elf.h"
#include "tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct search {
  uint64_t address;
  char *name;
  size_t size;
};

static bool look(void *arg, const struct elf_symbol *s) {
  struct search *search = arg;
  bool function = s->type == STT_FUNC || s->type == 10; /* STT_GNU_IFUNC */
  if (!function || !s->defined || search->address < s->value || search->address - s->value >= s->size)
    return true;
  snprintf(search->name, search->size, "%s", s->name);
  return false;
}

/* Copies one line of addr2line's answer, unless addr2line does not know. */
static void take_line(FILE *from, char *to, size_t size) {
  char text[512];
  if (!fgets(text, sizeof text, from))
    return;
  text[strcspn(text, "\n")] = '\0';
  char *discriminator = strstr(text, " (discriminator");
  if (discriminator)
    *discriminator = '\0';
  if (text[0] != '?' && !strstr(text, ":?") && !(strlen(text) > 2 && strcmp(text + strlen(text) - 2, ":0") == 0))
    snprintf(to, size, "%s", text);
}

/* addr2line of binutils reads source lines from the debugging information. It also finds what Debian has in packages of
 * its own. */
static void ask_addr2line(const char *object, uint64_t address, struct site *ret) {
  char text[32];
  int ends[2];
  snprintf(text, sizeof text, "0x%llx", (unsigned long long)address);
  if (pipe2(ends, O_CLOEXEC) < 0)
    return;
  pid_t child = fork();
  if (child == 0) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 0);
    dup2(ends[1], 1);
    dup2(null, 2);
    execlp("addr2line", "addr2line", "-f", "-C", "-e", object, text, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  FILE *answer = child > 0 ? fdopen(ends[0], "r") : NULL;
  if (answer) {
    char function[sizeof ret->function] = "";
    take_line(answer, function, sizeof function);
    take_line(answer, ret->source, sizeof ret->source);
    if (function[0] && ret->source[0]) /* without debugging information it names the nearest symbol, at any distance */
      memcpy(ret->function, function, sizeof function);
    fclose(answer);
  } else {
    close(ends[0]);
  }
  while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) {
  }
}

void site_resolve(const char *caller, struct site *ret) {
  ret->function[0] = ret->source[0] = '\0';
  const char *plus = strrchr(caller, '+');
  char *end;
  if (caller[0] != '/' || !plus)
    return;
  uint64_t offset = strtoull(plus + 1, &end, 16), address;
  char *object = must_format("%.*s", (int)(plus - caller), caller);
  struct elf e = {.fd = -1};
  /* The return address is behind the call, perhaps in the next function. */
  if (*end == '\0' && offset && elf_open(&e, object) == ELF_FINE && elf_vaddr_of(&e, offset - 1, &address)) {
    struct search search = {address, ret->function, sizeof ret->function};
    elf_symbols(&e, SHT_SYMTAB, look, &search);
    if (!ret->function[0])
      elf_symbols(&e, SHT_DYNSYM, look, &search);
    ask_addr2line(object, address, ret);
  }
  elf_close(&e);
  free(object);
}

/* SPDX-License-Identifier: MIT */
/* An auditor. The loader asks it about every object and every binding, and it has no objection. */
#define _GNU_SOURCE
#include <link.h>

#ifdef LAV_CURRENT /* musl has no auditors */
unsigned la_version(unsigned version) { return version < LAV_CURRENT ? version : LAV_CURRENT; }

unsigned la_objopen(struct link_map *map, Lmid_t id, uintptr_t *cookie) {
  (void)map, (void)id, (void)cookie;
  return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

#if __SIZEOF_POINTER__ == 8
uintptr_t la_symbind64(Elf64_Sym *sym, unsigned ndx, uintptr_t *from, uintptr_t *to, unsigned *flags,
                       const char *name) {
  (void)ndx, (void)from, (void)to, (void)flags, (void)name;
  return sym->st_value;
}
#endif
#endif

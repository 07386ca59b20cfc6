/* SPDX-License-Identifier: MIT */
/* What `pidguard status` reads of another process: its children, from /proc, and what its shim knows of them, from its
 * memory. The process is not stopped. Calls memory, tool, child/status.h. */
#ifndef PG_TOOL_SEEN_H
#define PG_TOOL_SEEN_H

#include "child/status.h"
#include "tool/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SEEN_PAGE 4096u

/* What the process itself knows of a child: an entry of its number table. */
struct known {
  int32_t pid;
  int fd;
  bool live, group;
  uint64_t ino;
};

struct child {
  pid_t pid;   /* in this pid namespace */
  int32_t own; /* in that of the parent */
  char state, comm[32];
  const struct known *known;
};

struct seen {
  char object[4096], comm[32];
  uint64_t hot, levels, cells_at;
  unsigned char *cells;
  int32_t mode, own_pid; /* own_pid: its PID in its own pid namespace */
  struct pg_status_layout layout;
  unsigned char page[SEEN_PAGE];
  size_t page_size;
  struct known *known;
  size_t knowns;
  struct child *children;
  size_t child_count;
  bool untouched; /* forked, without a child since: its memory still describes its parent */
};

enum seen_result {
  SEEN_PROTECTED,
  SEEN_NOT_LOADED, /* the process has no preload object */
  SEEN_OFF,        /* the object is loaded, and switched off */
  SEEN_SENSELESS,  /* the object's memory makes no sense: the process may just be starting another program */
};

/* Reads the process into `ret`, which seen_free() frees. pre: process_open() has opened it. */
enum seen_result seen_read(const struct process *p, struct seen *ret);
void seen_free(struct seen *s);

uint64_t seen_counter(const struct seen *s, uint32_t i);
/* How many pidfds the process holds. */
int seen_held(const struct seen *s);
/* The bound of retired PIDs. 0: no child has died yet, so the process has not asked for its bound. */
uint32_t seen_retired_max(const struct seen *s);
uint32_t seen_retired(const struct seen *s);

#endif

/* SPDX-License-Identifier: MIT */
/* The preload object that this program uses: its place, and whether it can be loaded. */
#ifndef PG_TOOL_OBJECT_H
#define PG_TOOL_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

struct object {
  char *path;
  bool is64, big, is_musl;
  uint16_t machine;
};

/* Finds it beside this program, also if both were moved. If something is wrong with it, says so and ends with status
 * 125. */
struct object object_find(void);
/* The same without a look into it: its path, which need not exist. */
char *object_path(void);

#endif

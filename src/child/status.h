/* SPDX-License-Identifier: MIT */
/* What a reader from outside (`pidguard status`) needs to know of the layout of the shim's memory. The object contains
 * it as constants, and a note in its program headers leads there. So an unobserved process pays nothing. An observed
 * one is not stopped, and runs no code for it. Reader and object may have different versions. Calls nothing. */
#ifndef PG_CHILD_STATUS_H
#define PG_CHILD_STATUS_H

#include <stdint.h>

#define PG_STATUS_NOTE "pidguard" /* the owner of the note; its type is the version of the structures below */
#define PG_STATUS_VERSION 1
#define PG_STATUS_COUNTERS 32

/* The note's contents: distances from each word itself. */
struct pg_status_note {
  int32_t layout; /* to a struct pg_status_layout */
  int32_t hot;    /* to where the offsets below are counted from */
  int32_t levels; /* to an array of struct pg_sets: further sets of the number table */
  int32_t mode;   /* to an int: enum pg_mode */
  int32_t cells;  /* to the held pidfds */
};

struct pg_status_layout {
  uint32_t size; /* of this structure; a reader does not know members that are missing at the end */
  uint32_t pointer_size;
  char version[16];
  /* Offsets in the page, and numbers. All are 32 bits wide unless a comment says otherwise. */
  uint32_t pid, tickets, retired_max;          /* + 1 */
  uint32_t counters, counter_count;            /* 64 bits each */
  uint32_t stripes, stripe_size, stripe_count; /* more of the second counter, 64 bits */
  uint32_t sets, set_count, level_count;       /* the first sets; how many further levels there are */
  uint32_t level_size, level_sets, level_mask; /* a level: a pointer to its sets, and their number - 1 */
  uint32_t set_size, ways;                     /* a set: as many ids, 64 bits each; all sets of inodes follow */
  uint32_t pid_bits, state_bits;               /* an id: its lowest bits, and those above */
  uint32_t state_live, state_gone_group;
  uint32_t cell_count, cell_size, cell_id, cell_fd; /* a held pidfd: for which id, and its number + 1 */
  char counter_names[PG_STATUS_COUNTERS][16];
};

#endif

/* What a reader from outside (`pidguard status`) needs to know of the layout of our memory, as constants in the object
 * itself, which a note of its program headers leads to. So a process that nobody asks pays nothing, one that is asked
 * is not stopped and runs none of our code, and reader and object may be of different versions. Calls nothing. */
#ifndef PG_CHILD_STATUS_H
#define PG_CHILD_STATUS_H

#include <stdint.h>

#define PG_STATUS_NOTE "pidguard" /* the note's owner; its type is the version of what is below */
#define PG_STATUS_VERSION 1
#define PG_STATUS_COUNTERS 32

/* The note's contents: distances from each word itself. */
struct pg_status_note {
  int32_t layout; /* to a struct pg_status_layout */
  int32_t hot;    /* to what the offsets below are counted from */
  int32_t chunks; /* to an array of pointers to further records */
  int32_t mode;   /* to an int: enum pg_mode */
};

struct pg_status_layout {
  uint32_t size; /* of this structure: what is missing at its end is not known */
  uint32_t pointer_size;
  char version[16];
  /* Offsets in the page, and numbers. All are 32 bits wide there, if nothing else is said. */
  uint32_t pid, tickets, retired_max /* + 1 */, held, budget;
  uint32_t counters, counter_count;            /* 64 bits each */
  uint32_t stripes, stripe_size, stripe_count; /* more of the second counter, 64 bits */
  uint32_t records;                            /* how many there are */
  uint32_t first_records, first_count, record_size, chunk_count /* records in a chunk */;
  uint32_t record_word /* 64 bits */, record_pid, record_ino /* 64 bits */;
  uint32_t fd_bits; /* the word's lowest: the pidfd + 1 */
  uint32_t live_bit, group_bit;
  char counter_names[PG_STATUS_COUNTERS][16];
};

#endif

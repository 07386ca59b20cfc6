/* SPDX-License-Identifier: MIT */
/* The table of companions. */
#ifndef COMPANIONS_H
#define COMPANIONS_H

enum {
  BEHIND = 1,      /* the library comes after the shim in the list, not before it */
  CASES = 2,       /* every case of the programs with cases runs, too */
  NOISY = 4,       /* what it says on stderr differs from run to run */
  NO_STORY = 8,    /* the stale PID cannot be arranged in these surroundings */
  NO_END = 16,     /* the program fails in these surroundings, with the shim as without */
  RACY = 64,       /* it sometimes loses the program, with the shim or without */
  NO_BATTERY = 32, /* only the story is shown */
  OTHER = 128      /* another user runs the program, and may not reach where the shim was built */
};

struct companion {
  const char *name;
  const char *needs;      /* a command, or the pattern of a library, which is preloaded */
  const char *probe;      /* a command line which shows that it works here at all */
  const char *built;      /* what the name of the battery ends with that is built for it */
  const char *complaint;  /* a text that must not be on stderr with the shim */
  const char *env[4];     /* NAME=VALUE */
  const char *prefix[12]; /* a command line in front of the program's */
  int flags;
};

/* The list with this name: "preloads", "tracers", "starters" or "places". It ends with a NULL name. NULL: no such
 * list. */
const struct companion *companions_of(const char *list);

#endif

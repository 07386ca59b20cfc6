/* SPDX-License-Identifier: MIT */
/* What `pidguard report` gathers from the lines, in memory that does not grow with them. */
#ifndef PG_TOOL_REPORT_H
#define PG_TOOL_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#define REPORT_NAMES 4
#define REPORT_SIGNALS 65 /* 0 to 64 */

/* Uses of PIDs whose child was gone, grouped by program, call, place and how the child had gone. */
struct stale {
  char *comm, *call, *caller, *gone;
  bool late_wait; /* a wait for a child that another wait had reaped */
  bool refused;   /* enforce mode; else the call was made */
  uint64_t count;
  uint64_t met;                 /* uses when another process had the PID */
  uint64_t hits;                /* of these: signals that nothing refused. Whether they arrived is not in the log */
  bool sends;                   /* some of the uses are signals */
  uint64_t nobody;              /* uses when no process had it */
  int64_t first, last;          /* microseconds since 1970; -1: unknown */
  int64_t least_ago, most_ago;  /* between the child's end and the use, microseconds; -1: unknown */
  int64_t target, pid;          /* of the latest */
  char names[REPORT_NAMES][24]; /* of the processes that had the PID */
  bool signals[REPORT_SIGNALS]; /* those that were sent */
  char by[24];                  /* which thread had reaped the child: of the latest use */
};

/* Everything else, grouped by program, event and text. */
struct trouble {
  char *comm, *event, *what;
  uint64_t count;
  int64_t first, last;
};

struct report {
  struct stale *stale;
  struct trouble *trouble;
  unsigned stales, troubles;
  uint64_t stale_left_out, trouble_left_out; /* lines beyond the tables' size */
  uint64_t files, unreadable, lines, foreign, cut;
  uint64_t summaries; /* processes that logged their counters at their end */
  uint64_t births, reaped, silent, unwaited, forgotten, degraded;
  uint64_t uses, met, hits; /* of all stale uses */
  int64_t first, last;
};

void report_print_text(struct report *r);
void report_print_json(struct report *r);

#endif

/* SPDX-License-Identifier: MIT */
/* What the log can tell of children that are gone: when, how, and by whom they were taken. Kept only while the log is
 * on, for the latest of each 1024 numbers. Async-signal-safe; what two threads write at once may be lost, as it is but
 * told. Calls log, kernel, base. */
#ifndef PG_RUNTIME_GONE_H
#define PG_RUNTIME_GONE_H

#include "runtime/log.h"

/* The child is gone. how: "wait", "silent" (a pidfd, or the kernel, said so), "reaped" (a wait took one that we had not
 * seen being made), or how it was made, where it was gone by then. */
PG_COLD void pg_gone_note(pid_t pid, const char *how);
/* gone=HOW ago=SECONDS by=THREAD|kernel|unknown */
PG_COLD void pg_line_gone(struct pg_line *line, pid_t pid);

#endif

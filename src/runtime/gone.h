/* SPDX-License-Identifier: MIT */
/* What the log can tell of children that are gone: when and how they were reaped, and by which thread. Kept only while
 * the log is on, for the latest of each 1024 PIDs. Async-signal-safe. If two threads write at once, one entry may be
 * lost: the log alone uses it. Calls log, kernel, base. */
#ifndef PG_RUNTIME_GONE_H
#define PG_RUNTIME_GONE_H

#include "runtime/log.h"

/* Notes that the child is gone. `how` is "wait", or "silent" (a pidfd or the kernel said so). It is "reaped" if a wait
 * took a child whose birth the shim had not seen. For a child that was gone when it was entered, it is the call that
 * made it. */
PG_COLD void pg_gone_note(pid_t pid, const char *how);
/* gone=HOW ago=SECONDS by=THREAD|kernel|unknown */
PG_COLD void pg_line_gone(struct pg_line *line, pid_t pid);

#endif

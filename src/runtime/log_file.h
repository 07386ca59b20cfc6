/* SPDX-License-Identifier: MIT */
/* Where the log goes: a file, a FIFO, a terminal, or standard error. For log.c and log_line.c alone. Async-signal-safe.
 * Calls config, lift, hot, kernel, base. */
#ifndef PG_RUNTIME_LOG_FILE_H
#define PG_RUNTIME_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Opens what PIDGUARD_LOG names. pre: pg_config_read() has run.
 * A negative value: the path cannot be opened; *ret_why is then the reason, or NULL where the errno is the reason. */
int pg_log_file_open(const char **ret_why);
bool pg_log_file_is_open(void);

/* Writes one line, and neither blocks nor raises a signal. Counts a line that cannot be written. -errno: it is the
 * first line that the log's file has lost. */
int pg_log_file_write(const char *text, size_t n);
/* Writes one line to standard error, if that is still the file that it was at the start. */
void pg_log_file_write_error(const char *text, size_t n);
/* Was a line lost? */
bool pg_log_file_has_lost(void);

/* Remembers which file standard error is, for pg_log_file_to_stderr(). */
void pg_log_file_note_stderr(void);
/* Sends what follows to standard error, if that is still the file that it was at the start. */
void pg_log_file_to_stderr(void);

#endif

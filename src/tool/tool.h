/* SPDX-License-Identifier: MIT */
/* What the parts of the program `pidguard` share: its messages, its statuses, its subcommands. It is an ordinary
 * program, no wrapper: it may allocate and use stdio. */
#ifndef PG_TOOL_TOOL_H
#define PG_TOOL_TOOL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
  PG_EXIT_TROUBLE = 125, /* of run: pidguard itself failed */
  PG_EXIT_CANNOT = 126,
  PG_EXIT_NOT_FOUND = 127,
  PG_EXIT_FINDINGS = 1, /* of report and check */
  PG_EXIT_BAD = 2,      /* of report, check and status: trouble */
  PG_EXIT_SKIP = 77,    /* of --demo: this machine cannot show it */
};

#define PG_PRINTF(a, b) __attribute__((format(printf, a, b)))

/* "pidguard: ..." on standard error, as by print_plain. */
void say(const char *format, ...) PG_PRINTF(1, 2);
void die(int status, const char *format, ...) PG_PRINTF(2, 3) __attribute__((noreturn));
/* Checks that everything printed has arrived. Else says why not, and ends with this status. */
void flush_or_die(int status);
void *must_alloc(void *old, size_t size);
char *must_dup(const char *text);
char *must_format(const char *format, ...) PG_PRINTF(1, 2);

/* A JSON string with its quotes. What is not UTF-8 becomes U+FFFD. */
void json_string(FILE *out, const char *text, size_t length);
void json_text(FILE *out, const char *text);
/* A text for a terminal: control characters, and bytes that are not UTF-8, become '?'. */
void print_plain(FILE *out, const char *text);

/* The subcommands. argv[0] is the name of the subcommand, or the first option. Returns the status of the program. */
int tool_run(int argc, char **argv);
int tool_report(int argc, char **argv);
int tool_check(int argc, char **argv);
int tool_status(int argc, char **argv);
int tool_demo(void);
/* Answers --help, -h and --version. Returns the status of the program; -1: the word is none of them. */
int tool_about(const char *word);

#endif

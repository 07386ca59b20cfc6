/* SPDX-License-Identifier: MIT */
/* Prints one line on standard output with one write(), so that children and handlers can use it, too. */
#ifndef SAY_H
#define SAY_H

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static inline void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void say(const char *format, ...) {
  char line[256];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (write(STDOUT_FILENO, line, (size_t)length) != length)
    _exit(3);
}

#endif

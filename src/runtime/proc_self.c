/* SPDX-License-Identifier: MIT */
#include "runtime/proc_self.h"

#include "base/errors.h"
#include "base/fmt.h"
#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/window.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>

static bool has_sigchld(const char *mask) {
  uint64_t bits = 0;
  for (; (*mask >= '0' && *mask <= '9') || (*mask >= 'a' && *mask <= 'f'); mask++)
    bits = bits << 4 | (uint64_t)(*mask <= '9' ? *mask - '0' : *mask - 'a' + 10);
  return bits & PG_SIGNAL_BIT(SIGCHLD);
}

/* Reads in small pieces: a signal handler on a small stack may make the first fork of a program. Until it is known that
 * the shim may block signals there is no window, but only its lock. */
PG_COLD struct pg_proc_self pg_proc_self_read(void) {
  char chunk[256], line[64];
  size_t len = 0;
  int unseen = 3;                                /* masks, and the count of threads, not seen yet */
  struct pg_proc_self status = {0, true, false}; /* a kernel without seccomp does not write the line */
  struct pg_window window = {.open = false};
  bool locked = false;
  if (pg_filter_can_now(PG_CAN_PIDFD))
    pg_window_open(&window);
  else
    locked = !pg_is_single_threaded() && pg_window_lock();
  int fd = pg_sys_openat(AT_FDCWD, "/proc/self/status", PG_READ_FLAGS, 0);
  ssize_t n = -1;
  bool seen = false; /* the line on filters follows those on signals */
  while (fd >= 0 && !seen && (n = pg_sys_read(fd, chunk, sizeof chunk)) > 0)
    for (ssize_t i = 0; i < n; i++) {
      if (chunk[i] != '\n') {
        if (len + 1 < sizeof line)
          line[len++] = chunk[i];
        continue;
      }
      line[len] = '\0';
      len = 0;
      const char *value = pg_text_behind(line, "Seccomp:\t");
      if (value) {
        status.seccomp = *value - '0';
        seen = true;
      } else if ((value = pg_text_behind(line, "SigBlk:\t")) || (value = pg_text_behind(line, "SigCgt:\t"))) {
        unseen--;
        status.quiet &= !has_sigchld(value);
      } else if ((value = pg_text_behind(line, "Threads:\t"))) {
        unseen--;
        status.quiet &= pg_text_is(value, "1");
      } else if ((value = pg_text_behind(line, "NSpid:\t"))) { /* the PID in this namespace, and in each inner one */
        pg_parse_dec(&value);
        status.foreign = *value == '\t';
      }
    }
  if (fd >= 0)
    pg_sys_close(fd);
  pg_window_close(&window);
  if (locked)
    pg_window_unlock();
  status.quiet &= unseen == 0;
  if (n < 0)
    status = (struct pg_proc_self){pg_is_scarce(fd) ? PG_PROC_SCARCE : -1, false, false};
  return status;
}

int64_t pg_proc_pid_max(void) {
  char text[24];
  const char *p = text;
  ssize_t size = pg_filter_can(PG_CAN_READ) ? pg_window_read_file("/proc/sys/kernel/pid_max", text, sizeof text) : 0;
  if (size <= 0)
    return pg_is_scarce(size) ? size : PG_PROC_PID_MAX;
  int64_t n = pg_parse_dec(&p);
  return n > 0 ? n : PG_PROC_PID_MAX;
}

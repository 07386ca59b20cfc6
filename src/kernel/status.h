/* SPDX-License-Identifier: MIT */
/* One pure function: turns what waitid(2) reports into the status of wait4(2). Calls nothing. */
#ifndef PG_KERNEL_STATUS_H
#define PG_KERNEL_STATUS_H

#include <signal.h>

/* The wait status for a siginfo that waitid filled. si_status carries ptrace's event bits above bit 7 for stops, and
 * the status keeps them (kernel/exit.c, wait_task_stopped). */
static inline int pg_status_from_siginfo(const siginfo_t *si) {
  int s = si->si_status;
  switch (si->si_code) {
  case CLD_EXITED:
    return (s & 0xff) << 8;
  case CLD_KILLED:
    return s & 0x7f;
  case CLD_DUMPED:
    return (s & 0x7f) | 0x80;
  case CLD_CONTINUED:
    return 0xffff;
  default: /* CLD_STOPPED, CLD_TRAPPED */
    return (int)((unsigned)s << 8 | 0x7f);
  }
}

/* True when the child that waitid reported is gone for good (and reaped, unless WNOWAIT was given). */
static inline int pg_siginfo_is_exit(const siginfo_t *si) {
  return si->si_code == CLD_EXITED || si->si_code == CLD_KILLED || si->si_code == CLD_DUMPED;
}

#endif

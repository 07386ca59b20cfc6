/* SPDX-License-Identifier: MIT */
/* What the files of the interpreter share. An interpreter runs the steps of one process of a random program by calling
 * libc (and so the shim, if it is preloaded). It writes what it sees to the board. The harness itself makes raw system
 * calls only, so that only the steps go through the interposed functions.
 *
 * The trace is the same on each run. Every process asks the monitor for a turn before each step. The monitor gives the
 * next turn only when all others are blocked, stopped or dead and every signal has been handled. */
#ifndef PGD_INTERP_H
#define PGD_INTERP_H

#include "board.h"
#include "program.h"

#include "kernel/sys.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/types.h>

#define PGD_EVENTS 96
#define PGD_REAPED 32
#define PGD_ERRNO 4242 /* the value of errno before each call, which a call that succeeds must leave there */

/* One run of a signal handler, printed when the process gets its next turn. */
struct pgd_event {
  int sig, code, value;
  pid_t pid;
  uid_t uid;
  int reaped; /* children that the handler itself has reaped */
  struct {
    pid_t pid;
    int status;
  } reap[PGD_REAPED];
  int last, last_errno; /* the result of its last wait */
};

struct pgd_ctx {
  int label;
  struct pgd_entry *entry;
  struct pgd_ctx *up; /* the parent whose memory this one shares (vfork), else NULL */
  pid_t pid;
  bool shared;
  int chld;         /* enum pgd_chld */
  unsigned jumping; /* signals whose handler jumps out of a wait */
  unsigned resumed; /* the round of its last turn */
  _Atomic int events;
  struct pgd_event event[PGD_EVENTS];
  sigjmp_buf jump;
  volatile pid_t jump_tid;        /* the thread that may jump, else 0 */
  int reaped_sure, reaped_unsure; /* children reaped since the last look, with a fault for sure, or perhaps */
  long child_faults;              /* the faults that this look saw */
  int extras;                     /* names given to children that take no turns */
  unsigned lines_len;
  char lines[8192]; /* lines of the trace since the last turn */
};

extern struct pgd_board *board;
extern struct pgd_program program;
extern struct pgd_ctx *self;
extern char *interp_path, *board_path;

/* interp.c */
/* Waits until the step may be done (NULL: the end of the process). */
void pgd_turn(const struct pgd_step *step);
void pgd_run(int first, int end);
__attribute__((noreturn)) void pgd_child(int step, bool shared);
__attribute__((noreturn)) void pgd_leave(int code, bool by_exit);
struct pgd_ctx *pgd_push_ctx(int label, bool shared);

/* interp_trace.c */
/* Lines are kept until the process gets its next turn, or leaves. A process that dies in a step, of a signal that the
 * step itself caused, may or may not come to write the result. */
__attribute__((format(printf, 1, 2))) void pgd_trace(const char *format, ...);
void pgd_flush(void);
/* Writes "s4 what = ret" and what became of errno. `pid` says that the value names a process. */
void pgd_result(int step, const char *what, long ret, int err, bool pid, const char *more);
const char *pgd_name(pid_t pid);
void pgd_set_name(pid_t pid, int label, int sub);
void pgd_print_events(void);
/* The PID that a step means. Returns false, with a line in the trace, if there is no such process. */
bool pgd_resolve(int step, int who, pid_t *ret_pid);
static inline pid_t pgd_gettid(void) { return (pid_t)pg_sys0(SYS_gettid); }

/* One function for each step: interp_make.c, interp_signal.c, interp_wait.c, interp_misc.c, interp_many.c,
 * interp_fd.c */
void pgd_do_make(int i);
void pgd_do_spawn(int i);
void pgd_do_become(int i);
void pgd_do_execv(int i);
void pgd_do_thread(int i);
void pgd_do_daemon(int i);
void pgd_do_signal(int i);
void pgd_do_pause(int i);
void pgd_do_chld(int i);
void pgd_do_disp(int i);
void pgd_do_mask(int i);
void pgd_do_take(int i);
void pgd_do_wait(int i);
void pgd_do_cancel(int i);
void pgd_do_group(int i);
void pgd_do_composite(int i);
void pgd_do_many(int i);
void pgd_do_fd(int i);

void pgd_catch(int sig, int flags);
void pgd_count_reaped(pid_t pid);
long pgd_child_faults(void);

/* Runs a call with errno set to the mark, and keeps what errno is after it. */
#define PGD_CALL(ret, err, call)                                                                                       \
  do {                                                                                                                 \
    errno = PGD_ERRNO;                                                                                                 \
    (ret) = (call);                                                                                                    \
    (err) = errno;                                                                                                     \
  } while (0)

#endif

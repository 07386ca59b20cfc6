/* SPDX-License-Identifier: MIT */
/* The window: the few system calls during which a low descriptor number belongs to the shim. The kernel gives a new
 * pidfd the lowest free number, which the program could use at the same moment. So signals are blocked meanwhile. In a
 * program with threads a lock also keeps out dup2 and dup3 onto numbers of the program's choice. A close of a number
 * that the program does not have open is not made. No call within a window blocks, so a wait for its end is short and
 * bounded. Calls filter, kernel. */
#ifndef PG_RUNTIME_WINDOW_H
#define PG_RUNTIME_WINDOW_H

#include "runtime/hot.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Each yield takes at least 0.1 us, and a sleep counts as many of them. That is longer than any window or use lasts,
 * unless its thread is stopped. */
#define PG_WINDOW_TRIES 1000000
/* Lets other threads run, and returns the count of tries after it. */
int pg_window_pause(int tries);

struct pg_window {
  uint64_t mask; /* the signal mask from before */
  bool open;     /* false: a filter may forbid what a window needs, so there is none, and no pidfd may be used */
  bool locked;
};

/* Does this PID of the caller say that the caller is a guest? The first process of a pid namespace and its guest, the
 * first of another one, both have PID 1. Then a thread within a vfork counts as the guest. */
static inline bool pg_window_is_other(pid_t self) {
  return self != pg_hot.pid || (self == 1 && pg_flag(&pg_hot.other_namespace) && (pg_self_marks & PG_VFORKS));
}

/* A guest (see child/self.h) has descriptors of its own: its windows take no lock. A window within a window of the same
 * thread changes nothing. */
void pg_window_open(struct pg_window *window);
void pg_window_close(struct pg_window *window);

/* The lock without the blocked signals, while it is not known whether a filter allows blocking them. */
bool pg_window_lock(void);
void pg_window_unlock(void);

/* Around a fork of a program with threads. The kernel copies the descriptor table, so the child has a copy of a number
 * that another thread is about to close at that moment. Such a number is one of the latest. In the child the thread
 * that had the lock is not there. True: a window may have been open. */
#define PG_WINDOW_RECENT 64
void pg_window_before_fork(void);
bool pg_window_forked(void);
/* In the child, before pg_window_forked(): the number that another thread's window worked on; -1: none is known. */
static inline int pg_window_low(void) { return atomic_load_explicit(&pg_hot.low, memory_order_relaxed) - 1; }
/* Then: the process whose pidfd the window was about to open, or 0. */
pid_t pg_window_opens(void);
/* Notes a number that is about to be closed, and the inode of its pidfd, 0 before Linux 6.9. pre: a window is open. */
void pg_window_note(int fd, uint64_t ino);
#define PG_INO_UNKNOWN UINT64_MAX /* or no pidfd */
/* In the child: the number that was noted i-th, counted from the latest. -1: that was before the fork began. */
int pg_window_recent(int i, uint64_t *ret_ino);

/* The number that the window works on; -1: none. From pg_window_open() on it may be any number, until it is known. */
enum { PG_LOW_NONE = 0, PG_LOW_ANY = -1 };
void pg_window_works_on(const struct pg_window *window, int fd); /* and notes it */
/* The inode behind that number, once it is known. */
void pg_window_identify_slow(uint64_t ino);
static inline void pg_window_identify(const struct pg_window *window, uint64_t ino) {
  if (PG_UNLIKELY(window->locked))
    pg_window_identify_slow(ino);
}
/* The window is about to open a pidfd of this process; its number is not known yet. */
void pg_window_will_open(const struct pg_window *window, pid_t pid);

/* Would a close of this number fall into a window of another thread? */
static inline bool pg_window_is_at(int fd) {
  int32_t low = atomic_load_explicit(&pg_hot.low, memory_order_relaxed);
  return PG_UNLIKELY(low != PG_LOW_NONE) && (low == PG_LOW_ANY || low == fd + 1);
}
/* Waits for the end of such a window. False: the program does not have the number open, so a close could only hit the
 * next window. */
bool pg_window_leaves_open(int fd);

/* A file of /proc is open in a window only. Otherwise another thread's dup2() onto its number could replace it, and the
 * shim would then close the program's file. The first look at /proc/self/status is the exception, because it tells
 * whether windows are allowed. Returns a descriptor, or -errno; the window is open either way. */
int pg_window_open_file(struct pg_window *window, const char *path);
void pg_window_close_file(struct pg_window *window, int fd);
/* Reads a small file, and puts a zero behind it. Returns its length, or -errno. */
ssize_t pg_window_read_file(const char *path, char *buf, size_t cap);
/* The same for the file of that name of a process or a thread in /proc. */
ssize_t pg_window_read_of(pid_t pid, const char *name, char *buf, size_t cap);

#endif

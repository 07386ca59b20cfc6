/* SPDX-License-Identifier: MIT */
/* What parents and putters do, step by step. Every step is correct in threads and in handlers. */
#define _GNU_SOURCE
#include "threads.h"

#include "raw.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

unsigned random_below(unsigned n) {
  static _Thread_local unsigned state;
  if (state == 0)
    state = (unsigned)raw_call(SYS_gettid, 0, 0, 0, 0, 0) * 2654435761u | 1;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % n;
}

/* ---- Parents ---- */

static pid_t make_pausing(void) {
  pid_t pid = fork();
  while (pid == 0)
    pause();
  if (pid <= 1)
    exit(2);
  return pid;
}

/* The wait must give this child with this status. */
static void reap(pid_t pid, int expected) {
  int status = 0;
  pid_t got;
  while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
    ;
  if (got == pid)
    EXPECT(status == expected, wait_wrong);
  else if (got < 0)
    BAD_ONE(wait_failed);
  else
    BAD_ONE(wait_wrong);
}

/* Returns a reaped child's PID, which a stranger has now. */
static pid_t make_stale(void) {
  for (int tries = 0; tries < 20; tries++) {
    pid_t pid = fork();
    if (pid == 0)
      _exit(3);
    if (pid <= 1)
      exit(2);
    reap(pid, 3 << 8);
    if (stranger_take(pid, STRANGER_NUMBER) == pid)
      return pid;
  }
  exit(2); /* another process is always faster */
}

static void kill_stale(pid_t pid) {
  DID_ONE(stale);
  EXPECT(pid > 1 && kill(pid, SIGUSR1) == -1 && errno == ESRCH, stale_passed);
}

static pid_t next_child(struct parent *parent) {
  pid_t pid = parent->children[parent->turn++ % (unsigned)parent->count];
  if (parent->turn % 64 == 0)
    kill_stale(parent->stale[parent->turn / 64 % STALE]);
  return pid > 1 ? pid : (exit(2), 0);
}

/* Signals the parent's children in turn. */
static void signal_next(struct parent *parent) {
  parent->signalled = true;
  EXPECT(kill(next_child(parent), SIGUSR1) == 0, kill_failed);
  DID_ONE(kills);
}

static void probe_next(struct parent *parent) {
  EXPECT(kill(next_child(parent), 0) == 0, kill_failed);
  DID_ONE(kills);
}

static void poll_child(pid_t pid) {
  int status = 0;
  pid_t got = waitpid(pid, &status, WNOHANG);
  EXPECT(got >= 0, wait_failed);
  EXPECT(got <= 0, wait_wrong);
  DID_ONE(polls);
}

static void poll_next(struct parent *parent) { poll_child(next_child(parent)); }

static void birth(struct parent *parent) {
  int code = 1 + (int)(parent->turn++ % 100);
  pid_t pid = parent->turn % 4 ? vfork() : fork();
  if (pid == 0)
    _exit(code);
  if (pid <= 1)
    exit(2);
  reap(pid, code << 8);
  DID_ONE(births);
}

/* One child after the other is made, asked for, signalled and reaped. Now and then a stranger gets the PID. */
static void cycle(struct parent *parent) {
  pid_t pid = make_pausing();
  EXPECT(kill(pid, 0) == 0, kill_failed);
  poll_child(pid);
  int sig = parent->turn++ % 2 ? SIGTERM : SIGKILL;
  if (kill(pid, sig) == 0) {
    reap(pid, sig);
  } else {
    BAD_ONE(kill_failed);
    raw_call(SYS_kill, pid, SIGKILL, 0, 0, 0);
    raw_call(SYS_wait4, pid, 0, 0, 0, 0);
  }
  DID_ONE(births);
  DID_ONE(kills);
  if (parent->turn % 64 == 0 && stranger_take(pid, STRANGER_NUMBER) == pid) {
    kill_stale(pid);
    stranger_end(pid, STRANGER_NUMBER);
  }
}

/* The shim remembers a bounded number of children that are gone. It is at least 64 for all threads together. */
static void renew_stale(struct parent *parent) {
  pid_t *stale = &parent->stale[parent->births / 2 % STALE];
  if (parent->births++ % 2)
    return;
  stranger_end(*stale, STRANGER_NUMBER);
  *stale = make_stale();
}

static void anything(struct parent *parent) {
  unsigned chosen = random_below(8);
  if (chosen < 2)
    renew_stale(parent);
  switch (chosen) {
  case 0:
    birth(parent);
    break;
  case 1:
    cycle(parent);
    break;
  case 2:
  case 3:
    poll_next(parent);
    break;
  default:
    signal_next(parent);
  }
}

void parent_begin(struct parent *parent) {
  parent->count = scenario->children;
  for (int i = 0; i < parent->count; i++)
    parent->children[i] = make_pausing();
  for (int i = 0; i < STALE; i++)
    parent->stale[i] = make_stale();
}

/* Is SIGUSR1 pending there? */
static bool came(pid_t pid) {
  char path[64], line[256];
  unsigned long long pending = 0;
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  FILE *file = fopen(path, "re");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, "ShdPnd:", 7) == 0)
      pending = strtoull(line + 7, NULL, 16);
  if (file)
    fclose(file);
  return pending >> (SIGUSR1 - 1) & 1;
}

void parent_end(struct parent *parent) {
  bool all_signalled = parent->signalled && parent->turn >= 4u * (unsigned)parent->count;
  for (int i = 0; i < parent->count; i++) {
    pid_t pid = parent->children[i];
    if (all_signalled && scenario->parent == signal_next)
      EXPECT(came(pid), not_delivered);
    if (pid > 1 && kill(pid, SIGKILL) == 0) {
      reap(pid, SIGKILL);
      continue;
    }
    BAD_ONE(kill_failed);
    if (pid > 1)
      raw_call(SYS_kill, pid, SIGKILL, 0, 0, 0);
  }
  for (int i = 0; i < STALE; i++)
    stranger_end(parent->stale[i], STRANGER_NUMBER);
}

/* ---- A process that has not called anything yet ---- */

static _Atomic unsigned long puts_made, puts_bad;
static _Atomic bool no_more;

static void *put_beside(void *arg) {
  int source = *(int *)arg, number = dup(source);
  struct stat is, now;
  if (fstat(source, &is) != 0)
    return NULL;
  while (!no_more) {
    puts_bad += dup2(source, number) != number || fstat(number, &now) != 0 || now.st_ino != is.st_ino;
    puts_bad += close(number) != 0;
    puts_made++;
  }
  return NULL;
}

/* A vfork child runs on this memory, but has a PID and descriptors of its own. */
static void *borrow(void *arg) {
  pid_t gone = *(pid_t *)arg;
  while (!no_more) {
    pid_t pid = vfork();
    if (pid == 0) {
      for (int i = 0; i < 20; i++)
        getpgid(gone);
      _exit(0);
    }
    if (pid > 1)
      waitpid(pid, NULL, 0);
  }
  return NULL;
}

/* The first calls read about the process beside a thread that puts descriptors. Returns 0 if all is good. */
int be_first(void) {
  pthread_t thread;
  int source = open("/dev/null", O_RDONLY | O_CLOEXEC), bad = 0;
  if (source < 0 || pthread_create(&thread, NULL, put_beside, &source) != 0)
    return 2;
  while (puts_made < 20)
    sched_yield();
  pid_t pid = fork();
  if (pid == 0)
    _exit(3);
  int status = 0;
  bad += pid <= 1 || waitpid(pid, &status, 0) != pid || status != 3 << 8;
  for (int i = 0; i < 20; i++) /* a stranger may have the PID, but without the shim this is a question only */
    getpgid(pid);
  pthread_t borrower;
  if (pthread_create(&borrower, NULL, borrow, &pid) != 0)
    return 2;
  for (int i = 0; i < 10; i++) {
    pid_t child = fork();
    if (child == 0)
      _exit(0);
    bad += child <= 1 || waitpid(child, NULL, 0) != child;
  }
  no_more = true;
  pthread_join(borrower, NULL);
  pthread_join(thread, NULL);
  return bad || puts_bad ? 1 : 0;
}

static void fresh(struct parent *parent) {
  (void)parent;
  pid_t pid = fork();
  if (pid == 0) {
    execl("/proc/self/exe", "threads", "first", NULL);
    _exit(2);
  }
  if (pid <= 1)
    exit(2);
  reap(pid, 0);
}

/* ---- Putters ---- */

static void check(const struct putter *putter) {
  struct stat is;
  if (fstat(putter->at, &is) != 0)
    BAD_ONE(lost);
  else
    EXPECT(is.st_dev == putter->source_is.st_dev && is.st_ino == putter->source_is.st_ino, replaced);
}

static void take_away(struct putter *putter) {
  if (putter->at < 0)
    return;
  check(putter);
  EXPECT(close(putter->at) == 0, close_failed);
  putter->at = -1;
}

static void put(struct putter *putter, int number) {
  int r = putter->turn % 8 == 7 ? dup3(putter->source, number, O_CLOEXEC) : dup2(putter->source, number);
  DID_ONE(puts);
  if (r == number) {
    putter->at = number;
    check(putter);
  } else if (r == -1 && errno == EBUSY && scenario->may_be_busy && scenario->source != PUT_FILE && number >= HIGH) {
    DID_ONE(busy);
  } else {
    dprintf(2, " put on %d: %d, errno %d;", number, r, errno);
    BAD_ONE(put_failed);
    if (r >= 0)
      close(r);
  }
}

/* Puts onto a number that is free, or takes away again. Each is a step, so that others come between. */
static void put_or_take(struct putter *putter, int number) {
  if (putter->at < 0)
    put(putter, number);
  else
    take_away(putter);
  putter->turn++;
}

static void put_low(struct putter *putter) { put_or_take(putter, lowest + putter->number); }

static void put_high(struct putter *putter) {
  put_or_take(putter, HIGH + HIGH_EACH * putter->number + (int)(putter->turn / 2 % HIGH_EACH));
}

/* As after a close-all, this first closes what is on the number. There may be nothing. */
static void put_closed(struct putter *putter) {
  int number = HIGH + 8 * putter->number + (int)random_below(8);
  if (putter->at >= 0) {
    take_away(putter);
    return;
  }
  close(number);
  if (putter->turn++ % 2) {
    put(putter, number);
    return;
  }
  /* This is above the numbers that any putter closes. A number that two putters close could be either's. */
  putter->at = fcntl(putter->source, F_DUPFD_CLOEXEC, HIGH + 8 * PUTTERS_MAX);
  DID_ONE(puts);
  if (putter->at < 0)
    BAD_ONE(put_failed);
  else
    check(putter);
}

static void put_anywhere(struct putter *putter) {
  if (putter->at < 0 && random_below(2))
    putter->turn += 1 + random_below(HIGH_EACH * 2);
  if (random_below(2))
    put_low(putter);
  else
    put_high(putter);
}

/* A log that is opened anew: close(n), dup2(log, n). */
static void reuse(struct putter *putter) {
  take_away(putter);
  put(putter, lowest + putter->number);
  putter->turn++;
}

/* The thread sanitizer has these, for accesses that are meant. */
extern void AnnotateIgnoreWritesBegin(const char *file, int line) __attribute__((weak));
extern void AnnotateIgnoreWritesEnd(const char *file, int line) __attribute__((weak));

/* As a close-all does: it closes numbers that the program does not have open. Other threads close the same numbers, and
 * the sanitizer takes that for a race. */
static void close_nothing(struct putter *putter) {
  if (AnnotateIgnoreWritesBegin && AnnotateIgnoreWritesEnd)
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  EXPECT(close(lowest + (int)(putter->turn++ % 4)) == -1 && errno == EBADF, close_failed);
  if (AnnotateIgnoreWritesBegin && AnnotateIgnoreWritesEnd)
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  DID_ONE(closes);
}

/* Any number may come. In a program with threads it need not be the lowest. */
static void open_any(struct putter *putter) {
  if (putter->at >= 0) {
    take_away(putter);
    return;
  }
  putter->at = open("/dev/null", O_RDWR | (putter->turn++ % 2 ? O_CLOEXEC : 0));
  DID_ONE(opens);
  if (putter->at < 0)
    BAD_ONE(open_failed);
  else
    check(putter);
}

void putter_begin(struct putter *putter) {
  pid_t pid = 0;
  putter->at = -1;
  if (scenario->source == PUT_STRANGER) {
    pid = stranger_take(0, STRANGER_HELD);
    putter->zombie = -pid; /* ended like one, but no child of this program */
  } else if (scenario->source == PUT_ZOMBIE) {
    pid = putter->zombie = fork();
    if (pid == 0)
      _exit(3);
  }
  putter->source = scenario->source == PUT_FILE ? open("/dev/null", O_RDWR | O_CLOEXEC)
                   : pid > 1                    ? (int)raw_call(SYS_pidfd_open, pid, 0, 0, 0, 0)
                                                : -1;
  if (putter->source < 0 || fstat(putter->source, &putter->source_is) != 0)
    exit(2);
}

void putter_end(struct putter *putter) {
  take_away(putter);
  EXPECT(close(putter->source) == 0, close_failed);
  if (putter->zombie < -1)
    stranger_end(-putter->zombie, STRANGER_HELD);
  int status = 0;
  if (putter->zombie > 1)
    EXPECT(waitpid(putter->zombie, &status, 0) == putter->zombie && status == 3 << 8, stolen);
}

/* ---- Both ---- */

const struct scenario scenarios[] = {
    {"signal-in-turn", 200, signal_next, PUT_STRANGER, put_low, 40000, 40000, false},
    {"signal-held", 32, signal_next, PUT_STRANGER, put_high, 60000, 40000, false},
    {"signal-closed", 32, signal_next, PUT_STRANGER, put_closed, 60000, 40000, true},
    {"poll-closed", 32, poll_next, PUT_ZOMBIE, put_closed, 60000, 40000, false},
    {"first", 0, fresh, PUT_FILE, put_low, 150, 2000, false},
    {"cycle", 0, cycle, PUT_STRANGER, put_low, 500, 20000, false},
    {"signal-bare", 200, signal_next, PUT_FILE, close_nothing, 40000, 400000, false},
    {"poll-in-turn", 200, poll_next, PUT_ZOMBIE, put_low, 40000, 40000, false},
    {"poll-held", 32, poll_next, PUT_ZOMBIE, put_high, 60000, 40000, false},
    {"births-high", 0, birth, PUT_FILE, put_high, 800, 20000, false},
    {"births-low", 0, birth, PUT_FILE, put_low, 800, 20000, false},
    {"births-pidfd", 0, birth, PUT_STRANGER, put_high, 800, 20000, true},
    {"births-open", 0, birth, PUT_FILE, open_any, 800, 20000, false},
    {"reuse", 200, probe_next, PUT_FILE, reuse, 40000, 30000, false},
    {"anything", 80, anything, PUT_STRANGER, put_anywhere, 2500, 30000, true},
    {NULL, 0, NULL, PUT_FILE, NULL, 0, 0, false},
};

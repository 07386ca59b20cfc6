/* SPDX-License-Identifier: MIT */
/* Processes in every state, hidden kernel features and descriptor leaks, for the tests of src/pidfd and src/api. This
 * is built on pg_test.h, so everything runs in a pid namespace of its own. */
#ifndef PIDFD_SUPPORT_H
#define PIDFD_SUPPORT_H

#include "pg_test.h"
#include "pidguard/pidguard.h"
#include "slowness.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>

/* A child and its pidfd. */
struct child {
  pid_t pid;
  int fd;
};

/* Children that wait to be killed, and children that have ended with this code or signal and are zombies. */
struct child child_paused(void);
struct child child_exited(int code);
struct child child_killed(int sig);
/* Runs `body` in a child, which exits with `body(arg)`. Does not wait. */
struct child child_running(int (*body)(void *), void *arg);
/* Waits until a child is a zombie. */
void child_await_zombie(struct child *c);
/* Reaps a child, and kills it first if it lives. The pidfd stays open. Returns the wait status. */
int child_reap(struct child *c);
/* Reaps a child if that was not done, and closes its pidfd. */
void child_done(struct child *c);

/* Runs a part of a test in a child, which must end with status 0. Status 77 skips the test for this reason. */
void check_in_child(int (*body)(void *), void *arg, const char *why_skipped);

/* A grandchild. It is no child of the test, and its parent kills and reaps it when told to. */
struct grandchild {
  struct child parent;
  int fd;      /* its pidfd */
  int control; /* takes 'k' (kill it) and 'r' (reap it) */
};
struct grandchild grandchild_paused(void);
void grandchild_tell(struct grandchild *g, char what);
void grandchild_done(struct grandchild *g);

/* Hides PG_FEATURE_* bits, as if the kernel were older, until it is called with 0. */
void hide(unsigned features);
/* All features, with their names for messages. */
struct feature {
  unsigned bit;
  const char *name;
};
extern const struct feature all_features[];
extern const size_t all_features_count;

/* One item of pidguard_pidfd_get_info(). Returns the value, or -1 with errno. */
int creds_of(int fd, struct pidguard_creds *ret);
int cgroupid_of(int fd, uint64_t *ret);
int coredump_of(int fd, struct pidguard_coredump *ret);
pid_t ppid_of(int fd);
pid_t tgid_of(int fd);
/* Is the calling thread in the same namespace? 1, 0, or -1 with errno. */
int same_namespace(int fd, int kind);

/* Makes a cgroup of the unified hierarchy where that is mounted, or in a mount of the test's own. Gives its path.
 * Returns false, with a skip, if none can be made. */
bool cgroup_make(char *path, size_t size);
/* Removes a cgroup when its last process is gone. */
void cgroup_remove(const char *path);

/* Counts the open descriptors. */
int open_descriptors(void);
/* The RLIMIT_NOFILE that leaves so many descriptors free. The test may have inherited some, with gaps. */
rlim_t limit_for(int room);
/* Milliseconds of CLOCK_MONOTONIC, and milliseconds of CPU time that this process used. */
int64_t now_ms(void);
int64_t cpu_ms(void);
void sleep_ms(int ms);

/* Adds a test. It also fails if it leaves a descriptor open, a feature hidden, or a child behind. */
void add(const char *name, void (*run)(void));

/* The errno of a call that must fail with -1; 0 if it did not fail. */
#define ERRNO_OF(call) (errno = 0, (call) == -1 ? errno : 0)
#define CHECK_ERRNO(call, want)                                                                                        \
  do {                                                                                                                 \
    int got_ = ERRNO_OF(call);                                                                                         \
    PG_CHECK(got_ == (want), "%s: %s, wanted %s", #call, strerror(got_), strerror(want));                              \
  } while (0)
/* For functions that answer yes or no: the answer must be no for this reason (0: certainly no). */
#define CHECK_NO(call, want)                                                                                           \
  do {                                                                                                                 \
    errno = 0;                                                                                                         \
    bool yes_ = (call);                                                                                                \
    PG_CHECK(!yes_ && errno == (want), "%s: %s, %s, wanted %s", #call, yes_ ? "yes" : "no", strerror(errno),           \
             strerror(want));                                                                                          \
  } while (0)
#define CHECK_EQ(a, b)                                                                                                 \
  do {                                                                                                                 \
    long long a_ = (long long)(a), b_ = (long long)(b);                                                                \
    PG_CHECK(a_ == b_, "%s is %lld, wanted %lld (errno %s)", #a, a_, b_, strerror(errno));                             \
  } while (0)

#endif

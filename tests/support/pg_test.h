/* SPDX-License-Identifier: MIT */
/* The base of every test of pidguard. It gives a test a pid namespace of its own, and CUnit with skips and formatted
 * failures. It runs programs with and without the shim, and makes strangers that take a given PID. A test file defines
 * pg_test_plan(). main() is in main.c. This header is for the single-threaded test driver, not for the programs under
 * test. */
#ifndef PG_TEST_H
#define PG_TEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PG_TEST_SKIPPED 77 /* exit status of a test that cannot run here; it is ctest's SKIP_RETURN_CODE */
#define PG_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* ---- CUnit (main.c) ---- */

/* Each test file defines this to add its tests. argc and argv are what ctest passes. */
void pg_test_plan(int argc, char **argv);

/* Adds a test. The suite is made on first use, and the names are copied. With PG_TEST_ONLY=TEXT in the environment only
 * tests whose "suite/name" contains TEXT are added. */
void pg_test_add(const char *suite, const char *name, void (*run)(void));

/* The name of the running test, for one function that serves many names. */
const char *pg_test_name(void);

/* A CUnit assertion with a formatted message. It returns the condition, so that a test can stop early. */
#define PG_CHECK(condition, ...) pg_test_check((condition), __FILE__, __LINE__, #condition, __VA_ARGS__)
bool pg_test_check(bool condition, const char *file, int line, const char *text, const char *format, ...)
    PG_PRINTF(5, 6);

/* Prints why the running test (or a part of it) cannot be shown here, and counts the test as skipped. */
void pg_test_skip(const char *format, ...) PG_PRINTF(1, 2);

/* For pg_test_plan(): none of these tests can run here. Prints the reason and exits with PG_TEST_SKIPPED. */
void pg_test_skip_all(const char *format, ...) PG_PRINTF(1, 2) __attribute__((noreturn));
/* The same, unless the kernel has pidfd_open (5.3). */
void pg_test_need_pidfd(void);
/* The same, unless pg_test_take_pid() works. */
void pg_test_need_take_pid(void);
/* True if the libc that runs this test is a glibc before 2.MINOR. */
bool pg_test_libc_before(int minor);
/* True if the kernel is older, or does not tell its version. */
bool pg_test_kernel_before(int major, int minor);

/* ---- Namespaces (namespace.c) ---- */

/* Goes on in a child that is process 2 of a fresh pid namespace with its own /proc. Process 1 there reaps orphans. The
 * caller's process waits outside and exits with the child's status. When it dies, so does everything in the namespace.
 * If there can be no namespace, it prints the reason and exits with PG_TEST_SKIPPED. main() calls this function before
 * anything else. */
void pg_test_enter_namespace(void);

/* True in a process that pg_test_enter_namespace() put into its namespace, and in its descendants. */
bool pg_test_in_namespace(void);

/* Kills every process of the namespace except its init and the caller. Returns how many there were. */
int pg_test_kill_leftovers(void);

/* Sets kernel.pid_max of this pid namespace. Returns -EOPNOTSUPP before Linux 6.14, where the value belongs to the
 * whole machine and is left alone. Other values of -errno come from the write. */
int pg_test_set_pid_max(int pid_max);

/* ---- Strangers (stranger.c) ---- */

/* An unrelated process. It is no child of the caller and blocks all signals, so that every signal to it stays pending
 * and can be read. Its comm is "stranger". */
struct pg_test_stranger {
  pid_t pid;
  int pidfd;
  uint64_t looks; /* what other processes can change in it, as it was at first */
};

/* Makes a stranger that has exactly this PID. clone3 with set_tid (Linux 5.5) needs privilege in the namespace. It
 * waits up to five seconds until the PID is free. Returns 0 or -errno: -EEXIST if the PID is still in use, -EPERM, and
 * -ENOSYS or -EINVAL if the kernel has no set_tid. */
enum pg_test_taking {
  PG_TEST_ALONE,
  PG_TEST_GROUP,      /* as the leader of a process group of its own */
  PG_TEST_LEFT_GROUP, /* the group has the PID: its leader is gone, and the stranger is a member that is left */
};
int pg_test_take_pid(pid_t pid, enum pg_test_taking how, struct pg_test_stranger *ret);

/* Can PIDs be taken here? 0, or the -errno that says why not. */
int pg_test_probe_take_pid(void);

/* Does the same by natural wrap-around: makes processes until the kernel gives the PID away by itself. Returns -ETIME
 * if it never does within `tries` processes. */
int pg_test_wrap_to_pid(pid_t pid, int tries, struct pg_test_stranger *ret);

/* kill(-pid) reaches a stranger only if it has a process group of its own. */
bool pg_test_stranger_alive(const struct pg_test_stranger *stranger);
bool pg_test_stranger_got(const struct pg_test_stranger *stranger, int sig); /* is sig pending there? */
/* True if no signal reached it and it neither died nor stopped. Also, no process may trace it or have changed its
 * group, priority, scheduling or limits. */
bool pg_test_stranger_untouched(const struct pg_test_stranger *stranger);
/* Ends the stranger and waits until its PID is free again. */
void pg_test_stranger_release(struct pg_test_stranger *stranger);

/* ---- Programs (run.c) ---- */

struct pg_test_command {
  const char *const *argv; /* argv[0] is searched in PATH */
  const char *const *env;  /* more NAME=VALUE, NULL-terminated, or NULL; PIDGUARD_* of the driver is never inherited */
  const char *errors;      /* a file that becomes fd 2 instead of the captured one, or NULL; "" closes fd 2 */
  const char *preload;     /* the object for LD_PRELOAD, or NULL to run without */
  int limit_ms;            /* 0 means ten seconds */
  bool same_session;       /* the session of strangers, whose groups it can then join */
};

/* A running program with a pipe to its stdin and from its stdout. */
struct pg_test_process {
  pid_t pid;
  int pidfd, in, out, errors, limit_ms;
  size_t fill;
  char pending[4096];
};

/* The results of a program that ended. out and err are NUL-terminated and belong to the outcome. */
struct pg_test_outcome {
  int status; /* as waitpid gives it; meaningless if timed_out */
  bool timed_out;
  char *out, *err;
  size_t out_size, err_size;
};

/* The path of the shim: PIDGUARD_PRELOAD from the environment, else the one that was built, else NULL. */
const char *pg_test_preload(void);
/* The same. If other users cannot reach it (below /root), a copy that is there until the test ends. */
const char *pg_test_preload_for_others(void);

/* Runs a program to its end, with stdin from /dev/null. */
void pg_test_run(const struct pg_test_command *command, struct pg_test_outcome *ret);
void pg_test_outcome_free(struct pg_test_outcome *outcome);
/* True if the program ended by itself with this exit status. */
bool pg_test_exited(const struct pg_test_outcome *outcome, int status);
/* Is there such a command in PATH? */
bool pg_test_installed(const char *command);

/* For dialogues: start, read and write lines, finish. Finish closes stdin, waits, and kills when the time-out expires.
 * A line is given without its newline. They return 0 or -errno. Read gives -ETIME when the limit expires and -EPIPE at
 * the end of the output. */
int pg_test_start(const struct pg_test_command *command, struct pg_test_process *ret);
int pg_test_read_line(struct pg_test_process *process, char *line, size_t size);
int pg_test_write_line(struct pg_test_process *process, const char *format, ...) PG_PRINTF(2, 3);
void pg_test_finish(struct pg_test_process *process, struct pg_test_outcome *ret);

#endif

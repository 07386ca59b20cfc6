/* SPDX-License-Identifier: MIT */
/* pidguard: safe handling of processes through pidfds.
 *
 * WHY. A PID is a number, and the kernel hands numbers out again. Between the moment you learn a PID and the moment you
 * use it, its process may have ended, have been reaped (by a wait), and the number may belong to a stranger. A pidfd is
 * a file descriptor that names one process for ever: after the end of the process it names nobody, never somebody else.
 *
 * HOW. Obtain a pidfd (part 1), use it to signal (2), wait (3), ask (4) and act (5), and close(2) it like any
 * descriptor.
 *
 *     int worker = pidguard_spawn("worker", argv, environ, NULL, 0);
 *     if (worker < 0)
 *       return -1;
 *     int status;
 *     if (pidguard_pidfd_wait(worker, &status, 5000) < 0 && errno == ETIMEDOUT) {  // it still runs
 *       pidguard_pidfd_terminate(worker, 1000, 0);         // SIGTERM, after another second SIGKILL
 *       pidguard_pidfd_wait(worker, &status, -1);          // collect it
 *     }
 *     close(worker);
 *
 * THE LIFE OF A PROCESS, as a pidfd sees it:
 *   alive   it runs (or is stopped).                      poll(2): nothing
 *   zombie  it has ended, its parent has not waited yet.  poll(2): POLLIN. Signals "succeed" without effect.
 *   reaped  its parent has waited; the number is free.    poll(2): POLLIN | POLLHUP (since Linux 6.9). From now on
 *           ESRCH.
 *
 * CONVENTIONS, which hold unless a function says otherwise:
 *   - Returns 0 or a value >= 0; on failure -1 with errno set. On success errno is left alone, and on failure nothing
 *     is stored through pointers.
 *   - A function that answers yes or no returns bool: true is certain; false with errno left alone is a certain no; if
 *     it cannot be told, false with errno set. (Set errno to 0 before, if the difference matters.)
 *   - A descriptor that a function returns belongs to the caller, who closes it; it is close-on-exec. A descriptor that
 *     is passed in stays the caller's.
 *   - Nothing allocates memory, takes a lock or starts a thread. Every function can be called from any number of
 *     threads at once, and from a signal handler. None is a cancellation point. "Safety:" is given where this differs.
 *   - Pointers must be valid; NULL is allowed only where it is mentioned.
 *   - Time-outs are in milliseconds, measured by CLOCK_MONOTONIC; a negative one is no limit, 0 is "do not block". Who
 *     waits until time is over gets ETIMEDOUT.
 *   - Blocking functions fail with EINTR when a signal handler ran. If it was installed with SA_RESTART, waits for
 *     a child without a limit, and those on sockets, go on instead; all others end there, too.
 *   - A structure that may grow is passed with its size. Set what you do not use to zero. A newer program's structure
 *     is taken as long as the members that the library does not know are zero.
 *   - These errors mean the same everywhere:
 *       EBADF       the descriptor is closed, or is no pidfd
 *       ESRCH       the process was reaped (where a function needs more than that, it says so)
 *       EREMOTE     the process has no number in the caller's pid namespace
 *       EOPNOTSUPP  this kernel cannot do it (or a seccomp filter hides that it can), and there is no safe substitute
 *       EMFILE, ENFILE, ENOMEM   no descriptor, or memory in the kernel, to be had (any function that returns
 *                   a descriptor, or falls back to /proc)
 *   - "Kernel:" tells the first Linux version that has the thing, and what older ones get. Nothing asks for a version:
 *     a feature is tried, and replaced if it is not there. Linux 5.4 is the oldest with full service; before it
 *     everything fails with EOPNOTSUPP. Substitutes read /proc, which must be mounted for them; they never look at
 *     another process by mistake: they check before and after by means of the pidfd.
 *
 * READ ON in pidfd_open(2), pidfd_send_signal(2), waitid(2), pid_namespaces(7), and pidguard(7).
 *
 * C11 or later, C++11 or later, POSIX.1-2008. */
#ifndef PIDGUARD_PIDGUARD_H
#define PIDGUARD_PIDGUARD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>

/* Both are macros wherever these headers declare siginfo_t and waitid(2). */
#if !defined(SI_QUEUE) || !defined(WEXITED)
#error "pidguard.h needs POSIX.1-2008: define _POSIX_C_SOURCE as 200809L (or _GNU_SOURCE) before the first #include"
#endif

#ifndef PIDGUARD_API
#if defined(__GNUC__)
#define PIDGUARD_API __attribute__((visibility("default")))
#else
#define PIDGUARD_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------------------------------
 * 1. Obtaining a pidfd
 *
 * From best to worst: let the process be created with one (pidguard_spawn, pidguard_fork_pidfd), be handed one by
 * somebody who has it (sockets), find it by its id or its text, find it by its number. */

enum pidguard_spawn_flag {
  /* The program starts with no signal blocked, and with the default action for all of them. */
  PIDGUARD_SPAWN_KEEP_MASK = 1 << 0,    /* what the caller blocks stays blocked (unless there is a mask below) */
  PIDGUARD_SPAWN_KEEP_IGNORED = 1 << 1, /* what the caller ignores stays ignored, as with execve(2) */
  PIDGUARD_SPAWN_NEW_GROUP = 1 << 2,    /* it leads a process group of its own (setpgid(2)) */
  PIDGUARD_SPAWN_NEW_SESSION = 1 << 3,  /* it leads a session, and a group, of its own (setsid(2)) */
  PIDGUARD_SPAWN_NO_NEW_PRIVS = 1 << 4, /* no program that it executes gives it more rights: prctl(2) */
  PIDGUARD_SPAWN_CGROUP = 1 << 5,       /* it is born in the cgroup below. Kernel: 5.7; before, it enters it first */
  PIDGUARD_SPAWN_AUTOREAP = 1 << 6,     /* it leaves no zombie, and sends no SIGCHLD. Kernel: 7.1; before, EOPNOTSUPP */
  PIDGUARD_SPAWN_AUTOKILL = 1 << 7      /* AUTOREAP; and it is killed when the last copy of its pidfd is closed. Needs
                                           NO_NEW_PRIVS, or CAP_SYS_ADMIN. Kernel: 7.1; before, EOPNOTSUPP */
};

/* The caller's descriptor `from` becomes the program's `to`. */
struct pidguard_spawn_fd {
  int from;
  int to;
};

struct pidguard_spawn_options {
  uint64_t flags;                      /* PIDGUARD_SPAWN_* */
  const char *directory;               /* where it starts, or NULL: where the caller is */
  const struct pidguard_spawn_fd *fds; /* descriptors that it gets, all at once, so that two can change places; and */
  size_t fd_count;                     /* those that are not close-on-exec. At most 128 */
  const sigset_t *mask;                /* the signals that it starts with blocked, or NULL */
  int cgroup;                          /* a descriptor of a cgroup's directory, with PIDGUARD_SPAWN_CGROUP */
};

/* Starts a program, and returns its pidfd. The process is a child of the caller, to be waited for like any other
 * (pidguard_pidfd_wait; pidguard_pidfd_get_pid tells the number). file: a path if it has a slash in it, else looked for
 * in PATH. options may be NULL; size is sizeof *options.
 * The kernel makes the pidfd together with the child. So nobody can have reaped it before, neither a wait of another
 * thread nor the kernel where SIGCHLD is ignored; once the program runs, this does not fail.
 * Errors, all of them before any program runs: those of execve(2) (ENOENT no such program, EACCES, ENOEXEC, E2BIG,
 *   ...); of fork(2) (EAGAIN, ENOMEM); of what the options ask for (ENOENT, ENOTDIR no such directory; EBADF no such
 *   descriptor, or no cgroup's; EACCES, EBUSY the cgroup does not take it; EPERM AUTOKILL); EINVAL unknown flag, or too
 *   many descriptors; E2BIG the options have members that this library does not know; EMFILE, ENFILE; EOPNOTSUPP.
 * Safety: threads yes; signal handlers no. No handler of pthread_atfork(3) runs.
 * Kernel: 5.4. See posix_spawn(3), clone(2). */
PIDGUARD_API int pidguard_spawn(const char *file, char *const argv[], char *const envp[],
                                const struct pidguard_spawn_options *options, size_t size);

/* fork(2) that also gives a pidfd: in the parent *ret_pidfd is the child's, the caller's to close. The child goes on
 * only when the parent has it. In the child it is left alone.
 * (*ret_pidfd is -1 if somebody killed the child before, and reaped it; or if other threads took the last descriptor.)
 * Errors: those of fork(2); EMFILE, ENFILE, ENOMEM, EOPNOTSUPP, before there is a child.
 * Safety: as fork(2). Kernel: 5.4. */
PIDGUARD_API pid_t pidguard_fork_pidfd(int *ret_pidfd);

enum pidguard_open_flag {
  /* waitid(2) and pidguard_pidfd_waitid without a limit do not block, but fail with EAGAIN. Others wait as they are
   * told to. Kernel: 5.10; before, EOPNOTSUPP. */
  PIDGUARD_OPEN_NONBLOCK = 1 << 0,
  /* One thread, by its thread id (gettid(2)), for pidguard_pidfd_open. Signals go to the thread. It polls readable when
   * the thread ends (the main thread: when the process does), and that is all that can be waited for. As racy as with a
   * process, unless the thread is known to live. Kernel: 6.9; before, EOPNOTSUPP. */
  PIDGUARD_OPEN_THREAD = 1 << 1
};

/* A pidfd of the process that has this number now. flags: PIDGUARD_OPEN_*.
 * This is racy by its nature: the number may have changed hands since you learned it. It is safe for getpid(2); if you
 * are the parent and nobody can have reaped the child in between (check with pidguard_pidfd_is_child); or if you check
 * the process once you have it. For children tracked by pidguard use pidguard_pidfd_open_child.
 * Errors: EINVAL pid < 1 or unknown flag; ESRCH nobody has the number; ENOENT it is that of a thread, not of a process
 *   (ESRCH before 6.16); EMFILE, ENFILE, ENOMEM; EOPNOTSUPP.
 * Kernel: 5.3. See pidfd_open(2). */
PIDGUARD_API int pidguard_pidfd_open(pid_t pid, unsigned flags);

/* A pidfd of the parent of the calling process: who made it, or who has taken it over since. Never racy, as opening the
 * number from getppid(2) would be.
 * Errors: EREMOTE the parent lives outside the caller's pid namespace; EMFILE, ENFILE, ENOMEM, EOPNOTSUPP. Kernel: 5.3.
 * See getppid(2). */
PIDGUARD_API int pidguard_pidfd_open_parent(void);

/* A pidfd of the process with this id (see pidguard_pidfd_get_id), whatever its number. flags: 0 or
 * PIDGUARD_OPEN_NONBLOCK. An id means something as long as the system runs; what has to outlive that is a text, below.
 * Errors: ESRCH the process was reaped, has no number in the caller's pid namespace, or there never was one (a thread
 *   has an id, too, but is not found by it); EINVAL unknown flag; EMFILE, ENFILE, ENOMEM; EOPNOTSUPP.
 * Kernel: 6.14; before, EOPNOTSUPP. See open_by_handle_at(2). */
PIDGUARD_API int pidguard_pidfd_open_id(uint64_t id, unsigned flags);

/* A process as text, for files and logs: "PID:ID:BOOT", BOOT being 32 digits that name this boot of the system, for ids
 * begin anew with each. Before 6.9 "PID:sTICKS:BOOT", with the time when it started in the place of the id. Stores the
 * text with its NUL if size is enough (PIDGUARD_TEXT_MAX always is), and returns its length without the NUL. (A
 * thread's text is for the eye: there is no way back from it.)
 * Errors: ERANGE size is too small; ESRCH, EREMOTE, EBADF; EOPNOTSUPP no /proc; EMFILE, ENFILE, ENOMEM. Kernel: 5.3. */
#define PIDGUARD_TEXT_MAX 80
PIDGUARD_API int pidguard_pidfd_to_text(int pidfd, char *text, size_t size);

/* The way back: a pidfd of the process that has this number, if it is the one that is meant. One newline may stand at
 * the end. flags: 0 or PIDGUARD_OPEN_NONBLOCK.
 * Errors: EINVAL no such text (a bare number is none), or unknown flag; ERANGE a number in it is 0 or too large; ESRCH
 *   the process was reaped, whoever has its number now, or the text is of another boot; EMFILE, ENFILE, ENOMEM;
 *   EOPNOTSUPP no /proc.
 * Kernel: 5.3. */
PIDGUARD_API int pidguard_pidfd_from_text(const char *text, unsigned flags);

/* Is this descriptor a pidfd? If not, errno is EBADF.
 * Kernel: 5.3 (by trying; since 6.9 by its file system). */
PIDGUARD_API bool pidguard_is_pidfd(int fd);

/* Is the process a child of the calling process, and not reaped? With this, a pidfd opened from a child's number is
 * verified: whoever got the number later is nobody's unreaped child of yours.
 * Errors: EBADF, EOPNOTSUPP. Kernel: 5.4. See waitid(2), P_PIDFD. */
PIDGUARD_API bool pidguard_pidfd_is_child(int pidfd);

/* Do two pidfds name the same process? Also if it was reaped.
 * Errors: before 6.9 ESRCH both were reaped, EREMOTE both live in another pid namespace; EBADF; EOPNOTSUPP.
 * Kernel: 6.9; before, by number, from /proc. */
PIDGUARD_API bool pidguard_pidfd_is_same(int a, int b);

/* The process at the other end of a connected UNIX stream or seqpacket socket, or of a socket pair: the one that called
 * connect(2), listen(2) or socketpair(2), also if its end has been passed on.
 * To decide what the peer may do, use pidguard_socket_peer_creds. The credentials of this pidfd (PIDGUARD_INFO_CREDS)
 * are those that the process has now: who connects and then executes a set-user-ID program is root by the time it is
 * asked.
 * Errors: EBADF, ENOTSOCK; ENODATA no peer is known (not connected, no UNIX socket); ESRCH the peer was reaped (6.16
 *   and later may still return its pidfd); EREMOTE the peer lives in another pid namespace (substitute only);
 *   EOPNOTSUPP see below; EMFILE, ENFILE, ENOMEM.
 * Kernel: 6.5. Before, SO_PEERCRED gives a number, which is opened and believed only if the connection still stands
 *   and the process has the credentials that were recorded; else EOPNOTSUPP. (One hole is left there: the peer passed
 *   its end on, died, and its number went to a process of the same user and group.) See unix(7), SO_PEERPIDFD. */
PIDGUARD_API int pidguard_socket_peer(int sock);

/* The effective user and group that the peer had when it connected (or listened, or made the pair), whatever it has
 * become since: this is what to decide by. Either pointer may be NULL.
 * Errors: EBADF, ENOTSOCK; ENODATA no peer is known. Kernel: any. See unix(7), SO_PEERCRED. */
PIDGUARD_API int pidguard_socket_peer_creds(int sock, uid_t *ret_uid, gid_t *ret_gid);

/* Sends a pidfd over a connected UNIX socket, with one byte of data. The receiver gets a descriptor of its own.
 * Errors: EBADF, ENOTSOCK, EPROTOTYPE it is no UNIX socket, ENOTCONN, ECONNREFUSED, EPIPE (never SIGPIPE), EAGAIN the
 *   socket is non-blocking and full, EINTR, ETOOMANYREFS too many descriptors are under way, ENOBUFS, ENOMEM.
 * Kernel: 5.3. See unix(7), SCM_RIGHTS. */
PIDGUARD_API int pidguard_socket_send(int sock, int pidfd);

/* Receives what pidguard_socket_send sent: the pidfd, checked to be one.
 * Errors: EPIPE the other end was closed; EBADMSG the next message carries something else, or more (it is consumed, and
 *   what it carries closed; also if no descriptor could be made, EMFILE); EAGAIN nothing there, the socket is
 *   non-blocking; EBADF, ENOTSOCK, ENOTCONN, EINVAL a stream that is not connected, EINTR, ENOMEM.
 * Kernel: 5.3. See unix(7), SCM_RIGHTS. */
PIDGUARD_API int pidguard_socket_receive(int sock);

/* Asks for, or declines, a pidfd of the sender with each message that this UNIX socket receives.
 * Errors: EBADF, ENOTSOCK, EOPNOTSUPP. Kernel: 6.5; before, EOPNOTSUPP: a number alone does not tell who sent a
 *   message.
 * See unix(7), SO_PASSPIDFD. */
PIDGUARD_API int pidguard_socket_pass_sender(int sock, bool on);

/* Receives a message of at most size bytes into data, as recv(2) with these flags, and stores a pidfd of its sender,
 * the caller's to close, in *ret_pidfd; -1 there if the kernel gave none (not asked for, no descriptor was free, or
 * before 6.16 the sender was reaped). Descriptors that come along as cargo are closed. Returns the length received, 0
 * at the end of a stream.
 * Errors: those of recv(2). Kernel: 6.5, see above. See unix(7), SCM_PIDFD. */
PIDGUARD_API ssize_t pidguard_socket_receive_from(int sock, void *data, size_t size, int flags, int *ret_pidfd);

/* ---------------------------------------------------------------------------------------------------------------------
 * 2. Signals
 *
 * A signal reaches the process that the pidfd names, or nobody. Signal 0 is no signal: it only checks. A zombie counts
 * as there: signals to it succeed without effect. (The kernel takes a directory descriptor of /proc/PID for a pidfd
 * here. It is as safe.)
 *
 * Errors of all of them: ESRCH reaped; EPERM the caller may not signal it (kill(2)); EINVAL no such signal, or unknown
 *   flag; EBADF; EREMOTE. */

/* In place of a pidfd: the calling process, the calling thread. Taken by pidguard_pidfd_send_signal,
 * pidguard_pidfd_sigqueue and pidguard_pidfd_madvise; needs no descriptor. Kernel: 6.14 and 6.17; before, the library
 * stands in. */
enum pidguard_self { PIDGUARD_SELF_THREAD = -10000, PIDGUARD_SELF_PROCESS = -10001 };

enum pidguard_signal_flag {
  /* To one thread: the one that the pidfd names, or the main thread of a process. As tgkill(2). */
  PIDGUARD_SIGNAL_THREAD = 1 << 0,
  /* To every member of the process group whose leader the pidfd names (or named: also when the leader was reaped, as
   * long as there are members). ESRCH: nobody is in that group, or the process never led one. */
  PIDGUARD_SIGNAL_GROUP = 1 << 2
  /* Kernel: 6.9; before, EOPNOTSUPP: kill(2) with the group's number might hit another group. */
};

/* As kill(2): to the process; to the thread, if the pidfd names one. flags: 0, or one of the above.
 * Kernel: 5.1. See pidfd_send_signal(2). */
PIDGUARD_API int pidguard_pidfd_send_signal(int pidfd, int sig, unsigned flags);

/* As sigqueue(3): with a value, for a handler installed with SA_SIGINFO (si_code SI_QUEUE, si_pid, si_uid, si_value).
 * Errors: also EAGAIN, the process has too many signals queued (RLIMIT_SIGPENDING). Kernel: 5.1. */
PIDGUARD_API int pidguard_pidfd_sigqueue(int pidfd, int sig, union sigval value);

enum pidguard_terminate_flag {
  PIDGUARD_TERMINATE_CONTINUE = 1 << 0 /* SIGCONT after SIGTERM: a stopped process sees no SIGTERM before it goes on */
};

/* SIGTERM, then SIGKILL if the process has not ended within timeout milliseconds. Returns 0 if it ended by itself, 1 if
 * SIGKILL was sent (it may not have ended yet). Does not reap: follow with pidguard_pidfd_wait if it is your child.
 * Never fails with EINTR: signal handlers run, and the wait goes on. A negative timeout never kills.
 * Kernel: 5.3. */
PIDGUARD_API int pidguard_pidfd_terminate(int pidfd, int timeout, unsigned flags);

/* The same for an event loop, which must not block: SIGTERM now, and a timer, which is readable when time is over. It
 * is a descriptor of its own, the caller's to close: put it where the pidfd is (a set, any event loop). If it comes
 * first, pidguard_pidfd_send_signal(pidfd, SIGKILL, 0); if the end of the process comes first, close the timer.
 *     int timer = pidguard_pidfd_terminate_start(worker, 5000, 0);
 * Errors: also EMFILE, ENFILE, ENOMEM; nothing was sent then. Kernel: 5.3. See timerfd_create(2). */
PIDGUARD_API int pidguard_pidfd_terminate_start(int pidfd, int timeout, unsigned flags);

enum pidguard_tree {
  /* It had a cgroup of its own: one without cgroups below it, in which neither the caller is, nor its parent, nor
   * another child of its parent. The kernel killed all that was in there in one step; nobody can have escaped. */
  PIDGUARD_TREE_CGROUP = 1,
  /* It and all below it were stopped, from parents to children, until nobody new was found, and then killed. Nobody who
   * had parents up to it then can have escaped; who had lost them before (a daemon) is not found. Parents may see that
   * their children are stopped before they are killed. */
  PIDGUARD_TREE_WALK = 2
};

/* SIGKILL for a process and all its descendants. Returns which of the two it was. They may not have ended yet; reaping
 * is the parents' business. timeout: how long to wait for processes to stop, where that is needed (less than a
 * millisecond each, unless they hang in the kernel).
 * Errors: ETIMEDOUT somebody did not stop in time, so that children may have been missed; EPERM somebody may not be
 *   signalled; ELOOP more than 64 generations. In all three cases everybody else was killed. EINVAL the caller is in
 *   the tree, or it is a thread's pidfd, or the init of the pid namespace; ESRCH; EREMOTE; EBADF; EOPNOTSUPP no /proc
 *   that lists children (CONFIG_PROC_CHILDREN); EMFILE, ENFILE, ENOMEM.
 * Safety: signal handlers no. Kernel: 5.4; by cgroup 5.14. See cgroups(7), cgroup.kill. */
PIDGUARD_API int pidguard_pidfd_kill_tree(int pidfd, int timeout);

/* ---------------------------------------------------------------------------------------------------------------------
 * 3. Waiting
 *
 * A pidfd can itself be given to poll(2), select(2), epoll(7) or any event loop: it becomes readable when the process
 * (the last of its threads) has ended. Nothing is to be read from it; when it is ready, wait. */

/* Waits until the process has ended; stores its wait status (WIFEXITED and so on, see waitpid(2)) in *status, unless
 * that is NULL.
 * A child is reaped by this. For a process that is not the caller's child, or that somebody else has reaped, the status
 * is what the kernel has kept; it is known only once the parent has reaped, so that is waited for as well.
 * Errors: ETIMEDOUT; EBADF; EINTR. Not a child, and a status wanted: EREMOTE; EOPNOTSUPP, when the process has ended,
 *   if this kernel does not keep it.
 * Kernel: 5.4 for children; 6.15 for others' status (before: EOPNOTSUPP; the mere end, 5.3). A tracer takes the end of
 *   a child first (strace, a security agent): then a wait with a limit looks again every few milliseconds, and one
 *   without is woken. See waitid(2), poll(2). */
PIDGUARD_API int pidguard_pidfd_wait(int pidfd, int *status, int timeout);

/* Waits until the process has ended, child or not, reaped or not; reaps nothing.
 * Errors: ETIMEDOUT, EBADF, EINTR. Kernel: 5.3. See pidfd_open(2). */
PIDGUARD_API int pidguard_pidfd_wait_end(int pidfd, int timeout);

/* The full form, for children only: waitid(2) with P_PIDFD. options: at least one of WEXITED, WSTOPPED, WCONTINUED; and
 * WNOHANG, WNOWAIT (leave it as it is, to be waited for again), __WALL, __WCLONE, __WNOTHREAD. info and usage (what
 * the child has used; zero where nothing is reported by the kernel) may be NULL.
 * A time-out above 0 goes with WEXITED alone (else EINVAL): the kernel wakes nobody for a stop.
 * Errors: ETIMEDOUT; EAGAIN nothing to report with WNOHANG, or there is no limit and the pidfd is non-blocking; ECHILD
 *   not a child, or reaped; EINVAL; EBADF; EINTR; EOPNOTSUPP. Kernel: 5.4. See waitid(2), getrusage(2). */
PIDGUARD_API int pidguard_pidfd_waitid(int pidfd, siginfo_t *info, int options, struct rusage *usage, int timeout);

/* The wait status that says the same as a siginfo filled by waitid(2). Never fails. */
PIDGUARD_API int pidguard_siginfo_to_wait_status(const siginfo_t *info);

/* A set of processes, to wait for whichever ends first; and of other descriptors, to wait for whichever is readable.
 * It is itself a descriptor (an epoll(7) instance), closed with close(2), and readable while there is news: put it
 * into any event loop. Adding, removing and each event take constant time, whatever the number of members; the memory
 * is the kernel's.
 *
 *     int set = pidguard_set_create(), ready[16];
 *     pidguard_set_add(set, worker);                                     // once for each
 *     int n = pidguard_set_wait(set, ready, 16, pidguard_deadline(-1));  // then wait for ready[0] to ready[n - 1]
 *
 * Errors of pidguard_set_create: EMFILE, ENFILE, ENOMEM. Kernel: 5.3. */
PIDGUARD_API int pidguard_set_create(void);

/* Adds a pidfd; or a pipe, a socket, a timer, a signalfd, whatever can be polled. It must stay open as long as it is
 * a member.
 * Errors: EBADF; EEXIST it is a member; EINVAL set is not a set; ENOSPC /proc/sys/fs/epoll/max_user_watches; ENOMEM. */
PIDGUARD_API int pidguard_set_add(int set, int fd);

/* Removes a member. (Closing the last descriptor of a file also removes it; if there is a copy, say in a forked child,
 * the member is not told of any more, but takes a little room in the kernel as long as the copy is there.)
 * Errors: EBADF; ENOENT not a member; EINVAL set is not a set. */
PIDGUARD_API int pidguard_set_remove(int set, int fd);

/* Waits for members to end, or to be readable: stores up to max of them (no more than 64 in one call) and returns how
 * many. Nothing is reaped or read. An end is told by each call until the process is reaped, by whomever, or the member
 * removed; at least once. So nothing is lost if a child cannot be collected at once because a tracer holds it still:
 * wait for it with a limit of some milliseconds, and it will be told again. With several threads waiting on one set,
 * more than one may be told of an end.
 * The deadline comes from pidguard_deadline; a negative one is none, 0 is "do not block".
 * Errors: ETIMEDOUT; EBADF; EINVAL max < 1, not a set, or a deadline that must be a mere number of milliseconds (it
 *   lies in the first second after the boot); EINTR. See epoll_wait(2). */
PIDGUARD_API int pidguard_set_wait(int set, int *ready, int max, int64_t deadline);

/* The deadline that many milliseconds from now, in nanoseconds of CLOCK_MONOTONIC: the earliest of several is the
 * least. timeout < 0: none, which is later than all others. Never fails. */
PIDGUARD_API int64_t pidguard_deadline(int timeout);

/* ---------------------------------------------------------------------------------------------------------------------
 * 4. Questions
 *
 * Answers are about the right process, and may be out of date as soon as they are given. Errors of all of them: ESRCH
 * reaped; EREMOTE; EBADF; EOPNOTSUPP; EMFILE, ENFILE, ENOMEM where /proc is read, and there EACCES, /proc hides the
 * process (hidepid, see proc(5)).
 * See ioctl_pidfd(2), PIDFD_GET_INFO. */

/* Its number in the caller's pid namespace. Kernel: 6.13; before, from /proc. */
PIDGUARD_API pid_t pidguard_pidfd_get_pid(int pidfd);

/* Its id, a number that no other process gets while the system runs; also of a reaped process. A thread's pidfd has the
 * thread's id, which for the main thread is the process's. Kernel: 6.9 (32-bit systems: 6.14); before, EOPNOTSUPP. */
PIDGUARD_API int pidguard_pidfd_get_id(int pidfd, uint64_t *ret);

enum pidguard_state { PIDGUARD_STATE_ALIVE = 1, PIDGUARD_STATE_ZOMBIE = 2, PIDGUARD_STATE_REAPED = 3 };

/* Where it is in its life: one of the three. Errors: EBADF; EREMOTE, before 6.9, ended in another pid namespace.
 * Kernel: 5.3. */
PIDGUARD_API int pidguard_pidfd_get_state(int pidfd);

/* The wait status (WIFEXITED and so on) of a process that has ended, without waiting and without reaping: of the
 * caller's child as soon as it is a zombie, of any process once it was reaped.
 * Errors: EAGAIN it has not ended, or is somebody else's zombie; EOPNOTSUPP it was reaped, and the kernel did not keep
 *   it.
 * Kernel: 5.4 for zombie children, 6.15 for reaped processes; before, EOPNOTSUPP. */
PIDGUARD_API int pidguard_pidfd_get_wait_status(int pidfd, int *status);

/* What can be asked for, and what came. The first six have the numbers of the kernel's PIDFD_INFO_*; those that only
 * the library has are out of their way. */
enum pidguard_info_item {
  PIDGUARD_INFO_PID = 1 << 0,            /* pid, tgid, ppid. Kernel: 6.13; before, from /proc */
  PIDGUARD_INFO_CREDS = 1 << 1,          /* creds. Kernel: 6.13; before, from /proc */
  PIDGUARD_INFO_CGROUPID = 1 << 2,       /* cgroupid. Kernel: 6.13, and 6.15 also of a reaped process; before, from
                                            /proc, where cgroup2 is mounted (EOPNOTSUPP where it is not) */
  PIDGUARD_INFO_WAIT_STATUS = 1 << 3,    /* wait_status, as pidguard_pidfd_get_wait_status */
  PIDGUARD_INFO_COREDUMP = 1 << 4,       /* coredump. Kernel: 6.16, code later (it keeps record of dumps that a program
                                            or socket takes; of others the wait status tells that they were done, and
                                            the signal). Before, EOPNOTSUPP as long as there is no wait status, and then
                                            PIDGUARD_COREDUMP_DONE at most. ENODATA: it has ended, and there was no
                                            dump, or it is somebody else's zombie and nothing was recorded */
  PIDGUARD_INFO_SUPPORTED_MASK = 1 << 5, /* supported_mask. Kernel: 6.19; before, EOPNOTSUPP */
  PIDGUARD_INFO_ID = 1 << 28,            /* id, as pidguard_pidfd_get_id */
  PIDGUARD_INFO_STATE = 1 << 29,         /* state, as pidguard_pidfd_get_state */
  PIDGUARD_INFO_ALL = 0x3000003f
};

/* Of the user namespace that the caller is in (credentials(7)), and of this moment: to decide about a peer use
 * pidguard_socket_peer_creds. */
struct pidguard_creds {
  uid_t ruid, euid, suid, fsuid; /* real, effective, saved, for file access */
  gid_t rgid, egid, sgid, fsgid;
};

enum pidguard_coredump_flag {
  PIDGUARD_COREDUMP_DONE = 1 << 0,    /* a core was dumped */
  PIDGUARD_COREDUMP_SKIPPED = 1 << 1, /* it is, or was, not dumpable: see prctl(2), PR_SET_DUMPABLE */
  PIDGUARD_COREDUMP_USER = 1 << 2,    /* with the rights of its user */
  PIDGUARD_COREDUMP_ROOT = 1 << 3     /* readable by root only: sensitive */
};
#define PIDGUARD_COREDUMP_UNKNOWN (-0x7fffffff - 1)

/* About its core dump (core(5)). flags tells what happened, or, while it lives, what would happen. */
struct pidguard_coredump {
  uint32_t flags; /* PIDGUARD_COREDUMP_* */
  int32_t signal; /* the signal that made it dump, or PIDGUARD_COREDUMP_UNKNOWN */
  int32_t code;   /* si_code of that signal (sigaction(2)), or PIDGUARD_COREDUMP_UNKNOWN */
};

struct pidguard_info {
  uint64_t mask; /* in: PIDGUARD_INFO_* that are wanted; out: those that were filled */
  uint64_t id;
  uint64_t cgroupid; /* of its cgroup in the unified hierarchy: see pidguard_cgroupid_from_path */
  pid_t pid;
  pid_t tgid; /* the number of its process: for a thread's pidfd another than its own */
  pid_t ppid; /* 0 if the parent lives outside the caller's pid namespace, as getppid(2) */
  int32_t state;
  struct pidguard_creds creds;
  int32_t wait_status;
  struct pidguard_coredump coredump;
  uint64_t supported_mask; /* what this kernel's PIDFD_GET_INFO can tell, as PIDFD_INFO_* */
};

/* Several things at once, most in one system call. size is sizeof *info: new members come at the end of the structure,
 * and unknown ones are zeroed. Set info->mask before. Look at info->mask afterwards: what could not be had is missing
 * there, and its members are 0.
 * Errors: if nothing of what was wanted could be had, why the first item of it could not; EINVAL size too small, or a
 *   mask without any known bit. */
PIDGUARD_API int pidguard_pidfd_get_info(int pidfd, struct pidguard_info *info, size_t size);

/* The id of the cgroup with this directory: the file handle, and on 64-bit systems the inode number, as in
 * struct pidguard_info (cgroups(7)).
 * Errors: those of open(2); EINVAL it is no cgroup of the unified hierarchy; EOPNOTSUPP. Kernel: any. */
PIDGUARD_API int pidguard_cgroupid_from_path(const char *path, uint64_t *ret);

/* ---------------------------------------------------------------------------------------------------------------------
 * 5. Actions */

/* The kinds of namespaces (namespaces(7)). */
enum pidguard_namespace {
  PIDGUARD_NAMESPACE_CGROUP = 1,
  PIDGUARD_NAMESPACE_IPC = 2,
  PIDGUARD_NAMESPACE_MNT = 3,
  PIDGUARD_NAMESPACE_NET = 4,
  PIDGUARD_NAMESPACE_PID = 5,
  PIDGUARD_NAMESPACE_PID_FOR_CHILDREN = 6,
  PIDGUARD_NAMESPACE_TIME = 7,
  PIDGUARD_NAMESPACE_TIME_FOR_CHILDREN = 8,
  PIDGUARD_NAMESPACE_USER = 9,
  PIDGUARD_NAMESPACE_UTS = 10
};

/* The CLONE_NEW* flag that goes with a kind. Errors: EINVAL no such kind. */
PIDGUARD_API int pidguard_namespace_to_flag(int kind);

/* All CLONE_NEW* flags. */
#define PIDGUARD_NAMESPACE_FLAGS 0x7e020080

/* A descriptor of one of its namespaces, for setns(2), or to keep the namespace alive.
 * Errors: ESRCH it has ended (a zombie has none any more); EACCES the caller may not look into it (ptrace(2),
 *   PTRACE_MODE_READ_FSCREDS); EINVAL no such kind; EOPNOTSUPP the kernel is built without; EBADF; EMFILE, ENFILE,
 *   ENOMEM; before 6.11 EREMOTE.
 * Kernel: 6.11; before, from /proc (where a new PID_FOR_CHILDREN without any process is EOPNOTSUPP). See
 *   ioctl_pidfd(2). */
PIDGUARD_API int pidguard_pidfd_open_namespace(int pidfd, int kind);

/* Moves the calling thread into namespaces of the process, all at once or none. flags: any set of CLONE_NEW*, or all,
 * PIDGUARD_NAMESPACE_FLAGS; those that the thread is in already are left out, and so are those that the kernel does not
 * know. CLONE_NEWPID and CLONE_NEWTIME mean the namespaces that the process is in, and concern the caller's next
 * children.
 * Errors: EINVAL flags, or the caller cannot: it has several threads and wants another user (or mount) namespace, or
 *   a pid namespace that is not its own or below; EUSERS it has several threads and wants a time namespace; EPERM,
 *   EACCES; ESRCH it has ended; EBADF; EMFILE, ENFILE, ENOMEM.
 * Kernel: 5.8; before, one by one, so that a failure may leave the thread in some of them. See setns(2). */
PIDGUARD_API int pidguard_pidfd_setns(int pidfd, int flags);

/* A duplicate of its descriptor number target, sharing offset and flags, as if sent over a socket.
 * Errors: EPERM the caller may not (ptrace(2), PTRACE_MODE_ATTACH_REALCREDS); EBADF pidfd, or it has no descriptor
 *   target; ESRCH it has ended (a zombie before 6.8: EBADF); EMFILE, ENFILE; EOPNOTSUPP.
 * Kernel: 5.6; before, EOPNOTSUPP: opening the file anew through /proc is not the same. See pidfd_getfd(2). */
PIDGUARD_API int pidguard_pidfd_getfd(int pidfd, int target);

/* Frees the memory of a process that was killed, faster than it would itself. Returns when it is free.
 * Errors: EINVAL it is not dying, or it is a thread's pidfd; EAGAIN not everything could be freed yet; ESRCH it has
 *   ended, and has none any more; EBADF; EINTR; EOPNOTSUPP.
 * Kernel: 5.15; before, EOPNOTSUPP. See process_mrelease(2). */
PIDGUARD_API int pidguard_pidfd_mrelease(int pidfd);

/* Gives advice (MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_COLLAPSE; for oneself any) about count ranges of its
 * memory, in its addresses. Returns the number of bytes advised, which may be fewer than asked for. pidfd may be
 * PIDGUARD_SELF_PROCESS.
 * Errors: EPERM, EACCES the caller may not (ptrace(2), PTRACE_MODE_READ_FSCREDS, and CAP_SYS_NICE); EINVAL advice,
 *   alignment, count or length, or it is a thread's pidfd; ENOMEM not mapped; ESRCH it has ended; EBADF; EFAULT; EINTR;
 *   EOPNOTSUPP.
 * Kernel: 5.10; before, EOPNOTSUPP. See process_madvise(2). */
PIDGUARD_API ssize_t pidguard_pidfd_madvise(int pidfd, const struct iovec *ranges, size_t count, int advice);

/* A descriptor of its directory in /proc, for openat(2). What is opened there belongs to this process, or fails with
 * ENOENT or ESRCH once it was reaped; it never shows a later owner of the number.
 * Errors: ESRCH; EREMOTE it has no number in the pid namespace of the /proc that is mounted; EACCES /proc hides it;
 *   EBADF; EMFILE, ENFILE, ENOMEM; EOPNOTSUPP no /proc. Kernel: 5.3. See proc(5). */
PIDGUARD_API int pidguard_pidfd_open_proc(int pidfd);

/* ---------------------------------------------------------------------------------------------------------------------
 * 6. Tracked children
 *
 * For code that keeps PIDs, and cannot be rewritten to keep pidfds: the calls of libc by other names, with a table
 * behind them that knows each child by its pidfd. A number that was told to be dead is dead: signals to it fail with
 * ESRCH, whoever has it now. The preload object puts the same calls under the names of libc; a program that uses both
 * has one table.
 *
 * They take the same arguments, return the same values and fail with the same errno as the calls of libc that they are
 * named after; the waits are cancellation points. They can be called from signal handlers and from any thread (fork, as
 * in libc, with care). With PIDGUARD_MODE=off they are the calls of libc. Numbers that are not of tracked children are
 * libc's business. Kernel: 5.4; before, children are tracked by number alone. */

/* fork(2): the child is tracked when this returns. (With the API alone libc's fork() is not seen: a child that it makes
 * may have a number that is retired here. pidguard_adopt makes it a tracked one.) */
PIDGUARD_API pid_t pidguard_fork(void);

/* kill(2). To a retired number, or to the group of a leader that was reaped and whose members are all gone: ESRCH.
 * Everything else is libc's: 0, -1, the own process, processes that are no children of this one. killpg(group, sig) is
 * pidguard_kill(-group, sig). */
PIDGUARD_API int pidguard_kill(pid_t pid, int sig);

/* sigqueue(3). */
PIDGUARD_API int pidguard_sigqueue(pid_t pid, int sig, const union sigval value);

/* waitpid(2); wait(status) is pidguard_waitpid(-1, status, 0). */
PIDGUARD_API pid_t pidguard_waitpid(pid_t pid, int *status, int options);

/* wait4(2); wait3(status, options, usage) is pidguard_wait4(-1, status, options, usage). */
PIDGUARD_API pid_t pidguard_wait4(pid_t pid, int *status, int options, struct rusage *usage);

/* waitid(2). type: P_PID, P_PGID, P_ALL, or P_PIDFD. */
PIDGUARD_API int pidguard_waitid(idtype_t type, id_t id, siginfo_t *info, int options);

/* A duplicate of the pidfd of a tracked child, the caller's to close. Never racy, whoever has the number.
 * Errors: ESRCH the child was reaped; ECHILD no tracked child has this number; EINVAL pid is not positive; EMFILE,
 *   ENFILE; EOPNOTSUPP the child is known by its number only, or tracking is off. */
PIDGUARD_API int pidguard_pidfd_open_child(pid_t pid);

/* Starts to track a child that was made by other means (by a library, before an exec): of the calling process, and not
 * reaped yet. Errors: ECHILD it is no child of this process; ESRCH nobody has the number; EINVAL; EOPNOTSUPP; EMFILE,
 * ENFILE, ENOMEM. */
PIDGUARD_API int pidguard_adopt(pid_t pid);

/* Forgets what is known of a number: it is libc's again. Errors: ESRCH nothing is known of it. */
PIDGUARD_API int pidguard_forget(pid_t pid);

/* What happened in this process since it was forked (with the API alone: by pidguard_fork). */
struct pidguard_counters {
  uint64_t births;       /* children tracked */
  uint64_t signals;      /* signals sent through a pidfd */
  uint64_t refused;      /* signals to a retired number that were refused */
  uint64_t reaped;       /* children taken by a wait */
  uint64_t silent;       /* children found reaped without a wait */
  uint64_t reopened;     /* uses of a child that was known by identity only at that moment */
  uint64_t evicted;      /* descriptors given up to stay within the budget */
  uint64_t adopted;      /* children found after exec, or by pidguard_adopt */
  uint64_t lost;         /* descriptors that somebody closed or overwrote behind the library's back */
  uint64_t degraded;     /* calls that could not be protected */
  uint64_t log_failures; /* log lines that could not be written */
};

/* Fills it in. size is sizeof *ret, and counters that the library does not have are 0. Never fails. */
PIDGUARD_API int pidguard_get_counters(struct pidguard_counters *ret, size_t size);

/* "MAJOR.MINOR.PATCH" of the library that runs; the macros are those of the header. */
PIDGUARD_API const char *pidguard_version(void);
#define PIDGUARD_VERSION_MAJOR 0
#define PIDGUARD_VERSION_MINOR 2
#define PIDGUARD_VERSION_PATCH 0

/* Are libc's own names protected in this process? (The preload object is loaded, or linked, and not switched off.) */
PIDGUARD_API bool pidguard_is_preloaded(void);

#ifdef __cplusplus
}
#endif

#endif

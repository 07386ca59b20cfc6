/* SPDX-License-Identifier: MIT */
/* pidguard: safe handling of processes through pidfds.
 *
 * WHY. A PID is a number, and the kernel reuses numbers. You learn a PID, and use it later. In between its process may
 * end and be reaped (by a wait). Then the kernel may give the PID to a stranger. A pidfd is a file descriptor that
 * names one process for ever. After the end of that process it names no process, never another one.
 *
 * HOW. Obtain a pidfd (part 1). Use it to signal (2), wait (3), ask (4) and act (5). Then close(2) it like any
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
 *   alive   The process runs, or is stopped.           poll(2): nothing
 *   zombie  It has ended. Its parent has not waited.   poll(2): POLLIN. Signals "succeed" without effect.
 *   reaped  Its parent has waited. The PID is free.    poll(2): POLLIN | POLLHUP (since Linux 6.9). Signals: ESRCH.
 *
 * CONVENTIONS, which hold unless a function says otherwise:
 *   - A function returns 0 or a value >= 0. On failure it returns -1 and sets errno. A success leaves errno alone. A
 *     failure stores nothing through pointers.
 *   - A function that answers yes or no returns bool. True is certain. False with errno left alone is a certain no.
 *     False with errno set means that the answer is unknown. (Set errno to 0 before, if the difference matters.)
 *   - A descriptor that a function returns is close-on-exec, and the caller closes it. A descriptor that is passed in
 *     stays the caller's.
 *   - No function allocates memory, takes a lock or starts a thread. Any number of threads can call a function at
 *     once, and a signal handler can call it. None is a cancellation point. "Safety:" tells the exceptions.
 *   - Pointers must be valid. NULL is allowed only if the function mentions it.
 *   - Time-outs are in milliseconds of CLOCK_MONOTONIC. A negative one is no limit; 0 means "do not block". A call
 *     whose time-out expires fails with ETIMEDOUT.
 *   - A blocking function fails with EINTR when a signal handler has run. A handler with SA_RESTART lets two kinds of
 *     call go on: waits for a child without a limit, and calls on sockets. All others fail after it, too. So does a
 *     wait by a non-blocking pidfd, or for a child that the caller traces.
 *   - A structure that may grow is passed with its size. Set what you do not use to zero. The library takes a newer
 *     program's structure if the members that the library does not know are zero.
 *   - These errors mean the same everywhere:
 *       EBADF       the descriptor is closed, or is no pidfd
 *       ESRCH       the process was reaped (a function says so if it needs more than that)
 *       EREMOTE     the process has no PID in the caller's pid namespace
 *       EOPNOTSUPP  this kernel cannot do it, or a seccomp filter hides it, and there is no safe substitute
 *       EMFILE, ENFILE, ENOMEM   no descriptor is free, or the kernel has no memory (any function that returns a
 *                   descriptor, or reads /proc instead)
 *   - "Kernel:" tells the first Linux version that has the feature, and what older ones get. No function asks for a
 *     version: it tries the feature, and uses a substitute if the kernel lacks it. Linux 5.4 is the oldest kernel
 *     that can wait for a child by pidfd. Before 5.3 nearly every function fails with EOPNOTSUPP. Substitutes read
 *     /proc, which must be mounted. They check the pidfd before and after, so they never look at another process.
 *     Before 5.14 they fail with EOPNOTSUPP in a process that is not dumpable. That is one that has changed its user
 *     since its exec, and not called prctl(2), PR_SET_DUMPABLE.
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
 * Best is to create the process with a pidfd (pidguard_spawn, pidguard_fork_pidfd), or to receive a pidfd from another
 * process (sockets). Next is to find the process by its id or its text. Last is to find it by its PID. */

enum pidguard_spawn_flag {
  /* The program starts with no signal blocked, and with the default action for each signal. */
  PIDGUARD_SPAWN_KEEP_MASK = 1 << 0,    /* the caller's blocked signals stay blocked (unless `mask` below is set) */
  PIDGUARD_SPAWN_KEEP_IGNORED = 1 << 1, /* signals that the caller ignores stay ignored, as with execve(2) */
  PIDGUARD_SPAWN_NEW_GROUP = 1 << 2,    /* the program leads a process group of its own (setpgid(2)) */
  PIDGUARD_SPAWN_NEW_SESSION = 1 << 3,  /* the program leads a session, and a process group, of its own (setsid(2)) */
  PIDGUARD_SPAWN_NO_NEW_PRIVS = 1 << 4, /* no program that it executes gives it more rights (prctl(2)) */
  PIDGUARD_SPAWN_CGROUP = 1 << 5,       /* the child is born in `cgroup`. Kernel: 5.7; before, it enters it first */
  PIDGUARD_SPAWN_AUTOREAP = 1 << 6,     /* no zombie is left, no SIGCHLD sent. Kernel: 7.1; before, EOPNOTSUPP */
  PIDGUARD_SPAWN_AUTOKILL = 1 << 7      /* AUTOREAP; and the kernel kills the child when the last copy of its pidfd is
                                           closed. Needs NO_NEW_PRIVS, or CAP_SYS_ADMIN. Kernel: as AUTOREAP */
};

/* The caller's descriptor `from` becomes the program's `to`. */
struct pidguard_spawn_fd {
  int from;
  int to;
};

struct pidguard_spawn_options {
  uint64_t flags;                      /* PIDGUARD_SPAWN_* */
  const char *directory;               /* where the program starts, or NULL: the caller's directory */
  const struct pidguard_spawn_fd *fds; /* descriptors that it gets, all at once, so that two can change places; */
  size_t fd_count;                     /* at most 128. It also gets those that are not close-on-exec */
  const sigset_t *mask;                /* the signals that it starts with blocked, or NULL */
  int cgroup;                          /* a descriptor of a cgroup's directory, with PIDGUARD_SPAWN_CGROUP */
};

/* Starts a program, and returns its pidfd. The process is a child of the caller, who waits for it as for any child.
 * (pidguard_pidfd_wait does; pidguard_pidfd_get_pid tells its PID.) file: a path if it contains a slash, else a name to
 * look for in PATH. options may be NULL; size is sizeof *options.
 * The kernel makes the pidfd together with the child. So no other wait can have reaped the child before, and nor can
 * the kernel if SIGCHLD is ignored. Once the program runs, this call does not fail.
 * Errors, all of them before any program runs: those of execve(2) (ENOENT no such program, EACCES, ENOEXEC, E2BIG,
 *   ...); those of fork(2) (EAGAIN, ENOMEM); EINVAL unknown flag, too small a size, or too many descriptors; E2BIG the
 *   options have members that this library does not know; EMFILE, ENFILE; EOPNOTSUPP; and those of the options: ENOENT,
 *   ENOTDIR no such directory; EBADF no such descriptor, or no cgroup's; EACCES, EBUSY the cgroup does not take the
 *   child; EPERM AUTOKILL.
 * Safety: threads yes; signal handlers no. No handler of pthread_atfork(3) runs.
 * Kernel: 5.4. See posix_spawn(3), clone(2). */
PIDGUARD_API int pidguard_spawn(const char *file, char *const argv[], char *const envp[],
                                const struct pidguard_spawn_options *options, size_t size);

/* fork(2) that also gives a pidfd. In the parent *ret_pidfd is the child's pidfd, which the caller closes. The child
 * goes on only when the parent has the pidfd. In the child *ret_pidfd is left alone.
 * (*ret_pidfd is -1 in two cases: another process killed the child before, and a wait has reaped it; or other threads
 * took the last descriptor.)
 * Errors: those of fork(2); EMFILE, ENFILE, ENOMEM, EOPNOTSUPP, before there is a child.
 * Safety: as fork(2). Kernel: 5.4. */
PIDGUARD_API pid_t pidguard_fork_pidfd(int *ret_pidfd);

enum pidguard_open_flag {
  /* waitid(2) and pidguard_pidfd_waitid without a limit fail with EAGAIN instead of blocking. The other functions wait
   * as they are told. Kernel: 5.10; before, EOPNOTSUPP. */
  PIDGUARD_OPEN_NONBLOCK = 1 << 0,
  /* One thread, by its thread id (gettid(2)), for pidguard_pidfd_open. Signals go to the thread. The pidfd polls
   * readable when the thread ends (the main thread: when the process does), and no other wait works. The call is as
   * racy as with a process, unless the thread is known to live. Kernel: 6.9; before, EOPNOTSUPP. */
  PIDGUARD_OPEN_THREAD = 1 << 1
};

/* A pidfd of the process that has this PID now. flags: PIDGUARD_OPEN_*.
 * This call is racy by nature: the PID may have changed hands since you learned it. It is safe in three cases. The PID
 * comes from getpid(2). You are the parent, and pidguard_pidfd_is_child confirms the child afterwards. Or you check the
 * process once you have its pidfd. For children tracked by pidguard use pidguard_pidfd_open_child.
 * Errors: EINVAL pid < 1 or unknown flag; ESRCH no process has the PID; ENOENT it is that of a thread, not of a process
 *   (ESRCH before 6.16); EMFILE, ENFILE, ENOMEM; EOPNOTSUPP.
 * Kernel: 5.3. See pidfd_open(2). */
PIDGUARD_API int pidguard_pidfd_open(pid_t pid, unsigned flags);

/* A pidfd of the parent of the calling process: of its maker, or of the process that has adopted it since. Never racy,
 * unlike opening the PID from getppid(2).
 * Errors: EREMOTE the parent lives outside the caller's pid namespace; EMFILE, ENFILE, ENOMEM, EOPNOTSUPP.
 * Kernel: 5.3. See getppid(2). */
PIDGUARD_API int pidguard_pidfd_open_parent(void);

/* A pidfd of the process with this id (see pidguard_pidfd_get_id), whatever its PID. flags: 0 or
 * PIDGUARD_OPEN_NONBLOCK. An id is valid until the system reboots; a text (below) also outlives that.
 * Errors: ESRCH the process was reaped, has no PID in the caller's pid namespace, or there never was one; EINVAL
 *   unknown flag; EMFILE, ENFILE, ENOMEM; EOPNOTSUPP. (A thread has an id, too, but is not found by it: ESRCH.)
 * Kernel: 6.14; before, EOPNOTSUPP. See open_by_handle_at(2). */
PIDGUARD_API int pidguard_pidfd_open_id(uint64_t id, unsigned flags);

/* A process as text, for files and logs: "PID:ID:BOOT". BOOT is 32 digits that name this boot of the system, because
 * ids begin anew with each boot. Before 6.9 the text is "PID:sTICKS:BOOT", with the start time of the process in place
 * of the id. Stores the text with its NUL if size is enough (PIDGUARD_TEXT_MAX always is). Returns the length without
 * the NUL. (No function opens the text of a thread.)
 * Errors: ERANGE size is too small; ESRCH, EREMOTE, EBADF; EOPNOTSUPP no /proc; EMFILE, ENFILE, ENOMEM.
 * Kernel: 5.3. */
#define PIDGUARD_TEXT_MAX 80
PIDGUARD_API int pidguard_pidfd_to_text(int pidfd, char *text, size_t size);

/* The way back: a pidfd of the process that the text names, if it still has its PID. One newline may stand at the end.
 * flags: 0 or PIDGUARD_OPEN_NONBLOCK.
 * Errors: EINVAL no such text (a bare PID is none), or unknown flag; ERANGE a number in it is 0 or too large; ESRCH the
 *   process was reaped, even if another process has its PID, or the text is of another boot; EMFILE, ENFILE, ENOMEM;
 *   EOPNOTSUPP no /proc.
 * Kernel: 5.3. */
PIDGUARD_API int pidguard_pidfd_from_text(const char *text, unsigned flags);

/* Is this descriptor a pidfd? If not, errno is EBADF.
 * Kernel: 5.3 (by trying; since 6.9 by its file system). */
PIDGUARD_API bool pidguard_is_pidfd(int fd);

/* Is the process an unreaped child of the calling process? This verifies a pidfd that was opened from the PID of a
 * child. A process that reused the PID cannot be your unreaped child. A process that you trace is your child only if
 * you are its parent as well. Before 6.13 that answer comes from /proc.
 * Errors: EBADF, EOPNOTSUPP; for a process that you trace, before 6.13, also those of pidguard_pidfd_open_proc.
 * Kernel: 5.4. See waitid(2), P_PIDFD. */
PIDGUARD_API bool pidguard_pidfd_is_child(int pidfd);

/* Do two pidfds name the same process? The answer is also right if the process was reaped.
 * Errors: before 6.9 ESRCH both were reaped; EREMOTE both live in another pid namespace; EBADF; EOPNOTSUPP.
 * Kernel: 6.9; before, by PID, from /proc. */
PIDGUARD_API bool pidguard_pidfd_is_same(int a, int b);

/* The process at the other end of a connected UNIX stream or seqpacket socket, or of a socket pair. That is the process
 * that called connect(2), listen(2) or socketpair(2), even if it has passed its end on.
 * To decide what the peer may do, use pidguard_socket_peer_creds. The credentials of this pidfd (PIDGUARD_INFO_CREDS)
 * are those of this moment. A process that connects and then executes a set-user-ID program is root by then.
 * Errors: EBADF, ENOTSOCK; ENODATA no peer is known (not connected, no UNIX socket); ESRCH the peer was reaped (6.16
 *   and later may still return its pidfd); EREMOTE the peer lives in another pid namespace (substitute only);
 *   EOPNOTSUPP see below; EMFILE, ENFILE, ENOMEM.
 * Kernel: 6.5. Before, the library opens the PID from SO_PEERCRED. It believes it only if the connection still stands,
 *   and the process has the recorded credentials; else EOPNOTSUPP. (One hole remains there. The peer passes its end on
 *   and dies, and a process of the same user and group gets its PID.) See unix(7), SO_PEERPIDFD. */
PIDGUARD_API int pidguard_socket_peer(int sock);

/* The effective user and group that the peer had when it connected, listened, or made the pair. Decide by these,
 * whatever the peer has become since. Either pointer may be NULL.
 * Errors: EBADF, ENOTSOCK; ENODATA no peer is known. Kernel: any. See unix(7), SO_PEERCRED. */
PIDGUARD_API int pidguard_socket_peer_creds(int sock, uid_t *ret_uid, gid_t *ret_gid);

/* Sends a pidfd over a connected UNIX socket, with one byte of data. The receiver gets a descriptor of its own.
 * Errors: EBADF, ENOTSOCK; EPROTOTYPE no UNIX socket; ENOTCONN, ECONNREFUSED, EPIPE (never SIGPIPE); EAGAIN the socket
 *   is non-blocking and full; EINTR; ETOOMANYREFS too many descriptors are under way; ENOBUFS, ENOMEM.
 * Kernel: 5.3. See unix(7), SCM_RIGHTS. */
PIDGUARD_API int pidguard_socket_send(int sock, int pidfd);

/* Receives what pidguard_socket_send sent, and checks that it is a pidfd.
 * Errors: EPIPE the other end was closed; EBADMSG the next message carries something else, or more; EAGAIN the socket
 *   is non-blocking, and has no message; EBADF, ENOTSOCK, ENOTCONN; EINVAL a stream that is not connected; EINTR,
 *   ENOMEM. EBADMSG consumes the message, and closes what it carries. It also comes if no descriptor was free.
 * Kernel: 5.3. See unix(7), SCM_RIGHTS. */
PIDGUARD_API int pidguard_socket_receive(int sock);

/* Asks for a pidfd of the sender with each message that this UNIX socket receives, or declines it.
 * Errors: EBADF, ENOTSOCK, EOPNOTSUPP.
 * Kernel: 6.5; before, EOPNOTSUPP: a PID alone does not tell which process sent a message. See unix(7),
 * SO_PASSPIDFD. */
PIDGUARD_API int pidguard_socket_pass_sender(int sock, bool on);

/* Receives a message of at most size bytes into data, as recv(2) with these flags. *ret_pidfd is a pidfd of its sender,
 * which the caller closes. It is -1 if the kernel gave none: not asked for, no descriptor free, or before 6.16 the
 * sender was reaped. Other descriptors that come along are closed. Returns the length received, 0 at the end of a
 * stream.
 * Errors: those of recv(2). Kernel: 6.5, see above. See unix(7), SCM_PIDFD. */
PIDGUARD_API ssize_t pidguard_socket_receive_from(int sock, void *data, size_t size, int flags, int *ret_pidfd);

/* ---------------------------------------------------------------------------------------------------------------------
 * 2. Signals
 *
 * A signal reaches the process that the pidfd names, or no process. Signal 0 is no signal: it only checks. A zombie
 * still counts: signals to it succeed without effect. (The kernel also takes a directory descriptor of /proc/PID here,
 * which is as safe.)
 *
 * Errors of all of them: ESRCH reaped; EPERM the caller may not signal it (kill(2)); EINVAL no such signal, or unknown
 *   flag; EBADF; EREMOTE. */

/* In place of a pidfd: the calling process, or the calling thread. They need no descriptor. Three functions take them:
 * pidguard_pidfd_send_signal, pidguard_pidfd_sigqueue and pidguard_pidfd_madvise. Kernel: 6.14 and 6.17; before, the
 * library substitutes them. */
enum pidguard_self { PIDGUARD_SELF_THREAD = -10000, PIDGUARD_SELF_PROCESS = -10001 };

enum pidguard_signal_flag {
  /* To one thread: the one that the pidfd names, or the main thread of a process. As tgkill(2). */
  PIDGUARD_SIGNAL_THREAD = 1 << 0,
  /* To every member of the process group whose leader the pidfd names. The leader may have been reaped, as long as the
   * group has members. ESRCH: the group has no members, or the process never led one. */
  PIDGUARD_SIGNAL_GROUP = 1 << 2
  /* Kernel: 6.9; before, EOPNOTSUPP: kill(2) with the number of the group might hit another group. */
};

/* As kill(2): to the process, or to the thread if the pidfd names one. flags: 0, or one of the above.
 * Kernel: 5.1. See pidfd_send_signal(2). */
PIDGUARD_API int pidguard_pidfd_send_signal(int pidfd, int sig, unsigned flags);

/* As sigqueue(3): with a value, for a handler installed with SA_SIGINFO (si_code SI_QUEUE, si_pid, si_uid, si_value).
 * Errors: also EAGAIN, the process has too many queued signals (RLIMIT_SIGPENDING). Kernel: 5.1. */
PIDGUARD_API int pidguard_pidfd_sigqueue(int pidfd, int sig, union sigval value);

enum pidguard_terminate_flag {
  PIDGUARD_TERMINATE_CONTINUE = 1 << 0 /* SIGCONT after SIGTERM, because a stopped process does not see SIGTERM */
};

/* Sends SIGTERM, then SIGKILL if the process has not ended within timeout milliseconds. Returns 0 if it ended by
 * itself, 1 if SIGKILL was sent (it may not have ended yet). Does not reap: follow with pidguard_pidfd_wait if the
 * process is your child. Never fails with EINTR: signal handlers run, and the wait goes on. A negative timeout never
 * kills.
 * Kernel: 5.3. */
PIDGUARD_API int pidguard_pidfd_terminate(int pidfd, int timeout, unsigned flags);

/* The same for an event loop, which must not block: SIGTERM now, and a timer for the rest. The timer is a descriptor
 * that becomes readable when the time-out expires. The caller closes it. Put it where the pidfd is: into a set, or any
 * event loop. If the timer comes first, call pidguard_pidfd_send_signal(pidfd, SIGKILL, 0). If the end of the process
 * comes first, close the timer.
 *     int timer = pidguard_pidfd_terminate_start(worker, 5000, 0);
 * Errors: also EMFILE, ENFILE, ENOMEM; no signal was sent then. Kernel: 5.3. See timerfd_create(2). */
PIDGUARD_API int pidguard_pidfd_terminate_start(int pidfd, int timeout, unsigned flags);

enum pidguard_tree {
  /* The process has a cgroup of its own. That cgroup has no cgroups below it. The caller, the process's parent, and
   * other children of that parent are not in it. The kernel killed all its members in one step, so none can have
   * escaped. */
  PIDGUARD_TREE_CGROUP = 1,
  /* The process and all its descendants were stopped, from parents to children, until no new process appeared. Then all
   * were killed. A descendant whose parents all lived until then cannot have escaped. One that had lost its parent
   * before (a daemon) is not found. Parents may see that their children are stopped before they are killed. */
  PIDGUARD_TREE_WALK = 2
};

/* Sends SIGKILL to a process and all its descendants. Returns which of the two ways it was. They may not have ended
 * yet; their parents reap them. timeout: how long to wait for processes to stop, if that is necessary. A process stops
 * within less than a millisecond, unless it hangs in the kernel.
 * Errors: ETIMEDOUT a process did not stop in time, so children may have been missed; EPERM a process may not be
 *   signalled; ELOOP more than 64 generations. In these three cases all other processes were killed. EINVAL the caller
 *   is in the tree, or it is a thread's pidfd, or the init of the pid namespace; ESRCH; EREMOTE; EBADF; EACCES /proc
 *   hides the process; EOPNOTSUPP no /proc that lists children (CONFIG_PROC_CHILDREN); EMFILE, ENFILE, ENOMEM.
 * Safety: signal handlers no.
 * Kernel: 5.4; by cgroup 5.14. See cgroups(7), cgroup.kill. */
PIDGUARD_API int pidguard_pidfd_kill_tree(int pidfd, int timeout);

/* ---------------------------------------------------------------------------------------------------------------------
 * 3. Waiting
 *
 * poll(2), select(2), epoll(7) and any event loop take a pidfd. It becomes readable when the process (the last of its
 * threads) has ended. Do not read from it: when it is ready, wait. */

/* Waits until the process has ended. Stores its wait status (WIFEXITED and so on, see waitpid(2)) in *status, unless
 * status is NULL.
 * A child of the caller is reaped. For any other process, or a child that another wait has reaped, the status is what
 * the kernel has kept. The kernel keeps it once the parent has reaped, so this call waits for that, too.
 * Errors: ETIMEDOUT; EBADF; EINTR; and for the status of a process that is no child: EREMOTE; EOPNOTSUPP once it has
 *   ended, if this kernel does not keep the status.
 * Kernel: 5.4 for children; 6.15 for the status of other processes (before: EOPNOTSUPP; the mere end, 5.3). A tracer
 *   (strace, a security agent) takes the end of a child first. Then a wait with a limit looks again every few
 *   milliseconds, and the kernel wakes a wait without one. If the caller is the tracer, a stop is no end, and is left
 *   for another wait. Only the first stop of a process that becomes a tracee meanwhile is taken. See waitid(2),
 *   poll(2). */
PIDGUARD_API int pidguard_pidfd_wait(int pidfd, int *status, int timeout);

/* Waits until the process has ended, whether it is a child or not, and reaped or not. Reaps nothing.
 * Errors: ETIMEDOUT, EBADF, EINTR. Kernel: 5.3. See pidfd_open(2). */
PIDGUARD_API int pidguard_pidfd_wait_end(int pidfd, int timeout);

/* The full form, for children only: waitid(2) with P_PIDFD. options: at least one of WEXITED, WSTOPPED, WCONTINUED; and
 * WNOHANG, WNOWAIT (leave the child to be waited for again), __WALL, __WCLONE, __WNOTHREAD. info and usage may be NULL.
 * usage is what the child has used, or zero if the kernel reports nothing.
 * A time-out above 0 goes with WEXITED alone (else EINVAL), because the kernel wakes no waiter for a stop. It shows a
 * tracer the stops of its tracee, whatever the options are.
 * Errors: ETIMEDOUT; EAGAIN nothing to report with WNOHANG, or there is no limit and the pidfd is non-blocking; ECHILD
 *   not a child, or reaped; EINVAL; EBADF; EINTR; EOPNOTSUPP.
 * Kernel: 5.4. See waitid(2), getrusage(2). */
PIDGUARD_API int pidguard_pidfd_waitid(int pidfd, siginfo_t *info, int options, struct rusage *usage, int timeout);

/* The wait status that means the same as a siginfo filled by waitid(2). Never fails. */
PIDGUARD_API int pidguard_siginfo_to_wait_status(const siginfo_t *info);

/* A set of processes, to wait for the first that ends; and of other descriptors, to wait for the first that is
 * readable. The set is itself a descriptor (an epoll(7) instance), which you close(2). It is readable while a member
 * has news, so any event loop can take it. Each operation and each event takes constant time, whatever the number of
 * members. The kernel keeps the memory.
 *
 *     int set = pidguard_set_create(), ready[16];
 *     pidguard_set_add(set, worker);                                     // once for each
 *     int n = pidguard_set_wait(set, ready, 16, pidguard_deadline(-1));  // then wait for ready[0] to ready[n - 1]
 *
 * Errors of pidguard_set_create: EMFILE, ENFILE, ENOMEM. Kernel: 5.3. */
PIDGUARD_API int pidguard_set_create(void);

/* Adds a pidfd, or any other descriptor that can be polled: a pipe, a socket, a timer, a signalfd. It must stay open as
 * long as it is a member.
 * Errors: EBADF; EEXIST it is a member; EINVAL set is not a set, or fd is the set itself; ELOOP fd is a set that
 *   contains this one, or sets are nested too deep; ENOSPC /proc/sys/fs/epoll/max_user_watches; ENOMEM. */
PIDGUARD_API int pidguard_set_add(int set, int fd);

/* Removes a member. (Closing the last descriptor of a file also removes it. If a copy is left, say in a forked child,
 * the set stops reporting the member. The kernel then keeps a little memory until that copy is closed.)
 * Errors: EBADF; ENOENT not a member, or not any more: pidguard_set_wait removes a reaped process; EINVAL set is not a
 *   set. */
PIDGUARD_API int pidguard_set_remove(int set, int fd);

/* Waits for members to end, or to be readable. Stores up to max of them (no more than 64 in one call), and returns how
 * many. Reaps and reads nothing. Each call reports an end, at least once, until the process is reaped or the member
 * removed. A tracer may still hold an ended child. Wait for that child with a limit of some milliseconds; the set
 * reports it again. If several threads wait on one set, more than one may learn of an end.
 * The deadline comes from pidguard_deadline. A negative one is no limit; 0 means "do not block".
 * A deadline in the first second after boot is refused: it must be a number of milliseconds by mistake.
 * Errors: ETIMEDOUT; EBADF; EINVAL max < 1, not a set, or such a deadline; EINTR. See epoll_wait(2). */
PIDGUARD_API int pidguard_set_wait(int set, int *ready, int max, int64_t deadline);

/* The deadline that is timeout milliseconds from now, in nanoseconds of CLOCK_MONOTONIC. The earliest of several
 * deadlines is the smallest. timeout < 0: no deadline, which is later than all others. Never fails. */
PIDGUARD_API int64_t pidguard_deadline(int timeout);

/* ---------------------------------------------------------------------------------------------------------------------
 * 4. Questions
 *
 * Answers are about the right process, and may be out of date as soon as they are given.
 * Errors of all of them: ESRCH reaped; EREMOTE; EBADF; EOPNOTSUPP. A function that reads /proc also fails with EMFILE,
 *   ENFILE, ENOMEM, and with EACCES if /proc hides the process (hidepid, see proc(5)).
 * See ioctl_pidfd(2), PIDFD_GET_INFO. */

/* The PID of the process in the caller's pid namespace. For a thread's pidfd it is the thread id. Kernel: 6.13; before,
 * from /proc. */
PIDGUARD_API pid_t pidguard_pidfd_get_pid(int pidfd);

/* The id of the process, also of a reaped one. No other process gets this number while the system runs. A thread's
 * pidfd has the thread's id; that of the main thread is the process's. Kernel: 6.9 (32-bit systems: 6.14); before,
 * EOPNOTSUPP. */
PIDGUARD_API int pidguard_pidfd_get_id(int pidfd, uint64_t *ret);

enum pidguard_state { PIDGUARD_STATE_ALIVE = 1, PIDGUARD_STATE_ZOMBIE = 2, PIDGUARD_STATE_REAPED = 3 };

/* The state of the process: one of the three. Errors: EBADF; EREMOTE, before 6.9, ended in another pid namespace.
 * Kernel: 5.3. */
PIDGUARD_API int pidguard_pidfd_get_state(int pidfd);

/* The wait status (WIFEXITED and so on) of a process that has ended, without waiting and without reaping. For a child
 * of the caller it comes as soon as the child is a zombie; for any process, once it was reaped.
 * Errors: EAGAIN the process has not ended, or is a zombie of another parent; EOPNOTSUPP it was reaped, and the kernel
 *   did not keep the status.
 * Kernel: 5.4 for zombie children, 6.15 for reaped processes; before, EOPNOTSUPP. */
PIDGUARD_API int pidguard_pidfd_get_wait_status(int pidfd, int *status);

/* What a caller can ask for, and what came. The first six have the numbers of the kernel's PIDFD_INFO_*. Those of the
 * library alone are far above them. */
enum pidguard_info_item {
  PIDGUARD_INFO_PID = 1 << 0,      /* pid, tgid, ppid. Kernel: 6.13; before, from /proc */
  PIDGUARD_INFO_CREDS = 1 << 1,    /* creds. Kernel: 6.13; before, from /proc */
  PIDGUARD_INFO_CGROUPID = 1 << 2, /* cgroupid. Kernel: 6.13, and 6.15 also of a reaped process; before, from /proc, if
                                      cgroup2 is mounted (else EOPNOTSUPP) */
  PIDGUARD_INFO_WAIT_STATUS = 1 << 3, /* wait_status, as pidguard_pidfd_get_wait_status */
  PIDGUARD_INFO_COREDUMP =
      1 << 4, /* coredump. Kernel: 6.16, code later. The kernel records dumps that a program or socket takes. The wait
                 status tells of other dumps, and their signal. Before 6.16, EOPNOTSUPP until there is a wait status,
                 and then PIDGUARD_COREDUMP_DONE at most. ENODATA: the process ended without a dump, or it is a zombie
                 of another parent, and nothing was recorded */
  PIDGUARD_INFO_SUPPORTED_MASK = 1 << 5, /* supported_mask. Kernel: 6.19; before, EOPNOTSUPP */
  PIDGUARD_INFO_ID = 1 << 28,            /* id, as pidguard_pidfd_get_id */
  PIDGUARD_INFO_STATE = 1 << 29,         /* state, as pidguard_pidfd_get_state */
  PIDGUARD_INFO_ALL = 0x3000003f
};

/* In the caller's user namespace (credentials(7)), at this moment. To decide about a peer use
 * pidguard_socket_peer_creds. */
struct pidguard_creds {
  uid_t ruid, euid, suid, fsuid; /* real, effective, saved, for file access */
  gid_t rgid, egid, sgid, fsgid;
};

enum pidguard_coredump_flag {
  PIDGUARD_COREDUMP_DONE = 1 << 0,    /* a core was dumped */
  PIDGUARD_COREDUMP_SKIPPED = 1 << 1, /* the process is, or was, not dumpable: see prctl(2), PR_SET_DUMPABLE */
  PIDGUARD_COREDUMP_USER = 1 << 2,    /* with the rights of its user */
  PIDGUARD_COREDUMP_ROOT = 1 << 3     /* readable by root only: sensitive */
};
#define PIDGUARD_COREDUMP_UNKNOWN (-0x7fffffff - 1)

/* The core dump of the process (core(5)). flags tells what happened, or what would happen to a living process. */
struct pidguard_coredump {
  uint32_t flags; /* PIDGUARD_COREDUMP_* */
  int32_t signal; /* the signal that caused the dump, or PIDGUARD_COREDUMP_UNKNOWN */
  int32_t code;   /* si_code of that signal (sigaction(2)), or PIDGUARD_COREDUMP_UNKNOWN */
};

struct pidguard_info {
  uint64_t mask; /* in: the PIDGUARD_INFO_* that you want; out: those that were filled */
  uint64_t id;
  uint64_t cgroupid; /* of the cgroup in the unified hierarchy: see pidguard_cgroupid_from_path */
  pid_t pid;
  pid_t tgid; /* the PID of the process; for a thread's pidfd it differs from pid */
  pid_t ppid; /* 0 if the parent lives outside the caller's pid namespace, as getppid(2) */
  int32_t state;
  struct pidguard_creds creds;
  int32_t wait_status;
  struct pidguard_coredump coredump;
  uint64_t supported_mask; /* what this kernel's PIDFD_GET_INFO can tell, as PIDFD_INFO_* */
};

/* Several items at once, most of them in one system call. size is sizeof *info. New members come at the end of the
 * structure, and unknown ones are zeroed. Set info->mask before, and look at it afterwards: an item that could not be
 * had is missing there, and its members are 0.
 * Errors: if no wanted item could be had, the reason for the first of them; EINVAL size too small, or a mask without
 *   any known bit. */
PIDGUARD_API int pidguard_pidfd_get_info(int pidfd, struct pidguard_info *info, size_t size);

/* The id of the cgroup with this directory. It is the file handle, and on 64-bit systems the inode number, as in struct
 * pidguard_info (cgroups(7)).
 * Errors: those of open(2); EINVAL no cgroup of the unified hierarchy; EOPNOTSUPP. Kernel: any. */
PIDGUARD_API int pidguard_cgroupid_from_path(const char *path, uint64_t *ret);

/* ---------------------------------------------------------------------------------------------------------------------
 * 5. Actions
 *
 * Where ESRCH means that the process has ended, it is enough that its main thread has. Other threads may go on. */

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

/* A descriptor of one of the namespaces of the process, for setns(2), or to keep the namespace alive.
 * Errors: ESRCH it has ended (a zombie has none any more); EACCES the caller has not the right (ptrace(2),
 *   PTRACE_MODE_READ_FSCREDS); EINVAL no such kind; EOPNOTSUPP the kernel is built without; EBADF; EMFILE, ENFILE,
 *   ENOMEM; before 6.11 EREMOTE.
 * Kernel: 6.11; before, from /proc (a new PID_FOR_CHILDREN without any process is EOPNOTSUPP). See ioctl_pidfd(2). */
PIDGUARD_API int pidguard_pidfd_open_namespace(int pidfd, int kind);

/* Moves the calling thread into namespaces of the process, all at once or none. flags: any set of CLONE_NEW*, or all,
 * PIDGUARD_NAMESPACE_FLAGS. The call skips those that the thread is in already, and those that the kernel does not
 * know. CLONE_NEWPID and CLONE_NEWTIME mean the namespaces that the process is in. They concern the caller's next
 * children. A caller with several threads cannot enter another user (or mount) namespace. No caller can enter a pid
 * namespace that is not its own or below.
 * Errors: EINVAL flags, or the caller cannot enter; EUSERS it has several threads and wants a time namespace; EPERM,
 *   EACCES; ESRCH the process has ended; EBADF; EMFILE, ENFILE, ENOMEM.
 * Kernel: 5.8; before, one by one, so that a failure may leave the thread in some of them. See setns(2). */
PIDGUARD_API int pidguard_pidfd_setns(int pidfd, int flags);

/* A duplicate of the descriptor number target of the process. It shares offset and flags, as if sent over a socket.
 * Errors: EPERM the caller has not the right (ptrace(2), PTRACE_MODE_ATTACH_REALCREDS); EBADF pidfd, or the process has
 *   no descriptor target; ESRCH it has ended (a zombie before 6.8: EBADF); EMFILE, ENFILE; EOPNOTSUPP.
 * Kernel: 5.6; before, EOPNOTSUPP: opening the file anew through /proc is not the same. See pidfd_getfd(2). */
PIDGUARD_API int pidguard_pidfd_getfd(int pidfd, int target);

/* Frees the memory of a process that was killed, faster than the process itself would. Returns when the memory is free.
 * Errors: EINVAL the process is not dying, or it is a thread's pidfd; EAGAIN not everything could be freed yet; ESRCH
 *   it has ended, and has no memory any more; EBADF; EINTR; EOPNOTSUPP.
 * Kernel: 5.15; before, EOPNOTSUPP. See process_mrelease(2). */
PIDGUARD_API int pidguard_pidfd_mrelease(int pidfd);

/* Gives advice about count ranges of the memory of the process, in its addresses. advice: MADV_COLD, MADV_PAGEOUT,
 * MADV_WILLNEED, MADV_COLLAPSE; for oneself any. Returns the number of bytes advised, which may be fewer than asked
 * for. pidfd may be PIDGUARD_SELF_PROCESS.
 * Errors: EPERM, EACCES the caller has not the right (ptrace(2), PTRACE_MODE_READ_FSCREDS, and CAP_SYS_NICE); EINVAL
 *   advice, alignment, count or length, or it is a thread's pidfd; ENOMEM not mapped; ESRCH the process has ended;
 *   EBADF; EFAULT; EINTR; EOPNOTSUPP.
 * Kernel: 5.10; before, EOPNOTSUPP. See process_madvise(2). */
PIDGUARD_API ssize_t pidguard_pidfd_madvise(int pidfd, const struct iovec *ranges, size_t count, int advice);

/* A descriptor of the directory of the process in /proc, for openat(2). A file opened there belongs to this process.
 * Once the process was reaped, opening fails with ENOENT or ESRCH. It never shows a later owner of the PID.
 * Errors: ESRCH; EREMOTE the process has no PID in the pid namespace of the mounted /proc; EACCES /proc hides it;
 *   EBADF; EMFILE, ENFILE, ENOMEM; EOPNOTSUPP no /proc.
 * Kernel: 5.3. See proc(5). */
PIDGUARD_API int pidguard_pidfd_open_proc(int pidfd);

/* ---------------------------------------------------------------------------------------------------------------------
 * 6. Tracked children
 *
 * For code that keeps PIDs, and cannot be rewritten to keep pidfds. These are the calls of libc by other names. A table
 * behind them knows each child by its pidfd. Once a wait has reported a PID, it is retired: signals to it fail with
 * ESRCH, even if another process has it. The preload object gives the same calls the names of libc. A program that uses
 * both has one table, if it links libpidguard dynamically, and the preload object comes first. See pidguard(7).
 *
 * Each call is named after a call of libc. It takes the same arguments, returns the same values and fails with the same
 * errno. The waits are cancellation points. Signal handlers and any thread can make these calls (fork, as in libc, with
 * care). With PIDGUARD_MODE=off they are the calls of libc. PIDs of processes that are not tracked are libc's business.
 * Kernel: 5.4; before, children are tracked by PID alone. */

/* fork(2). The child is tracked when this returns. (The API alone does not see libc's fork(). A child that fork() makes
 * may have a PID that is retired here. pidguard_adopt tracks such a child.) */
PIDGUARD_API pid_t pidguard_fork(void);

/* kill(2). ESRCH for a retired PID, and for the group of a leader that was reaped, once the group has no members.
 * Everything else is libc's: 0, -1, the own process, and processes that are no children of this one. killpg(group, sig)
 * is pidguard_kill(-group, sig). */
PIDGUARD_API int pidguard_kill(pid_t pid, int sig);

/* sigqueue(3). */
PIDGUARD_API int pidguard_sigqueue(pid_t pid, int sig, const union sigval value);

/* waitpid(2); wait(status) is pidguard_waitpid(-1, status, 0). */
PIDGUARD_API pid_t pidguard_waitpid(pid_t pid, int *status, int options);

/* wait4(2); wait3(status, options, usage) is pidguard_wait4(-1, status, options, usage). */
PIDGUARD_API pid_t pidguard_wait4(pid_t pid, int *status, int options, struct rusage *usage);

/* waitid(2). type: P_PID, P_PGID, P_ALL, or P_PIDFD. */
PIDGUARD_API int pidguard_waitid(idtype_t type, id_t id, siginfo_t *info, int options);

/* A duplicate of the pidfd of a tracked child, which the caller closes. Never racy, even if another process has the
 * PID.
 * Errors: ESRCH the child was reaped; ECHILD no tracked child has this PID; EINVAL pid is not positive; EMFILE, ENFILE;
 *   EOPNOTSUPP the child is known by its PID only, or tracking is off. */
PIDGUARD_API int pidguard_pidfd_open_child(pid_t pid);

/* Starts to track a child that was made by other means (by a library, before an exec). It must be an unreaped child of
 * the calling process.
 * Errors: ECHILD no child of this process; ESRCH no process has the PID; EINVAL; EOPNOTSUPP; EMFILE, ENFILE, ENOMEM. */
PIDGUARD_API int pidguard_adopt(pid_t pid);

/* Forgets what is known of a PID. After that the PID is libc's business again. Errors: ESRCH nothing is known of it. */
PIDGUARD_API int pidguard_forget(pid_t pid);

/* What happened in this process since it was forked (with the API alone: by pidguard_fork). */
struct pidguard_counters {
  uint64_t births;       /* children tracked */
  uint64_t signals;      /* signals sent through a pidfd */
  uint64_t refused;      /* signals to a retired PID that were refused */
  uint64_t reaped;       /* children reaped by a wait */
  uint64_t silent;       /* children found reaped without a wait, or before a wait of another thread returned */
  uint64_t reopened;     /* uses of a child for which a pidfd had to be opened */
  uint64_t evicted;      /* descriptors given up to stay within the budget */
  uint64_t adopted;      /* children found after exec, or by pidguard_adopt */
  uint64_t lost;         /* descriptors that the program closed or overwrote */
  uint64_t degraded;     /* calls that could not be protected */
  uint64_t log_failures; /* log lines that could not be written */
};

/* Fills it in. size is sizeof *ret. Counters that the library does not have are 0. Never fails. */
PIDGUARD_API int pidguard_get_counters(struct pidguard_counters *ret, size_t size);

/* "MAJOR.MINOR.PATCH" of the library that runs. The macros are those of the header. */
PIDGUARD_API const char *pidguard_version(void);
#define PIDGUARD_VERSION_MAJOR 0
#define PIDGUARD_VERSION_MINOR 2
#define PIDGUARD_VERSION_PATCH 0

/* Does the preload object protect libc's own names in this process? (It is in front of libc, and not switched off.) */
PIDGUARD_API bool pidguard_is_preloaded(void);

#ifdef __cplusplus
}
#endif

#endif

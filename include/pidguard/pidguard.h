/* pidguard: safe handling of processes through pidfds.
 *
 * WHY. A PID is a number, and the kernel hands numbers out again. Between the moment you learn a PID and the moment you
 * use it, its process may have ended, have been reaped (by a wait), and the number may belong to a stranger. A pidfd is
 * a file descriptor that names one process for ever: after the end of the process it names nobody, never somebody else.
 *
 * HOW. Obtain a pidfd (part 1), use it to signal (2), wait (3), ask (4) and act (5), and close(2) it like any
 * descriptor.
 *
 *     int worker = pidguard_spawnp("worker", NULL, NULL, argv, environ);
 *     if (worker < 0)
 *       return -1;
 *     int status;
 *     if (pidguard_pidfd_wait(worker, &status, 5000) == 0) {  // five seconds are over, and it still runs
 *       pidguard_pidfd_terminate(worker, 1000);               // SIGTERM, after another second SIGKILL
 *       pidguard_pidfd_wait(worker, &status, -1);             // collect it
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
 *   - A descriptor that a function returns belongs to the caller, who closes it; it is close-on-exec. A descriptor that
 *     is passed in stays the caller's.
 *   - Nothing allocates memory, takes a lock or starts a thread. Every function can be called from any number of
 *     threads at once, and from a signal handler. None is a cancellation point. "Safety:" is given where this differs.
 *   - Pointers must be valid; NULL is allowed only where it is mentioned.
 *   - Time-outs are in milliseconds, measured by CLOCK_MONOTONIC; a negative one is no limit, 0 is "do not block".
 *   - Blocking functions fail with EINTR when a signal handler ran. If it was installed with SA_RESTART, waits for
 *     a child without a limit, and those on sockets, go on instead; all others end there, too.
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
 * C11 or later, C++11 or later. Functions with siginfo_t or union sigval are declared only where <signal.h> declares
 * these types: with strict ISO C (-std=c11) define _POSIX_C_SOURCE as 200809L or more. */
#ifndef PIDGUARD_PIDGUARD_H
#define PIDGUARD_PIDGUARD_H

#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>

#if defined(__GNUC__)
#define PIDGUARD_API __attribute__((visibility("default")))
#else
#define PIDGUARD_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------------------------------
 * 1. Obtaining a pidfd
 *
 * From best to worst: let the process be created with one (pidguard_spawn, pidguard_fork), be handed one by somebody
 * who has it (sockets), find it by its id, find it by its number. */

/* A flag for functions that open a pidfd: waits on it that have no limit do not block (waitid(2) fails with EAGAIN; the
 * wait functions below return 0; pidguard_pidfd_wait_end does wait). Waits with a limit, poll(2) and epoll(7) are not
 * concerned. Kernel: 5.10; before, EOPNOTSUPP. */
#define PIDGUARD_NONBLOCK 1u

/* In place of a pidfd: the calling process, the calling thread. Taken by the signal functions (not by
 * pidguard_pidfd_terminate) and by pidguard_pidfd_madvise; needs no descriptor. Kernel: 6.14 and 6.17; before, the
 * library stands in. */
#define PIDGUARD_SELF (-10001)
#define PIDGUARD_SELF_THREAD (-10000)

/* Starts a program, as posix_spawn(3), and returns its pidfd instead of its PID. The process is a child of the caller,
 * to be waited for like any other (pidguard_pidfd_wait; pidguard_pidfd_get_pid tells the number). actions and attr may
 * be NULL. pidguard_spawnp looks for the file in PATH.
 * Errors: those of posix_spawn(3) (ENOENT no such program, EACCES, ENOEXEC, EAGAIN, E2BIG, ...); ECHILD the program was
 *   started, but somebody reaped it before its pidfd was made (SIGCHLD is ignored, or another thread waits for any
 *   child). Except for ECHILD, no program runs after a failure.
 * Safety: threads yes; signal handlers no, as posix_spawn(3).
 * Kernel: 5.4. The pidfd is verified to name the child before it is returned.
 * See posix_spawn(3), pidfd_spawn(3). */
PIDGUARD_API int pidguard_spawn(const char *path, const posix_spawn_file_actions_t *actions,
                                const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);
PIDGUARD_API int pidguard_spawnp(const char *file, const posix_spawn_file_actions_t *actions,
                                 const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);

/* A pidfd of the process that has this number now. flags: 0 or PIDGUARD_NONBLOCK.
 * This is racy by its nature: the number may have changed hands since you learned it. It is safe if you are the
 * parent and nobody can have reaped the child in between (check with pidguard_pidfd_is_child), or if you check the
 * process once you have it. For children tracked by pidguard use pidguard_pidfd_of.
 * Errors: EINVAL pid < 1 or unknown flag; ESRCH nobody has the number; ENOENT it is that of a thread, not of a process
 *   (ESRCH before 6.16); EMFILE, ENFILE, ENOMEM; EOPNOTSUPP.
 * Kernel: 5.3. See pidfd_open(2). */
PIDGUARD_API int pidguard_pidfd_open(pid_t pid, unsigned flags);

/* A pidfd of one thread, by its thread id (gettid(2)). It polls readable when the thread ends, and signals sent to
 * it go to the thread; a thread cannot be waited for, but pidguard_pidfd_wait_end and pidguard_pidfd_wait tell its end.
 * As racy as pidguard_pidfd_open, unless the thread is known to live.
 * Errors: EINVAL tid < 1 or unknown flag; ESRCH; EMFILE, ENFILE, ENOMEM; EOPNOTSUPP.
 * Kernel: 6.9; before, EOPNOTSUPP. See pidfd_open(2), PIDFD_THREAD. */
PIDGUARD_API int pidguard_pidfd_open_thread(pid_t tid, unsigned flags);

/* A pidfd of the calling process, to be given away. Never racy.
 * Errors: EMFILE, ENFILE, ENOMEM, EOPNOTSUPP. Kernel: 5.3. */
PIDGUARD_API int pidguard_pidfd_self(void);

/* A pidfd of the parent of the calling process: who made it, or who has taken it over since. Never racy, as opening the
 * number from getppid(2) would be.
 * Errors: EREMOTE the parent lives outside the caller's pid namespace; EMFILE, ENFILE, ENOMEM, EOPNOTSUPP. Kernel: 5.3.
 * See getppid(2). */
PIDGUARD_API int pidguard_pidfd_parent(void);

/* 0 if fd is a pidfd; -1 with EBADF if it is anything else, or closed.
 * Kernel: 5.1 (by trying; since 6.9 by its file system). */
PIDGUARD_API int pidguard_pidfd_check(int fd);

/* 1 if the process is a child of the calling process and was not reaped, 0 if not. With this, a pidfd opened from
 * a child's number is verified: whoever got the number later is nobody's unreaped child of yours.
 * Errors: EBADF, EOPNOTSUPP. Kernel: 5.4. See waitid(2), P_PIDFD. */
PIDGUARD_API int pidguard_pidfd_is_child(int pidfd);

/* Lets the descriptor live through exec (inherit != 0), or not (the default of every descriptor returned here), to hand
 * a pidfd to the program that is executed next.
 * Errors: EBADF. Safety: another thread that execs at this moment hands it on as well. See fcntl(2), FD_CLOEXEC. */
PIDGUARD_API int pidguard_pidfd_inherit(int pidfd, int inherit);

/* The process at the other end of a connected UNIX stream or seqpacket socket, or of a socket pair: the one that called
 * connect(2), listen(2) or socketpair(2), also if its end has been passed on.
 * Errors: EBADF, ENOTSOCK; ENODATA no peer is known (not connected, no UNIX socket); ESRCH the peer was reaped (6.16
 *   and later may still return its pidfd); EREMOTE the peer lives in another pid namespace (substitute only);
 *   EOPNOTSUPP see below; EMFILE, ENFILE, ENOMEM.
 * Kernel: 6.5. Before, SO_PEERCRED gives a number, which is opened and believed only if the connection still stands
 *   and the process has the credentials that were recorded; else EOPNOTSUPP. (One hole is left there: the peer passed
 *   its end on, died, and its number went to a process of the same user and group.) See unix(7), SO_PEERPIDFD. */
PIDGUARD_API int pidguard_socket_peer(int sock);

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

/* Asks for (on != 0), or declines, a pidfd of the sender with each message that this UNIX socket receives.
 * Errors: EBADF, ENOTSOCK, EOPNOTSUPP. Kernel: 6.5; before, EOPNOTSUPP: a number alone does not tell who sent a
 *   message.
 * See unix(7), SO_PASSPIDFD. */
PIDGUARD_API int pidguard_socket_pass_sender(int sock, int on);

/* Receives a message of at most size bytes into data, as recv(2) with these flags, and stores a pidfd of its sender,
 * the caller's to close, in *ret_pidfd; -1 there if the kernel gave none (not asked for, no descriptor was free, or
 * before 6.16 the sender was reaped). Descriptors that come along as cargo are closed. Returns the length received, 0
 * at the end of a stream.
 * Errors: those of recv(2). Kernel: 6.5, see above. See unix(7), SCM_PIDFD. */
PIDGUARD_API ssize_t pidguard_socket_receive_from(int sock, void *data, size_t size, int flags, int *ret_pidfd);

/* A pidfd of the process with this id (see pidguard_pidfd_get_id), whatever its number. flags: 0 or PIDGUARD_NONBLOCK.
 * An id can be stored in a file or a log, and found again as long as the system runs.
 * Errors: ESRCH the process was reaped, has no number in the caller's pid namespace, or there never was one (a thread
 *   has an id, too, but is not found by it); EINVAL unknown flag; EMFILE, ENFILE, ENOMEM; EOPNOTSUPP.
 * Kernel: 6.14; before, EOPNOTSUPP (use text, below). See open_by_handle_at(2). */
PIDGUARD_API int pidguard_pidfd_open_id(uint64_t id, unsigned flags);

/* A process as text, "PID:ID", for example "4711:230815" (newer util-linux's kill(1) takes it). Stores the text with its
 * NUL if size is enough (PIDGUARD_TEXT_MAX always is), and returns its length without the NUL. (A thread's text is for
 * the eye: there is no way back from it.)
 * Errors: ERANGE size is too small; ESRCH, EREMOTE, EBADF, EOPNOTSUPP. Kernel: 6.9; before, EOPNOTSUPP. */
#define PIDGUARD_TEXT_MAX 32
PIDGUARD_API int pidguard_pidfd_to_text(int pidfd, char *text, size_t size);

/* The way back: a pidfd of the process that has this number, if it also has this id. flags: 0 or PIDGUARD_NONBLOCK.
 * Errors: EINVAL no such text (a bare number is none), or unknown flag; ERANGE a number in it is 0 or too large; ESRCH
 *   the process was reaped, whoever has its number now; EMFILE, ENFILE, ENOMEM; EOPNOTSUPP.
 * Kernel: 6.9; before, EOPNOTSUPP. */
PIDGUARD_API int pidguard_pidfd_from_text(const char *text, unsigned flags);

/* ---------------------------------------------------------------------------------------------------------------------
 * 2. Signals
 *
 * A signal reaches the process that the pidfd names, or nobody. Signal 0 is no signal: it only checks. A zombie counts
 * as there: signals to it succeed without effect. (The kernel takes a directory descriptor of /proc/PID for a pidfd
 * here. It is as safe.)
 *
 * Errors of all of them: ESRCH reaped; EPERM the caller may not signal it (kill(2)); EINVAL no such signal; EBADF;
 *   EREMOTE. */

/* As kill(2): to the process; to the thread, if the pidfd names one. pidfd may be PIDGUARD_SELF or
 * PIDGUARD_SELF_THREAD.
 * Kernel: 5.1. See pidfd_send_signal(2). */
PIDGUARD_API int pidguard_pidfd_signal(int pidfd, int sig);

#ifdef SI_QUEUE
/* As sigqueue(3): with a value, for a handler installed with SA_SIGINFO (si_code SI_QUEUE, si_pid, si_uid, si_value).
 * pidfd as above. Errors: also EAGAIN, the process has too many signals queued (RLIMIT_SIGPENDING). Kernel: 5.1. */
PIDGUARD_API int pidguard_pidfd_sigqueue(int pidfd, int sig, union sigval value);
#endif

/* To every member of the process group whose leader the pidfd names (or named: also when the leader was reaped, as long
 * as there are members). Errors: ESRCH nobody is in that group, or the process never led one; EOPNOTSUPP.
 * Kernel: 6.9; before, EOPNOTSUPP: kill(2) with the group's number might hit another group.
 * See pidfd_send_signal(2), PIDFD_SIGNAL_PROCESS_GROUP. */
PIDGUARD_API int pidguard_pidfd_signal_group(int pidfd, int sig);

/* To one thread: the one that the pidfd names, or the main thread of a process. As tgkill(2). Errors: also EOPNOTSUPP.
 * Kernel: 6.9; before, EOPNOTSUPP. See pidfd_send_signal(2), PIDFD_SIGNAL_THREAD. */
PIDGUARD_API int pidguard_pidfd_signal_thread(int pidfd, int sig);

/* SIGKILL. The process is certain to end, but may not have ended yet. Kernel: 5.1. */
PIDGUARD_API int pidguard_pidfd_kill(int pidfd);

/* SIGTERM, then SIGKILL if the process has not ended within timeout milliseconds. Returns 0 if it ended by itself, 1 if
 * SIGKILL was sent (it may not have ended yet). Does not reap: follow with pidguard_pidfd_wait if it is your child.
 * Never fails with EINTR: signal handlers run, and the wait goes on. A negative timeout never kills. (A stopped process
 * does not see SIGTERM before it goes on.)
 * Kernel: 5.3. */
PIDGUARD_API int pidguard_pidfd_terminate(int pidfd, int timeout);

/* ---------------------------------------------------------------------------------------------------------------------
 * 3. Waiting
 *
 * A pidfd can itself be given to poll(2), select(2), epoll(7) or any event loop: it becomes readable when the process
 * (the last of its threads) has ended. Nothing is to be read from it; when it is ready, wait. */

/* Waits until the process has ended; stores its wait status (WIFEXITED and so on, see waitpid(2)) in *status, unless
 * that is NULL. Returns 1, or 0 if time was over before.
 * A child is reaped by this. For a process that is not the caller's child, or that somebody else has reaped, the status
 * is what the kernel has kept; it is known only once the parent has reaped, so that is waited for as well.
 * Errors: EBADF, EINTR. Not a child, and a status wanted: EREMOTE; EOPNOTSUPP, when the process has ended, if this
 *   kernel does not keep it.
 * Kernel: 5.4 for children; 6.15 for others' status (before: EOPNOTSUPP; the mere end, 5.3). Where somebody traces the
 *   child and takes its end first, a time-out may be used up in full. See waitid(2), poll(2). */
PIDGUARD_API int pidguard_pidfd_wait(int pidfd, int *status, int timeout);

/* Waits until the process has ended, child or not, reaped or not; reaps nothing. Returns 1, or 0 if time was over
 * before.
 * Errors: EBADF, EINTR. Kernel: 5.3. See pidfd_open(2). */
PIDGUARD_API int pidguard_pidfd_wait_end(int pidfd, int timeout);

#ifdef SI_QUEUE
/* The full form, for children only: waitid(2) with P_PIDFD. options: at least one of WEXITED, WSTOPPED, WCONTINUED; and
 * WNOHANG, WNOWAIT (leave it as it is, to be waited for again), __WALL, __WCLONE, __WNOTHREAD. info and usage (what
 * the child has used; zero where nothing is reported by the kernel) may be NULL. Returns 1 if they were filled, 0
 * if there was nothing to report within timeout milliseconds (or at once: WNOHANG, PIDGUARD_NONBLOCK).
 * A time-out above 0 goes with WEXITED alone (else EINVAL): the kernel wakes nobody for a stop.
 * Errors: ECHILD not a child, or reaped; EINVAL; EBADF; EINTR; EOPNOTSUPP. Kernel: 5.4. See waitid(2), getrusage(2). */
PIDGUARD_API int pidguard_pidfd_waitid(int pidfd, siginfo_t *info, int options, struct rusage *usage, int timeout);

/* The wait status that says the same as a siginfo filled by waitid(2). Never fails. */
PIDGUARD_API int pidguard_siginfo_to_status(const siginfo_t *info);
#endif

/* A set of processes, to wait for whichever ends first. It is a descriptor (an epoll(7) instance), closed with
 * close(2), and readable while there is news: put it into any event loop. Adding, removing and each event take constant
 * time, whatever the number of members; the memory is the kernel's.
 *
 *     int set = pidguard_set_create();
 *     pidguard_set_add(set, worker, (uint64_t)(uintptr_t)&its_record);   // once for each
 *     uint64_t ended[16];
 *     int n = pidguard_set_wait(set, ended, 16, -1);                     // then reap ended[0] to ended[n - 1]
 *
 * Errors of pidguard_set_create: EMFILE, ENFILE, ENOMEM. Kernel: 5.3. */
PIDGUARD_API int pidguard_set_create(void);

/* Adds a process. data is yours: it comes back when the process has ended (at once, if it has already). The pidfd must
 * stay open as long as it is a member.
 * Errors: EBADF; EEXIST it is a member; EINVAL set is not a set; ENOSPC /proc/sys/fs/epoll/max_user_watches; ENOMEM. */
PIDGUARD_API int pidguard_set_add(int set, int pidfd, uint64_t data);

/* Removes a member, whether it has ended or not. (Closing the last descriptor of a pidfd also removes it; a copy, say
 * in a forked child, keeps it.) Errors: EBADF; ENOENT not a member; EINVAL set is not a set. */
PIDGUARD_API int pidguard_set_remove(int set, int pidfd);

/* Waits for members to end: stores the data of up to max of them (no more than 64 in one call) and returns how many, 0
 * if time was over before. Each end is told once; nothing is reaped. With several threads waiting, each end goes to
 * one.
 * Errors: EBADF, EINVAL max < 1 or not a set, EINTR. See epoll_wait(2). */
PIDGUARD_API int pidguard_set_wait(int set, uint64_t *data, int max, int timeout);

/* ---------------------------------------------------------------------------------------------------------------------
 * 4. Questions
 *
 * Answers are about the right process, and may be out of date as soon as they are given. Errors of all of them: ESRCH
 * reaped; EREMOTE; EBADF; EOPNOTSUPP; EMFILE, ENFILE, ENOMEM where /proc is read, and there EACCES, /proc hides the
 * process (hidepid, see proc(5)).
 * See ioctl_pidfd(2), PIDFD_GET_INFO. */

/* Its number, that of its parent (0 if the parent lives outside the caller's pid namespace, as getppid(2)), and that of
 * its process (which for a thread's pidfd is another than its own number), in the caller's pid namespace.
 * Kernel: 6.13; before, from /proc. */
PIDGUARD_API pid_t pidguard_pidfd_get_pid(int pidfd);
PIDGUARD_API pid_t pidguard_pidfd_get_ppid(int pidfd);
PIDGUARD_API pid_t pidguard_pidfd_get_tgid(int pidfd);

/* All eight credentials, in terms of the caller's user namespace (credentials(7)). Kernel: 6.13; before, from /proc. */
struct pidguard_creds {
  uid_t ruid, euid, suid, fsuid; /* real, effective, saved, for file access */
  gid_t rgid, egid, sgid, fsgid;
};
PIDGUARD_API int pidguard_pidfd_get_creds(int pidfd, struct pidguard_creds *ret);

/* The id of its cgroup in the unified hierarchy: the file handle, and on 64-bit systems the inode number, of the
 * cgroup's directory (cgroups(7)). Kernel: 6.13, and 6.15 also of a reaped process; before, from /proc, where cgroup2
 * is mounted (EOPNOTSUPP where it is not). */
PIDGUARD_API int pidguard_pidfd_get_cgroup_id(int pidfd, uint64_t *ret);

/* Its id, a number that no other process gets while the system runs; also of a reaped process. A thread's pidfd has the
 * thread's id, which for the main thread is the process's. Kernel: 6.9 (32-bit systems: 6.14); before, EOPNOTSUPP. */
PIDGUARD_API int pidguard_pidfd_get_id(int pidfd, uint64_t *ret);

/* Where it is in its life: one of the three. Errors: EBADF; EREMOTE, before 6.9, ended in another pid namespace.
 * Kernel: 5.3. */
#define PIDGUARD_ALIVE 1
#define PIDGUARD_ZOMBIE 2
#define PIDGUARD_REAPED 3
PIDGUARD_API int pidguard_pidfd_get_state(int pidfd);

/* The wait status of a process that has ended, without waiting and without reaping: of the caller's child as soon as it
 * is a zombie, of any process once it was reaped.
 * Errors: EAGAIN it has not ended, or is somebody else's zombie; EOPNOTSUPP it was reaped, and the kernel did not keep
 *   it.
 * Kernel: 5.4 for zombie children, 6.15 for reaped processes; before, EOPNOTSUPP. */
PIDGUARD_API int pidguard_pidfd_get_exit_status(int pidfd, int *status);

/* About its core dump (core(5)). flags tells what happened, or, while it lives, what would happen.
 * Errors: ENODATA it has ended, and there was no dump, or it is somebody else's zombie and nothing was recorded.
 * Kernel: 6.16, code later (it keeps record of dumps that a program or socket takes; of others the wait status tells
 *   that they were done, and the signal). Before, EOPNOTSUPP as long as there is no wait status, and flags can only be
 *   PIDGUARD_COREDUMP_DONE. */
#define PIDGUARD_COREDUMP_DONE 1u    /* a core was dumped */
#define PIDGUARD_COREDUMP_SKIPPED 2u /* it is, or was, not dumpable: see prctl(2), PR_SET_DUMPABLE */
#define PIDGUARD_COREDUMP_USER 4u    /* with the rights of its user */
#define PIDGUARD_COREDUMP_ROOT 8u    /* readable by root only: sensitive */
#define PIDGUARD_UNKNOWN INT32_MIN
struct pidguard_coredump {
  uint32_t flags;
  int32_t signal; /* the signal that made it dump, or PIDGUARD_UNKNOWN */
  int32_t code;   /* si_code of that signal (sigaction(2)), or PIDGUARD_UNKNOWN */
};
PIDGUARD_API int pidguard_pidfd_get_coredump(int pidfd, struct pidguard_coredump *ret);

/* 1 if two pidfds name the same process, 0 if not; also if it was reaped.
 * Errors: before 6.9 ESRCH both were reaped, EREMOTE both live in another pid namespace; EBADF; EOPNOTSUPP.
 * Kernel: 6.9; before, by number, from /proc. */
PIDGUARD_API int pidguard_pidfd_same(int a, int b);

/* Several of the above at once, most in one system call. */
#define PIDGUARD_INFO_PID 0x01u         /* pid, tgid, ppid */
#define PIDGUARD_INFO_CREDS 0x02u       /* creds */
#define PIDGUARD_INFO_CGROUP_ID 0x04u   /* cgroup_id */
#define PIDGUARD_INFO_EXIT_STATUS 0x08u /* exit_status */
#define PIDGUARD_INFO_COREDUMP 0x10u    /* coredump */
#define PIDGUARD_INFO_ID 0x20u          /* id */
#define PIDGUARD_INFO_STATE 0x40u       /* state */
#define PIDGUARD_INFO_ALL 0x7fu
struct pidguard_info {
  uint64_t mask; /* in: PIDGUARD_INFO_* that are wanted; out: those that were filled */
  uint64_t id;
  uint64_t cgroup_id;
  pid_t pid;
  pid_t tgid;
  pid_t ppid;
  int32_t state;
  struct pidguard_creds creds;
  int32_t exit_status;
  struct pidguard_coredump coredump;
};
/* size is sizeof *info, so that the structure may grow: new members come at its end, and unknown ones are zeroed.
 * Set info->mask before. Look at info->mask afterwards: what could not be had is missing there, and its members are 0.
 * Errors: if nothing of what was wanted could be had, why the first item of it could not, as for the functions above;
 *   EINVAL size too small, or a mask without any known bit. */
PIDGUARD_API int pidguard_pidfd_get_info(int pidfd, struct pidguard_info *info, size_t size);

/* ---------------------------------------------------------------------------------------------------------------------
 * 5. Actions */

/* The kinds of namespaces (namespaces(7)). */
#define PIDGUARD_NS_CGROUP 1
#define PIDGUARD_NS_IPC 2
#define PIDGUARD_NS_MNT 3
#define PIDGUARD_NS_NET 4
#define PIDGUARD_NS_PID 5
#define PIDGUARD_NS_PID_FOR_CHILDREN 6
#define PIDGUARD_NS_TIME 7
#define PIDGUARD_NS_TIME_FOR_CHILDREN 8
#define PIDGUARD_NS_USER 9
#define PIDGUARD_NS_UTS 10

/* A descriptor of one of its namespaces, for setns(2), or to keep the namespace alive.
 * Errors: ESRCH it has ended (a zombie has none any more); EACCES the caller may not look into it (ptrace(2),
 *   PTRACE_MODE_READ_FSCREDS); EINVAL no such kind; EOPNOTSUPP the kernel is built without; EBADF; EMFILE, ENFILE,
 *   ENOMEM; before 6.11 EREMOTE.
 * Kernel: 6.11; before, from /proc (where a new PID_FOR_CHILDREN without any process is EOPNOTSUPP). See
 *   ioctl_pidfd(2). */
PIDGUARD_API int pidguard_pidfd_namespace(int pidfd, int kind);

/* 1 if the process and the calling thread are in the same namespace of this kind, 0 if not. Errors and kernel as
 * above. */
PIDGUARD_API int pidguard_pidfd_same_namespace(int pidfd, int kind);

/* Moves the calling thread into namespaces of the process, all at once or none: flags is any set of CLONE_NEWCGROUP,
 * CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_NEWUTS.
 * CLONE_NEWPID means the pid namespace that the process is in, and concerns the caller's next children.
 * Errors: EINVAL flags, or the caller cannot: it has several threads and wants CLONE_NEWUSER (or CLONE_NEWNS alone), it
 *   wants its own user namespace, or a pid namespace that is not its own or below; EUSERS it has several threads and
 *   wants CLONE_NEWTIME; EPERM; ESRCH it has ended; EBADF; ENOMEM.
 * Kernel: 5.8; before, one by one, so that a failure may leave the thread in some of them. See setns(2). */
PIDGUARD_API int pidguard_pidfd_setns(int pidfd, int flags);

/* A duplicate of its descriptor number target, sharing offset and flags, as if sent over a socket.
 * Errors: EPERM the caller may not (ptrace(2), PTRACE_MODE_ATTACH_REALCREDS); EBADF pidfd, or it has no descriptor
 *   target; ESRCH it has ended (a zombie before 6.8: EBADF); EMFILE, ENFILE; EOPNOTSUPP.
 * Kernel: 5.6; before, EOPNOTSUPP: opening the file anew through /proc is not the same. See pidfd_getfd(2). */
PIDGUARD_API int pidguard_pidfd_getfd(int pidfd, int target);

/* Frees the memory of a process that was killed, faster than it would itself. Returns when it is free.
 * Errors: EINVAL it is not dying; EAGAIN not everything could be freed yet; ESRCH it has ended, and has none any more;
 *   EBADF; EINTR; EOPNOTSUPP.
 * Kernel: 5.15; before, EOPNOTSUPP. See process_mrelease(2). */
PIDGUARD_API int pidguard_pidfd_mrelease(int pidfd);

/* Gives advice (MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_COLLAPSE; for oneself any) about count ranges of its
 * memory, in its addresses. Returns the number of bytes advised, which may be fewer than asked for. pidfd may be
 * PIDGUARD_SELF.
 * Errors: EPERM, EACCES the caller may not (ptrace(2), PTRACE_MODE_READ_FSCREDS, and CAP_SYS_NICE); EINVAL advice,
 *   alignment, count or length; ENOMEM not mapped; ESRCH it has ended; EBADF; EFAULT; EINTR; EOPNOTSUPP.
 * Kernel: 5.10; before, EOPNOTSUPP. See process_madvise(2). */
PIDGUARD_API ssize_t pidguard_pidfd_madvise(int pidfd, const struct iovec *ranges, size_t count, int advice);

/* A descriptor of its directory in /proc, for openat(2). What is opened there belongs to this process, or fails with
 * ENOENT or ESRCH once it was reaped; it never shows a later owner of the number.
 * Errors: ESRCH; EREMOTE it has no number in the pid namespace of the /proc that is mounted; EACCES /proc hides it;
 *   EBADF; EMFILE, ENFILE, ENOMEM; EOPNOTSUPP no /proc. Kernel: 5.3. See proc(5). */
PIDGUARD_API int pidguard_pidfd_proc_dir(int pidfd);

/* Calls look(dir, pid, arg) to look at the process in /proc: through dir, a descriptor as above, closed afterwards; or
 * by paths with pid, its number in that /proc. Afterwards it is checked that the process was there throughout: if so,
 * what was read is about the right process, and what look returned is returned. If look returned a negative value,
 * that is a failure: -1, with the errno that look left.
 * Errors: ESRCH it was reaped before or meanwhile: forget what was read; else as pidguard_pidfd_proc_dir.
 * Safety: that of look. Kernel: 5.3. */
PIDGUARD_API int pidguard_pidfd_access_proc(int pidfd, int (*look)(int dir, pid_t pid, void *arg), void *arg);

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

/* fork(2) that also gives a pidfd: in the parent *ret_pidfd is the child's, the caller's to close, or -1 if the child
 * is gone already (taken by a wait of another thread or a handler, or SIGCHLD is ignored), or if other threads have
 * taken the last descriptor meanwhile. In the child it is left alone.
 * Errors: those of fork(2); EMFILE, ENFILE, ENOMEM, EOPNOTSUPP, before there is a child. */
PIDGUARD_API pid_t pidguard_fork_pidfd(int *ret_pidfd);

/* kill(2), killpg(3). To a retired number, or to the group of a leader that was reaped and whose members are all gone:
 * ESRCH. Everything else is libc's: 0, -1, the own process, processes that are no children of this one. */
PIDGUARD_API int pidguard_kill(pid_t pid, int sig);
PIDGUARD_API int pidguard_killpg(pid_t pgrp, int sig);

/* wait(2), wait3(2), wait4(2). */
PIDGUARD_API pid_t pidguard_wait(int *status);
PIDGUARD_API pid_t pidguard_waitpid(pid_t pid, int *status, int options);
PIDGUARD_API pid_t pidguard_wait3(int *status, int options, struct rusage *usage);
PIDGUARD_API pid_t pidguard_wait4(pid_t pid, int *status, int options, struct rusage *usage);

#ifdef SI_QUEUE
/* sigqueue(3). */
PIDGUARD_API int pidguard_sigqueue(pid_t pid, int sig, const union sigval value);
#endif

#if defined(SI_QUEUE) && defined(WEXITED)
/* waitid(2). type: P_PID, P_PGID, P_ALL, or P_PIDFD. */
PIDGUARD_API int pidguard_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
#endif

/* A duplicate of the pidfd of a tracked child, the caller's to close. Never racy, whoever has the number.
 * Errors: ESRCH the child was reaped; ECHILD no tracked child has this number; EINVAL pid is not positive; EMFILE,
 *   ENFILE; EOPNOTSUPP the child is known by its number only, or tracking is off. */
PIDGUARD_API int pidguard_pidfd_of(pid_t pid);

/* Starts to track a child that was made by other means (by a library, before an exec): of the calling process, and not
 * reaped yet. Errors: ECHILD it is no child of this process; ESRCH nobody has the number; EINVAL; EOPNOTSUPP; EMFILE,
 * ENFILE, ENOMEM. */
PIDGUARD_API int pidguard_adopt(pid_t pid);

/* Forgets what is known of a number: it is libc's again. Errors: ESRCH nothing is known of it. */
PIDGUARD_API int pidguard_forget(pid_t pid);

/* What happened in this process since it was forked (with the API alone: by pidguard_fork). Never fails; size is
 * sizeof(struct pidguard_counters), and counters that the library does not have are 0. */
struct pidguard_counters {
  uint64_t births;       /* children tracked */
  uint64_t signals;      /* signals sent through a pidfd */
  uint64_t refused;      /* signals to a retired number that were refused */
  uint64_t reaped;       /* children taken by a wait */
  uint64_t silent;       /* children found reaped without a wait */
  uint64_t reopened;     /* uses of a child that was known by identity only at that moment */
  uint64_t evicted;      /* descriptors given up to stay within the budget */
  uint64_t moved;        /* descriptors moved out of the program's way */
  uint64_t adopted;      /* children found after exec, or by pidguard_adopt */
  uint64_t lost;         /* descriptors that somebody closed or overwrote behind the library's back */
  uint64_t degraded;     /* calls that could not be protected */
  uint64_t log_failures; /* log lines that could not be written */
};
#if defined(__cplusplus) && defined(__GNUC__) /* to have the name of a structure, as stat(2) has, is a warning there */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
PIDGUARD_API int pidguard_counters(struct pidguard_counters *ret, size_t size);
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* "MAJOR.MINOR.PATCH" of the library that runs; the macros are those of the header. */
PIDGUARD_API const char *pidguard_version(void);
#define PIDGUARD_VERSION_MAJOR 0
#define PIDGUARD_VERSION_MINOR 1
#define PIDGUARD_VERSION_PATCH 0

/* 1 if libc's own names are protected in this process (the preload object is loaded, or linked, and not switched
 * off). */
PIDGUARD_API int pidguard_is_preloaded(void);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* Kernel constants that the oldest supported headers lack, each with the kernel that brought it. The one place that
 * knows them; tests/unit checks them against the kernel's own headers where those have them. Calls nothing. */
#ifndef PG_KERNEL_UAPI_H
#define PG_KERNEL_UAPI_H

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <sys/wait.h>

/* sched.h */
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000 /* 5.2 */
#endif

/* wait.h: P_PIDFD, 5.4. glibc has it as an enumerator since 2.36, so it cannot be asked for by #ifdef. */
#define PG_P_PIDFD 3
#ifndef __WNOTHREAD
#define __WNOTHREAD 0x20000000
#endif
#ifndef __WALL
#define __WALL 0x40000000
#endif
#ifndef __WCLONE
#define __WCLONE 0x80000000
#endif

/* The kernel copies in so much of a siginfo, and then looks at the rest (4.20, copy_siginfo_from_user() in
 * kernel/signal.c). Before, it copied all of it. */
#define PG_SIGINFO_READ 48

/* linux/pidfd.h */
#define PG_PIDFD_NONBLOCK O_NONBLOCK            /* 5.10 */
#define PG_PIDFD_THREAD O_EXCL                  /* 6.9 */
#define PG_PIDFD_SIGNAL_THREAD (1u << 0)        /* 6.9 */
#define PG_PIDFD_SIGNAL_THREAD_GROUP (1u << 1)  /* 6.9 */
#define PG_PIDFD_SIGNAL_PROCESS_GROUP (1u << 2) /* 6.9 */
#define PG_PIDFS_MAGIC 0x50494446               /* 6.9, statfs f_type of a pidfd */

/* asm-generic/fcntl.h */
#ifndef F_DUPFD_CLOEXEC
#define F_DUPFD_CLOEXEC 1030
#endif

/* linux/pidfd.h: what an ioctl on a pidfd can do. */
#define PG_PIDFD_GET_NS(number) _IOC(_IOC_NONE, 0xff, number, 0)                         /* 6.11, 1 to 10 */
#define PG_PIDFD_GET_INFO(size) _IOC(_IOC_READ | _IOC_WRITE, 0xff, 11, (unsigned)(size)) /* 6.13, extensible */

#define PG_PIDFD_INFO_PID (1u << 0)             /* 6.13, always given while there is a task */
#define PG_PIDFD_INFO_CREDS (1u << 1)           /* 6.13, likewise */
#define PG_PIDFD_INFO_CGROUPID (1u << 2)        /* 6.13, likewise, if the kernel has cgroups */
#define PG_PIDFD_INFO_EXIT (1u << 3)            /* 6.15, on request, once reaped */
#define PG_PIDFD_INFO_COREDUMP (1u << 4)        /* 6.16, on request */
#define PG_PIDFD_INFO_SUPPORTED_MASK (1u << 5)  /* 6.19, on request */
#define PG_PIDFD_INFO_COREDUMP_SIGNAL (1u << 6) /* 6.19, with COREDUMP, once dumped */
#define PG_PIDFD_INFO_COREDUMP_CODE (1u << 7)   /* after 7.0, likewise */

/* struct pidfd_info up to its last field with a settled place. supported_mask (6.19), which is never 0, follows behind
 * coredump_signal in 6.19, and eight bytes later in newer kernels. */
struct pg_pidfd_info {
  uint64_t mask;
  uint64_t cgroupid;
  uint32_t pid;
  uint32_t tgid;
  uint32_t ppid;
  uint32_t ruid;
  uint32_t rgid;
  uint32_t euid;
  uint32_t egid;
  uint32_t suid;
  uint32_t sgid;
  uint32_t fsuid;
  uint32_t fsgid;
  int32_t exit_code;
  uint32_t coredump_mask;   /* from here on: 6.16 */
  uint32_t coredump_signal; /* 6.19 */
  uint32_t coredump_code;   /* after 7.0; in 6.19 supported_mask begins here: only the mask bit tells */
  uint32_t coredump_pad;
};
#define PG_PIDFD_INFO_SUPPORTED_FIRST 72 /* where supported_mask stands in 6.19 */
#define PG_PIDFD_INFO_SUPPORTED_LATER 80 /* and since then */
#define PG_PIDFD_INFO_SIZE_LATEST 88
#define PG_PIDFD_INFO_SIZE_VER0 64 /* 6.13: up to and with exit_code */

/* linux/fcntl.h */
#define PG_PIDFD_SELF_THREAD (-10000)       /* 6.14 */
#define PG_PIDFD_SELF_THREAD_GROUP (-10001) /* 6.17; -20000 in 6.14 to 6.16 */
#define PG_FD_PIDFS_ROOT (-10002)           /* 6.17 */
#define PG_AT_EMPTY_PATH 0x1000
#define PG_FILEID_KERNFS 0xfe /* handle type: eight bytes, the inode number */

/* asm-generic/socket.h, linux/socket.h: 6.5 */
#define PG_SO_PASSPIDFD 76
#define PG_SO_PEERPIDFD 77
#define PG_SCM_PIDFD 0x04

/* linux/magic.h */
#define PG_ANON_INODE_FS_MAGIC 0x09041934
#define PG_CGROUP2_SUPER_MAGIC 0x63677270

/* linux/seccomp.h */
#define PG_SECCOMP_MODE_FILTER 2          /* of prctl(PR_SET_SECCOMP) */
#define PG_SECCOMP_SET_MODE_FILTER 1      /* of seccomp(): 3.17 */
#define PG_SECCOMP_FILTER_TSYNC 1u        /* its flags: 3.17 */
#define PG_SECCOMP_FILTER_NEW_LISTENER 8u /* 5.0 */

/* sched.h */
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000 /* 4.6 */
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080 /* 5.6 */
#endif

#endif

/* Kernel constants that the oldest supported headers lack, each with the kernel that brought it. The one place that
 * knows them; tests/unit checks them against the kernel's own headers where those have them. Calls nothing. */
#ifndef PG_KERNEL_UAPI_H
#define PG_KERNEL_UAPI_H

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
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

/* linux/pidfd.h */
#define PG_PIDFD_NONBLOCK O_NONBLOCK                   /* 5.10 */
#define PG_PIDFD_THREAD O_EXCL                         /* 6.9 */
#define PG_PIDFD_SIGNAL_THREAD (1u << 0)               /* 6.9 */
#define PG_PIDFD_SIGNAL_THREAD_GROUP (1u << 1)         /* 6.9 */
#define PG_PIDFD_SIGNAL_PROCESS_GROUP (1u << 2)        /* 6.9 */
#define PG_PIDFS_MAGIC 0x50494446                      /* 6.9, statfs f_type of a pidfd */

/* asm-generic/fcntl.h */
#ifndef F_DUPFD_CLOEXEC
#define F_DUPFD_CLOEXEC 1030
#endif

#endif

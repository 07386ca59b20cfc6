/* SPDX-License-Identifier: MIT */
/* What the kernel's own headers say, for api_border.c to compare with. It is in a file of its own, because these
 * headers clash with libc's. */
#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/ioctl.h>
#include <linux/magic.h>
#include <linux/pidfd.h>
#include <linux/types.h>
#include <stddef.h>

#include "api_uapi.h"

#define CONSTANT(name) {#name, (long long)(name)},
#define MEMBER(name) {#name, (long long)offsetof(struct pidfd_info, name)},

const struct uapi_constant uapi_constants[] = {
    {"PIDFD_NS_1", _IO(0xff, 1)},
    {"PIDFD_INFO_64", (unsigned)_IOC(_IOC_READ | _IOC_WRITE, 0xff, 11, 64)},
    CONSTANT(PIDFD_NONBLOCK) CONSTANT(ANON_INODE_FS_MAGIC) CONSTANT(CGROUP2_SUPER_MAGIC) CONSTANT(AT_EMPTY_PATH)
#ifdef PIDFD_THREAD
        CONSTANT(PIDFD_THREAD)
#endif
#ifdef PIDFD_SIGNAL_PROCESS_GROUP
            CONSTANT(PIDFD_SIGNAL_THREAD) CONSTANT(PIDFD_SIGNAL_THREAD_GROUP) CONSTANT(PIDFD_SIGNAL_PROCESS_GROUP)
#endif
#ifdef PIDFD_GET_CGROUP_NAMESPACE
                CONSTANT(PIDFD_GET_CGROUP_NAMESPACE) CONSTANT(PIDFD_GET_IPC_NAMESPACE) CONSTANT(PIDFD_GET_MNT_NAMESPACE)
                    CONSTANT(PIDFD_GET_NET_NAMESPACE) CONSTANT(PIDFD_GET_PID_NAMESPACE)
                        CONSTANT(PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE) CONSTANT(PIDFD_GET_TIME_NAMESPACE)
                            CONSTANT(PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE) CONSTANT(PIDFD_GET_USER_NAMESPACE)
                                CONSTANT(PIDFD_GET_UTS_NAMESPACE)
#endif
#ifdef PIDFD_INFO_PID
                                    CONSTANT(PIDFD_INFO_PID) CONSTANT(PIDFD_INFO_CREDS) CONSTANT(PIDFD_INFO_CGROUPID)
                                        MEMBER(cgroupid) MEMBER(fsgid)
#endif
#ifdef PIDFD_INFO_EXIT
                                            CONSTANT(PIDFD_INFO_EXIT) MEMBER(exit_code)
#endif
#ifdef PIDFD_INFO_COREDUMP
                                                CONSTANT(PIDFD_INFO_COREDUMP) CONSTANT(PIDFD_COREDUMPED)
                                                    CONSTANT(PIDFD_COREDUMP_SKIP) CONSTANT(PIDFD_COREDUMP_USER)
                                                        CONSTANT(PIDFD_COREDUMP_ROOT) MEMBER(coredump_mask)
#endif
#ifdef PIDFD_INFO_COREDUMP_SIGNAL
                                                            CONSTANT(PIDFD_INFO_COREDUMP_SIGNAL) MEMBER(coredump_signal)
#endif
#ifdef PIDFD_INFO_COREDUMP_CODE
                                                                CONSTANT(PIDFD_INFO_COREDUMP_CODE) MEMBER(coredump_code)
#endif
#ifdef PIDFD_SELF_THREAD
                                                                    CONSTANT(PIDFD_SELF_THREAD)
#endif
#ifdef FD_PIDFS_ROOT /* the headers with it have the settled number of PIDFD_SELF_THREAD_GROUP */
                                                                        CONSTANT(FD_PIDFS_ROOT)
                                                                            CONSTANT(PIDFD_SELF_THREAD_GROUP)
#endif
#ifdef SO_PEERPIDFD
                                                                                CONSTANT(SO_PASSPIDFD)
                                                                                    CONSTANT(SO_PEERPIDFD)
#endif
#ifdef PID_FS_MAGIC
                                                                                        CONSTANT(PID_FS_MAGIC)
#endif
                                                                                            {NULL, 0},
};

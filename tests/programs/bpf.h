/* SPDX-License-Identifier: MIT */
/* Seccomp filters for the tests: lists of system call numbers in a file, and programs in classic BPF. */
#ifndef PROGRAM_BPF_H /* BPF_H is a size in linux/filter.h */
#define PROGRAM_BPF_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#define BPF_NUMBERS 1024
#define BPF_MARKER 1023 /* a call that does not exist; the recorder then forgets what it has recorded */
#define BPF_CODE_MAX 2100

/* The file has one system call number a line. False if the file cannot be used. */
bool bpf_load_list(const char *path, bool allowed[BPF_NUMBERS]);
bool bpf_save_list(const char *path, const bool allowed[BPF_NUMBERS]);

/* Every filter begins with this code. It kills the process for a call of another architecture. Returns the length. */
size_t bpf_check_architecture(struct sock_filter *code);
/* A call that is not in the list kills the process. Returns the length. */
size_t bpf_kill_others(const bool allowed[BPF_NUMBERS], struct sock_filter code[BPF_CODE_MAX]);
/* Calls on pidfds fail with the errno: pidfd_open, pidfd_send_signal, waitid with P_PIDFD, and clone with CLONE_PIDFD.
 * With with_clone3 clone3 fails as well. If the errno is 0, everything is allowed. */
size_t bpf_refuse_pidfds(int error, bool with_clone3, struct sock_filter code[BPF_CODE_MAX]);
/* A clone() with other flags than these kills the process. clone3() fails with ENOSYS. */
size_t bpf_one_clone(unsigned flags, struct sock_filter code[BPF_CODE_MAX]);
/* getppid() and pidfd_open() wait for the listener's answer. */
size_t bpf_ask_listener(struct sock_filter code[BPF_CODE_MAX]);
/* Docker's default for a container without added capabilities. */
size_t bpf_docker(struct sock_filter code[BPF_CODE_MAX]);
/* systemd's SystemCallFilter=@system-service. Other calls fail with the errno. If it is 0, they kill the process, which
 * is systemd's default. */
size_t bpf_system_service(int error, struct sock_filter code[BPF_CODE_MAX]);

#endif

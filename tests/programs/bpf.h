/* SPDX-License-Identifier: MIT */
/* Seccomp filters for the tests: lists of system call numbers in a file, and programs in classic BPF. */
#ifndef PROGRAM_BPF_H /* BPF_H is a size in linux/filter.h */
#define PROGRAM_BPF_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#define BPF_NUMBERS 1024
#define BPF_MARKER 1023 /* a call that does not exist: "forget what was recorded until now" */
#define BPF_CODE_MAX 2100

/* Numbers, one a line. False if the file cannot be used. */
bool bpf_load_list(const char *path, bool allowed[BPF_NUMBERS]);
bool bpf_save_list(const char *path, const bool allowed[BPF_NUMBERS]);

/* What every filter begins with: killed for a call of another architecture. Returns the length. */
size_t bpf_check_architecture(struct sock_filter *code);
/* The process is killed for whatever is not in the list. Returns the length. */
size_t bpf_kill_others(const bool allowed[BPF_NUMBERS], struct sock_filter code[BPF_CODE_MAX]);
/* Calls on pidfds (pidfd_open, pidfd_send_signal, waitid with P_PIDFD, clone with CLONE_PIDFD, and with_clone3 clone3)
 * are answered with the errno; 0: everything is allowed. */
size_t bpf_refuse_pidfds(int error, bool with_clone3, struct sock_filter code[BPF_CODE_MAX]);
/* Killed for a clone() with other flags than these; clone3 does not exist. */
size_t bpf_one_clone(unsigned flags, struct sock_filter code[BPF_CODE_MAX]);
/* getppid() and pidfd_open() wait for the answer of whoever listens. */
size_t bpf_ask_listener(struct sock_filter code[BPF_CODE_MAX]);
/* Docker's default for a container without added capabilities. */
size_t bpf_docker(struct sock_filter code[BPF_CODE_MAX]);
/* systemd's SystemCallFilter=@system-service: other calls get the errno; 0: they kill, as is its default. */
size_t bpf_system_service(int error, struct sock_filter code[BPF_CODE_MAX]);

#endif

/* SPDX-License-Identifier: MIT */
/* A module that signals the PID that it is given. */
#include <signal.h>
#include <sys/types.h>

int deep_kill(pid_t pid);
__attribute__((visibility("default"))) int deep_kill(pid_t pid) { return pid > 1 ? kill(pid, SIGTERM) : -2; }

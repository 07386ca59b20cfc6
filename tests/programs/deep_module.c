/* SPDX-License-Identifier: MIT */
/* A module that signals what it is told to. */
#include <signal.h>
#include <sys/types.h>

int deep_kill(pid_t pid);
__attribute__((visibility("default"))) int deep_kill(pid_t pid) { return pid > 1 ? kill(pid, SIGTERM) : -2; }

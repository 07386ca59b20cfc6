/* SPDX-License-Identifier: MIT */
/* Reading another process: its memory, and what /proc says of it. The process is neither stopped nor signalled. It may
 * be anybody's: nothing that is read there is believed. */
#ifndef PG_TOOL_MEMORY_H
#define PG_TOOL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct process {
  int dir; /* /proc/PID, which names this process even when the number is another's */
  int mem;
  pid_t pid;
};

/* 0 or -errno: of the directory, or of its memory (then *ret_denied is true). */
int process_open(pid_t pid, struct process *ret, bool *ret_denied);
void process_close(struct process *p);
bool process_read(const struct process *p, uint64_t address, void *to, size_t n);
/* A file below /proc/PID for reading, or NULL. */
FILE *process_file(const struct process *p, const char *name);
/* The name of a process, or "". */
void process_comm(const struct process *p, char *to, size_t size);
/* Calls fn with where each readable mapping of a file's beginning lies, and the file, until it says false. */
void process_objects(const struct process *p, bool (*fn)(void *arg, uint64_t start, const char *path), void *arg);
/* The contents of the note of that owner and type in the object that is mapped at `start`: its address, 0: there is
 * none. */
uint64_t process_note(const struct process *p, uint64_t start, const char *owner, uint32_t type, uint32_t size);

#endif

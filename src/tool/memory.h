/* SPDX-License-Identifier: MIT */
/* Reads another process: its memory, and what /proc says of it. The process is neither stopped nor signalled. It may
 * belong to any user, so its contents are not trusted. */
#ifndef PG_TOOL_MEMORY_H
#define PG_TOOL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct process {
  int dir; /* /proc/PID, which names this process even when another process has the PID */
  int mem;
  pid_t pid;
};

/* 0, or -errno: of the directory, or of its memory (then *ret_denied is true). */
int process_open(pid_t pid, struct process *ret, bool *ret_denied);
void process_close(struct process *p);
bool process_read(const struct process *p, uint64_t address, void *to, size_t n);
/* A file below /proc/PID for reading, or NULL. */
FILE *process_file(const struct process *p, const char *name);
/* The name of a process, or "". */
void process_comm(const struct process *p, char *to, size_t size);
/* The letter of its state: 'Z' for a zombie; '?' if that cannot be read. */
char process_state(const struct process *p);
/* The PID of the process that a thread belongs to; 0: that cannot be read. */
pid_t process_leader(const struct process *p);
/* Calls fn with the start of each readable mapping of the beginning of a file, and that file, until fn returns
 * false. */
void process_objects(const struct process *p, bool (*fn)(void *arg, uint64_t start, const char *path), void *arg);
/* The address of the contents of a note with that owner and type, in the object that is mapped at `start`; 0: there is
 * none. */
uint64_t process_note(const struct process *p, uint64_t start, const char *owner, uint32_t type, uint32_t size);

#endif

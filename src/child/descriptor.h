/* Our pidfds as descriptors: lifted above the program's numbers, few, verified before they are closed, given up when
 * there are too many of them. Calls table, runtime, kernel. */
#ifndef PG_CHILD_DESCRIPTOR_H
#define PG_CHILD_DESCRIPTOR_H

#include "child/record.h"
#include "runtime/ours.h"

/* Reads what identifies the process behind a pidfd: its pidfs inode, or 0 where the kernel has none (before 6.9).
 * -EBADF if fd is no pidfd, -errno if it can not be asked. */
int pg_descriptor_identity(int fd, uint64_t *ret_ino);
/* True while identities tell processes apart; false before the first pidfd was seen. */
bool pg_descriptor_have_identity(void);

/* Closes a pidfd that was opened a moment ago, on a low number; -1 is none. Another thread may rely on being the only one
 * that opens descriptors, and have put its own there with dup2() meanwhile. */
void pg_descriptor_close(int low);

/* pidfd_open() by number, but only the process with that identity: a descriptor of the caller's on a low number, or
 * -ESRCH if the number is nobody's or somebody else's, or another -errno. */
int pg_descriptor_reopen(pid_t pid, uint64_t ino);

/* A descriptor for a leader that was reaped while its group lives, which pidfd_open() does not give: by its identity (6.17
 * to 6.19; from 7.0 on the kernel does not give it either, fs/pidfs.c, pidfs_ino_get_pid()). On a low number, or -ESRCH
 * where the group is gone, too, or -EOPNOTSUPP where that cannot be said. */
int pg_descriptor_reopen_leader(uint64_t ino);

/* A first look at such a leader, by which it is learned whether this kernel finds them. held: its descriptor, which has
 * shown that the group lives, or -1 where only a number says so. False: it does not. */
bool pg_descriptor_try_leader(int held, uint64_t ino);

/* Before a fork, which would copy them, and the dearer the higher they are: lets go of all that can be opened anew by
 * identity, also as the handle of a group; where the kernel does not find those, of none, and while that is not known, of
 * those that lead no group. */
void pg_descriptor_let_go(void);

/* pidfd_open(), making room by giving up one of ours when the program has used up all numbers. */
int pg_descriptor_open(pid_t pid);

/* A held record is about to be used by its identity: was it already, since the latest birth? Only then is it worth a
 * descriptor, which goes at the next birth: a program that looks after many children makes one round between two births. */
bool pg_descriptor_is_wanted(struct pg_record *rec);

/* Gives a held record a lifted duplicate of the pidfd `low`, within the budget. False: it stays without one. */
bool pg_descriptor_give(struct pg_record *rec, int low);

/* Our number is about to be overwritten by the program: moves the descriptor elsewhere. -EBUSY: it must not be, since a
 * frame that the caller has interrupted is about to close it. */
int pg_descriptor_move(int fd);

/* The limit has changed: moves those of ours away that are among the numbers that the program gets. */
void pg_descriptor_place_anew(void);

/* Gives up the oldest descriptors, at most n, whose records can do without. Returns how many. */
int pg_descriptor_evict(int n);

/* The record's descriptor for a use of it, or -1. Where the number might have changed hands its identity is checked. */
int pg_descriptor_use_checked(struct pg_record *rec, int fd);
static inline int pg_descriptor_use(struct pg_record *rec) {
  int fd = pg_record_fd(rec);
  return PG_UNLIKELY(pg_state() & PG_STATE_PIDFDS) && fd >= 0
             ? pg_descriptor_use_checked(rec, fd)
             : fd;
}

/* Is the number one of ours for the caller, too, so that it is not there for the program? In a guest's own table it may be
 * anybody's, and so it may while a frame that the caller has interrupted is about to take it off the register: only what is
 * still the same descriptor there is. */
bool pg_descriptor_is_ours_here(int fd);
static inline bool pg_is_hidden(int fd) { return pg_is_ours(fd) && pg_descriptor_is_ours_here(fd); }

/* The record's descriptor turned out not to be ours any more: it goes on by identity. */
void pg_descriptor_lost(struct pg_record *rec, int fd);

/* The next of our descriptors for the look whether its process has died: a held record, or NULL. */
struct pg_record *pg_descriptor_next_held(void);

#endif

/* One tracked process: a record, with one atomic word that holds everything that changes. What a record is, and every
 * way in which its word may change, is in this pair of files. Calls descriptor, runtime, kernel.
 *
 *   word    meaning
 *   LIVE    the child was not reaped, as far as is known
 *   GROUP   it was, but members of its process group live: the descriptor, or the identity where that is enough
 *           (6.17), is the handle of the group
 *   SLOT    the table's slot for the number points here; without it the record is on its way out
 *   PROVEN  the kernel has just answered through the descriptor for this very child: no need to check it again
 *   holders readers that use the descriptor right now: it is not closed, moved or given away under them
 *   fd      the pidfd that we hold, or none (known by identity only; bare where there is no identity either)
 *
 * Records live in a pool that is never unmapped, so a stale pointer reads a record, though perhaps another one's; the
 * table validates after it took a hold. */
#ifndef PG_CHILD_RECORD_H
#define PG_CHILD_RECORD_H

#include "base/attr.h"
#include "runtime/hot.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PG_RECORD_FD_BITS 24
#define PG_RECORD_FD_MAX ((1 << PG_RECORD_FD_BITS) - 2)
#define PG_RECORD_HOLDER ((uint64_t)1 << PG_RECORD_FD_BITS)
#define PG_RECORD_HOLDERS_MAX 0xfffffu
#define PG_RECORD_HOLDERS_MANY ((uint64_t)1 << 43) /* the highest bit of their number */
#define PG_RECORD_LIVE ((uint64_t)1 << 44)
#define PG_RECORD_GROUP ((uint64_t)1 << 45)
#define PG_RECORD_SLOT ((uint64_t)1 << 46)
#define PG_RECORD_PROVEN ((uint64_t)1 << 47)

/* glibc's own word on that (since 2.32, therefore weak): no thread but this one, and its signal handlers. Of threads made by
 * clone() it knows nothing, and must not be told by writing to it: pthread_create() takes it for a sign that the first thread
 * was made already, and leaves out the handler that setuid() needs, of which the program then dies. */
#ifdef __GLIBC__
extern char __libc_single_threaded __attribute__((weak));
static inline bool pg_libc_has_one_thread(void) { return &__libc_single_threaded && __libc_single_threaded; }
#else
static inline bool pg_libc_has_one_thread(void) { return false; }
#endif
static inline bool pg_is_single_threaded(void) { return pg_libc_has_one_thread() && !(pg_state() & PG_STATE_THREADS); }

/* A compare-and-swap that needs to be one instruction, but not a locked one, while there is but one thread. Only where
 * pg_is_usual(): so there are no threads that libc does not know of. */
static inline bool pg_word_cas(_Atomic uint64_t *word, uint64_t old, uint64_t now) {
#if defined(__GLIBC__) && defined(__x86_64__)
  if (pg_libc_has_one_thread()) {
    bool done;
    __asm__ volatile("cmpxchgq %3, %1" : "=@ccz"(done), "+m"(*word), "+a"(old) : "r"(now) : "memory");
    return done;
  }
#endif
  return atomic_compare_exchange_strong_explicit(word, &old, now, memory_order_acq_rel, memory_order_relaxed);
}

static inline int pg_word_fd(uint64_t w) { return (int)(w & ((1u << PG_RECORD_FD_BITS) - 1)) - 1; }
static inline uint64_t pg_word_with_fd(uint64_t w, int fd) {
  return (w & ~(uint64_t)((1u << PG_RECORD_FD_BITS) - 1)) | (uint64_t)(uint32_t)(fd + 1);
}
static inline uint32_t pg_word_holders(uint64_t w) {
  return (uint32_t)(w >> PG_RECORD_FD_BITS) & PG_RECORD_HOLDERS_MAX;
}
static inline uint64_t pg_record_word(struct pg_record *rec) {
  return atomic_load_explicit(&rec->word, memory_order_acquire);
}
static inline int pg_record_fd(struct pg_record *rec) { return pg_word_fd(pg_record_word(rec)); }
static inline uint64_t pg_record_ino(struct pg_record *rec) {
  return atomic_load_explicit(&rec->ino, memory_order_relaxed);
}
static inline pid_t pg_record_pid(struct pg_record *rec) {
  return atomic_load_explicit(&rec->pid, memory_order_relaxed);
}
static inline uint32_t pg_record_seq(struct pg_record *rec) {
  return atomic_load_explicit(&rec->seq, memory_order_relaxed);
}

#define PG_RECORDS_PER_CHUNK 512u
extern _Atomic(struct pg_record *) pg_record_chunks[];
/* 1-based and stable, so that 0 can say "none". */
static inline struct pg_record *pg_record_at(uint32_t index) {
  uint32_t i = index - 1;
  if (PG_LIKELY(i < PG_HOT_RECORDS))
    return &pg_hot.first_records[i];
  i -= PG_HOT_RECORDS;
  struct pg_record *chunk =
      atomic_load_explicit(&pg_record_chunks[i / PG_RECORDS_PER_CHUNK], memory_order_acquire);
  return &chunk[i % PG_RECORDS_PER_CHUNK];
}

/* A fresh record, owned by the caller alone: its word is 0 and no hold can be taken. NULL without memory. */
struct pg_record *pg_record_alloc(void);
/* Gives back a record that was never published. */
void pg_record_free(struct pg_record *rec);
uint32_t pg_record_index(struct pg_record *rec);
/* How many there are, in use or free: indices 1 to this. */
uint32_t pg_record_count(void);

/* Changes the word in one compare-and-swap, if it has all the flags of `need`: sets and clears flags; then, if that
 * left it without use, closes the descriptor and frees the record. Returns the word as it was before. */
uint64_t pg_record_change(struct pg_record *rec, uint64_t need, uint64_t set, uint64_t clear);

/* Takes a hold; false if the record is in nobody's slot (free, or being made). */
bool pg_record_try_hold(struct pg_record *rec);
void pg_record_drop(struct pg_record *rec);

/* A hold in the record's word that is to last through a blocking wait would have to be given back when a handler jumps out
 * (a clean-up that is registered with the thread: a page fault after each fork). While there is but one thread, one record
 * at a time is known to be waited for instead, and by which frame: that counts as a hold. If the frame is abandoned the
 * record stays as it is, with its descriptor, until a wait begins in the same place, as two frames that live cannot lie
 * there; other waits go the other way until then. Begin exchanges the caller's hold for this one, and end takes it back.
 * False: not now. */
bool pg_record_wait_begin(struct pg_record *rec, void *frame);
void pg_record_wait_end(struct pg_record *rec);

/* Swaps the descriptor `from` (-1: none) for `to` (-1: none), if it is `from` and at most so many hold the
 * record; on success `from` is the caller's to close. A record with no descriptor takes one only while LIVE. */
bool pg_record_swap_fd(struct pg_record *rec, int from, int to, uint32_t most);

#define PG_INO_PROVEN UINT64_MAX

/* Where descriptors end (child/descriptor.c; the table's own unit test brings another): closes fd if it is provably
 * the pidfd of that identity (PG_INO_PROVEN: it is). */
void pg_descriptor_release(int fd, uint64_t ino, uint32_t index);

#endif

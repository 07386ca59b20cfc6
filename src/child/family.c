/* SPDX-License-Identifier: MIT */
/* The memory is a System V segment. The owner of a file could truncate it, and every process that has it mapped would
 * die of SIGBUS. A memfd would need a process that holds it. A segment has a fixed size, an owner that the kernel
 * tells, and a name (its key) without a descriptor. It stays when the last process is gone, until a reboot or ipcrm(1).
 * A system may also remove it at the user's last log-out.
 *
 * The segment is a cache of sets. One word decides about an entry, and is exchanged as a whole, because a process can
 * die at any instruction.
 *
 *     PID (22 bits) | tag of the pid namespace (18) | ticket (24)
 *
 * Tickets count the deaths in the whole family, so the difference to the present ticket is an age, as in the table. An
 * entry expires when as many later ones have followed as are kept. It is swept away before the tickets wrap around. */
#include "child/family.h"

#include "child/child.h"
#include "child/reach.h"
#include "child/self.h"
#include "kernel/sys.h"
#include "runtime/filter.h"
#include "runtime/log.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#define WAYS 8u
#define SETS 4096u                /* twice as many places as PIDs that are kept at most */
#define MAGIC 0x6472617567646970u /* "pidguard" */
#define KEY 0x67700000            /* + the user's id */
#define NUMBER_BITS 22
#define SPACE_BITS 18
#define TICKET_MASK 0xffffffu
#define WITNESS_TICKETS 0x3ffu

struct set {
  _Atomic uint64_t entry[WAYS];
  _Atomic uint32_t
      witness[WAYS]; /* the process that saw the death, for the log alone: PID << 10 | the last bits of the ticket */
  char apart[32];
};

struct family {
  _Atomic uint64_t magic;   /* 0 in a new segment */
  _Atomic uint32_t tickets; /* deaths */
  _Atomic uint32_t early;   /* entries that made room before they expired */
  char apart[112];
  struct set sets[SETS];
};

_Static_assert(PG_PID_LIMIT == 1 << NUMBER_BITS, "a number has as many bits");
_Static_assert(WAYS *SETS >= 2 * PG_RETIRED_MOST, "room for all that are kept");

/* The address of the segment. It never changes, because another thread may be reading. The segment of another user may
 * replace it there. */
static _Atomic(struct family *) mapped;
static struct {
  _Atomic pid_t pid; /* the process that has found out the rest; 0: none has */
  _Atomic uint32_t user, space;
  _Atomic bool usable;
} known;

/* ---- Which one ---- */

/* The kernel reuses the number of a pid namespace. The start time of its first process tells two of them apart. */
static uint32_t read_space(void) {
  char text[512];
  uint64_t hash = 0;
  ssize_t n = pg_sys_readlinkat(AT_FDCWD, "/proc/self/ns/pid", text, sizeof text);
  if (n <= 0)
    return 0;
  for (ssize_t i = 0; i < n; i++)
    hash = hash * 31 + (unsigned char)text[i];
  n = pg_window_read_file("/proc/1/stat", text, sizeof text);
  ssize_t at = n;
  while (at > 0 && text[at - 1] != ')')
    at--;
  for (int field = 2; at < n && field < 22;
       at++) /* starttime; the name, which is the second field, may contain blanks */
    field += text[at] == ' ';
  for (; at < n && text[at] != ' '; at++)
    hash = hash * 31 + (unsigned char)text[at];
  hash *= 0x9e3779b97f4a7c15u;
  uint32_t space = (uint32_t)(hash >> (64 - SPACE_BITS));
  return space ? space : 1; /* 0 means unknown */
}

#if defined(SYS_shmget) && defined(__LP64__)

/* Attaches the segment of this user, at the address of the previous one, if there was one. 0 or -errno. */
static int attach(uint32_t user) {
  struct family *old = atomic_load_explicit(&mapped, memory_order_acquire), *none = NULL;
  struct shmid_ds about;
  int id = (int)pg_sys3(SYS_shmget, KEY + user, sizeof(struct family), IPC_CREAT | 0600);
  if (id < 0)
    return id;
  int r = (int)pg_sys3(SYS_shmctl, id, IPC_STAT, &about);
  if (r < 0)
    return r;
  if (about.shm_perm.uid != user || about.shm_perm.cuid != user || (about.shm_perm.mode & 0777) != 0600)
    return -EPERM;
  if (about.shm_segsz != sizeof(struct family))
    return -EINVAL;
  long at = pg_sys3(SYS_shmat, id, old, old ? SHM_REMAP : 0);
  if (at < 0 && at > -4096)
    return (int)at;
  struct family *family = (struct family *)at;
  /* madvise() refuses a part of a huge page. The owner of a segment of huge pages could kill this process by a lack of
   * them. */
  r = (int)pg_sys3(SYS_madvise, at, sizeof *family, MADV_DONTDUMP);
  uint64_t magic = 0;
  if (r == 0 && !atomic_compare_exchange_strong(&family->magic, &magic, MAGIC) && magic != MAGIC)
    r = -EINVAL;
  bool first = !old && r == 0 && atomic_compare_exchange_strong(&mapped, &none, family);
  if (!old && !first)
    pg_sys1(SYS_shmdt, at); /* another thread was faster, or the segment is unusable */
  return r;
}

/* Removes another user's segment from a process that now runs as a different user. */
static void cover(void) {
  struct family *old = atomic_load_explicit(&mapped, memory_order_acquire);
  if (old)
    pg_sys6(SYS_mmap, (long)old, sizeof *old, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

#else
static int attach(uint32_t user) { return (void)user, -ENOSYS; }
static void cover(void) {}
#endif

static struct family *take_out(struct family *family, pid_t pid);

/* Finds out the segment for this process. It may be a forked child, in another pid namespace, or of another user by
 * now. */
static PG_NOINLINE struct family *find_out(pid_t self, bool again) {
  if (!pg_filter_can(PG_CAN_PIDFD | PG_CAN_ASK | PG_CAN_READ | PG_CAN_SHARE))
    return NULL;
  uint32_t user = (uint32_t)pg_sys0(SYS_geteuid);
  bool same = atomic_load(&known.pid) && user == atomic_load(&known.user);
  if (again && same)
    return atomic_load(&known.usable) ? atomic_load(&mapped) : NULL;
  uint32_t space = read_space();
  atomic_store(&known.space, space);
  if (!same) {
    int r = attach(user);
    if (r < 0) {
      cover();
      pg_degraded("family", 0, r, "own-children-only");
    }
    atomic_store(&known.user, user);
    atomic_store(&known.usable, r == 0);
  }
  atomic_store(&known.pid, self);
  /* this process lives, so its PID is not dead, even if libc made it without a wrapper */
  return space && atomic_load(&known.usable) ? take_out(atomic_load(&mapped), self) : NULL;
}

static inline struct family *find(void) {
  pid_t self = pg_getpid();
  if (PG_UNLIKELY(atomic_load_explicit(&known.pid, memory_order_acquire) != self || pg_flag(&pg_hot.other_namespace)))
    return find_out(self, false);
  bool usable = atomic_load_explicit(&known.usable, memory_order_relaxed) &&
                atomic_load_explicit(&known.space, memory_order_relaxed);
  return usable ? atomic_load_explicit(&mapped, memory_order_acquire) : NULL;
}

/* ---- Entries ---- */

static uint64_t entry_key(pid_t pid) {
  return (uint64_t)(uint32_t)pid | (uint64_t)atomic_load_explicit(&known.space, memory_order_relaxed) << NUMBER_BITS;
}
static uint64_t key_of(uint64_t entry) { return entry & (((uint64_t)1 << (NUMBER_BITS + SPACE_BITS)) - 1); }
static uint32_t ticket_of(uint64_t entry) { return (uint32_t)(entry >> (NUMBER_BITS + SPACE_BITS)); }

/* 1: the latest */
static uint32_t age_of(struct family *family, uint64_t entry) {
  return (atomic_load_explicit(&family->tickets, memory_order_relaxed) - ticket_of(entry)) & TICKET_MASK;
}
static bool is_kept(struct family *family, uint64_t entry) {
  return entry && age_of(family, entry) - 1 < pg_number_retired_max();
}

static struct set *set_of(struct family *family, pid_t pid) { return &family->sets[(uint32_t)pid % SETS]; }

/* Finds an entry of this PID that has not expired. Returns its way in the set, or -1. */
static int find_entry(struct family *family, pid_t pid, uint64_t *ret) {
  struct set *set = set_of(family, pid);
  uint64_t key = entry_key(pid);
  for (uint32_t i = 0; i < WAYS; i++) {
    *ret = atomic_load_explicit(&set->entry[i], memory_order_acquire);
    if (key_of(*ret) == key && is_kept(family, *ret))
      return (int)i;
  }
  return -1;
}

/* Each death sweeps one set, so every set is swept before the tickets wrap around. */
static void sweep(struct family *family, struct set *set) {
  for (uint32_t i = 0; i < WAYS; i++) {
    uint64_t entry = atomic_load_explicit(&set->entry[i], memory_order_relaxed);
    if (entry && age_of(family, entry) > PG_RETIRED_MOST)
      atomic_compare_exchange_strong(&set->entry[i], &entry, 0);
  }
}

/* How good a place for the key this entry is. The best is an entry of the same key, then an empty one, then the oldest.
 */
static uint32_t weight_of(struct family *family, uint64_t there, uint64_t key) {
  if (key_of(there) == key)
    return UINT32_MAX;
  return there ? age_of(family, there) : TICKET_MASK + 1;
}

/* Other processes may write to the same set at the same time, so it takes a few tries. */
static void enter(struct family *family, pid_t pid, uint32_t ticket) {
  struct set *set = set_of(family, pid);
  uint64_t entry = entry_key(pid) | (uint64_t)ticket << (NUMBER_BITS + SPACE_BITS);
  for (int tries = 0; tries < 8; tries++) {
    uint32_t place = 0, most = 0;
    uint64_t was = 0;
    for (uint32_t i = 0; i < WAYS; i++) {
      uint64_t there = atomic_load_explicit(&set->entry[i], memory_order_relaxed);
      uint32_t weight = weight_of(family, there, key_of(entry));
      if (weight > most)
        most = weight, place = i, was = there;
    }
    if (!most || atomic_compare_exchange_strong(&set->entry[place], &was, entry)) {
      atomic_store_explicit(&set->witness[place], (uint32_t)pg_getpid() << 10 | (ticket & WITNESS_TICKETS),
                            memory_order_relaxed);
      if (most <= pg_number_retired_max())
        atomic_fetch_add_explicit(&family->early, 1, memory_order_relaxed);
      return;
    }
  }
}

/* ---- The hooks ---- */

static struct family *take_out(struct family *family, pid_t pid) {
  struct set *set = set_of(family, pid);
  uint64_t key = entry_key(pid);
  for (uint32_t i = 0; i < WAYS; i++) {
    uint64_t entry = atomic_load_explicit(&set->entry[i], memory_order_acquire);
    if (key_of(entry) == key)
      atomic_compare_exchange_strong(&set->entry[i], &entry, 0);
  }
  return family;
}

void pg_family_note_born(pid_t pid) {
  struct family *family = find();
  if (family && pid > 0 && pid < PG_PID_LIMIT)
    take_out(family, pid);
}

/* A moment after the reap, a child of another member may have the PID. That member may have removed the PID before this
 * process enters it. */
void pg_family_note_retired(pid_t pid) {
  struct family *family = find();
  if (!family || pid <= 0 || pid >= PG_PID_LIMIT || !pg_number_retired_max() || !pg_filter_can(PG_CAN_PIDFD) ||
      !(family = find_out(pg_getpid(), true)))
    return;
  uint32_t ticket = atomic_fetch_add_explicit(&family->tickets, 1, memory_order_relaxed) & TICKET_MASK;
  sweep(family, &family->sets[ticket % SETS]);
  enter(family, pid, ticket);
  if (pg_sys_kill(pid, 0) != -ESRCH)
    take_out(family, pid);
}

/* True for the process itself, its parent, its threads, and its adopted children. True for the own group, and for a
 * group whose leader alone is gone. */
static bool is_no_stranger(pid_t pid, bool group) {
  if (pg_reach_ask(pid) == 0)
    return true;
  if (group)
    return pid == (pid_t)pg_sys1(SYS_getpgid, 0) || (pg_sys_kill(pid, 0) == -ESRCH && pg_sys_kill(-pid, 0) != -ESRCH);
  return pid == pg_sys_getppid() || pg_sys3(SYS_tgkill, pg_sys_getpid(), pid, 0) == 0;
}

pid_t pg_family_ask(pid_t pid, bool group) {
  struct family *family = find();
  uint64_t entry;
  if (!family || pid <= 1 || pid >= PG_PID_LIMIT || find_entry(family, pid, &entry) < 0)
    return 0;
  if (!pg_filter_can(PG_CAN_PIDFD) || !(family = find_out(pg_getpid(), true)) || is_no_stranger(pid, group))
    return 0;
  int way = find_entry(family, pid, &entry); /* the user may be another one by now */
  if (way < 0)
    return 0;
  uint32_t witness = atomic_load_explicit(&set_of(family, pid)->witness[way], memory_order_relaxed);
  return ((witness ^ ticket_of(entry)) & WITNESS_TICKETS) || !(witness >> 10) ? 1 : (pid_t)(witness >> 10);
}

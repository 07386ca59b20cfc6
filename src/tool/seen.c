/* SPDX-License-Identifier: MIT */
#include "tool/seen.h"

#include "tool/tool.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETS_SANE (1u << 20)

static uint32_t page32(const struct seen *s, uint32_t offset) {
  uint32_t n = 0;
  if (offset <= s->page_size - sizeof n)
    memcpy(&n, s->page + offset, sizeof n);
  return n;
}

static uint64_t page64(const struct seen *s, uint32_t offset) {
  uint64_t n = 0;
  if (offset <= s->page_size - sizeof n)
    memcpy(&n, s->page + offset, sizeof n);
  return n;
}

struct search {
  const struct process *process;
  struct seen *seen;
  bool found;
};

static bool try_object(void *arg, uint64_t start, const char *path) {
  struct search *search = arg;
  struct seen *s = search->seen;
  struct pg_status_note note;
  uint64_t at = process_note(search->process, start, PG_STATUS_NOTE, PG_STATUS_VERSION, sizeof note);
  int32_t mode;
  if (!at || !process_read(search->process, at, &note, sizeof note) ||
      !process_read(search->process, at + 12 + (uint64_t)(int64_t)note.mode, &mode, sizeof mode) ||
      !process_read(search->process, at + (uint64_t)(int64_t)note.layout, &s->layout, sizeof s->layout))
    return true;
  s->mode = mode;
  s->hot = at + 4 + (uint64_t)(int64_t)note.hot;
  s->levels = at + 8 + (uint64_t)(int64_t)note.levels;
  s->cells_at = at + 16 + (uint64_t)(int64_t)note.cells;
  snprintf(s->object, sizeof s->object, "%s", path);
  search->found = true;
  return mode < 2; /* another copy may be the active one */
}

static int held_for(const struct seen *s, uint64_t id) {
  const struct pg_status_layout *l = &s->layout;
  for (uint32_t i = 0; i < l->cell_count; i++) {
    uint64_t for_id;
    int32_t fd;
    memcpy(&for_id, s->cells + (size_t)i * l->cell_size + l->cell_id, sizeof for_id);
    memcpy(&fd, s->cells + (size_t)i * l->cell_size + l->cell_fd, sizeof fd);
    if (for_id == id && fd > 0)
      return fd - 1;
  }
  return -1;
}

/* Takes one set of a level: its ids, and its inodes, which follow all ids of the level. */
static void take_set(struct seen *s, const unsigned char *sets, uint32_t number, uint32_t count) {
  const struct pg_status_layout *l = &s->layout;
  const unsigned char *set = sets + (size_t)number * l->set_size, *inos = set + (size_t)count * l->set_size;
  for (uint32_t way = 0; way < l->ways; way++) {
    uint64_t id, ino;
    memcpy(&id, set + 8 * way, sizeof id);
    memcpy(&ino, inos + 8 * way, sizeof ino);
    uint32_t state = (uint32_t)(id >> l->pid_bits) & ((1u << l->state_bits) - 1);
    struct known k = {(int32_t)(id & (((uint64_t)1 << l->pid_bits) - 1)), -1, state == l->state_live,
                      state == l->state_gone_group, ino};
    if (k.pid <= 0 || (!k.live && !k.group))
      continue;
    k.fd = held_for(s, id);
    if ((s->knowns & (s->knowns - 1)) == 0)
      s->known = must_alloc(s->known, sizeof *s->known * (s->knowns ? 2 * s->knowns : 1));
    s->known[s->knowns++] = k;
  }
}

static bool is_sane(const struct pg_status_layout *l) {
  return l->size >= sizeof *l && l->pointer_size == sizeof(void *) && l->set_size && l->set_size <= 4096 && l->ways &&
         l->ways <= 64 && 8 * l->ways <= l->set_size && l->set_count <= 64 && l->level_size >= 12 &&
         l->level_size <= 64 && l->level_sets <= l->level_size - 8 && l->level_mask <= l->level_size - 4 &&
         l->pid_bits < 32 && l->state_bits < 8 && l->cell_count <= 4096 && l->cell_size >= 12 && l->cell_size <= 4096 &&
         l->cell_id <= l->cell_size - 8 && l->cell_fd <= l->cell_size - 4 && l->counter_count <= PG_STATUS_COUNTERS &&
         l->counter_count > 1 && l->stripe_count <= 64;
}

static int by_pid(const void *a, const void *b) {
  const struct known *x = a, *y = b;
  return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* Reads one of the further levels of the number table. False: it cannot be read. */
static bool read_level(const struct process *p, struct seen *s, uint32_t level) {
  const struct pg_status_layout *l = &s->layout;
  unsigned char entry[64], *sets;
  uintptr_t at;
  uint32_t mask;
  if (!process_read(p, s->levels + (uint64_t)level * l->level_size, entry, l->level_size))
    return false;
  memcpy(&at, entry + l->level_sets, sizeof at);
  memcpy(&mask, entry + l->level_mask, sizeof mask);
  if (!at || mask >= SETS_SANE)
    return false;
  size_t size = 2 * ((size_t)mask + 1) * l->set_size;
  sets = must_alloc(NULL, size);
  bool read = process_read(p, at, sets, size);
  for (uint32_t i = 0; read && i <= mask; i++)
    take_set(s, sets, i, mask + 1);
  free(sets);
  return read;
}

static bool read_numbers(const struct process *p, struct seen *s) {
  const struct pg_status_layout *l = &s->layout;
  uint32_t levels = page32(s, l->level_count);
  if (levels > 16 || l->sets + 2 * (uint64_t)l->set_count * l->set_size > s->page_size)
    return false;
  size_t size = (size_t)l->cell_count * l->cell_size;
  s->cells = must_alloc(NULL, size + 1);
  if (!process_read(p, s->cells_at, s->cells, size))
    return false;
  for (uint32_t i = 0; i < l->set_count; i++)
    take_set(s, s->page + l->sets, i, l->set_count);
  for (uint32_t level = 0; level < levels; level++)
    read_level(p, s, level);
  if (s->knowns)
    qsort(s->known, s->knowns, sizeof *s->known, by_pid);
  return true;
}

int seen_held(const struct seen *s) {
  const struct pg_status_layout *l = &s->layout;
  int n = 0;
  for (uint32_t i = 0; s->cells && !s->untouched && i < l->cell_count; i++) {
    int32_t fd;
    memcpy(&fd, s->cells + (size_t)i * l->cell_size + l->cell_fd, sizeof fd);
    n += fd > 0;
  }
  return n;
}

/* The PID that a process has in its own pid namespace. */
static int32_t own_number(const struct process *p) {
  FILE *f = process_file(p, "status");
  char line[256];
  int32_t number = 0;
  while (f && fgets(line, sizeof line, f)) {
    char *last = strncmp(line, "NSpid:", 6) == 0 ? strrchr(line, '\t') : NULL;
    if (last)
      number = (int32_t)strtol(last + 1, NULL, 10);
  }
  if (f)
    fclose(f);
  return number ? number : p->pid; /* Linux before 4.1 has no NSpid */
}

static void add_child(struct seen *s, pid_t pid) {
  struct process p;
  bool denied;
  struct child c = {.pid = pid};
  if (process_open(pid, &p, &denied) < 0 && !denied) {
    process_close(&p);
    return; /* the child has ended meanwhile */
  }
  process_comm(&p, c.comm, sizeof c.comm);
  c.own = own_number(&p);
  c.state = process_state(&p);
  process_close(&p);
  struct known key = {.pid = c.own};
  c.known = s->knowns && !s->untouched ? bsearch(&key, s->known, s->knowns, sizeof key, by_pid) : NULL;
  if (c.known && !c.known->live)
    c.known = NULL; /* the record is of a leader that is gone, while its process group lives */
  if ((s->child_count & (s->child_count - 1)) == 0)
    s->children = must_alloc(s->children, sizeof c * (s->child_count ? 2 * s->child_count : 1));
  s->children[s->child_count++] = c;
}

/* Reads the kernel's own list, thread by thread. False: the kernel has none. */
static bool read_children(const struct process *p, struct seen *s) {
  int fd = openat(p->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *tasks = fd >= 0 ? fdopendir(fd) : NULL;
  struct dirent *task;
  bool some = false;
  while (tasks && (task = readdir(tasks))) {
    char name[300];
    int pid;
    snprintf(name, sizeof name, "task/%s/children", task->d_name);
    FILE *f = task->d_name[0] != '.' ? process_file(p, name) : NULL;
    some |= f != NULL;
    while (f && fscanf(f, "%d", &pid) == 1)
      add_child(s, pid);
    if (f)
      fclose(f);
  }
  if (tasks)
    closedir(tasks);
  return some;
}

uint64_t seen_counter(const struct seen *s, uint32_t i) {
  const struct pg_status_layout *l = &s->layout;
  if (s->untouched)
    return 0;
  uint64_t n = page64(s, l->counters + 8 * i);
  for (uint32_t k = 0; i == 1 && k < l->stripe_count; k++)
    n += page64(s, l->stripes + k * l->stripe_size);
  return n;
}

uint32_t seen_retired_max(const struct seen *s) {
  uint32_t most = page32(s, s->layout.retired_max);
  return most ? most - 1 : 0;
}

uint32_t seen_retired(const struct seen *s) {
  uint32_t n = s->untouched ? 0 : page32(s, s->layout.tickets), most = seen_retired_max(s);
  return most && n > most ? most : n;
}

enum seen_result seen_read(const struct process *p, struct seen *s) {
  struct search search = {p, s, false};
  memset(s, 0, sizeof *s);
  process_comm(p, s->comm, sizeof s->comm);
  process_objects(p, try_object, &search);
  s->page_size = sizeof s->page;
  if (!search.found)
    return SEEN_NOT_LOADED;
  if (s->mode <= 1)
    return SEEN_OFF;
  if (!is_sane(&s->layout) || !process_read(p, s->hot, s->page, s->page_size))
    return SEEN_SENSELESS;
  s->own_pid = own_number(p);
  uint32_t owner = page32(s, s->layout.pid);
  s->untouched = owner && (int32_t)owner != s->own_pid;
  read_numbers(p, s);
  read_children(p, s);
  return SEEN_PROTECTED;
}

void seen_free(struct seen *s) {
  free(s->cells);
  free(s->known);
  free(s->children);
}

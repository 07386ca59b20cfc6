/* pidguard status: the children and counters of running processes. */
#include "child/status.h"
#include "tool/memory.h"
#include "tool/tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORDS_SANE (1u << 23)
#define HOT_SANE 4096u

/* What is known of a child by the process itself: one of its records. */
struct known {
  int32_t pid;
  int fd;
  bool live, group;
  uint64_t ino;
};

struct child {
  pid_t pid;   /* as we see it */
  int32_t own; /* as its parent does */
  char state, comm[32];
  const struct known *known;
};

struct seen {
  char object[4096], comm[32];
  uint64_t hot, chunks;
  int32_t mode, own_pid; /* own_pid: its number in its own pid namespace */
  struct pg_status_layout layout;
  unsigned char page[HOT_SANE];
  size_t page_size;
  struct known *known;
  size_t knowns;
  struct child *children;
  size_t child_count;
  bool untouched; /* forked, and has made no child since: its memory tells of its parent */
};

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
  s->chunks = at + 8 + (uint64_t)(int64_t)note.chunks;
  snprintf(s->object, sizeof s->object, "%s", path);
  search->found = true;
  return mode < 2; /* another copy may be the one that acts */
}

static bool take_record(struct seen *s, const unsigned char *record) {
  const struct pg_status_layout *l = &s->layout;
  uint64_t word, ino;
  int32_t pid;
  memcpy(&word, record + l->record_word, sizeof word);
  memcpy(&ino, record + l->record_ino, sizeof ino);
  memcpy(&pid, record + l->record_pid, sizeof pid);
  struct known k = {pid, (int)(word & (((uint64_t)1 << l->fd_bits) - 1)) - 1, word >> l->live_bit & 1,
                    word >> l->group_bit & 1, ino};
  if (pid <= 0 || (!k.live && !k.group))
    return false;
  if ((s->knowns & (s->knowns - 1)) == 0)
    s->known = must_alloc(s->known, sizeof *s->known * (s->knowns ? 2 * s->knowns : 1));
  s->known[s->knowns++] = k;
  return true;
}

static bool is_sane(const struct pg_status_layout *l) {
  return l->size >= sizeof *l && l->pointer_size == sizeof(void *) && l->record_size >= 24 && l->record_size <= 4096 &&
         l->record_word <= l->record_size - 8 && l->record_ino <= l->record_size - 8 &&
         l->record_pid <= l->record_size - 4 && l->chunk_count && l->chunk_count <= 65536 && l->first_count <= 4096 &&
         l->counter_count <= PG_STATUS_COUNTERS && l->counter_count > 1 && l->fd_bits < 32 && l->live_bit < 64 &&
         l->group_bit < 64 && l->stripe_count <= 64;
}

static int by_pid(const void *a, const void *b) {
  const struct known *x = a, *y = b;
  return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static bool read_records(const struct process *p, struct seen *s) {
  const struct pg_status_layout *l = &s->layout;
  uint32_t count = page32(s, l->records);
  if (count > RECORDS_SANE)
    return false;
  count = (count + 31) / 32 * 32; /* of each 32, others than the first are handed out first */
  for (uint32_t i = 0; i < count && i < l->first_count; i++) {
    uint64_t at = l->first_records + (uint64_t)i * l->record_size;
    if (at + l->record_size > s->page_size)
      return false;
    take_record(s, s->page + at);
  }
  unsigned char *chunk = must_alloc(NULL, (size_t)l->record_size * l->chunk_count);
  for (uint32_t i = l->first_count; i < count; i += l->chunk_count) {
    uintptr_t where = 0;
    uint32_t nth = (i - l->first_count) / l->chunk_count, n = count - i < l->chunk_count ? count - i : l->chunk_count;
    if (!process_read(p, s->chunks + (uint64_t)nth * sizeof where, &where, sizeof where) || !where ||
        !process_read(p, where, chunk, (size_t)n * l->record_size))
      continue; /* just being made */
    for (uint32_t r = 0; r < n; r++)
      take_record(s, chunk + (size_t)r * l->record_size);
  }
  free(chunk);
  if (s->knowns)
    qsort(s->known, s->knowns, sizeof *s->known, by_pid);
  return true;
}

/* The number that a process has in its own pid namespace. */
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
  return number ? number : p->pid; /* before 4.1 */
}

static void add_child(struct seen *s, pid_t pid) {
  struct process p;
  bool denied;
  struct child c = {.pid = pid, .state = '?'};
  if (process_open(pid, &p, &denied) < 0 && !denied) {
    process_close(&p);
    return; /* gone meanwhile */
  }
  process_comm(&p, c.comm, sizeof c.comm);
  c.own = own_number(&p);
  FILE *f = process_file(&p, "stat");
  char line[512];
  char *end = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
  if (end && end[1] == ' ')
    c.state = end[2];
  if (f)
    fclose(f);
  process_close(&p);
  struct known key = {.pid = c.own};
  c.known = s->knowns && !s->untouched ? bsearch(&key, s->known, s->knowns, sizeof key, by_pid) : NULL;
  if (c.known && !c.known->live)
    c.known = NULL; /* a leader that is gone, whose group lives */
  if ((s->child_count & (s->child_count - 1)) == 0)
    s->children = must_alloc(s->children, sizeof c * (s->child_count ? 2 * s->child_count : 1));
  s->children[s->child_count++] = c;
}

/* The kernel's own list, thread by thread; false where it has none. */
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

static uint64_t counter(const struct seen *s, uint32_t i) {
  const struct pg_status_layout *l = &s->layout;
  if (s->untouched)
    return 0;
  uint64_t n = page64(s, l->counters + 8 * i);
  for (uint32_t k = 0; i == 1 && k < l->stripe_count; k++)
    n += page64(s, l->stripes + k * l->stripe_size);
  return n;
}

static const char *counter_name(const struct seen *s, uint32_t i) {
  static char name[17];
  memcpy(name, s->layout.counter_names[i], 16);
  return name;
}

static const char *mode_name(int32_t mode) {
  static const char *const names[] = {"not ready", "off", "audit", "enforce"};
  return mode >= 0 && mode < 4 ? names[mode] : "unknown";
}

static const char *how_known(const struct known *k) {
  return !k ? "no record" : k->fd >= 0 ? "pidfd" : k->ino ? "identity" : "number";
}

static uint32_t retired(const struct seen *s) {
  uint32_t n = s->untouched ? 0 : page32(s, s->layout.tickets), most = page32(s, s->layout.retired_max);
  return most && n > most - 1 ? most - 1 : n;
}

static void print_text(const struct process *p, const struct seen *s) {
  printf("%d ", (int)p->pid);
  print_plain(stdout, s->comm);
  printf(": mode %s, ", mode_name(s->mode));
  print_plain(stdout, s->object);
  printf(" %.16s\n", s->layout.version);
  if (s->untouched)
    puts("  it has made no child since it was forked");
  fputs(" ", stdout);
  for (uint32_t i = 0; i < s->layout.counter_count; i++)
    printf(" %s %" PRIu64, counter_name(s, i), counter(s, i));
  printf("\n  %u retired numbers are remembered; %d pidfds are held, at most %d\n", retired(s),
         (int)page32(s, s->layout.held), (int)page32(s, s->layout.budget));
  printf("  %zu children\n", s->child_count);
  for (size_t i = 0; i < s->child_count; i++) {
    const struct child *c = &s->children[i];
    printf("    %d", (int)c->pid);
    if (c->own != c->pid)
      printf(" (to its parent %d)", (int)c->own);
    putchar(' ');
    print_plain(stdout, c->comm);
    printf(", %s, known by %s", c->state == 'Z' ? "dead and not waited for" : "alive", how_known(c->known));
    if (c->known && c->known->fd >= 0)
      printf(" %d", c->known->fd);
    putchar('\n');
  }
  for (size_t i = 0; i < s->knowns && !s->untouched; i++)
    if (s->known[i].group)
      printf("    %d is gone, and the process group that it led lives\n", (int)s->known[i].pid);
}

static void print_json(const struct process *p, const struct seen *s, bool first) {
  printf("%s{\"pid\":%d,\"program\":", first ? "" : ",\n", (int)p->pid);
  json_text(stdout, s->comm);
  printf(",\"protected\":true,\"mode\":\"%s\",\"object\":", mode_name(s->mode));
  json_text(stdout, s->object);
  printf(",\"version\":");
  json_string(stdout, s->layout.version, strnlen(s->layout.version, 16));
  fputs(",\"counters\":{", stdout);
  for (uint32_t i = 0; i < s->layout.counter_count; i++) {
    fputs(i ? "," : "", stdout);
    json_text(stdout, counter_name(s, i));
    printf(":%" PRIu64, counter(s, i));
  }
  printf("},\"retired\":%u,\"pidfds\":%d,\"children\":[", retired(s), (int)page32(s, s->layout.held));
  for (size_t i = 0; i < s->child_count; i++) {
    const struct child *c = &s->children[i];
    printf("%s{\"pid\":%d,\"own_pid\":%d,\"program\":", i ? "," : "", (int)c->pid, (int)c->own);
    json_text(stdout, c->comm);
    printf(",\"alive\":%s,\"known_by\":\"%s\"}", c->state == 'Z' ? "false" : "true", how_known(c->known));
  }
  fputs("]}", stdout);
}

static int explain(pid_t pid, int error, bool denied) {
  if (!denied) {
    say("%d: %s", (int)pid, error == -ENOENT ? "there is no such process" : strerror(-error));
    return PG_EXIT_BAD;
  }
  FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
  int scope = f ? fgetc(f) - '0' : 0;
  if (f)
    fclose(f);
  say("%d: its memory cannot be read: %s%s", (int)pid, strerror(-error),
      scope > 0 ? " (kernel.yama.ptrace_scope lets only root, or one of its ancestors)" : "");
  return PG_EXIT_BAD;
}

static int show(pid_t pid, bool json, bool first) {
  struct process p;
  static struct seen s;
  bool denied;
  int r = process_open(pid, &p, &denied), status = 0;
  memset(&s, 0, sizeof s);
  struct search search = {&p, &s, false};
  if (r == 0) {
    process_comm(&p, s.comm, sizeof s.comm);
    process_objects(&p, try_object, &search);
  }
  s.page_size = sizeof s.page;
  if (r < 0) {
    status = explain(pid, r, denied);
  } else if (!search.found || s.mode <= 1) {
    if (json) {
      printf("%s{\"pid\":%d,\"program\":", first ? "" : ",\n", (int)pid);
      json_text(stdout, s.comm);
      printf(",\"protected\":false,\"mode\":\"%s\"}", search.found ? mode_name(s.mode) : "none");
    } else {
      printf("%d ", (int)pid);
      print_plain(stdout, s.comm);
      printf(": not protected: %s\n",
             search.found ? "the object is loaded, and switched off" : "the object is not loaded");
    }
    status = PG_EXIT_FINDINGS;
  } else if (!is_sane(&s.layout) || !process_read(&p, s.hot, s.page, s.page_size)) {
    say("%d: what it says of itself makes no sense: it may just be starting another program", (int)pid);
    status = PG_EXIT_BAD;
  } else {
    s.own_pid = own_number(&p);
    uint32_t owner = page32(&s, s.layout.pid);
    s.untouched = owner && (int32_t)owner != s.own_pid;
    read_records(&p, &s);
    read_children(&p, &s);
    if (json)
      print_json(&p, &s, first);
    else
      print_text(&p, &s);
  }
  free(s.known);
  free(s.children);
  process_close(&p);
  return status;
}

int tool_status(int argc, char **argv) {
  bool json = false, first = true;
  int status = 0;
  for (int i = 1; i < argc; i++)
    json |= strcmp(argv[i], "--json") == 0;
  if (argc < 2 + json)
    die(PG_EXIT_BAD, "status: no process id was given");
  if (json)
    putchar('[');
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0)
      continue;
    char *end;
    errno = 0;
    long pid = strtol(argv[i], &end, 10);
    if (*end || end == argv[i] || pid <= 0 || pid > INT32_MAX || errno)
      die(PG_EXIT_BAD, "status: '%s' is no process id", argv[i]);
    int r = show((pid_t)pid, json, first);
    first &= r == PG_EXIT_BAD;
    status = r > status ? r : status;
  }
  if (json)
    puts("]");
  flush_or_die(PG_EXIT_BAD);
  return status;
}

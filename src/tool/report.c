/* SPDX-License-Identifier: MIT */
/* pidguard report: reads logs as a stream, in any number and of any size. */
#include "tool/report.h"

#include "tool/line.h"
#include "tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STALE_MAX 4096u
#define TROUBLE_MAX 1024u
#define TEXT_MAX 1024u    /* of one field that is kept */
#define BUFFER (1u << 20) /* a longer line does not come from pidguard */

static struct report report = {.first = -1, .last = -1};
static uint32_t stale_slots[STALE_MAX * 4]; /* hash to index + 1 */

static uint32_t hash(uint32_t h, const char *text) {
  for (; *text; text++)
    h = (h ^ (unsigned char)*text) * 16777619u;
  return h * 31;
}

static char *keep(const char *text) { return must_format("%.*s", (int)TEXT_MAX, text); }

static struct stale *stale_find(const struct line *l, bool late, bool refused) {
  const char *comm = line_text(l, "comm"), *call = line_text(l, "call"), *caller = line_text(l, "caller"),
             *gone = line_text(l, "gone");
  uint32_t h = hash(hash(hash(hash(2166136261u + late * 2 + refused, comm), call), caller), gone);
  uint32_t slots = sizeof stale_slots / sizeof *stale_slots;
  for (h %= slots; stale_slots[h]; h = (h + 1) % slots) {
    struct stale *s = &report.stale[stale_slots[h] - 1];
    if (s->late_wait == late && s->refused == refused && strcmp(s->comm, comm) == 0 && strcmp(s->call, call) == 0 &&
        strcmp(s->caller, caller) == 0 && strcmp(s->gone, gone) == 0)
      return s;
  }
  if (report.stales == STALE_MAX) {
    report.stale_left_out++;
    return NULL;
  }
  if (!report.stale)
    report.stale = must_alloc(NULL, sizeof *report.stale * STALE_MAX);
  struct stale *s = &report.stale[report.stales++];
  *s = (struct stale){.comm = keep(comm),
                      .call = keep(call),
                      .caller = keep(caller),
                      .gone = keep(gone),
                      .late_wait = late,
                      .refused = refused,
                      .first = -1,
                      .last = -1,
                      .least_ago = -1,
                      .most_ago = -1};
  stale_slots[h] = report.stales;
  return s;
}

static void widen(int64_t *least, int64_t *most, int64_t value) {
  if (value < 0)
    return;
  if (*least < 0 || value < *least)
    *least = value;
  if (value > *most)
    *most = value;
}

static void add_name(struct stale *s, const char *name) {
  for (int i = 0; i < REPORT_NAMES; i++) {
    if (!s->names[i][0])
      snprintf(s->names[i], sizeof s->names[i], "%s", name);
    if (strncmp(s->names[i], name, sizeof s->names[i] - 1) == 0)
      return;
  }
}

static void take_stale(const struct line *l, bool late, bool refused) {
  const char *now = line_text(l, "now");
  bool met = *now && strcmp(now, "nobody") != 0;
  int64_t sig = line_has(l, "sig") ? line_number(l, "sig") : -1; /* 0 also if the call sends no signal */
  bool hit = met && sig != 0 && !refused && !late;
  struct stale *s = stale_find(l, late, refused);
  report.uses += !late;
  report.met += met && !late;
  report.hits += hit;
  if (!s)
    return;
  s->count++;
  s->met += met && !late;
  s->hits += hit;
  s->sends |= sig != 0;
  s->nobody += strcmp(now, "nobody") == 0;
  if (met)
    add_name(s, now);
  if (sig >= 0 && sig < REPORT_SIGNALS)
    s->signals[sig] = true;
  widen(&s->first, &s->last, line_time(l, "time"));
  widen(&s->least_ago, &s->most_ago, line_time(l, "ago"));
  s->target = line_number(l, "target");
  s->pid = line_number(l, "pid");
  snprintf(s->by, sizeof s->by, "%s", line_text(l, "by"));
}

static void take_trouble(const struct line *l, const char *event, const char *what, const char *result) {
  char text[TEXT_MAX];
  snprintf(text, sizeof text, "%s%s%s", what, *what && *result ? ": " : "", result);
  const char *comm = line_text(l, "comm");
  struct trouble *t = NULL;
  for (unsigned i = 0; i < report.troubles && !t; i++)
    if (strcmp(report.trouble[i].comm, comm) == 0 && strcmp(report.trouble[i].event, event) == 0 &&
        strcmp(report.trouble[i].what, text) == 0)
      t = &report.trouble[i];
  if (!t && report.troubles == TROUBLE_MAX) {
    report.trouble_left_out++;
    return;
  }
  if (!t) {
    if (!report.trouble)
      report.trouble = must_alloc(NULL, sizeof *report.trouble * TROUBLE_MAX);
    t = &report.trouble[report.troubles++];
    *t = (struct trouble){.comm = keep(comm), .event = keep(event), .what = keep(text), .first = -1, .last = -1};
  }
  t->count++;
  widen(&t->first, &t->last, line_time(l, "time"));
}

static void take_summary(const struct line *l) {
  report.summaries++;
  report.births += (uint64_t)line_number(l, "births");
  report.reaped += (uint64_t)line_number(l, "reaped");
  report.silent += (uint64_t)line_number(l, "silent");
  report.unwaited += (uint64_t)line_number(l, "unwaited");
  report.forgotten += (uint64_t)line_number(l, "forgotten");
  report.degraded += (uint64_t)line_number(l, "degraded");
}

static void take_line(char *text, size_t n) {
  struct line l;
  report.lines++;
  switch (line_parse(text, n, &l)) {
  case LINE_FOREIGN:
    report.foreign++;
    return;
  case LINE_CUT:
    report.cut++;
    return;
  case LINE_OURS:
    break;
  }
  const char *event = line_text(&l, "event"), *level = line_text(&l, "level");
  widen(&report.first, &report.last, line_time(&l, "time"));
  if (strcmp(event, "would-refuse") == 0 || strcmp(event, "refused") == 0)
    take_stale(&l, false, event[0] == 'r');
  else if (strcmp(event, "late-wait") == 0)
    take_stale(&l, true, false);
  else if (strcmp(event, "summary") == 0)
    take_summary(&l);
  else if (strcmp(event, "degraded") == 0)
    take_trouble(&l, event, line_text(&l, "what"), line_text(&l, "result"));
  else if (strcmp(event, "bad-environment") == 0)
    take_trouble(&l, event, line_text(&l, "variable"), line_text(&l, "value"));
  else if (strcmp(level, "error") == 0 || strcmp(level, "warn") == 0)
    take_trouble(&l, event, line_text(&l, "what"), line_text(&l, "result"));
}

/* Lines of any length, in a buffer of one size. */
static int read_lines(int fd) {
  static char buffer[BUFFER + 1];
  size_t have = 0;
  bool too_long = false;
  for (;;) {
    ssize_t n = read(fd, buffer + have, BUFFER - have);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -errno;
    char *line = buffer, *end = buffer + have + n, *newline;
    if (n == 0) { /* a last line without a newline is incomplete */
      if (have && !too_long) {
        struct line l;
        report.lines++;
        if (line_parse(buffer, have, &l) == LINE_FOREIGN)
          report.foreign++;
        else
          report.cut++;
      }
      return 0;
    }
    while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
      if (!too_long)
        take_line(line, (size_t)(newline - line));
      too_long = false;
      line = newline + 1;
    }
    have = (size_t)(end - line);
    memmove(buffer, line, have);
    if (have == BUFFER) {
      report.lines += !too_long;
      report.foreign += !too_long;
      too_long = true;
      have = 0;
    }
  }
}

/* Rotated logs are often compressed. Their first bytes tell by which program. */
static const char *unpacker(int fd) {
  static const struct {
    unsigned char size, bytes[6];
    const char *program;
  } kinds[] = {{2, {0x1f, 0x8b}, "gzip"},
               {6, {0xfd, '7', 'z', 'X', 'Z', 0}, "xz"},
               {4, {0x28, 0xb5, 0x2f, 0xfd}, "zstd"},
               {3, {'B', 'Z', 'h'}, "bzip2"}};
  unsigned char head[6];
  ssize_t n = pread(fd, head, sizeof head, 0);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (n >= kinds[i].size && memcmp(head, kinds[i].bytes, kinds[i].size) == 0)
      return kinds[i].program;
  return NULL;
}

static int read_packed(int fd, const char *program) {
  int ends[2], status = 0;
  if (pipe2(ends, O_CLOEXEC) < 0)
    return -errno;
  pid_t child = fork();
  if (child == 0) {
    dup2(fd, 0);
    dup2(ends[1], 1);
    execlp(program, program, "-dc", (char *)NULL);
    say("%s: %s", program, strerror(errno));
    _exit(127);
  }
  close(ends[1]);
  int r = child < 0 ? -errno : read_lines(ends[0]);
  close(ends[0]);
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (r < 0)
    return r;
  return status ? -EIO : 0;
}

static void read_file(const char *name) {
  uint64_t lines = report.lines, foreign = report.foreign;
  struct stat st;
  int fd = strcmp(name, "-") == 0 ? 0 : open(name, O_RDONLY | O_CLOEXEC), r = 0;
  report.files++;
  if (fd < 0 || fstat(fd, &st) < 0)
    r = -errno;
  else if (S_ISDIR(st.st_mode))
    r = -EISDIR;
  const char *program = r == 0 && S_ISREG(st.st_mode) ? unpacker(fd) : NULL;
  if (r == 0)
    r = program ? read_packed(fd, program) : read_lines(fd);
  if (fd > 0)
    close(fd);
  bool strange = r == 0 && report.lines > lines && report.lines - lines == report.foreign - foreign;
  if (r < 0)
    say("%s: %s", name, strerror(-r));
  else if (strange)
    say("%s: no line in it is a log line of pidguard", name);
  report.unreadable += r < 0 || strange;
}

static int is_worse(const void *a, const void *b) {
  const struct stale *x = a, *y = b;
  if (x->late_wait != y->late_wait)
    return x->late_wait ? 1 : -1;
  if (x->hits != y->hits)
    return x->hits > y->hits ? -1 : 1;
  if (x->met != y->met)
    return x->met > y->met ? -1 : 1;
  if (x->count != y->count)
    return x->count > y->count ? -1 : 1;
  int by_comm = strcmp(x->comm, y->comm);
  return by_comm ? by_comm : strcmp(x->caller, y->caller);
}

int tool_report(int argc, char **argv) {
  bool json = false, some = false, only_files = false;
  for (int i = 1; i < argc; i++) {
    if (!only_files && strcmp(argv[i], "--") == 0)
      only_files = true;
    else if (!only_files && strcmp(argv[i], "--json") == 0)
      json = true;
    else if (!only_files && argv[i][0] == '-' && argv[i][1])
      die(PG_EXIT_BAD, "report: unknown option %s (see --help)", argv[i]);
  }
  only_files = false;
  for (int i = 1; i < argc; i++) {
    if (!only_files && argv[i][0] == '-' && argv[i][1]) {
      only_files |= strcmp(argv[i], "--") == 0;
      continue;
    }
    read_file(argv[i]);
    some = true;
  }
  if (!some)
    die(PG_EXIT_BAD, "report: no log was given (- is standard input)");
  if (report.stales)
    qsort(report.stale, report.stales, sizeof *report.stale, is_worse);
  (json ? report_print_json : report_print_text)(&report);
  flush_or_die(PG_EXIT_BAD);
  if (report.unreadable)
    return PG_EXIT_BAD;
  return report.stales || report.troubles || report.degraded ? PG_EXIT_FINDINGS : 0;
}

/* SPDX-License-Identifier: MIT */
/* `pidguard status PID…`: mode, children and counters of running processes. */
#include "tool/seen.h"
#include "tool/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
  if (!k)
    return "no record";
  if (k->fd >= 0)
    return "pidfd";
  return k->ino ? "identity" : "number";
}

static void print_text(const struct process *p, const struct seen *s) {
  printf("%d ", (int)p->pid);
  print_plain(stdout, s->comm);
  printf(": mode %s, ", mode_name(s->mode));
  print_plain(stdout, s->object);
  char version[sizeof s->layout.version + 1] = "";
  memcpy(version, s->layout.version, sizeof s->layout.version);
  putchar(' ');
  print_plain(stdout, version);
  putchar('\n');
  if (s->untouched)
    puts("  it has made no child since it was forked");
  fputs(" ", stdout);
  for (uint32_t i = 0; i < s->layout.counter_count; i++) {
    putchar(' ');
    print_plain(stdout, counter_name(s, i));
    printf(" %" PRIu64, seen_counter(s, i));
  }
  printf("\n  %u retired PIDs are remembered", seen_retired(s));
  if (seen_retired_max(s))
    printf(", of at most %u", seen_retired_max(s));
  printf("; %d pidfds are held\n", seen_held(s));
  printf("  %zu children\n", s->child_count);
  for (size_t i = 0; i < s->child_count; i++) {
    const struct child *c = &s->children[i];
    printf("    %d", (int)c->pid);
    if (c->own != c->pid)
      printf(" (PID %d in its own pid namespace)", (int)c->own);
    putchar(' ');
    print_plain(stdout, c->comm);
    printf(", %s, known by %s", c->state == 'Z' ? "zombie" : "alive", how_known(c->known));
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
    printf(":%" PRIu64, seen_counter(s, i));
  }
  printf("},\"retired\":%u,\"pidfds\":%d,\"children\":[", seen_retired(s), seen_held(s));
  for (size_t i = 0; i < s->child_count; i++) {
    const struct child *c = &s->children[i];
    printf("%s{\"pid\":%d,\"own_pid\":%d,\"program\":", i ? "," : "", (int)c->pid, (int)c->own);
    json_text(stdout, c->comm);
    printf(",\"alive\":%s,\"known_by\":\"%s\"}", c->state == 'Z' ? "false" : "true", how_known(c->known));
  }
  fputs("]}", stdout);
}

/* A kernel may refuse the memory of a zombie instead of saying that there is none. */
static int explain(pid_t pid, int error, bool denied, bool zombie) {
  if (!denied) {
    say("%d: %s", (int)pid, error == -ENOENT ? "there is no such process" : strerror(-error));
    return PG_EXIT_BAD;
  }
  if (error == -ESRCH || zombie) {
    say("%d: it has no memory, so it has ended, or is a thread of the kernel", (int)pid);
    return PG_EXIT_BAD;
  }
  FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
  int scope = f ? fgetc(f) - '0' : 0;
  if (f)
    fclose(f);
  say("%d: its memory cannot be read: %s%s", (int)pid, strerror(-error),
      scope > 0 ? " (kernel.yama.ptrace_scope allows it only to root and to its ancestors)" : "");
  return PG_EXIT_BAD;
}

static void print_unprotected(pid_t pid, const struct seen *s, bool loaded, bool json, bool first) {
  if (json) {
    printf("%s{\"pid\":%d,\"program\":", first ? "" : ",\n", (int)pid);
    json_text(stdout, s->comm);
    printf(",\"protected\":false,\"mode\":\"%s\"}", loaded ? mode_name(s->mode) : "none");
  } else {
    printf("%d ", (int)pid);
    print_plain(stdout, s->comm);
    printf(": not protected: %s\n", loaded ? "the object is loaded, and switched off" : "the object is not loaded");
  }
}

static int show_open(const struct process *p, struct seen *s, bool json, bool first) {
  enum seen_result result = seen_read(p, s);
  switch (result) {
  case SEEN_NOT_LOADED:
  case SEEN_OFF:
    print_unprotected(p->pid, s, result == SEEN_OFF, json, first);
    return PG_EXIT_FINDINGS;
  case SEEN_SENSELESS:
    say("%d: its memory makes no sense; perhaps it is just starting another program", (int)p->pid);
    return PG_EXIT_BAD;
  case SEEN_PROTECTED:
    break;
  }
  if (json)
    print_json(p, s, first);
  else
    print_text(p, s);
  return 0;
}

static int show(pid_t pid, bool json, bool first) {
  struct process p;
  static struct seen s;
  bool denied;
  int r = process_open(pid, &p, &denied);
  if (r < 0) {
    bool zombie = denied && process_state(&p) == 'Z';
    process_close(&p);
    return explain(pid, r, denied, zombie);
  }
  pid_t leader = process_leader(&p);
  if (leader > 0 && leader != pid) {
    say("%d: it is a thread of process %d", (int)pid, (int)leader);
    process_close(&p);
    return PG_EXIT_BAD;
  }
  int status = show_open(&p, &s, json, first);
  seen_free(&s);
  process_close(&p);
  return status;
}

static pid_t read_pid(const char *word) {
  char *end;
  errno = 0;
  long pid = strtol(word, &end, 10);
  if (*end || end == word || pid <= 0 || pid > INT32_MAX || errno)
    die(PG_EXIT_BAD, "status: '%s' is not a PID", word);
  return (pid_t)pid;
}

int tool_status(int argc, char **argv) {
  bool json = false, only_pids = false, first = true;
  int count = 0, status = 0;
  pid_t *pids = must_alloc(NULL, sizeof *pids * (size_t)argc);
  for (int i = 1; i < argc; i++) { /* a bad word is reported before the first output, which would be half a document */
    if (!only_pids && strcmp(argv[i], "--") == 0)
      only_pids = true;
    else if (!only_pids && strcmp(argv[i], "--json") == 0)
      json = true;
    else if (!only_pids && strncmp(argv[i], "--", 2) == 0)
      die(PG_EXIT_BAD, "status: unknown option %s (see --help)", argv[i]);
    else
      pids[count++] = read_pid(argv[i]);
  }
  if (!count)
    die(PG_EXIT_BAD, "status: no PID was given");
  if (json)
    putchar('[');
  for (int i = 0; i < count; i++) {
    int r = show(pids[i], json, first);
    first &= r == PG_EXIT_BAD;
    status = r > status ? r : status;
  }
  free(pids);
  if (json)
    puts("]");
  flush_or_die(PG_EXIT_BAD);
  return status;
}

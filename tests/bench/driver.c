/* SPDX-License-Identifier: MIT */
/* The driver of the benchmarks. It starts one worker for each way of running (plain, shim, …). The workers take turns
 * in short slices of work, and the driver compares slice with slice. Within a round every way runs the same work right
 * after the others. Each round begins with another way, so that drift of the machine falls out of the ratios. Calls
 * libc and stats.c. */
#define _GNU_SOURCE
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WAYS = 8, MAX_ROUNDS = 1000, MAX_PROGRAMS = 16 };

/* One way of running: NAME=PROGRAM[,PRELOAD]. */
struct way {
  const char *name, *program, *preload;
  FILE *to, *from;
  pid_t pid;
};

/* Which works there are, and what they stand for. */
static const struct {
  const char *name, *told;
} works[] = {{"kill-child", "kill(child)"},
             {"kill-same", "kill(one child, by all threads)"},
             {"kill-oldest", "kill(oldest child)"},
             {"kill-stranger", "kill(stranger)"},
             {"kill-reaped", "kill(reaped child)"},
             {"waitpid-child", "waitpid(child, WNOHANG)"},
             {"waitpid-oldest", "waitpid(oldest child, WNOHANG)"},
             {"waitpid-any", "waitpid(-1, WNOHANG)"},
             {"fork-waitpid", "fork+_exit+waitpid"},
             {"fork-wait-any", "fork+_exit+wait(any)"},
             {"vfork-waitpid", "vfork+_exit+waitpid"},
             {"vfork-exec", "vfork+exec true+waitpid"},
             {"spawn-wait", "posix_spawn true+waitpid"},
             {"exec-start", "exec true, preloaded only there"},
             {"open-close", "open+close"},
             {"kill-each", "kill(each child in turn)"},
             {"poll-each", "waitpid(each in turn, WNOHANG)"},
             {"wait-each", "waitid(each in turn), blocking"},
             {"dup2", "dup2"},
             {"syscall-getppid", "syscall(SYS_getppid)"}};

static struct { const char *name, *told, *command; } chosen_works[MAX_PROGRAMS + sizeof works / sizeof *works];
static int work_count;

static struct way ways[MAX_WAYS];
static int way_count;
static int rounds = 21, children, threads = 1, wall;
static double slice_ms = 30;
static int weigh;
static const char *only, *label = "-";
static FILE *raw, *table;
static int in_turn;
/* Whole programs that serve as works: NAME=COMMAND. */
static char *programs[MAX_PROGRAMS];
static int program_count;

static void die(const char *what, const char *more) {
  fprintf(stderr, "bench: %s: %s\n", what, more);
  exit(1);
}

/* Makes a process that no worker made. It is a child of the driver and ends with it. */
static pid_t start_stranger(void) {
  signal(SIGUSR1, SIG_IGN);
  pid_t pid = fork();
  if (pid < 0)
    die("fork", strerror(errno));
  if (pid > 0)
    return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;)
    pause();
}

static void start_worker(struct way *way, pid_t stranger) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
    die("pipe", strerror(errno));
  char args[3][16];
  snprintf(args[0], sizeof args[0], "%d", (int)stranger);
  snprintf(args[1], sizeof args[1], "%d", children);
  snprintf(args[2], sizeof args[2], "%d", threads);
  way->pid = fork();
  if (way->pid < 0)
    die("fork", strerror(errno));
  if (way->pid == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    if (way->preload)
      setenv("LD_PRELOAD", way->preload, 1);
    else
      unsetenv("LD_PRELOAD");
    execl(way->program, way->program, args[0], args[1], args[2], wall ? "1" : "0", (char *)NULL);
    fprintf(stderr, "bench: %s: %s\n", way->program, strerror(errno));
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  way->to = fdopen(in[1], "w");
  way->from = fdopen(out[0], "r");
  char line[256];
  if (!way->to || !way->from || !fgets(line, sizeof line, way->from) || strcmp(line, "ready\n") != 0)
    die(way->name, "the worker did not start");
}

/* Nanoseconds per operation, or -1 if this way has no such work. For exec-start and for whole programs (command) the
 * program that is started is measured. So all ways share the plain worker there, and hand it their preload object. */
static double measure(const struct way *way, const char *work, const char *command) {
  const struct way *worker = way;
  char line[256];
  if (command || strcmp(work, "exec-start") == 0) {
    if (strcmp(way->program, ways[0].program) != 0)
      return -1;
    worker = &ways[0];
    fprintf(worker->to, "%s %g %s %s\n", command ? "run" : work, slice_ms, way->preload ? way->preload : "-",
            command ? command : "");
  } else {
    fprintf(worker->to, "%s %g\n", work, slice_ms);
  }
  fflush(worker->to);
  if (!fgets(line, sizeof line, worker->from))
    die(way->name, "the worker died");
  double ns;
  if (sscanf(line, "ns %lf", &ns) == 1)
    return ns;
  if (strcmp(line, "none\n") != 0)
    die(way->name, line);
  return -1;
}

/* Prints one ratio, for people and into the table file. The columns there are label, children, threads, work, what it
 * is, nanoseconds plain, way, quartile, median, quartile. */
static void print_ratio(const char *work, const char *told, double plain, const char *way, struct pg_spread s) {
  printf("  %6.3f (%.3f-%.3f)", s.median, s.low, s.high);
  if (strstr(work, "-each")) /* here the difference counts */
    printf(" %+.0f ns", (s.median - 1) * plain);
  if (table)
    fprintf(table, "%s\t%d\t%d\t%s\t%s\t%.1f\t%s\t%.4f\t%.4f\t%.4f\n", label, children, threads, work, told, plain, way,
            s.low, s.median, s.high);
}

static int find_way(const char *name) {
  for (int i = 0; i < way_count; i++)
    if (strcmp(ways[i].name, name) == 0)
      return i;
  return -1;
}

static void print_head(void) {
  char title[32];
  printf("%-34s%10s", "work", "plain ns");
  for (int i = 1; i < way_count; i++) {
    snprintf(title, sizeof title, "%s/plain", ways[i].name);
    printf("  %-20s", title);
  }
  if (find_way("shim") > 0 && find_way("empty") > 0)
    printf("  shim/empty");
  printf("\n");
}

/* Every figure by work, way and round. It is negative if the way has no such work. */
static double (*figures)[MAX_WAYS][MAX_ROUNDS];

static void measure_work(int w, int r, int i) {
  figures[w][i][r] = measure(&ways[i], chosen_works[w].name, chosen_works[w].command);
  if (raw)
    fprintf(raw, "%s\t%d\t%s\t%.3f\n", chosen_works[w].name, r, ways[i].name, figures[w][i][r]);
}

/* Runs a work slice by slice. A first slice warms up, and shows which ways have the work. */
static void run_work(int w, int first, int count) {
  int has[MAX_WAYS];
  for (int i = first; i < first + count; i++) {
    has[i] = measure(&ways[i], chosen_works[w].name, chosen_works[w].command) >= 0;
    for (int r = 0; r < rounds; r++)
      figures[w][i][r] = -1;
  }
  for (int r = 0; r < rounds; r++)
    for (int k = 0; k < count; k++) {
      int i = first + (r + k) % count;
      if (has[i])
        measure_work(w, r, i);
    }
}

static void print_work(int w) {
  static double ratio[MAX_ROUNDS];
  const char *name = chosen_works[w].name, *told = chosen_works[w].told;
  if (figures[w][0][0] < 0)
    return;
  memcpy(ratio, figures[w][0], (size_t)rounds * sizeof *ratio);
  double plain = pg_spread_of(ratio, (size_t)rounds).median;
  printf("%-34s%10.0f", told, plain);
  int shim = find_way("shim"), empty = find_way("empty");
  for (int i = 1; i < way_count + 1; i++) {
    int top = i < way_count ? i : shim, bottom = i < way_count ? 0 : empty;
    if (top < 0 || bottom < 0)
      continue;
    if (figures[w][top][0] < 0 || figures[w][bottom][0] < 0) {
      printf("  %6s%15s", "-", "");
      continue;
    }
    for (int r = 0; r < rounds; r++)
      ratio[r] = figures[w][top][r] / figures[w][bottom][r];
    print_ratio(name, told, plain, i < way_count ? ways[i].name : "shim/empty", pg_spread_of(ratio, (size_t)rounds));
  }
  printf("\n");
  fflush(stdout);
}

/* Prints how much memory each worker uses while all its children live. */
static void print_weights(int first, int count) {
  if (first == 0)
    printf("%-12s%10s%12s%10s%22s%22s\n", "way", "resident", "own pages", "mappings", "object, resident",
           "object, own pages");
  for (int i = first; i < first + count; i++) {
    char line[256];
    long w[5];
    fprintf(ways[i].to, "memory 0\n");
    fflush(ways[i].to);
    if (!fgets(line, sizeof line, ways[i].from) ||
        sscanf(line, "memory %ld %ld %ld %ld %ld", &w[0], &w[1], &w[2], &w[3], &w[4]) != 5)
      die(ways[i].name, "its memory cannot be measured");
    printf("%-12s%7ld kB%9ld kB%10ld%19ld kB%19ld kB\n", ways[i].name, w[0], w[1], w[2], w[3], w[4]);
    if (table)
      fprintf(table, "memory\t%d\t%d\t%s\t%ld\t%ld\t%ld\t%ld\t%ld\n", children, threads, ways[i].name, w[0], w[1], w[2],
              w[3], w[4]);
  }
}

/* One processor for everything keeps parent and child from being moved about; threads need more than one. */
static void pin(void) {
  cpu_set_t mine, one;
  if (sched_getaffinity(0, sizeof mine, &mine) != 0)
    return;
  for (int i = CPU_SETSIZE - 1; i >= 0; i--)
    if (CPU_ISSET(i, &mine)) {
      CPU_ZERO(&one);
      CPU_SET(i, &one);
      sched_setaffinity(0, sizeof one, &one);
      return;
    }
}

static int chosen(const char *name) {
  size_t n = strlen(name);
  for (const char *p = only; p && *p; p += strcspn(p, ","), p += *p == ',')
    if (strcspn(p, ",") == n && strncmp(p, name, n) == 0)
      return 1;
  return !only;
}

static void add_way(char *text) {
  char *program = strchr(text, '='), *preload;
  if (!program || way_count == MAX_WAYS)
    die(text, "want NAME=PROGRAM[,PRELOAD]");
  *program++ = 0;
  preload = strchr(program, ',');
  if (preload)
    *preload++ = 0;
  ways[way_count++] = (struct way){.name = text, .program = program, .preload = preload};
}

/* Does this work make sense with the given options? */
static int is_apt(const char *name) {
  if (strstr(name, "oldest"))
    return children > 0;
  if (strcmp(name, "kill-same") == 0)
    return threads > 1;
  return !in_turn || strcmp(name, "exec-start") != 0;
}

static void choose_works(void) {
  for (size_t i = 0; i < sizeof works / sizeof *works; i++)
    if (chosen(works[i].name) && is_apt(works[i].name)) {
      chosen_works[work_count].name = works[i].name;
      chosen_works[work_count++].told = works[i].told;
    }
  for (int i = 0; i < program_count && !in_turn; i++) { /* the plain worker runs these for all ways */
    chosen_works[work_count].name = chosen_works[work_count].told = programs[i];
    chosen_works[work_count].command = strchr(programs[i], '=') + 1;
    *strchr(programs[i], '=') = 0;
    work_count++;
  }
  figures = calloc((size_t)work_count + 1, sizeof *figures);
  if (!figures)
    die("calloc", strerror(errno));
}

/* The worker ends at the end of its input, and its children end with it. The driver reaps them, because their PIDs must
 * be free again before the next worker makes its children. */
static void end_worker(struct way *way) {
  fclose(way->to);
  waitpid(way->pid, NULL, 0);
  for (int quiet = 0; children > 0 && quiet < 10; quiet++) {
    while (waitpid(-1, NULL, WNOHANG) > 0)
      quiet = 0;
    usleep(10000);
  }
}

int main(int argc, char **argv) {
  int pinned = 1, opt;
  while ((opt = getopt(argc, argv, "bc:r:s:t:w:o:T:l:x:muW")) != -1)
    switch (opt) {
    case 'c':
      children = atoi(optarg);
      break;
    case 'r':
      rounds = atoi(optarg);
      break;
    case 's':
      slice_ms = atof(optarg);
      break;
    case 't':
      threads = atoi(optarg);
      break;
    case 'w':
      only = optarg;
      break;
    case 'u':
      pinned = 0;
      break;
    case 'W':
      wall = 1;
      break;
    case 'b':
      in_turn = 1;
      break;
    case 'm':
      weigh = 1;
      break;
    case 'l':
      label = optarg;
      break;
    case 'x':
      if (program_count == MAX_PROGRAMS || !strchr(optarg, '='))
        return 2;
      programs[program_count++] = optarg;
      break;
    case 'T':
      table = fopen(optarg, "a");
      if (!table)
        die(optarg, strerror(errno));
      break;
    case 'o':
      raw = fopen(optarg, "w");
      if (!raw)
        die(optarg, strerror(errno));
      break;
    default:
      return 2;
    }
  while (optind < argc)
    add_way(argv[optind++]);
  if (way_count < 1 || rounds < 1 || rounds > MAX_ROUNDS || slice_ms <= 0) {
    fprintf(stderr,
            "usage: %s [-c CHILDREN] [-r ROUNDS] [-s SLICE-MS] [-t THREADS] [-w WORK,…] [-x NAME=COMMAND] [-o RAW] "
            "[-T TABLE] [-l LABEL] [-b] [-m] [-u] [-W] WAY…\n",
            argv[0]);
    return 2;
  }
  if (pinned && threads == 1)
    pin();
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t stranger = start_stranger();
  choose_works();
  if (!weigh && !in_turn)
    print_head();
  /* All ways run at once, or one after another if their children would be too many together. */
  for (int first = 0, count = in_turn ? 1 : way_count; first < way_count; first += count) {
    for (int i = first; i < first + count; i++)
      start_worker(&ways[i], stranger);
    if (weigh)
      print_weights(first, count);
    for (int w = 0; !weigh && w < work_count; w++) {
      run_work(w, first, count);
      if (!in_turn)
        print_work(w);
    }
    for (int i = first; i < first + count; i++)
      end_worker(&ways[i]);
  }
  if (!weigh && in_turn) {
    print_head();
    for (int w = 0; w < work_count; w++)
      print_work(w);
  }
  int failed = raw && fclose(raw) != 0;
  return (table && fclose(table) != 0) || failed;
}

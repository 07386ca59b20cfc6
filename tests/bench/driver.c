/* The driver of the benchmarks: starts one worker for each way of running (plain, shim, …), lets them work in turn in
 * short slices, and compares slice with slice. Within a round every way runs the same work right after the others, and
 * each round begins with another way, so that drift of the machine falls out of the ratios. Calls libc and stats.c. */
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

enum { MAX_WAYS = 8, MAX_ROUNDS = 1000 };

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
             {"kill-oldest", "kill(oldest child)"},
             {"kill-stranger", "kill(stranger)"},
             {"kill-reaped", "kill(reaped child)"},
             {"waitpid-child", "waitpid(child, WNOHANG)"},
             {"waitpid-any", "waitpid(-1, WNOHANG)"},
             {"fork-waitpid", "fork+_exit+waitpid"},
             {"fork-wait-any", "fork+_exit+wait(any)"},
             {"vfork-waitpid", "vfork+_exit+waitpid"},
             {"vfork-exec", "vfork+exec true+waitpid"},
             {"spawn-wait", "posix_spawn true+waitpid"},
             {"exec-start", "exec true, preloaded only there"},
             {"open-close", "open+close"},
             {"dup2", "dup2"},
             {"syscall-getppid", "syscall(SYS_getppid)"}};

static struct way ways[MAX_WAYS];
static int way_count;
static int rounds = 21, children, threads = 1, wall;
static double slice_ms = 30;
static const char *only;
static FILE *raw;

static void die(const char *what, const char *more) {
  fprintf(stderr, "bench: %s: %s\n", what, more);
  exit(1);
}

/* Somebody whom no worker made: the driver's own child, gone with it. */
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

/* Nanoseconds an operation, or -1 where this way has no such work. What is measured for exec-start is the program that
 * is started, so all ways share the plain worker there and hand it their preload. */
static double measure(const struct way *way, const char *work) {
  const struct way *worker = way;
  char line[256];
  if (strcmp(work, "exec-start") == 0) {
    if (strcmp(way->program, ways[0].program) != 0)
      return -1;
    worker = &ways[0];
    fprintf(worker->to, "%s %g %s\n", work, slice_ms, way->preload ? way->preload : "-");
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

static void print_ratio(struct pg_spread s) {
  printf("  %6.3f (%.3f-%.3f)", s.median, s.low, s.high);
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

static void run_work(const char *name, const char *told) {
  static double ns[MAX_WAYS][MAX_ROUNDS], ratio[MAX_ROUNDS];
  int has[MAX_WAYS];
  for (int i = 0; i < way_count; i++) /* warm up, and see who has it */
    has[i] = measure(&ways[i], name) >= 0;
  if (!has[0])
    return;
  for (int r = 0; r < rounds; r++)
    for (int k = 0; k < way_count; k++) {
      int i = (r + k) % way_count;
      if (!has[i])
        continue;
      ns[i][r] = measure(&ways[i], name);
      if (raw)
        fprintf(raw, "%s\t%d\t%s\t%.3f\n", name, r, ways[i].name, ns[i][r]);
    }
  for (int r = 0; r < rounds; r++)
    ratio[r] = ns[0][r];
  printf("%-34s%10.0f", told, pg_spread_of(ratio, (size_t)rounds).median);
  int shim = find_way("shim"), empty = find_way("empty");
  for (int i = 1; i < way_count + 1; i++) {
    int top = i < way_count ? i : shim, bottom = i < way_count ? 0 : empty;
    if (top < 0 || bottom < 0)
      continue;
    if (!has[top] || !has[bottom]) {
      printf("  %6s%15s", "-", "");
      continue;
    }
    for (int r = 0; r < rounds; r++)
      ratio[r] = ns[top][r] / ns[bottom][r];
    print_ratio(pg_spread_of(ratio, (size_t)rounds));
  }
  printf("\n");
  fflush(stdout);
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

int main(int argc, char **argv) {
  int pinned = 1, opt;
  while ((opt = getopt(argc, argv, "c:r:s:t:w:o:uW")) != -1)
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
            "usage: %s [-c CHILDREN] [-r ROUNDS] [-s SLICE-MS] [-t THREADS] [-w WORK,…] [-o RAW] [-u] [-W] WAY…\n",
            argv[0]);
    return 2;
  }
  if (pinned && threads == 1)
    pin();
  signal(SIGPIPE, SIG_IGN);
  pid_t stranger = start_stranger();
  for (int i = 0; i < way_count; i++)
    start_worker(&ways[i], stranger);
  print_head();
  for (size_t i = 0; i < sizeof works / sizeof *works; i++)
    if (chosen(works[i].name) && (children > 0 || strcmp(works[i].name, "kill-oldest") != 0))
      run_work(works[i].name, works[i].told);
  /* The workers end at the end of their input, their children and the stranger with whoever made them. */
  for (int i = 0; i < way_count; i++) {
    fclose(ways[i].to);
    waitpid(ways[i].pid, NULL, 0);
  }
  return raw && fclose(raw) != 0;
}

/* SPDX-License-Identifier: MIT */
/* pg_diff runs random programs of process steps with and without the preload object, and compares everything that they
 * saw. A program that differs is shrunk to the fewest steps and shown with both traces. Exit status: 0 if none
 * differed, 1 if some did, 2 for wrong usage, 77 if there is no pid namespace to run in. */
#include "driver.h"
#include "../support/slowness.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRACE_CAP 300000
#define OBJECTS 32
#define LEAST 50 /* programs of --count, with any PG_TEST_SAMPLE */

struct options {
  struct pgd_config config;
  uint64_t seed;
  long first, count;
  int seconds, jobs, max_found, max_tries, max_steps;
  const char *replay, *save, *only;
  const char *must_find[OBJECTS];
  long must_find_first[OBJECTS];
  int must_find_count, enough;
  bool show, list;
};

/* All jobs together add to these. */
struct totals {
  _Atomic long programs, differences, unstable, broken, hung;
  _Atomic int stop;
  _Atomic int steps; /* of the smallest program that was shrunk; 0: none was */
};

static struct options options = {
    .config = {.timeout_ms = 10000}, .count = 2000, .jobs = 2, .max_found = 3, .max_tries = 1500, .max_steps = 10};
static struct totals *totals;
static struct pgd_arena arena;
static char traces[3][TRACE_CAP]; /* without the object, with it, without it again */
static char first_seen[2][TRACE_CAP];

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Runs one side. Ends the job if programs cannot be run at all. */
static void run_side(const struct pgd_program *program, bool shim, char *trace) {
  int err = pgd_run_program(&arena, program, shim, trace, TRACE_CAP);
  if (err < 0) {
    fprintf(stderr, "pg_diff: cannot run a program: %s\n", strerror(-err));
    atomic_fetch_add(&totals->broken, 1);
    _exit(1);
  }
}

/* The self-test ends with the first program that is small enough. The other jobs need not make theirs small. */
static bool is_found(void) {
  int steps = atomic_load(&totals->steps);
  return steps && steps <= options.enough;
}

static bool differs(const struct pgd_program *program, void *data) {
  (void)data;
  if (is_found())
    return false;
  run_side(program, false, traces[0]);
  run_side(program, true, traces[1]);
  return strcmp(traces[0], traces[1]) != 0;
}

static void print_command(FILE *out, long index) {
  fprintf(out, "replay the whole: pg_diff --seed %llu --first %ld --count 1", (unsigned long long)options.seed, index);
  if (options.config.preload)
    fprintf(out, " --preload %s", options.config.preload);
  for (int i = 0; i < options.config.env_count; i++)
    fprintf(out, " --env %s", options.config.env[i]);
  fprintf(out, "\nreplay the small one: the same with --replay FILE, FILE holding its lines without their numbers\n");
}

static void save(const struct pgd_program *program, long index) {
  char path[PATH_MAX];
  static char text[PGD_TEXT_SIZE];
  snprintf(path, sizeof path, "%s/%llu-%ld.steps", options.save, (unsigned long long)options.seed, index);
  FILE *f = fopen(path, "w");
  if (!f) {
    fprintf(stderr, "pg_diff: %s: %s\n", path, strerror(errno));
    return;
  }
  pgd_program_print(program, false, text, sizeof text);
  fputs(text, f);
  fclose(f);
}

/* The seed of one program. Jobs take turns, and program 17 is the same for any number of jobs. */
static uint64_t program_seed(long index) {
  uint64_t state = options.seed ^ (uint64_t)index * 0xd1342543de82ef95u;
  return pgd_random(&state);
}

static void unstable(FILE *out, struct pgd_program *program, long index, const char *how, const char *one,
                     const char *other) {
  static char text[PGD_TEXT_SIZE];
  atomic_fetch_add(&totals->unstable, 1);
  pgd_program_print(program, true, text, sizeof text);
  fprintf(out, "UNSTABLE: program %ld %s\n%s", index, how, text);
  pgd_print_diff(out, one, other);
  print_command(out, index);
}

/* Handles a program whose traces differed. If two plain runs differ too, that is a defect of the tester. If the
 * difference does not come again in many runs, the machine was disturbed. A few of these are allowed. */
static void found(struct pgd_program *program, long index) {
  static char text[PGD_TEXT_SIZE];
  char *report = NULL;
  size_t len = 0;
  FILE *out = open_memstream(&report, &len);
  memcpy(first_seen[0], traces[0], TRACE_CAP);
  memcpy(first_seen[1], traces[1], TRACE_CAP);
  for (int again = 0; again < 3; again++) {
    run_side(program, false, traces[2]);
    if (strcmp(traces[0], traces[2]) == 0)
      continue;
    unstable(out, program, index, "gives two traces without the object; a defect of the tester", traces[0], traces[2]);
    goto print;
  }
  bool seen = false;
  for (int again = 0; again < 25 && !seen; again++)
    seen = differs(program, NULL);
  if (!seen && !is_found()) {
    unstable(out, program, index, "differed once, and not in 25 runs after that", first_seen[0], first_seen[1]);
    goto print;
  }
  long number = atomic_fetch_add(&totals->differences, 1) + 1;
  if (number >= options.max_found)
    atomic_store(&totals->stop, 1);
  int before = program->count, same = 0;
  int tries = pgd_shrink(program, differs, NULL, options.max_tries, options.enough);
  if (is_found()) /* by another job */
    goto print;
  for (int k = 0; k < 5; k++)
    same += differs(program, NULL);
  for (int k = 0; k < 20 && !differs(program, NULL); k++)
    ;
  if (strcmp(traces[0], traces[1]) == 0) { /* rare: then the whole program is shown as it was seen */
    pgd_generate(program, program_seed(index));
    memcpy(traces, first_seen, sizeof first_seen);
  }
  int smallest = atomic_load(&totals->steps);
  while ((!smallest || program->count < smallest) &&
         !atomic_compare_exchange_weak(&totals->steps, &smallest, program->count))
    ;
  if (is_found())
    atomic_store(&totals->stop, 1);
  pgd_program_print(program, true, text, sizeof text);
  fprintf(out, "DIFFERENCE: program %ld, %d steps shrunk to %d in %d tries, seen again in %d of 5 runs\n%s", index,
          before, program->count, tries, same, text);
  fprintf(out, "traces (- without the object, + with it):\n");
  pgd_print_diff(out, traces[0], traces[1]);
  print_command(out, index);
  if (options.save)
    save(program, index);
print:
  fclose(out);
  fputs(report, stdout);
  fflush(stdout);
  free(report);
}

/* The number of the i-th program, or -1 after the last one. */
static long program_number(long i) {
  const char *at = options.only;
  for (long k = 0; at && k < i; k++)
    at = (at = strchr(at, ',')) ? at + 1 : NULL;
  return i >= options.count || (options.only && !at) ? -1 : at ? atol(at) : options.first + i;
}

static void job(int number, int64_t deadline) {
  static struct pgd_program program;
  int err = pgd_arena_open(&arena, &options.config);
  if (err < 0) {
    fprintf(stderr, "pg_diff: no shared memory: %s\n", strerror(-err));
    atomic_fetch_add(&totals->broken, 1);
    _exit(1);
  }
  long index;
  for (long i = number; (index = program_number(i)) >= 0 && !atomic_load(&totals->stop); i += options.jobs) {
    if (options.seconds && now_ms() >= deadline)
      break;
    pgd_generate(&program, program_seed(index));
    bool different = differs(&program, NULL);
    if (strstr(traces[0], "HUNG")) { /* if both sides hang, that is no difference, but it wastes time */
      atomic_fetch_add(&totals->hung, 1);
      if (getenv("PGD_HUNG"))
        printf("program %ld hangs without the object\n", index);
      fflush(stdout);
    }
    if (different && options.list) {
      printf("differs: %ld\n", index);
      fflush(stdout);
      if (atomic_fetch_add(&totals->differences, 1) + 1 >= options.max_found)
        atomic_store(&totals->stop, 1);
    } else if (different) {
      found(&program, index);
    }
    atomic_fetch_add(&totals->programs, 1);
  }
  _exit(0);
}

/* A program that differs from itself tells nothing. One in a thousand depends on how late the machine is. More than
 * that are a defect of the tester. */
static bool is_inconclusive(void) { return totals->unstable > 1 + totals->programs / 1000; }

/* Runs all jobs once, over options.count programs. */
static void run_jobs(void) {
  int64_t deadline = now_ms() + options.seconds * INT64_C(1000);
  memset(totals, 0, sizeof *totals);
  fflush(stdout);
  int started = 0;
  for (; started < options.jobs; started++) {
    pid_t pid = fork();
    if (pid == 0)
      job(started, deadline);
    if (pid < 0)
      break;
  }
  int status;
  if (started < options.jobs)
    atomic_fetch_add(&totals->broken, 1);
  for (; started > 0; started--)
    if (wait(&status) < 0 || status != 0)
      atomic_fetch_add(&totals->broken, 1);
}

static void check_preload(void) {
  if (options.config.preload && !pgd_preload_works(&options.config)) {
    fprintf(stderr, "pg_diff: %s cannot be preloaded\n", options.config.preload);
    exit(2);
  }
}

/* On a slow or busy machine a whole plain program can take longer than --timeout. Then nothing hangs, and the time-out
 * must be longer. */
static void scale_timeout(int least_ms) {
  static struct pgd_program program;
  int err = pgd_arena_open(&arena, &options.config);
  options.config.timeout_ms = 60000;
  int64_t longest = 0;
  for (long i = 0; i < 5 && err >= 0; i++) {
    pgd_generate(&program, program_seed(i));
    int64_t start = now_ms();
    run_side(&program, false, traces[0]);
    int64_t took = now_ms() - start;
    longest = took > longest && !strstr(traces[0], "HUNG") ? took : longest;
  }
  options.config.timeout_ms = longest * 8 > least_ms ? (int)longest * 8 : least_ms;
}

/* The tester must find what is wrong with each of these objects, and make it small. */
static int self_test(void) {
  int failed = 0, least_ms = options.config.timeout_ms;
  options.max_found = INT_MAX; /* a disturbed machine may spoil one program: the next one will do */
  options.enough = options.max_steps;
  for (int i = 0; i < options.must_find_count; i++) {
    options.config.preload = options.must_find[i];
    options.first = options.must_find_first[i];
    const char *name = strrchr(options.must_find[i], '/');
    name = name ? name + 1 : options.must_find[i];
    printf("== %s\n", name);
    check_preload();
    scale_timeout(least_ms);
    run_jobs();
    bool ok = is_found() && !is_inconclusive() && !totals->broken;
    printf("%s: %s: %s after %ld programs, shrunk to %d steps\n\n", ok ? "ok" : "FAILED", name,
           totals->differences ? "found" : "not found", totals->programs, totals->steps);
    failed += !ok;
  }
  printf("%d passed, %d failed\n", options.must_find_count - failed, failed);
  return failed != 0;
}

static int replay(void) {
  static struct pgd_program program;
  static char text[PGD_TEXT_SIZE];
  FILE *f = fopen(options.replay, "r");
  size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
  int line = f ? pgd_program_parse(&program, text) : -1;
  if (!f || n == 0 || line != 0) {
    fprintf(stderr, "pg_diff: %s: %s, line %d\n", options.replay, f ? "not a program" : strerror(errno), line);
    return 2;
  }
  int err = pgd_arena_open(&arena, &options.config);
  if (err < 0) {
    fprintf(stderr, "pg_diff: no shared memory: %s\n", strerror(-err));
    return 1;
  }
  long count = options.count < 1 ? 1 : options.count, different = 0;
  for (long i = 0; i < count; i++)
    if (differs(&program, NULL) && different++ == 0)
      pgd_print_diff(stdout, traces[0], traces[1]);
  if (!different && options.show)
    fputs(traces[0], stdout);
  printf("%ld passed, %ld failed\n", count - different, different);
  return different != 0;
}

static void show_programs(void) {
  static struct pgd_program program;
  static char text[PGD_TEXT_SIZE];
  for (long i = 0; i < options.count; i++) {
    pgd_generate(&program, program_seed(options.first + i));
    pgd_program_print(&program, false, text, sizeof text);
    printf("# program %ld\n%s", options.first + i, text);
  }
}

static void usage(void) {
  puts("usage: pg_diff [OPTION...]\n"
       "  --preload PATH     the object under test (none: plain against plain)\n"
       "  --env VAR=VALUE    for the side with the object; may be repeated\n"
       "  --seed N           default: from the clock, and printed\n"
       "  --count N          programs (2000); with --replay: runs (1)\n"
       "  --first N          number of the first program (0)\n"
       "  --only N,N,...     these programs, at most --count\n"
       "  --list             only name the programs that differ, without a second look\n"
       "  --seconds N        stop after so long\n"
       "  --jobs N           programs at a time (2)\n"
       "  --replay FILE      run this program instead of random ones; --show prints its trace\n"
       "  --max-found N      stop after so many differences (3)\n"
       "  --max-tries N      runs spent on shrinking one (1500)\n"
       "  --timeout MS       without a step before a program counts as hung (10000)\n"
       "  --save DIR         keep each shrunk program there\n"
       "  --interp PATH      pg_diff_interp (default: beside this program)\n"
       "  --must-find PATH   self-test: a wrong object that must be found and shrunk; may be repeated;\n"
       "                     the --first before it is for this object\n"
       "  --max-steps N      ... to so many steps (10)\n"
       "  --show             only print the random programs\n"
       "PG_TEST_SAMPLE=N in the environment: 1/N of the programs of --count, but not fewer than 50.");
}

static const struct option long_options[] = {
    {"preload", 1, 0, 'p'},   {"env", 1, 0, 'e'},       {"seed", 1, 0, 's'},      {"count", 1, 0, 'c'},
    {"first", 1, 0, 'f'},     {"seconds", 1, 0, 't'},   {"jobs", 1, 0, 'j'},      {"replay", 1, 0, 'r'},
    {"max-found", 1, 0, 'm'}, {"max-tries", 1, 0, 'x'}, {"timeout", 1, 0, 'o'},   {"save", 1, 0, 'S'},
    {"interp", 1, 0, 'i'},    {"must-find", 1, 0, 'F'}, {"max-steps", 1, 0, 'M'}, {"only", 1, 0, 'O'},
    {"list", 0, 0, 'l'},      {"show", 0, 0, 'v'},      {"help", 0, 0, 'h'},      {0, 0, 0, 0}};

static const char *real(const char *path) {
  char *full = realpath(path, NULL);
  if (!full) {
    fprintf(stderr, "pg_diff: %s: %s\n", path, strerror(errno));
    exit(2);
  }
  return full;
}

/* Returns false on wrong usage. */
static bool parse_options(int argc, char **argv) {
  bool counted = false;
  for (int c; (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
    switch (c) {
    case 'p':
      options.config.preload = real(optarg);
      break;
    case 'e':
      if (options.config.env_count == PGD_ENV - 4)
        return false;
      options.config.env[options.config.env_count++] = optarg;
      break;
    case 's':
      options.seed = strtoull(optarg, NULL, 0);
      break;
    case 'c':
      options.count = atol(optarg);
      counted = true;
      break;
    case 'f':
      options.first = atol(optarg);
      break;
    case 't':
      options.seconds = atoi(optarg);
      break;
    case 'j':
      options.jobs = atoi(optarg);
      break;
    case 'r':
      options.replay = real(optarg);
      break;
    case 'm':
      options.max_found = atoi(optarg);
      break;
    case 'x':
      options.max_tries = atoi(optarg);
      break;
    case 'o':
      options.config.timeout_ms = atoi(optarg);
      break;
    case 'S':
      options.save = optarg;
      break;
    case 'i':
      options.config.interp = real(optarg);
      break;
    case 'F':
      if (options.must_find_count == OBJECTS)
        return false;
      options.must_find_first[options.must_find_count] = options.first;
      options.must_find[options.must_find_count++] = real(optarg);
      break;
    case 'M':
      options.max_steps = atoi(optarg);
      break;
    case 'O':
      options.only = optarg;
      break;
    case 'l':
      options.list = true;
      break;
    case 'v':
      options.show = true;
      break;
    default:
      return false;
    }
  }
  if (!counted && (options.seconds || options.replay))
    options.count = options.replay ? 1 : LONG_MAX / 2;
  return optind == argc && options.jobs > 0;
}

int main(int argc, char **argv) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  options.seed = (uint64_t)t.tv_sec * 1000000007u ^ (uint64_t)t.tv_nsec;
  if (!parse_options(argc, argv)) {
    usage();
    return 2;
  }
  if (options.show && !options.replay) {
    show_programs();
    return 0;
  }
  if (!options.config.interp) {
    char path[PATH_MAX], *slash;
    const char *own = real("/proc/self/exe");
    snprintf(path, sizeof path, "%s", own);
    slash = strrchr(path, '/');
    snprintf(slash, sizeof path - (size_t)(slash - path), "/pg_diff_interp");
    options.config.interp = real(path);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL); /* what the caller ignores or blocks must not reach the programs */
  for (int sig = 1; sig < 32; sig++)
    signal(sig, SIG_DFL);
  pgd_enter_namespace();
  check_preload();
  totals = mmap(NULL, sizeof *totals, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (totals == MAP_FAILED) {
    fprintf(stderr, "pg_diff: no shared memory: %s\n", strerror(errno));
    return 1;
  }
  if (options.replay)
    return replay();
  printf("seed %llu\n", (unsigned long long)options.seed);
  if (options.must_find_count)
    return self_test();
  if (options.count < INT_MAX)
    options.count = some_of((int)options.count, LEAST);
  int64_t start = now_ms();
  run_jobs();
  long inconclusive = is_inconclusive() ? totals->unstable : 0;
  long failed = totals->differences + inconclusive + totals->broken;
  printf("%ld programs in %.1f s%s, %ld differed, %ld unstable, %ld hung both ways, %ld jobs broken\n",
         totals->programs, (double)(now_ms() - start) / 1000, options.config.preload ? "" : " (plain against plain)",
         totals->differences, totals->unstable, totals->hung, totals->broken);
  printf("%ld passed, %ld failed\n", totals->programs - totals->differences - totals->unstable, failed);
  return failed != 0;
}

/* SPDX-License-Identifier: MIT */
/* The frame around CUnit: main(), checks with formatted messages, skips. Calls CUnit and namespace.c. */
#define _GNU_SOURCE
#include "pg_test.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static unsigned added, skipped;
static CU_pTest last_skipped;

void pg_test_add(const char *suite, const char *name, void (*run)(void)) {
  char path[512];
  const char *only = getenv("PG_TEST_ONLY");
  snprintf(path, sizeof path, "%s/%s", suite, name);
  if (only && !strstr(path, only))
    return;
  CU_pSuite home = CU_get_suite(suite);
  if (!home)
    home = CU_add_suite(suite, NULL, NULL);
  if (!home || !CU_add_test(home, name, run)) {
    fprintf(stderr, "cannot add test %s: %s\n", path, CU_get_error_msg());
    exit(1);
  }
  added++;
}

const char *pg_test_name(void) { return CU_get_current_test()->pName; }

bool pg_test_check(bool condition, const char *file, int line, const char *text, const char *format, ...) {
  char message[2048] = "";
  if (!condition) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (length >= 0 && (size_t)length < sizeof message)
      snprintf(message + length, sizeof message - (size_t)length, "  [%s]", text);
  }
  CU_assertImplementation(condition, (unsigned)line, message, file, "", CU_FALSE);
  return condition;
}

void pg_test_skip(const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("\n    SKIP: ");
  vprintf(format, args);
  printf(" ...");
  va_end(args);
  if (CU_get_current_test() != last_skipped)
    skipped++;
  last_skipped = CU_get_current_test();
}

void pg_test_skip_all(const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("SKIP: ");
  vprintf(format, args);
  printf("\n");
  va_end(args);
  exit(PG_TEST_SKIPPED);
}

void pg_test_need_take_pid(void) {
  int error = pg_test_probe_take_pid();
  if (error)
    pg_test_skip_all("the test cannot choose a PID here (clone3 with set_tid): %s", strerror(-error));
}

void pg_test_need_pidfd(void) {
  int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
  if (fd < 0 && errno == ENOSYS)
    pg_test_skip_all("these tests watch their processes by pidfd, and pidfd_open needs Linux 5.3");
  if (fd >= 0)
    close(fd);
}

bool pg_test_libc_before(int minor) {
#ifdef __GLIBC__
  int have;
  return sscanf(gnu_get_libc_version(), "2.%d", &have) == 1 && have < minor;
#else
  (void)minor;
  return false;
#endif
}

bool pg_test_kernel_before(int major, int minor) {
  struct utsname system;
  int have, point;
  if (uname(&system) != 0 || sscanf(system.release, "%d.%d", &have, &point) != 2)
    return true;
  return have < major || (have == major && point < minor);
}

/* Measures how slow this machine is now, for slowness() and patience() in the tests and in the programs. */
static void measure(void) {
  enum { FORKS = 20, USUAL_US = 500, MOST_SLOW = 8, LEAST_PATIENCE = 4, MOST_PATIENCE = 30 };
  struct timespec from, to;
  double load = 0;
  char text[16];
  clock_gettime(CLOCK_MONOTONIC, &from);
  for (int i = 0; i < FORKS; i++) {
    pid_t pid = fork();
    if (pid == 0)
      _exit(0);
    if (pid > 1)
      waitpid(pid, NULL, 0);
  }
  clock_gettime(CLOCK_MONOTONIC, &to);
  long us = (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000, slow = us / (FORKS * USUAL_US);
  snprintf(text, sizeof text, "%ld", slow < 1 ? 1 : slow > MOST_SLOW ? MOST_SLOW : slow);
  setenv("PG_TEST_SLOW", text, 0);
  long cpus = sysconf(_SC_NPROCESSORS_ONLN), want = getloadavg(&load, 1) == 1 ? (long)load / (cpus > 0 ? cpus : 1) : 0;
  want *= 2;
  snprintf(text, sizeof text, "%ld",
           want < LEAST_PATIENCE  ? LEAST_PATIENCE
           : want > MOST_PATIENCE ? MOST_PATIENCE
                                  : want);
  setenv("PG_TEST_PATIENCE", text, 0);
}

int main(int argc, char **argv) {
  /* A forked child must not print a second time what is still in a buffer. */
  setvbuf(stdout, NULL, _IONBF, 0);
  /* What is ignored is inherited, from nohup for example. An ignored SIGCHLD takes the children's statuses away. */
  static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGCHLD};
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
    signal(ignored[i], SIG_DFL);
  pg_test_enter_namespace();
  measure();

  if (CU_initialize_registry() != CUE_SUCCESS)
    return 1;
  pg_test_plan(argc, argv);
  if (added == 0) {
    fprintf(stderr, "no tests\n");
    return 1;
  }
  CU_basic_set_mode(CU_BRM_VERBOSE);
  CU_ErrorCode error = CU_basic_run_tests();
  unsigned failures = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
  if (skipped)
    printf("%u of %u tests skipped, wholly or in part\n", skipped, added);
  CU_cleanup_registry();
  if (error != CUE_SUCCESS || failures)
    return 1;
  return skipped == added ? PG_TEST_SKIPPED : 0;
}

/* SPDX-License-Identifier: MIT */
/* The stand-in for CUnit on targets that have none. It has lists of suites and tests and runs them in order. It counts
 * failures and prints them in CUnit's words. Suites with init functions and fatal assertions are refused, because
 * nothing here uses them. */
#include <CUnit/Basic.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CU_pSuite suites;
static CU_pTest current;
static unsigned failures;

CU_ErrorCode CU_initialize_registry(void) { return CUE_SUCCESS; }

void CU_cleanup_registry(void) {
  while (suites) {
    CU_pSuite suite = suites;
    suites = suite->pNext;
    while (suite->pTest) {
      CU_pTest test = suite->pTest;
      suite->pTest = test->pNext;
      free(test->pName);
      free(test);
    }
    free(suite->pName);
    free(suite);
  }
}

CU_pSuite CU_get_suite(const char *name) {
  CU_pSuite suite = suites;
  while (suite && strcmp(suite->pName, name) != 0)
    suite = suite->pNext;
  return suite;
}

CU_pSuite CU_add_suite(const char *name, int (*init)(void), int (*cleanup)(void)) {
  CU_pSuite *end = &suites, suite;
  if (init || cleanup || !(suite = calloc(1, sizeof *suite)) || !(suite->pName = strdup(name)))
    return NULL;
  while (*end)
    end = &(*end)->pNext;
  return *end = suite;
}

CU_pTest CU_add_test(CU_pSuite suite, const char *name, CU_TestFunc run) {
  CU_pTest *end = &suite->pTest, test = calloc(1, sizeof *test);
  if (!test || !(test->pName = strdup(name)))
    return NULL;
  test->pTestFunc = run;
  while (*end)
    end = &(*end)->pNext;
  return *end = test;
}

CU_pTest CU_get_current_test(void) { return current; }

const char *CU_get_error_msg(void) { return "no memory, or a call that the stand-in does not support"; }

CU_BOOL CU_assertImplementation(CU_BOOL value, unsigned line, const char *condition, const char *file,
                                const char *function, CU_BOOL fatal) {
  (void)function;
  if (fatal)
    abort();
  if (value)
    return CU_TRUE;
  failures++;
  current->failures++;
  printf("\n    %s:%u  - %s", file, line, condition);
  return CU_FALSE;
}

unsigned CU_get_number_of_failures(void) { return failures; }

unsigned CU_get_number_of_suites_failed(void) { return 0; }

void CU_basic_set_mode(CU_BasicRunMode mode) { (void)mode; }

CU_ErrorCode CU_basic_run_tests(void) {
  unsigned ran = 0, failed = 0;
  for (CU_pSuite suite = suites; suite; suite = suite->pNext) {
    printf("\nSuite: %s", suite->pName);
    for (current = suite->pTest; current; current = current->pNext) {
      printf("\n  Test: %s ...", current->pName);
      current->pTestFunc();
      printf(current->failures ? "\n  FAILED: %s" : "passed", current->pName);
      ran++;
      failed += current->failures != 0;
    }
  }
  printf("\n\n%u tests run, %u failed, %u failed checks\n", ran, failed, failures);
  return CUE_SUCCESS;
}

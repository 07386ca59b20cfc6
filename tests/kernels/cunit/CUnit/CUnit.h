/* SPDX-License-Identifier: MIT */
/* The few functions of CUnit that tests/support/main.c calls, with CUnit's names. They are for targets that have no
 * CUnit (another libc, another architecture). They were written for this project, and only as much as it uses. */
#ifndef PG_PORT_CUNIT_H
#define PG_PORT_CUNIT_H

typedef enum { CU_FALSE, CU_TRUE } CU_BOOL;
typedef enum { CUE_SUCCESS, CUE_NOMEMORY } CU_ErrorCode;
typedef enum { CU_BRM_VERBOSE } CU_BasicRunMode;
typedef void (*CU_TestFunc)(void);

typedef struct CU_Test {
  char *pName;
  CU_TestFunc pTestFunc;
  unsigned failures;
  struct CU_Test *pNext;
} CU_Test, *CU_pTest;

typedef struct CU_Suite {
  char *pName;
  CU_pTest pTest;
  struct CU_Suite *pNext;
} CU_Suite, *CU_pSuite;

CU_ErrorCode CU_initialize_registry(void);
void CU_cleanup_registry(void);
CU_pSuite CU_get_suite(const char *name);
CU_pSuite CU_add_suite(const char *name, int (*init)(void), int (*cleanup)(void));
CU_pTest CU_add_test(CU_pSuite suite, const char *name, CU_TestFunc run);
CU_pTest CU_get_current_test(void);
const char *CU_get_error_msg(void);
CU_BOOL CU_assertImplementation(CU_BOOL value, unsigned line, const char *condition, const char *file,
                                const char *function, CU_BOOL fatal);
unsigned CU_get_number_of_failures(void);
unsigned CU_get_number_of_suites_failed(void);

#endif

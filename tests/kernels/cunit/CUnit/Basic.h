/* SPDX-License-Identifier: MIT */
/* See CUnit.h beside this file. */
#ifndef PG_PORT_CUNIT_BASIC_H
#define PG_PORT_CUNIT_BASIC_H

#include <CUnit/CUnit.h>

void CU_basic_set_mode(CU_BasicRunMode mode);
CU_ErrorCode CU_basic_run_tests(void);

#endif

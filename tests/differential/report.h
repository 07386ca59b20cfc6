/* SPDX-License-Identifier: MIT */
/* How a difference between two traces is shown. */
#ifndef PGD_REPORT_H
#define PGD_REPORT_H

#include <stdio.h>

/* Both traces as one list: lines that only the first has with "-", only the second with "+". */
void pgd_print_diff(FILE *out, const char *first, const char *second);

#endif

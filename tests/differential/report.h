/* SPDX-License-Identifier: MIT */
/* How a difference between two traces is shown. */
#ifndef PGD_REPORT_H
#define PGD_REPORT_H

#include <stdio.h>

/* Prints both traces as one list. Lines of the first trace alone have "-", lines of the second alone have "+". */
void pgd_print_diff(FILE *out, const char *first, const char *second);

#endif

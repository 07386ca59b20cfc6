/* SPDX-License-Identifier: MIT */
/* A line diff by longest common subsequence. Traces are short, so the square table is good enough. */
#include "report.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LINES 600

static int split(const char *text, const char *lines[LINES], int lengths[LINES]) {
  int n = 0;
  for (; *text && n < LINES; n++) {
    lines[n] = text;
    lengths[n] = (int)strcspn(text, "\n");
    text += lengths[n] + (text[lengths[n]] == '\n');
  }
  return n;
}

void pgd_print_diff(FILE *out, const char *first, const char *second) {
  static const char *a[LINES], *b[LINES];
  static int la[LINES], lb[LINES];
  static uint16_t common[LINES + 1][LINES + 1];
  int n = split(first, a, la), m = split(second, b, lb), i = 0, j = 0;
#define SAME(x, y) (la[x] == lb[y] && memcmp(a[x], b[y], (size_t)la[x]) == 0)
  memset(common, 0, sizeof common);
  for (int x = n - 1; x >= 0; x--)
    for (int y = m - 1; y >= 0; y--)
      common[x][y] = SAME(x, y)                            ? (uint16_t)(common[x + 1][y + 1] + 1)
                     : common[x + 1][y] > common[x][y + 1] ? common[x + 1][y]
                                                           : common[x][y + 1];
  while (i < n || j < m) {
    if (i < n && j < m && SAME(i, j)) {
      fprintf(out, "    %.*s\n", la[i], a[i]);
      i++, j++;
    } else if (i < n && (j == m || common[i + 1][j] >= common[i][j + 1])) {
      fprintf(out, "  - %.*s\n", la[i], a[i]);
      i++;
    } else {
      fprintf(out, "  + %.*s\n", lb[j], b[j]);
      j++;
    }
  }
#undef SAME
}

/* SPDX-License-Identifier: MIT */
/* The battery of moment.c, in main() and nowhere else: for companions that cannot bear a call before they are ready. */
#include "moment.h"

int main(void) {
  moment("main");
  return 0;
}

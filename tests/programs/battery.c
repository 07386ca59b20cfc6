/* SPDX-License-Identifier: MIT */
/* Runs the battery of moment.c in main() and nowhere else. Some companions cannot bear a call before they are ready. */
#include "moment.h"

int main(void) {
  moment("main");
  return 0;
}

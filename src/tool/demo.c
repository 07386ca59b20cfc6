/* SPDX-License-Identifier: MIT */
/* pidguard --demo: a script for bash, which is a part of this program. */
#include "tool/judge.h"
#include "tool/object.h"
#include "tool/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char script[] = {
#include "demo.inc"
    0};

int tool_demo(void) {
  struct object object = object_find();
  bool denied;
  char *bash = find_command("bash", getenv("PATH"), &denied);
  if (!bash)
    bash = find_command("bash", "/usr/bin:/bin", &denied);
  if (!bash)
    die(PG_EXIT_SKIP, "the demonstration needs bash, which is not installed");
  unsetenv("LD_PRELOAD");
  execl(bash, "bash", "-p", "-c", script, "pidguard", object.path, (char *)NULL);
  die(PG_EXIT_TROUBLE, "%s: %s", bash, strerror(errno));
}

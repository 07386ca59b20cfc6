/* SPDX-License-Identifier: MIT */
/* The program `pidguard`: finds the subcommand. */
#include "tool/tool.h"

#include <stdlib.h>
#include <string.h>

extern char **environ;

static const char usage[] =
    "usage: pidguard [run] [OPTION...] COMMAND [ARG...]\n"
    "       pidguard report [--json] FILE...\n"
    "       pidguard check [--json] [--quiet] FILE|FOLDER...\n"
    "       pidguard status [--json] PID...\n"
    "       pidguard --demo\n"
    "Runs COMMAND so that a signal to one of its children, or a wait for it, cannot hit a stranger that got "
    "the child's PID.\n"
    "\n"
    "  --mode=MODE      enforce (default), audit (change nothing, log what enforce would refuse; alone it means\n"
    "                   --debug=warn as well), off\n"
    "  --debug[=LEVEL]  log at LEVEL: error, warn, info, debug (the default of LEVEL)\n"
    "  --log=FILE       log to FILE (%p in it is the PID) instead of stderr; alone it means --debug=info as well\n"
    "  --family         also refuse PIDs of children that another process of the family saw end\n"
    "  --deepbind=clear objects that are opened with RTLD_DEEPBIND call through the shim as well\n"
    "  --strict         refuse a command that cannot be protected (status 126) instead of naming it and running it\n"
    "\n"
    "  report           show which calls in the logs may have hit, or would hit, another process\n"
    "                   (status 0: no findings, 1: findings, 2: trouble)\n"
    "  check            tell whether these programs can be protected\n"
    "                   (status 0: all of them, 1: not all or not fully, 2: trouble)\n"
    "  status           show the children and counters of a running process without disturbing it\n"
    "                   (status 0: protected, 1: not protected, 2: trouble)\n"
    "  --demo           show what pidguard prevents, in a pid namespace of its own\n"
    "  --help, --version\n"
    "\n"
    "The status is the command's, or 127 if it was not found, 126 if it cannot run, 125 if pidguard itself failed.\n"
    "To run a command with the name of a subcommand, put run before it: pidguard run check. See also man pidguard.\n";

/* The launcher of a source tree is a shell, which changes the environment. It passes the original environment as
 * words. */
static void take_environment(int *argc, char ***argv) {
  if (*argc < 3 || strcmp((*argv)[1], "--given-environment") != 0)
    return;
  char *end;
  unsigned long n = strtoul((*argv)[2], &end, 10);
  if (*end || n > (unsigned long)*argc - 3)
    die(PG_EXIT_TROUBLE, "--given-environment is for scripts/pidguard alone");
  char **given = must_alloc(NULL, sizeof *given * (n + 1));
  memcpy(given, *argv + 3, sizeof *given * n);
  given[n] = NULL;
  environ = given;
  (*argv)[n + 2] = (*argv)[0];
  *argv += n + 2;
  *argc -= (int)n + 2;
}

int tool_about(const char *word) {
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
    fputs(usage, stdout);
  else if (strcmp(word, "--version") == 0)
    puts("pidguard " PG_TOOL_VERSION);
  else
    return -1;
  flush_or_die(PG_EXIT_TROUBLE);
  return 0;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
  } commands[] = {{"run", tool_run}, {"report", tool_report}, {"check", tool_check}, {"status", tool_status}};
  if (argc < 1)
    return PG_EXIT_TROUBLE;
  take_environment(&argc, &argv);
  const char *first = argc > 1 ? argv[1] : "";
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (strcmp(first, commands[i].name) == 0) {
      int about = argc > 2 ? tool_about(argv[2]) : -1;
      return about >= 0 ? about : commands[i].run(argc - 1, argv + 1);
    }
  }
  if (strcmp(first, "--demo") == 0)
    return tool_demo();
  if (argc < 2) {
    fputs(usage, stderr);
    return PG_EXIT_TROUBLE;
  }
  return tool_run(argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* pidguard run: puts the preload object in front of libc, and becomes the command. */
#include "runtime/config.h"
#include "runtime/log_file.h"
#include "tool/judge.h"
#include "tool/object.h"
#include "tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

extern char **environ;

static struct {
  const char *mode, *log;
  bool debug, strict;
} options;

static void set(const char *name, const char *value) {
  if (setenv(name, value, 1) < 0)
    die(PG_EXIT_TROUBLE, "no memory");
}

static bool is_one_of(const char *word, const char *const *words) {
  while (*words && strcmp(word, *words) != 0)
    words++;
  return *words;
}

static const char *const modes[] = {"enforce", "audit", "off", NULL};
static const char *const deepbinds[] = {"keep", "clear", NULL};
static const char *const levels[] = {"off", "error", "warn", "info", "debug", "0", "1", "2", "3", "4", NULL};

static void check_word(const char *option, const char *value, const char *const *words) {
  if (is_one_of(value, words))
    return;
  char list[128] = "";
  for (; *words; words++)
    snprintf(list + strlen(list), sizeof list - strlen(list), " %s", *words);
  die(PG_EXIT_TROUBLE, "%s: '%s' is unknown; the values are%s", option, value, list);
}

/* The path with the PID of this process, which is going to be that of the command. */
static char *log_of_this(const char *path) {
  char *file = must_dup(path), *at;
  while ((at = strstr(file, "%p"))) {
    char *next = must_format("%.*s%ld%s", (int)(at - file), file, (long)getpid(), at + 2);
    free(file);
    file = next;
  }
  return file;
}

/* Each process of the command opens the log. This program opens it by the shim's own code, to report an obstacle once,
 * before the command runs. A log of this PID alone is removed again, because the command may never open it. A FIFO is
 * not opened: a close would end its reader. The shim says on standard error that a FIFO has no reader. */
static void check_log(const char *path) {
  static const char *const obstacles[][2] = {
      {"not-ours", "the file belongs to another user"},
      {"has-links", "the file has another name as well"},
      {"no-file", "that is neither a file nor a FIFO nor a character device"},
      {"directory-not-ours", "the directory belongs to another user"},
      {"directory-open-to-others", "other users can make files in that directory"},
  };
  char *file = log_of_this(path);
  struct stat st;
  bool is_new = lstat(file, &st) < 0, is_fifo = !is_new && S_ISFIFO(st.st_mode);
  const char *why = is_fifo && st.st_uid != geteuid() && st.st_uid != 0 ? "not-ours" : NULL;
  pg_config_read(environ, false);
  int r = is_fifo ? 0 : pg_log_file_open(&why);
  for (size_t i = 0; why && i < sizeof obstacles / sizeof *obstacles; i++)
    if (strcmp(why, obstacles[i][0]) == 0)
      die(PG_EXIT_TROUBLE, "--log: %s: %s", path, obstacles[i][1]);
  if (r == -ELOOP)
    die(PG_EXIT_TROUBLE, "--log: %s is a symbolic link, which is not followed", file);
  if (r < 0)
    die(PG_EXIT_TROUBLE, "--log: cannot write to %s: %s", file, why ? why : strerror(-r));
  if (is_new && strcmp(file, path) != 0)
    unlink(file);
  free(file);
}

static void take_log(const char *value) {
  if (!*value)
    die(PG_EXIT_TROUBLE, "--log needs a file");
  if (strcmp(value, "stderr") != 0 && value[0] != '/') { /* the command may change its directory */
    char *here = getcwd(NULL, 0);
    if (!here)
      die(PG_EXIT_TROUBLE, "--log=%s: the current directory has no path (%s); give the file's absolute path", value,
          strerror(errno));
    value = must_format("%s/%s", here, value);
    free(here);
  }
  if (strlen(value) >= 1024)
    die(PG_EXIT_TROUBLE, "--log: the path is longer than 1023 bytes");
  options.log = value;
}

/* The value of an option that needs one: the text behind '=', or the next word. */
static const char *value_of(char **argv, int *i, const char *name) {
  size_t n = strlen(name);
  if (argv[*i][n] == '=')
    return argv[*i] + n + 1;
  if (!argv[*i + 1])
    die(PG_EXIT_TROUBLE, "%s needs a value", name);
  return argv[++*i];
}

static bool is_option(const char *word, const char *name) {
  size_t n = strlen(name);
  return strncmp(word, name, n) == 0 && (word[n] == '\0' || word[n] == '=');
}

/* The index of the command. */
static int read_options(char **argv) {
  int i = 1;
  for (; argv[i] && argv[i][0] == '-'; i++) {
    if (strcmp(argv[i], "--") == 0)
      return i + 1;
    if (is_option(argv[i], "--mode")) {
      options.mode = value_of(argv, &i, "--mode");
      check_word("--mode", options.mode, modes);
    } else if (is_option(argv[i], "--log")) {
      take_log(value_of(argv, &i, "--log"));
    } else if (is_option(argv[i], "--debug")) {
      const char *level = "debug";
      if (argv[i][7] == '=')
        level = argv[i] + 8;
      else if (argv[i + 1] && is_one_of(argv[i + 1], levels) && argv[i + 2]) /* a level, with a command behind it */
        level = argv[++i];
      check_word("--debug", level, levels);
      set("PIDGUARD_DEBUG", level);
      options.debug = true;
    } else if (strcmp(argv[i], "--family") == 0) {
      set("PIDGUARD_FAMILY", "on");
    } else if (is_option(argv[i], "--deepbind")) {
      const char *how = value_of(argv, &i, "--deepbind");
      check_word("--deepbind", how, deepbinds);
      set("PIDGUARD_DEEPBIND", how);
    } else if (strcmp(argv[i], "--strict") == 0) {
      options.strict = true;
    } else {
      int status = tool_about(argv[i]);
      if (status >= 0)
        exit(status);
      die(PG_EXIT_TROUBLE, "unknown option %s (see --help)", argv[i]);
    }
  }
  return i;
}

static void export_options(void) {
  const char *debug = getenv("PIDGUARD_DEBUG");
  bool has_level = debug && *debug;
  if (options.mode)
    set("PIDGUARD_MODE", options.mode);
  if (options.log) {
    set("PIDGUARD_LOG", options.log);
    if (strcmp(options.log, "stderr") != 0)
      check_log(options.log);
  }
  bool audit = options.mode && strcmp(options.mode, "audit") == 0;
  if (!has_level && (audit || options.log))
    set("PIDGUARD_DEBUG", audit ? "warn" : "info");
  if (audit && options.log && !getenv("PIDGUARD_SUMMARY"))
    set("PIDGUARD_SUMMARY", "1"); /* `pidguard report` prints the counters */
}

/* Puts the object last in LD_PRELOAD, because libasan refuses any other place than the first. A library in front of the
 * shim reaches the shim's functions when it asks for the next ones. */
static void preload(const char *object) {
  const char *list = getenv("LD_PRELOAD");
  size_t n = strlen(object);
  for (const char *at = list; at && *at;) {
    size_t length = strcspn(at, " :");
    if (length == n && memcmp(at, object, n) == 0)
      return;
    at += length + (at[length] != '\0');
  }
  char *value = list && *list ? must_format("%s:%s", list, object) : must_dup(object);
  set("LD_PRELOAD", value);
  free(value);
}

/* Explains the kernel's errno after a failed execve. */
static void explain(const char *file, int error, struct judgement *j) __attribute__((noreturn));
static void explain(const char *file, int error, struct judgement *j) {
  unsigned char head[256];
  char *rest, *interpreter = NULL;
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, head, sizeof head) : 0;
  if (n > 0)
    interpreter = script_interpreter(head, (size_t)n, &rest);
  if (interpreter && strchr(interpreter, '\r'))
    die(PG_EXIT_CANNOT,
        "%s: its first line ends with a carriage return, as in DOS files, so its interpreter is not found", file);
  if (interpreter && error == ENOENT)
    die(PG_EXIT_CANNOT, "%s: its interpreter %s is not there", file, interpreter);
  if (interpreter && error == EACCES && access(interpreter, X_OK) < 0)
    die(PG_EXIT_CANNOT, "%s: its interpreter %s may not be executed", file, interpreter);
  if (error == ENOENT)
    die(PG_EXIT_CANNOT, "%s: its dynamic linker is not there", file);
  if (error == ENOEXEC && j->verdict == JUDGED_MACHINE)
    die(PG_EXIT_CANNOT, "%s: this machine cannot run programs for another machine", file);
  if (error == ENOEXEC || error == ELIBBAD)
    die(PG_EXIT_CANNOT, "%s: this machine cannot run this program%s%s", file, j->text[0] ? "; " : "", j->text);
  die(PG_EXIT_CANNOT, "%s: %s", file, strerror(error));
}

static char *command_file(const char *command) {
  struct stat st;
  struct statvfs fs;
  bool denied = false;
  char *file = strchr(command, '/') ? must_dup(command) : find_command(command, getenv("PATH"), &denied);
  if (!file || !*command)
    die(denied ? PG_EXIT_CANNOT : PG_EXIT_NOT_FOUND, "%s: %s", command, denied ? "not executable" : "not found");
  if (stat(file, &st) < 0) {
    if (errno == ENOENT || errno == ENOTDIR)
      die(PG_EXIT_NOT_FOUND, "%s: not found", command);
    die(PG_EXIT_CANNOT, "%s: %s", command, strerror(errno));
  }
  if (S_ISDIR(st.st_mode))
    die(PG_EXIT_CANNOT, "%s: is a directory", command);
  if (st.st_mode & 0111 && statvfs(file, &fs) == 0 && (fs.f_flag & ST_NOEXEC))
    die(PG_EXIT_CANNOT, "%s: its file system is mounted noexec", command);
  if (faccessat(AT_FDCWD, file, X_OK, AT_EACCESS) < 0)
    die(PG_EXIT_CANNOT, "%s: not executable", command);
  return file;
}

int tool_run(int argc, char **argv) {
  int at = read_options(argv);
  if (at >= argc)
    die(PG_EXIT_TROUBLE, "no command was given (see --help)");
  char **command = argv + at, *file = command_file(command[0]);
  struct object object = object_find();
  struct judgement j = judge(file, &object, JUDGE_CALLER);
  if (j.verdict == JUDGED_CUT || j.verdict == JUDGED_DAMAGED)
    die(PG_EXIT_CANNOT, "%s", j.text); /* the kernel would kill it, or refuse it */
  if (!verdict_protects(j.verdict)) {
    if (options.strict)
      die(PG_EXIT_CANNOT, "refused: %s", j.text);
    say("NOT protected: %s", j.text);
  }
  export_options();
  if (j.verdict != JUDGED_LIBC)
    preload(object.path);
  execve(file, command, environ);
  int error = errno;
  if (error == ENOEXEC && strcmp(file, j.program) != 0) { /* a script, see JUDGE_SHELL */
    char **shell = must_alloc(NULL, sizeof *shell * (size_t)(argc - at + 2));
    shell[0] = JUDGE_SHELL;
    shell[1] = file;
    memcpy(shell + 2, command + 1, sizeof *shell * (size_t)(argc - at)); /* with the NULL */
    execve(shell[0], shell, environ);
    die(PG_EXIT_CANNOT, "%s: %s: %s", file, shell[0], strerror(errno));
  }
  explain(file, error, &j);
}

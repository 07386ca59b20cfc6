/* SPDX-License-Identifier: MIT */
/* The log of a user that must not be trusted. The test shows what a set-user-id program leaves in the environment, and
 * which files the log is written to. Arguments: the programs `puppet` and `secure`. */
#define _GNU_SOURCE
#include "dialogue.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define NOBODY 65534

static const char *secure_program;
static char directory[] = "/tmp/pidguard-secure-XXXXXX";

static const char *path_of(const char *name) {
  static char path[4][256];
  static unsigned turn;
  char *at = path[turn++ % 4];
  snprintf(at, sizeof *path, "%s/%s", directory, name);
  return at;
}

static long size_of(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0 ? (long)st.st_size : -1;
}

static bool make_file(const char *path, mode_t mode) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  bool made = fd >= 0 && fchmod(fd, mode) == 0;
  if (fd >= 0)
    close(fd);
  return PG_CHECK(made, "cannot make %s: errno %d", path, errno);
}

/* Makes a copy of a file with these rights. */
static bool copy_program(const char *from, const char *to, mode_t mode) {
  char bytes[65536];
  int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
  ssize_t n = -1;
  while (in >= 0 && out >= 0 && (n = read(in, bytes, sizeof bytes)) > 0)
    if (write(out, bytes, (size_t)n) != n)
      break;
  bool done = n == 0 && fchmod(out, mode) == 0;
  close(in);
  close(out);
  return PG_CHECK(done, "cannot copy %s: errno %d", from, errno);
}

/* Runs a program as the user nobody, with an environment that asks for a log of everything. */
static void run_as_nobody(const char *program, const char *log, struct pg_test_outcome *ret) {
  char setting[300], libraries[300];
  snprintf(setting, sizeof setting, "PIDGUARD_LOG=%s", log);
  /* The user nobody may have no access to the build. */
  snprintf(libraries, sizeof libraries, "LD_LIBRARY_PATH=%s", directory);
  const char *const argv[] = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, NULL},
                    *const env[] = {setting,
                                    libraries,
                                    "PIDGUARD_DEBUG=debug",
                                    "PIDGUARD_SUMMARY=1",
                                    "PIDGUARD_MODE=off /bin/evil",
                                    "PIDGUARD_NO_SUCH=1",
                                    NULL};
  struct pg_test_command command = {.argv = argv, .env = env};
  pg_test_run(&command, ret);
}

/* Removes the variables of the script that runs the tests. They are not counted. */
static void forget_variables(void) {
  static const char *const names[] = {"PIDGUARD_WERROR", "PIDGUARD_SANITIZE", "PIDGUARD_BUILD_DIR",
                                      "PIDGUARD_TEST_JOBS"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    unsetenv(names[i]);
}

static void set_user_id(void) {
  struct statvfs fs;
  struct pg_test_outcome outcome;
  forget_variables();
  const char *privileged = path_of("privileged"), *plain = path_of("plain"), *log = path_of("log");
  char object[256];
  snprintf(object, sizeof object, "%s/libpidguard-preload.so.0", directory);
  if (geteuid() != 0 || chown(directory, 0, NOBODY) != 0) {
    pg_test_skip("only root can make a set-user-id program of another user");
    return;
  }
  if (statvfs(directory, &fs) != 0 || (fs.f_flag & ST_NOSUID)) {
    pg_test_skip("/tmp is mounted nosuid");
    return;
  }
  if (!pg_test_installed("setpriv")) {
    pg_test_skip("setpriv is not installed");
    return;
  }
  chmod(directory, 0775); /* the user nobody may write here, too, because the halves would differ otherwise */
  if (copy_program(secure_program, privileged, 04755) && copy_program(secure_program, plain, 0755) &&
      copy_program(pg_test_preload(), object, 0755)) {
    run_as_nobody(privileged, log, &outcome);
    PG_CHECK(pg_test_exited(&outcome, 0) && strcmp(outcome.out, "0 found\n0 found\n") == 0 && !outcome.err[0],
             "set-user-id: status %#x, \"%s\" \"%s\"", (unsigned)outcome.status, outcome.out, outcome.err);
    PG_CHECK(size_of(log) < 0, "the set-user-id program made a file for its caller");
    pg_test_outcome_free(&outcome);
    unlink(log);
    /* The refusal is for the bit alone. */
    run_as_nobody(plain, log, &outcome);
    PG_CHECK(pg_test_exited(&outcome, 0) && strcmp(outcome.out, "5 found\n5 found\n") == 0 && size_of(log) > 0,
             "without the bit: status %#x, \"%s\" \"%s\"", (unsigned)outcome.status, outcome.out, outcome.err);
    pg_test_outcome_free(&outcome);
  }
  unlink(log);
  unlink(privileged);
  unlink(plain);
  unlink(object);
  chmod(directory, 0700);
}

/* The puppet makes a child. Returns what the puppet says on stderr. */
static void log_to(const char *log, const char *more, struct pg_test_outcome *ret) {
  char setting[300];
  struct pg_test_process puppet;
  snprintf(setting, sizeof setting, "PIDGUARD_LOG=%s", log);
  const char *const env[] = {setting, "PIDGUARD_DEBUG=info", more, NULL};
  memset(ret, 0, sizeof *ret);
  if (!puppet_start(&puppet, pg_test_preload(), env, NULL))
    return;
  int child = puppet_reaped_child(&puppet);
  PG_CHECK(child > 1, "no child");
  puppet_finish(&puppet, ret);
}

static void refused(const char *log, const char *touched, const char *why) {
  struct pg_test_outcome outcome;
  long before = size_of(touched);
  log_to(log, NULL, &outcome);
  PG_CHECK(size_of(touched) == before, "%s was written to: %ld bytes, then %ld", touched, before, size_of(touched));
  PG_CHECK(outcome.err && strstr(outcome.err, "event=bad-environment") && strstr(outcome.err, why) &&
               strstr(outcome.err, " event=birth "),
           "%s: the log must say why (%s), and go to stderr: \"%.600s\"", log, why, outcome.err ? outcome.err : "");
  pg_test_outcome_free(&outcome);
}

static void refused_files(void) {
  const char *file = path_of("file"), *link = path_of("link");
  if (!make_file(file, 0600))
    return;
  PG_CHECK(symlink(file, link) == 0, "symlink");
  refused(link, file, "result=ELOOP");
  unlink(link);
  PG_CHECK(symlink(path_of("nothing"), link) == 0, "symlink");
  refused(link, path_of("nothing"), "result=ELOOP");
  unlink(link);
  if (linkat(AT_FDCWD, file, AT_FDCWD, link, 0) == 0)
    refused(link, file, "why=has-links");
  else
    pg_test_skip("no hard links in /tmp: %s", strerror(errno));
  unlink(link);
  if (geteuid() == 0 && chown(file, NOBODY, NOBODY) == 0)
    refused(file, file, "why=not-ours");
  else
    pg_test_skip("only root can make a file of another user");
  unlink(file);
}

/* The name of the log contains the PID of a process. */
static void refused_directories(void) {
  static const struct {
    mode_t mode;
    gid_t group;
    const char *why;
  } table[] = {{0700, 0, NULL},
               {0755, 0, NULL},
               {01777, 0, "directory-open-to-others"},
               {0702, 0, "directory-open-to-others"},
               {0770, 0, NULL},
               {0770, NOBODY, "directory-open-to-others"}};
  const char *inside = path_of("inside");
  char log[300];
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    gid_t group = table[i].group ? table[i].group : getegid();
    if (!PG_CHECK(mkdir(inside, 0700) == 0, "mkdir"))
      return;
    if (chown(inside, (uid_t)-1, group) != 0) {
      pg_test_skip("this user cannot make a directory of another group");
    } else if (PG_CHECK(chmod(inside, table[i].mode) == 0, "chmod")) {
      snprintf(log, sizeof log, "%s/x.%%p", inside);
      if (table[i].why) {
        refused(log, inside, table[i].why);
      } else {
        struct pg_test_outcome outcome;
        log_to(log, NULL, &outcome);
        PG_CHECK(outcome.err && !outcome.err[0], "mode %o: \"%s\"", (unsigned)table[i].mode, outcome.err);
        pg_test_outcome_free(&outcome);
      }
    }
    const char *const argv[] = {"rm", "-r", inside, NULL};
    struct pg_test_command command = {.argv = argv};
    struct pg_test_outcome outcome;
    pg_test_run(&command, &outcome);
    pg_test_outcome_free(&outcome);
  }
}

/* Only the user can read the log, and it contains no word of the environment. */
static void what_is_written(void) {
  const char *file = path_of("file");
  struct pg_test_outcome outcome;
  struct stat st = {.st_mode = 0};
  char text[8192] = "";
  mode_t mask = umask(0);
  log_to(file, "PIDGUARD_MODE=/bin/evil command", &outcome);
  umask(mask);
  PG_CHECK(stat(file, &st) == 0 && (st.st_mode & 07777) == 0600, "mode %o", (unsigned)st.st_mode);
  FILE *in = fopen(file, "re");
  if (PG_CHECK(in, "no %s", file)) {
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
  }
  PG_CHECK(strstr(text, "variable=PIDGUARD_MODE") && strstr(text, " event=birth "), "\"%s\"", text);
  PG_CHECK(!strstr(text, "evil"), "the caller's text is in it: \"%s\"", text);
  PG_CHECK(outcome.err && !outcome.err[0], "stderr: \"%s\"", outcome.err);
  pg_test_outcome_free(&outcome);
  unlink(file);
}

static void fifo(void) {
  const char *file = path_of("fifo");
  struct pg_test_outcome outcome;
  char text[8192] = "";
  int reader = mkfifo(file, 0600) == 0 ? open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
  if (PG_CHECK(reader >= 0, "no FIFO: errno %d", errno)) {
    log_to(file, NULL, &outcome);
    ssize_t n = read(reader, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    PG_CHECK(strstr(text, " event=birth ") && outcome.err && !outcome.err[0], "\"%s\" \"%s\"", text, outcome.err);
    pg_test_outcome_free(&outcome);
    close(reader);
  }
  unlink(file);
}

static void remove_directory(void) { rmdir(directory); }

void pg_test_plan(int argc, char **argv) {
  if (argc != 3 || !mkdtemp(directory))
    return;
  atexit(remove_directory);
  puppet_path = argv[1];
  secure_program = argv[2];
  if (!pg_test_preload())
    pg_test_skip_all("there is no preload object to test");
  pg_test_add("secure", "set-user-id", set_user_id);
  pg_test_add("secure", "refused-files", refused_files);
  pg_test_add("secure", "refused-directories", refused_directories);
  pg_test_add("secure", "what-is-written", what_is_written);
  pg_test_add("secure", "fifo", fifo);
}

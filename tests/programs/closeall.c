/* SPDX-License-Identifier: MIT */
/* closeall FORM UNITS PLACE: a program closes every descriptor that it has, as daemons and servers do, and checks each
 * result. Afterwards it can still signal its children and wait for them. The PIDs of those that are gone are dead.
 * PLACE is parent, forked or vforked. It begins with threaded- where there is another thread. More words may follow a
 * plus. With eperm a filter refuses open_by_handle_at, as containers do. The word audit is for the test driver. Without
 * arguments the program lists the forms.
 *
 * Prints "did NAME NUMBER" and "bad NAME NUMBER" as `threads` does. An ordinary program: it knows nothing of pidguard.
 * Status 77: this cannot be shown here. */
#define _GNU_SOURCE
#include "../support/refuse.h"
#include "raw.h"
#include "strangers.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define CHILDREN_MAX 100
#define KEPT 4 /* all from here on are closed; the standard ones and the way to the strangers stay */
#define UNSHARE 2u
#define CLOEXEC 4u

/* These counts are in memory that forked children share. */
struct counts {
  _Atomic unsigned long closed, kills, stale;
  _Atomic unsigned long close_failed, left, kill_failed, wait_failed, wait_wrong, stale_passed, fork_failed;
};
static struct counts *counts;
#define DID_ONE(name) ((void)atomic_fetch_add(&counts->name, 1))
#define EXPECT(condition, name) ((condition) ? (void)0 : DID_ONE(name))

static pid_t children[CHILDREN_MAX], gone;
static int count;

/* ---- Forms ---- */

struct entry { /* struct linux_dirent64 */
  uint64_t ino;
  int64_t off;
  unsigned short length;
  unsigned char type;
  char name[];
};

/* What /proc/self/fd lists from KEPT on, without the descriptor that reads it. */
static int list(int *numbers, int max) {
  char buffer[4096] __attribute__((aligned(8)));
  int found = 0, dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  long n;
  while ((n = raw_call(SYS_getdents64, dir, (long)buffer, sizeof buffer, 0, 0)) > 0)
    for (long at = 0; at < n; at += ((struct entry *)(void *)(buffer + at))->length) {
      int fd = atoi(((struct entry *)(void *)(buffer + at))->name);
      if (fd >= KEPT && fd != dir && found < max)
        numbers[found++] = fd;
    }
  close(dir);
  return found;
}

static void close_one(int fd) {
  EXPECT(close(fd) == 0, close_failed);
  DID_ONE(closed);
}

static void by_list(void) {
  int numbers[1024], n = list(numbers, 1024);
  for (int i = 0; i < n; i++)
    close_one(numbers[i]);
}

static void by_list_downwards(void) {
  int numbers[1024], n = list(numbers, 1024);
  while (n-- > 0)
    close_one(numbers[n]);
}

/* Closes every number that F_GETFD says is open. */
static void by_getfd(void) {
  for (int fd = KEPT; fd < 4096; fd++)
    if (fcntl(fd, F_GETFD) >= 0)
      close_one(fd);
}

static void by_closefrom(void) {
  void (*from)(int) = (void (*)(int))(uintptr_t)dlsym(RTLD_DEFAULT, "closefrom");
  if (from)
    from(KEPT);
  else
    by_list();
  DID_ONE(closed);
}

static void range(unsigned flags) {
  int (*libc)(unsigned, unsigned, int) =
      (int (*)(unsigned, unsigned, int))(uintptr_t)dlsym(RTLD_DEFAULT, "close_range");
  long r = libc ? libc(KEPT, ~0u, (int)flags) : syscall(SYS_close_range, KEPT, ~0u, flags);
  if (r != 0 && (errno == ENOSYS || errno == EINVAL))
    by_list();
  else
    EXPECT(r == 0, close_failed);
  DID_ONE(closed);
}
static void by_range(void) { range(0); }
static void by_range_unshare(void) { range(UNSHARE); }
static void by_range_cloexec(void) { range(CLOEXEC); }

/* These two go past libc's names for the call, so the shim may not be told. */
static void by_syscall(void) {
  if (syscall(SYS_close_range, KEPT, ~0u, 0) != 0)
    by_list();
  DID_ONE(closed);
}
static void by_instruction(void) {
  if (raw_call(SYS_close_range, KEPT, ~0u, 0, 0, 0) != 0)
    by_list();
  DID_ONE(closed);
}

static const struct form {
  const char *name;
  void (*close)(void);
  int stays; /* the descriptors are open until an exec */
} forms[] = {
    {"listed", by_list, 0},
    {"listed-downwards", by_list_downwards, 0},
    {"getfd", by_getfd, 0},
    {"closefrom", by_closefrom, 0},
    {"range", by_range, 0},
    {"range-unshare", by_range_unshare, 0},
    {"range-cloexec", by_range_cloexec, 1},
    {"syscall", by_syscall, 0},
    {"instruction", by_instruction, 0},
};
static const struct form *form;

static void close_all(void) {
  int numbers[8];
  form->close();
  if (!form->stays)
    EXPECT(list(numbers, 8) == 0, left);
}

/* ---- Children ---- */

static pid_t make(int code) {
  pid_t pid = fork();
  if (pid == 0 && code >= 0)
    _exit(code);
  while (pid == 0)
    pause();
  return pid;
}

static void reap(pid_t pid, int expected) {
  int status = 0;
  pid_t got = waitpid(pid, &status, 0);
  EXPECT(got > 0, wait_failed);
  EXPECT(got < 0 || (got == pid && status == expected), wait_wrong);
}

static void kill_stale(pid_t pid) {
  DID_ONE(stale);
  EXPECT(pid > 1 && kill(pid, SIGUSR1) == -1 && errno == ESRCH, stale_passed);
}

static void check_living(void) {
  for (int i = 0; i < count; i++) {
    EXPECT(kill(children[i], 0) == 0, kill_failed);
    DID_ONE(kills);
  }
  EXPECT(kill(-children[0], 0) == 0, kill_failed); /* the pidfd of a group's leader is kept over forks */
  kill_stale(gone);
}

static void check_stale(pid_t pid) {
  if (pid > 1 && stranger_take(pid, STRANGER_NUMBER) == pid) {
    kill_stale(pid);
    stranger_end(pid, STRANGER_NUMBER);
  }
}

/* Only the parent of all children calls this. It polls, signals and reaps each of them. */
static void check_children(void) {
  check_living();
  for (int i = 0; i < count; i++) {
    EXPECT(waitpid(children[i], NULL, WNOHANG) == 0, wait_wrong);
    int sig = i % 2 ? SIGTERM : SIGKILL;
    if (kill(children[i], sig) == 0) {
      reap(children[i], sig);
    } else {
      DID_ONE(kill_failed);
      raw_call(SYS_kill, children[i], SIGKILL, 0, 0, 0);
    }
    if (i % 32 == 0)
      check_stale(children[i]);
  }
}

/* Checks a child that is made after everything was closed. */
static void check_new(void) {
  pid_t pid = make(-1);
  if (pid <= 1) {
    DID_ONE(fork_failed);
    return;
  }
  EXPECT(kill(pid, SIGTERM) == 0, kill_failed);
  reap(pid, SIGTERM);
  check_stale(pid);
}

/* ---- Places ---- */

static void in_parent(void) {
  close_all();
  check_new();
}

static void in_forked(void) {
  pid_t pid = fork();
  if (pid == 0) {
    close_all();
    check_living();
    check_new();
    close_all();
    check_living();
    _exit(3);
  }
  reap(pid, 3 << 8);
}

/* A vfork child has its own descriptors, but the memory of its parent. */
static void in_vforked(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    close_all();
    check_living();
    _exit(3);
  }
  reap(pid, 3 << 8);
}

static void *other_thread(void *arg) {
  for (;;)
    pause();
  return arg;
}

static void play(void (*place)(void), int number) {
  gone = make(3);
  reap(gone, 3 << 8);
  if (stranger_take(gone, STRANGER_NUMBER) != gone)
    exit(2);
  for (count = 0; count < number; count++)
    if ((children[count] = make(-1)) <= 1)
      exit(2);
  if (setpgid(children[0], children[0]) != 0)
    exit(2);
  for (int i = 0; i < 3; i++)
    open("/dev/null", O_RDONLY | O_CLOEXEC); /* the form closes these */
  check_living();
  place();
  check_children();
  stranger_end(gone, STRANGER_NUMBER);
}

int main(int argc, char **argv) {
  strangers_main(argc, argv);
  form = forms;
  if (argc < 4) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
      puts(forms[i].name);
    return 0;
  }
  while (form < forms + sizeof forms / sizeof *forms && strcmp(form->name, argv[1]) != 0)
    form++;
  void (*place)(void) = strstr(argv[3], "vforked") ? in_vforked : strstr(argv[3], "forked") ? in_forked : in_parent;
  if (form == forms + sizeof forms / sizeof *forms)
    return 2;
  if (place == in_vforked && !RAW_MAY_BE_SEEN) {
    fputs("nobody sees vfork() here", stderr);
    return 77;
  }
  counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  strangers_start();
  strangers_move(KEPT - 1);
  pthread_t thread;
  if (strstr(argv[3], "threaded") && pthread_create(&thread, NULL, other_thread, NULL) != 0)
    return 2;
  if (strstr(argv[3], "eperm") && !refuse(SYS_open_by_handle_at, EPERM)) {
    fprintf(stderr, "closeall: no filter can be installed here\n");
    return 77;
  }
  for (int i = atoi(argv[2]); i > 0; i--) {
    play(place, 3);
    play(place, CHILDREN_MAX);
  }
  strangers_stop();
  printf("did closed %lu\ndid kills %lu\ndid stale %lu\n", counts->closed, counts->kills, counts->stale);
  printf("bad stale_hit %u\nbad stale_passed %lu\n", strangers_hit(STRANGER_NUMBER), counts->stale_passed);
  printf("bad close_failed %lu\nbad left %lu\nbad kill_failed %lu\n", counts->close_failed, counts->left,
         counts->kill_failed);
  printf("bad wait_failed %lu\nbad wait_wrong %lu\nbad fork_failed %lu\n", counts->wait_failed, counts->wait_wrong,
         counts->fork_failed);
  return 0;
}

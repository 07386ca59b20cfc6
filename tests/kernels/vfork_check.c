/* SPDX-License-Identifier: MIT */
/* What a vfork must do. The child runs first, in the parent's memory; the parent gets its PID; the stack and the
 * registers are as they were. The checks need no CUnit, exec or pidfds, so that they run in a user-mode emulator. The
 * program prints a line for each check. Its status is the number of checks that failed. With the argument `as-fork` it
 * checks neither order nor memory, because user-mode emulators make a fork of vfork. It is an ordinary program that
 * knows nothing of pidguard. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed;
static volatile int shared;

static void check(const char *what, int good, int of) {
  printf("%s %s: %d of %d\n", good == of ? "PASS" : "FAIL", what, good, of);
  failed += good != of;
}

static int code_of(pid_t pid) {
  int status = 0;
  return pid > 1 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A pipe shows the order, and it needs no shared memory. */
static int child_first(void) {
  int way[2];
  volatile int good = 0;
  for (volatile int i = 0; i < 200; i++) {
    char text[3] = "";
    if (pipe(way) != 0)
      return -1;
    pid_t pid = vfork();
    if (pid == 0) {
      usleep(500);
      _exit(write(way[1], "c", 1) == 1 ? 0 : 1);
    }
    if (write(way[1], "p", 1) != 1 || read(way[0], text, 2) != 2)
      text[0] = '?';
    good += strcmp(text, "cp") == 0 && code_of(pid) == 0;
    close(way[0]);
    close(way[1]);
  }
  return good;
}

static int memory(void) {
  volatile int good = 0;
  for (volatile int i = 1; i <= 200; i++) {
    volatile int local = 0;
    pid_t pid = vfork();
    if (pid == 0) {
      shared = i;
      local = -i;
      _exit(0);
    }
    good += shared == i && local == -i && code_of(pid) == 0;
  }
  return good;
}

static int rounds(int n) {
  volatile int good = 0;
  for (volatile int i = 0; i < n; i++) {
    pid_t pid = vfork();
    if (pid == 0)
      _exit(i & 127);
    good += code_of(pid) == (i & 127);
  }
  return good;
}

/* Calls much deeper than the parent did. What it leaves on the shared stack must not hurt. */
static __attribute__((noinline)) int dig(int depth) {
  volatile char room[512];
  memset((char *)room, depth, sizeof room);
  return depth ? dig(depth - 1) + room[7] : room[9];
}

static int nested(void) {
  volatile int good = 0;
  for (volatile int i = 0; i < 100; i++) {
    pid_t outer = vfork();
    if (outer == 0) {
      pid_t inner = vfork();
      if (inner == 0) {
        pid_t third = vfork();
        if (third == 0)
          _exit(dig(20) & 0 ? 1 : 7);
        _exit(code_of(third) == 7 ? 8 : 1);
      }
      _exit(code_of(inner) == 8 ? 9 : 1);
    }
    good += code_of(outer) == 9;
  }
  return good;
}

static __attribute__((noinline)) int kept(long a, long b, long c, long d, double x, double y) {
  long e = a * 3 + b, f = c * 5 - d, g = e ^ f, h = a + b * c, i = d - h;
  double u = x * 3 + y, v = y * 7 - x;
  pid_t pid = vfork();
  if (pid == 0)
    _exit((dig(8) & 0) + 3);
  int code = code_of(pid);
  return code == 3 && e == a * 3 + b && f == c * 5 - d && g == (e ^ f) && h == a + b * c && i == d - h &&
         u == x * 3 + y && v == y * 7 - x;
}

static int registers(void) {
  volatile int good = 0;
  for (int i = 0; i < 100; i++)
    good += kept(i, i + 7, i * 11, -i, i * 0.5, i + 0.25);
  return good;
}

static void *thread_main(void *result) {
  *(int *)result = rounds(100);
  return NULL;
}

static int threads(void) {
  pthread_t thread[4];
  int result[4] = {0}, good = 0, started = 0;
  while (started < 4 && pthread_create(&thread[started], NULL, thread_main, &result[started]) == 0)
    started++;
  for (int i = 0; i < started; i++) {
    pthread_join(thread[i], NULL);
    good += result[i];
  }
  return good;
}

/* On success vfork must not change errno, and the parent must not be its own child. */
static int answers(void) {
  volatile int good = 0;
  pid_t self = getpid();
  for (volatile int i = 0; i < 100; i++) {
    errno = 999;
    pid_t pid = vfork();
    if (pid == 0)
      _exit(getppid() == self ? 5 : 6);
    good += errno == 999 && pid > 1 && pid != self && getpid() == self && code_of(pid) == 5 && kill(pid, 0) == -1;
  }
  return good;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc < 2 || strcmp(argv[1], "as-fork") != 0) {
    check("child first", child_first(), 200);
    check("shared memory", memory(), 200);
  }
  check("return value and errno", answers(), 100);
  check("nested three deep", nested(), 100);
  check("registers", registers(), 100);
  check("threads", threads(), 400);
  check("rounds", rounds(5000), 5000);
  return failed;
}

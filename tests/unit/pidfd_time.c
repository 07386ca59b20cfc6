/* SPDX-License-Identifier: MIT */
/* Time limits, the smallest and the largest, and signal handlers during a wait without a limit. */
#include "pidfd_support.h"

#include <limits.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int body_sleep(void *ms) {
  sleep_ms(*(int *)ms);
  return 0;
}

/* A wait for a child without a limit is waitid(2), which goes on after a handler with SA_RESTART. */
static volatile sig_atomic_t alarms;

static void count_alarm(int sig) {
  (void)sig;
  alarms++;
}

static void restarted(void) {
  int ms = 150;
  struct sigaction action = {.sa_handler = count_alarm, .sa_flags = SA_RESTART};
  struct itimerval often = {.it_value = {.tv_usec = 20000}, .it_interval = {.tv_usec = 20000}}, never = {0};
  for (int form = 0; form < 2; form++) {
    int status = -1;
    siginfo_t si;
    struct child c = child_running(body_sleep, &ms);
    sigaction(SIGALRM, &action, NULL);
    alarms = 0;
    setitimer(ITIMER_REAL, &often, NULL);
    CHECK_EQ(form ? pidguard_pidfd_waitid(c.fd, &si, WEXITED, NULL, -1) : pidguard_pidfd_wait(c.fd, &status, -1), 0);
    setitimer(ITIMER_REAL, &never, NULL);
    signal(SIGALRM, SIG_DFL);
    PG_CHECK(alarms > 1, "%d alarms", (int)alarms);
    child_done(&c);
  }
}

/* The largest and the smallest limits that there are. */
static void limits(void) {
  const int wait_not[] = {0, 1}, wait_long[] = {INT_MAX, INT_MIN, -1};
  struct child c = child_paused();
  for (size_t i = 0; i < 2; i++)
    CHECK_ERRNO(pidguard_pidfd_wait(c.fd, NULL, wait_not[i]), ETIMEDOUT);
  pidguard_pidfd_send_signal(c.fd, SIGKILL, 0);
  for (size_t i = 0; i < 3; i++) {
    CHECK_EQ(pidguard_pidfd_wait_end(c.fd, wait_long[i]), 0);
    CHECK_EQ(pidguard_pidfd_waitid(c.fd, NULL, WEXITED | WNOWAIT, NULL, wait_long[i]), 0);
    int set = pidguard_set_create();
    int ready = -1;
    CHECK_EQ(pidguard_set_add(set, c.fd), 0);
    CHECK_EQ(pidguard_set_wait(set, &ready, INT_MAX, pidguard_deadline(wait_long[i])), 1);
    CHECK_EQ(ready, c.fd);
    close(set);
    CHECK_EQ(pidguard_pidfd_terminate(c.fd, wait_long[i], 0), 0);
  }
  CHECK_EQ(pidguard_pidfd_wait(c.fd, NULL, INT_MAX), 0);
  child_done(&c);
}

void pg_test_plan(int argc, char **argv) {
  (void)argc;
  (void)argv;
  add("restarted", restarted);
  add("limits", limits);
}

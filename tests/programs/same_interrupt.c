/* SPDX-License-Identifier: MIT */
/* Waits that a signal, a cancellation or a siglongjmp interrupts, with and without SA_RESTART. After each, the child
 * can still be waited for. */
#define _GNU_SOURCE
#include "../support/slowness.h"
#include "cases.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define PIDFD_ID ((idtype_t)3)

/* Every form of wait. Those for one child take `pid`, or the global pidfd. */
enum { FORMS = 9 };
static int the_pidfd = -1;
static const char *const form_names[FORMS] = {"wait",  "waitpid",    "waitpid-any", "waitpid-own-group", "wait3",
                                              "wait4", "waitid-pid", "waitid-all",  "waitid-pidfd"};
static pid_t wait_form(int form, pid_t pid, int options) {
  struct rusage usage;
  siginfo_t info = {.si_pid = 0};
  int status;
  switch (form) {
  case 0:
    return options ? waitpid(-1, &status, options) : wait(&status);
  case 1:
    return waitpid(pid, &status, options);
  case 2:
    return waitpid(-1, &status, options);
  case 3:
    return waitpid(0, &status, options);
  case 4:
    return wait3(&status, options, &usage);
  case 5:
    return wait4(pid, &status, options, &usage);
  case 6:
    return waitid(P_PID, (id_t)pid, &info, WEXITED | options) == 0 ? info.si_pid : -1;
  case 7:
    return waitid(P_ALL, 0, &info, WEXITED | options) == 0 ? info.si_pid : -1;
  default:
    return waitid(PIDFD_ID, (id_t)the_pidfd, &info, WEXITED | options) == 0 ? info.si_pid : -1;
  }
}

static void open_pidfd(pid_t pid) {
  the_pidfd = (int)syscall(434 /* pidfd_open */, pid, 0);
  if (the_pidfd < 0)
    skip("this kernel has no pidfd_open");
}

static void on_alarm(int sig) { (void)sig; }

/* The alarm repeats, so that one that comes too early does no harm. On an emulator it comes later, because it takes
 * longer to get into the wait. */
static void alarm_every(int us) {
  us *= slowness();
  struct itimerval timer = {.it_interval = {.tv_usec = us}, .it_value = {.tv_usec = us}};
  MUST(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void handle_alarm(void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  MUST(sigaction(SIGALRM, &action, NULL) == 0);
}

static void interrupted(void) {
  handle_alarm(on_alarm, 0);
  for (int form = 0; form < FORMS; form++) {
    pid_t pid = fork_pausing();
    open_pidfd(pid);
    alarm_every(2000);
    for (int round = 0; round < 5; round++) {
      errno = UNTOUCHED;
      pid_t got = wait_form(form, pid, 0);
      note("%s: %s", form_names[form], wait_text(got, pid));
    }
    alarm_every(0);
    MUST(kill_ok(pid, SIGKILL) == 0);
    errno = UNTOUCHED;
    pid_t got = wait_form(form, pid, 0);
    note("  then: %s", wait_text(got, pid));
    close(the_pidfd);
  }
}

/* The child ends after some alarms of its parent. */
enum { ALARMS = 20 };
static volatile int *alarms;
static void count_alarm(int sig) {
  (void)sig;
  ++*alarms;
}

static void restarted(void) {
  alarms = mmap(NULL, sizeof *alarms, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  MUST(alarms != MAP_FAILED);
  handle_alarm(count_alarm, SA_RESTART);
  for (int form = 0; form < FORMS; form++) {
    *alarms = 0;
    pid_t pid = fork_ok();
    if (pid == 0) {
      for (int ms = 0; ms < 60000 && *alarms < ALARMS; ms++)
        sleep_ms(1);
      _exit(4);
    }
    open_pidfd(pid);
    alarm_every(2000);
    errno = UNTOUCHED;
    pid_t got = wait_form(form, pid, 0);
    alarm_every(0);
    note("%s: %s, alarms %d", form_names[form], wait_text(got, pid), *alarms >= ALARMS);
    close(the_pidfd);
  }
}

/* The SIGCHLD of the very child that ends a wait does not make it fail with EINTR. */
static void on_child(int sig) { (void)sig; }
static void own_sigchld(void) {
  struct sigaction action = {.sa_handler = on_child};
  MUST(sigaction(SIGCHLD, &action, NULL) == 0);
  for (int form = 0; form < FORMS; form++) {
    int children = 0;
    for (int round = 0; round < 40; round++) {
      pid_t pid = fork_ok();
      if (pid == 0) {
        usleep(round % 4 * 100);
        _exit(0);
      }
      open_pidfd(pid);
      children += wait_form(form, pid, 0) == pid;
      close(the_pidfd);
    }
    note("%s: %d", form_names[form], children);
  }
}

struct cancel {
  int form, options;
  pid_t pid;
  bool pending, disabled;
  int cleaned;
  pid_t got;
};

static void cleanup(void *argument) { ((struct cancel *)argument)->cleaned++; }

static void *cancel_main(void *argument) {
  struct cancel *cancel = argument;
  int old;
  pthread_cleanup_push(cleanup, cancel);
  if (cancel->disabled)
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
  if (cancel->pending)
    pthread_cancel(pthread_self());
  cancel->got = wait_form(cancel->form, cancel->pid, cancel->options);
  pthread_cleanup_pop(0);
  return NULL;
}

/* musl's wait3 and wait4 are no cancellation points. A thread that waits there for good cannot be joined. */
static bool is_point(int form) {
#ifdef __GLIBC__
  (void)form;
  return true;
#else
  return form != 4 && form != 5;
#endif
}

/* The thread is blocked in a wait when the request comes. */
static void cancelled(void) {
  for (int form = 0; form < FORMS; form++) {
    if (!is_point(form))
      continue;
    pid_t pid = fork_pausing();
    open_pidfd(pid);
    struct cancel cancel = {.form = form, .pid = pid, .got = -7};
    pthread_t thread;
    void *result;
    MUST(pthread_create(&thread, NULL, cancel_main, &cancel) == 0);
    sleep_ms(5);
    MUST(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
    note("%s: cancelled %d, cleaned %d, got %d", form_names[form], result == PTHREAD_CANCELED, cancel.cleaned,
         (int)cancel.got);
    MUST(kill_ok(pid, SIGKILL) == 0);
    errno = UNTOUCHED;
    pid_t got = waitpid(pid, NULL, 0);
    note("  then: %s", wait_text(got, pid));
    close(the_pidfd);
  }
}

/* The request is there before the call. Each wait is a cancellation point even if it would not block. kill() is
 * none. */
static void cancel_pending(void) {
  for (int zombie = 0; zombie < 2; zombie++)
    for (int form = 0; form < FORMS; form++) {
      if (!is_point(form))
        continue;
      pid_t pid = zombie ? fork_exiting(0) : fork_pausing();
      if (zombie)
        await_zombie(pid);
      open_pidfd(pid);
      struct cancel cancel = {.form = form, .pid = pid, .options = WNOHANG, .pending = true, .got = -7};
      pthread_t thread;
      void *result;
      MUST(pthread_create(&thread, NULL, cancel_main, &cancel) == 0 && pthread_join(thread, &result) == 0);
      note("%s: cancelled %d, cleaned %d, got %d", form_names[form], result == PTHREAD_CANCELED, cancel.cleaned,
           (int)cancel.got);
      if (!zombie)
        MUST(kill_ok(pid, SIGKILL) == 0);
      errno = UNTOUCHED;
      pid_t got = waitpid(pid, NULL, 0);
      note("  then: %s", wait_text(got, pid));
      close(the_pidfd);
    }
}

static void cancel_disabled(void) {
  for (int form = 0; form < FORMS; form++) {
    pid_t pid = fork_ok();
    if (pid == 0) {
      sleep_ms(5);
      _exit(0);
    }
    open_pidfd(pid);
    struct cancel cancel = {.form = form, .pid = pid, .pending = true, .disabled = true};
    pthread_t thread;
    void *result;
    MUST(pthread_create(&thread, NULL, cancel_main, &cancel) == 0 && pthread_join(thread, &result) == 0);
    note("%s: cancelled %d, got child %d", form_names[form], result == PTHREAD_CANCELED, cancel.got == pid);
    close(the_pidfd);
  }
}

static void note_mask(void *unused) {
  sigset_t mask;
  (void)unused;
  MUST(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
  note("blocked %d", sigismember(&mask, SIGUSR1));
}

static void *close_main(void *unused) {
  pthread_cleanup_push(note_mask, NULL);
  pthread_cancel(pthread_self());
  close(1500);
  pthread_cleanup_pop(0);
  return unused;
}

/* A thread is cancelled in close() of a free number. Signals are not blocked then, and nothing is left locked. */
static void cancelled_in_close(void) {
  pthread_t thread;
  void *result;
  pid_t pid = fork_pausing();
  for (int i = 0; i < 3; i++)
    kill_ok(pid, 0);
  MUST(pthread_create(&thread, NULL, close_main, NULL) == 0 && pthread_join(thread, &result) == 0);
  note("cancelled %d", result == PTHREAD_CANCELED);
  finish(pid);
}

/* None of these is a cancellation point. */
static pid_t not_a_point_pid;
static int not_a_point_reached;
static void *not_a_point_main(void *unused) {
  pthread_cancel(pthread_self());
  kill_ok(not_a_point_pid, 0);
  sigqueue(not_a_point_pid, 0, (union sigval){.sival_int = 0});
  pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  not_a_point_reached = pid > 0;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  waitpid(pid, NULL, 0);
  return unused;
}

static void not_a_point(void) {
  pthread_t thread;
  void *result;
  not_a_point_pid = fork_pausing();
  MUST(pthread_create(&thread, NULL, not_a_point_main, NULL) == 0 && pthread_join(thread, &result) == 0);
  note("reached %d, cancelled %d", not_a_point_reached, result == PTHREAD_CANCELED);
  finish(not_a_point_pid);
}

static sigjmp_buf out;
static void jump_out(int sig) {
  (void)sig;
  siglongjmp(out, 1);
}

/* A handler leaves a blocking wait by siglongjmp, many times for the same child. */
static void jumped_out(void) {
  handle_alarm(jump_out, 0);
  for (int form = 0; form < FORMS; form++) {
    int before = count_descriptors();
    pid_t pid = fork_pausing();
    volatile int rounds = 0;
    open_pidfd(pid);
    if (sigsetjmp(out, 1) != 0)
      rounds++;
    if (rounds < 200) {
      alarm_every(300 + rounds % 7 * 30);
      wait_form(form, pid, 0);
      note("%s: came back", form_names[form]);
    }
    alarm_every(0);
    MUST(kill_ok(pid, SIGKILL) == 0);
    errno = UNTOUCHED;
    pid_t got = wait_form(form, pid, 0);
    close(the_pidfd);
    note("%s: %d rounds, then %s", form_names[form], rounds, wait_text(got, pid));
    errno = UNTOUCHED;
    int result = kill_ok(pid, 0);
    note("  kill: %s, descriptors left: %d", call_text(result), count_descriptors() - before);
  }
}

/* The type of cancellation is afterwards as it was. No other thread could cancel, so libc has no reason to change
 * it. */
static void type_after_jump(void) {
  handle_alarm(jump_out, 0);
  for (int form = 0; form < FORMS; form++) {
    volatile int jumped = 0;
    pid_t pid = fork_pausing();
    open_pidfd(pid);
    if (sigsetjmp(out, 1) != 0)
      jumped = 1;
    if (!jumped) {
      alarm_every(20000);
      wait_form(form, pid, 0);
    }
    alarm_every(0);
    int type = -1;
    MUST(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type) == 0);
    note("%s: jumped %d, %s", form_names[form], (int)jumped,
         type == PTHREAD_CANCEL_DEFERRED ? "deferred" : "asynchronous");
    close(the_pidfd);
    finish(pid);
  }
}

/* The handler jumps out of kill() and waitpid() at any moment. Nothing may be left locked. */
static void jumped_anywhere(void) {
  handle_alarm(jump_out, 0);
  pid_t pid = fork_pausing();
  volatile int rounds = 0;
  sigsetjmp(out, 1);
  if (rounds++ < 300) {
    alarm_every(100 + rounds % 13 * 10);
    for (;;) {
      kill_ok(pid, 0);
      waitpid(pid, NULL, WNOHANG);
    }
  }
  alarm_every(0);
  finish(pid);
  pid = fork_exiting(5);
  int status;
  MUST(waitpid(pid, &status, 0) == pid);
  note("%s, %s", rounds >= 300 ? "enough rounds" : "too few rounds", status_text(status));
}

/* The wait has reported a child that stopped. The handler of the same moment reaps another child, into the same status
 * word. */
static int one_word;
static volatile pid_t ended;
static void reap_into_one_word(int sig) {
  (void)sig;
  if (ended > 1 && waitpid(ended, &one_word, 0) == ended)
    ended = 0;
}

static void one_status_word(void) {
  struct sigaction action = {.sa_handler = reap_into_one_word, .sa_flags = SA_RESTART};
  ended = fork_exiting(5);
  MUST(waitid(P_PID, (id_t)ended, NULL, WEXITED | WNOWAIT) == 0 && sigaction(SIGCHLD, &action, NULL) == 0);
  pid_t pid = fork_ok();
  if (pid == 0) {
    sleep_ms(50);
    raise(SIGSTOP);
    for (;;)
      pause();
  }
  note("wait: %d", waitpid(pid, &one_word, WUNTRACED) == pid);
  note("the handler reaped: %s", ended == 0 ? status_text(one_word) : "nothing");
  note("kill: %d", kill_ok(pid, SIGCONT));
  MUST(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
  finish(pid);
}

const struct test_case cases[] = {
    {"interrupted", interrupted},
    {"restarted", restarted},
    {"own-sigchld", own_sigchld},
    {"cancelled", cancelled},
    {"cancel-pending", cancel_pending},
    {"cancel-disabled", cancel_disabled},
    {"cancelled-in-close", cancelled_in_close},
    {"not-a-cancellation-point", not_a_point},
    {"jumped-out", jumped_out},
    {"type-after-jump", type_after_jump},
    {"jumped-anywhere", jumped_anywhere},
    {"one-status-word", one_status_word},
    {NULL, NULL},
};

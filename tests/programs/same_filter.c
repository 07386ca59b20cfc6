/* SPDX-License-Identifier: MIT */
/* Programs of few kinds of system calls, for filters that know no others. With FILTER_LIST=FILE in the environment a
 * program installs such a filter itself, in the middle. FILTER_WAY names the way: prctl, syscall-prctl, syscall-seccomp
 * or none. Without FILTER_WAY the program marks the place for the recorder. */
#define _GNU_SOURCE
#include "cases.h"

#include "../support/refuse.h"
#include "bpf.h"
#include "raw.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

extern char **environ;

static void filter_here(void) {
  static bool allowed[BPF_NUMBERS];
  static struct sock_filter code[BPF_CODE_MAX];
  const char *list = getenv("FILTER_LIST"), *way = getenv("FILTER_WAY");
  if (!way) {
    raw_call(BPF_MARKER, 0, 0, 0, 0, 0);
    return;
  }
  if (!list || strcmp(way, "none") == 0)
    return;
  MUST(bpf_load_list(list, allowed));
  struct sock_fprog program = {(unsigned short)bpf_kill_others(allowed, code), code};
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  long result = -1;
  if (strcmp(way, "prctl") == 0)
    result = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  else if (strcmp(way, "syscall-prctl") == 0)
    result = syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
  else if (strcmp(way, "syscall-seccomp") == 0)
    result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
  MUST(result == 0);
}

/* Returns when the child has probably come to pause(), so that the recorder learns of that call. */
static pid_t fork_paused(void) {
  pid_t pid = fork_pausing();
  sleep_ms(20);
  return pid;
}

/* note() makes one write, and its descriptor is from before. Nothing else happens here that a case does not do. */
static void end_of(const char *what, pid_t result, pid_t pid, int status) {
  note("%s: %d %s", what, result == pid, status_text(status));
}

static void nothing(void) { filter_here(); }

/* A child from before the filter is signalled and waited for. There is no birth afterwards. */
static void kill_wait(void) {
  int status = 0;
  pid_t pid = fork_paused(), other = fork_exiting(3);
  filter_here();
  note("%s", call_text(kill_ok(pid, SIGTERM)));
  pid_t result = waitpid(pid, &status, 0);
  end_of("killed", result, pid, status);
  result = waitpid(-1, &status, 0);
  end_of("other", result, other, status);
  note("%s", call_text(kill_ok(pid, 0)));
  note("%s", wait_text(waitpid(pid, &status, WNOHANG), pid));
}

static void wait_only(void) {
  int status = 0;
  pid_t pid = fork_exiting(3), other = fork_exiting(4);
  filter_here();
  pid_t result = waitpid(pid, &status, 0);
  end_of("one", result, pid, status);
  result = wait(&status);
  end_of("other", result, other, status);
}

static void waitid_only(void) {
  siginfo_t info;
  pid_t pid = fork_exiting(3);
  filter_here();
  memset(&info, 0, sizeof info);
  int result = waitid(P_PID, (id_t)pid, &info, WEXITED);
  note("%d %s", result, siginfo_text(&info, pid));
}

static void fork_wait(void) {
  filter_here();
  for (int i = 0; i < 3; i++) {
    int status = 0;
    pid_t pid = fork_exiting(i);
    pid_t result = waitpid(pid, &status, 0);
    end_of("child", result, pid, status);
  }
}

static void fork_both(void) {
  int status = 0;
  pid_t early = fork_paused();
  filter_here();
  pid_t late = fork_paused();
  note("%s, %s", call_text(kill_ok(early, SIGTERM)), call_text(kill_ok(late, SIGKILL)));
  pid_t result = waitpid(early, &status, 0);
  end_of("early", result, early, status);
  result = waitpid(late, &status, 0);
  end_of("late", result, late, status);
  note("%s, %s", call_text(kill_ok(early, 0)), call_text(kill_ok(late, 0)));
}

static void vfork_wait(void) {
  filter_here();
  for (int i = 0; i < 3; i++) {
    int status = 0;
    pid_t pid = vfork();
    if (pid == 0)
      _exit(i);
    pid_t result = waitpid(pid, &status, 0);
    end_of("child", result, pid, status);
  }
}

static void vfork_waitid(void) {
  filter_here();
  siginfo_t info;
  memset(&info, 0, sizeof info);
  pid_t pid = vfork();
  if (pid == 0)
    _exit(5);
  int result = waitid(P_ALL, 0, &info, WEXITED);
  note("%d %s", result, siginfo_text(&info, pid));
}

static void spawn_wait(void) {
  char *argv[] = {(char *)"true", NULL};
  filter_here();
  for (int i = 0; i < 3; i++) {
    int status = 0;
    pid_t pid = -1;
    MUST(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0);
    pid_t result = waitpid(pid, &status, 0);
    end_of("child", result, pid, status);
  }
}

static void by_system(void) {
  filter_here();
  note("%s", status_text(system("exit 3")));
}

static void by_popen(void) {
  char text[16] = "";
  filter_here();
  FILE *file = popen("echo out", "r");
  MUST(file && fgets(text, sizeof text, file));
  note("%.3s %s", text, status_text(pclose(file)));
}

static void ignored(void) {
  pid_t pid = fork_paused();
  signal(SIGCHLD, SIG_IGN);
  filter_here();
  note("%s", call_text(kill_ok(pid, SIGTERM)));
  int status = 0;
  note("%s", wait_text(waitpid(pid, &status, 0), pid));
}

static void group(void) {
  int status = 0;
  pid_t pid = fork_paused();
  MUST(pid > 1 && setpgid(pid, pid) == 0);
  filter_here();
  note("%s", call_text(kill(-pid, SIGTERM)));
  pid_t result = waitpid(pid, &status, 0);
  end_of("leader", result, pid, status);
}

static void no_birth_at_all(void) {
  filter_here();
  note("%s", call_text(kill_ok(1 << 22, 0)));
  int status;
  note("%s", wait_text(waitpid(-1, &status, WNOHANG), 0));
}

static void descriptors(void) {
  pid_t pid = fork_paused();
  filter_here();
  int bad = 0;
  for (int fd = 3; fd < 1100; fd++)
    bad += close(fd) != -1 || errno != EBADF;
  for (int fd = 3; fd < 1000; fd++)
    bad += dup2(0, fd) != fd;
  note("bad %d, %s", bad, call_text(kill_ok(pid, SIGKILL)));
  int status = 0;
  pid_t result = waitpid(pid, &status, 0);
  end_of("child", result, pid, status);
}

static void *thread_main(void *unused) {
  int status = 0;
  pid_t pid = fork_exiting(6), result = waitpid(pid, &status, 0);
  end_of("of a thread", result, pid, status);
  return unused;
}
static void in_thread(void) {
  pthread_t thread;
  filter_here();
  MUST(pthread_create(&thread, NULL, thread_main, NULL) == 0);
  MUST(pthread_join(thread, NULL) == 0);
}

/* The program makes children and then calls exec under the filter. It keeps them, and must not be killed for looking
 * after them. */
static void then_exec(void) {
  char number[16];
  pid_t pid = fork_paused();
  snprintf(number, sizeof number, "%d", (int)pid);
  filter_here();
  execl("/proc/self/exe", "same_filter", "-after-exec", number, (char *)NULL);
  MUST(!"exec");
}
static void after_exec(void) {
  int status = 0;
  pid_t pid = atoi(case_arguments[0]);
  note("%s", call_text(kill_ok(pid, SIGTERM)));
  pid_t result = waitpid(pid, &status, 0);
  end_of("kept", result, pid, status);
  note("%s", call_text(kill_ok(pid, 0)));
}

/* ---- With filters of their own, for the calls' arguments ---- */

static struct sock_filter code[BPF_CODE_MAX];

/* The filter allows only the flags of libc's fork(). */
static void exact_fork(void) {
  int status = 0;
  pid_t early = fork_paused();
  struct sock_fprog program = {(unsigned short)bpf_one_clone(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, code),
                               code};
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
  pid_t pid = fork_exiting(3), result = waitpid(pid, &status, 0);
  end_of("child", result, pid, status);
  note("%s", call_text(kill_ok(early, SIGTERM)));
  result = waitpid(early, &status, 0);
  end_of("early", result, early, status);
  note("%s", call_text(kill_ok(pid, 0)));
}

/* Some calls wait for an answer of this process, which gives none. */
static void listener(void) {
  int status = 0;
  if (!RAW_MAY_BE_SEEN)
    skip("nobody sees syscall() here");
  pid_t early = fork_paused();
  struct sock_fprog program = {(unsigned short)bpf_ask_listener(code), code};
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) < 0)
    skip("this user cannot get a seccomp listener");
  pid_t pid = fork_exiting(3), result = waitpid(pid, &status, 0);
  end_of("child", result, pid, status);
  note("%s", call_text(kill_ok(early, SIGTERM)));
  result = waitpid(early, &status, 0);
  end_of("early", result, early, status);
}

static void answer_one(unsigned number, unsigned answer) { MUST(filter_call(number, answer)); }

/* The filter refuses signals by pidfds after the shim saw them work. */
static void signals_refused(void) {
  pid_t pid = fork_pausing(), leader = fork_pausing();
  int status = 0;
  MUST(pid > 1 && leader > 1 && setpgid(leader, leader) == 0);
  note("%d %d %s", getpgid(pid) == getpgid(0), getpgid(leader) == leader, call_text(kill(-leader, 0)));
  answer_one(SYS_pidfd_send_signal, SECCOMP_RET_ERRNO | EPERM);
  note("%s, %s", call_text(kill_ok(pid, SIGTERM)), call_text(kill(-leader, SIGTERM)));
  pid_t result = waitpid(pid, &status, 0);
  end_of("child", result, pid, status);
  result = waitpid(leader, &status, 0);
  end_of("leader", result, leader, status);
}

/* The shim must not do by other calls what the program may not do. */
static void kill_refused(void) {
  pid_t pid = fork_pausing();
  answer_one(SYS_wait4, SECCOMP_RET_ERRNO | EACCES);
  answer_one(SYS_kill, SECCOMP_RET_ERRNO | EPERM);
  note("%s, %s", call_text(kill_ok(pid, SIGTERM)), wait_text(waitpid(pid, NULL, WNOHANG), pid));
  note("%s", call_text((int)syscall(SYS_tgkill, pid, pid, SIGKILL)));
  await_zombie(pid);
  note("%s", wait_text(waitpid(pid, NULL, 0), pid));
}

/* The same for the other calls that signal, and under a filter that was there before the exec. */
static const unsigned senders[] = {SYS_kill, SYS_rt_sigqueueinfo, SYS_tkill, SYS_tgkill};
/* It may be impossible to signal this child. */
static pid_t fork_bound(void) {
  pid_t self = getpid(), pid = fork_ok();
  if (pid == 0) {
    MUST(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0);
    while (getppid() == self)
      pause();
    _exit(0);
  }
  return pid;
}
static void send_to(pid_t pid) {
  note("%s", call_text(kill_ok(pid, 0)));
  note("%s", call_text(sigqueue(pid, 0, (union sigval){.sival_int = 1})));
  note("%s", call_text((int)syscall(SYS_tkill, pid, 0)));
  note("%s", call_text((int)syscall(SYS_tgkill, pid, pid, 0)));
}
/* Each sender is refused in a process of its own. */
static void each_sender(void (*play)(unsigned number)) {
  for (size_t i = 0; i < sizeof senders / sizeof *senders; i++) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
      play(senders[i]);
      _exit(0);
    }
    MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
    note("%s", status_text(status));
  }
}
static void send_refused_here(unsigned number) {
  pid_t pid = fork_bound();
  answer_one(number, SECCOMP_RET_ERRNO | EPERM);
  send_to(pid);
}
static void send_refused(void) { each_sender(send_refused_here); }
static void exec_under(unsigned number, unsigned answer, const char *name) {
  answer_one(number, answer);
  execl("/proc/self/exe", "same_filter", name, (char *)NULL);
  MUST(!"exec");
}
static void send_refused_before(unsigned number) {
  exec_under(number, SECCOMP_RET_ERRNO | EPERM, "-after-send-refused");
}
static void refused_before(void) { each_sender(send_refused_before); }
static void after_send_refused(void) { send_to(fork_bound()); }

/* A filter from before the exec answers by SIGSYS, and the program handles that. It must not hear of calls that it
 * does not make. */
static void on_sigsys(int signo, siginfo_t *info, void *context) {
  (void)signo;
  (void)context;
  note("SIGSYS for %d", info->si_syscall);
}
static void trapped(void) {
  static const unsigned calls[] = {SYS_waitid, SYS_kill, SYS_tgkill, SYS_getppid, SYS_pidfd_open,
#ifdef __GLIBC__ /* musl's loader makes this call when it opens an object */
                                   SYS_fcntl
#endif
  };
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
      exec_under(calls[i], SECCOMP_RET_TRAP, "-after-trap");
    MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
    note("%s", status_text(status));
  }
}
static void after_trap(void) {
  struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
  MUST(sigaction(SIGSYS, &action, NULL) == 0);
  for (int i = 3; i < 5; i++) {
    int status = 0;
    pid_t pid = fork_exiting(i), result = waitpid(pid, &status, 0);
    end_of("child", result, pid, status);
  }
}

/* The shim cannot ask what a pidfd is. That must not leave descriptors behind. */
static void births_leave_nothing(unsigned refused) {
  answer_one(refused, SECCOMP_RET_ERRNO | EPERM);
  int before = count_open_in(0, 4096);
  for (int i = 0; i < 20; i++) {
    int status = 0;
    pid_t pid = fork_exiting(i), result = wait(&status);
    end_of("child", result, pid, status);
  }
  for (int i = 0; i < 20; i++) { /* the second signal would keep a pidfd open */
    pid_t pid = fork_pausing();
    MUST(kill_ok(pid, 0) == 0 && kill_ok(pid, 0) == 0);
    finish(pid);
  }
  note("%d", count_open_in(0, 4096) > before + 1);
}
static void no_fstatfs(void) { births_leave_nothing(SYS_fstatfs); }
/* A filter may answer with any errno. Here it is the one by which waits say that there is no such child. */
static void misled(void) {
  static const unsigned calls[] = {SYS_pidfd_open, SYS_fstatfs};
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    int status = 0;
    pid_t pid = fork_ok();
    if (pid == 0)
      exec_under(calls[i], SECCOMP_RET_ERRNO | ECHILD, "-after-misled");
    MUST(waitpid(pid, &status, 0) == pid);
    note("%s", status_text(status));
  }
}
static void after_misled(void) {
  pid_t pids[3];
  for (int i = 0; i < 3; i++)
    pids[i] = fork_pausing();
  for (int i = 0; i < 3; i++) {
    note("living: %s", call_text(kill_ok(pids[i], 0)));
    finish(pids[i]);
  }
}
/* The shim must not leave its throw-away process to the waits of the program. */
static void waitid_refused(void) {
  static const unsigned answers[] = {0, EPERM, ENOSYS};
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    int status = 0;
    pid_t pid = fork_ok();
    if (pid == 0)
      exec_under(SYS_waitid, SECCOMP_RET_ERRNO | answers[i], i % 2 ? "-after-vforks" : "-after-forks");
    MUST(waitpid(pid, &status, 0) == pid);
    note("%s", status_text(status));
  }
}
static void waits_for_both(pid_t first, pid_t (*make)(void)) {
  int status = 0;
  pid_t second = make(), got = wait(&status);
  end_of("one", got == second ? first : got, first, status);
  got = wait(&status);
  end_of("other", got == second ? first : got, first, status);
  note("none: %s", call_text((int)waitpid(-1, NULL, WNOHANG | __WALL)));
}
static pid_t make_by_fork(void) { return fork_exiting(3); }
static pid_t make_by_vfork(void) {
  pid_t pid = vfork();
  if (pid == 0)
    _exit(3);
  return pid;
}
static void after_forks(void) { waits_for_both(make_by_fork(), make_by_fork); }
static void after_vforks(void) { waits_for_both(make_by_vfork(), make_by_vfork); }
/* The filter says that calls have worked which were not made. */
static void feigned(void) {
  static const unsigned calls[] = {SYS_pidfd_open, SYS_pidfd_send_signal, SYS_fstatfs};
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    int status = 0;
    pid_t pid = fork_ok();
    if (pid == 0)
      exec_under(calls[i], SECCOMP_RET_ERRNO, "-after-feigned");
    MUST(waitpid(pid, &status, 0) == pid);
    note("%s", status_text(status));
  }
}
static void after_feigned(void) {
  int before = count_open_in(0, 4096);
  for (int i = 0; i < 3; i++) {
    pid_t pid = fork_pausing();
    note("living: %s", call_text(kill_ok(pid, 0)));
    finish(pid);
  }
  note("%d", count_open_in(0, 4096) != before);
}
/* The shim knows these children by PID, and may not ask for them. The waits leave them out by their options. */
static void denied(void) {
  int status = 0;
  pid_t pid = fork_ok();
  if (pid == 0) {
    answer_one(SYS_waitid, SECCOMP_RET_ERRNO | EPERM);
    exec_under(SYS_pidfd_open, SECCOMP_RET_ERRNO | EPERM, "-after-denied");
  }
  MUST(waitpid(pid, &status, 0) == pid);
  note("%s", status_text(status));
}
static int pause_only(void *unused) {
  for (;;)
    pause();
  return unused != NULL;
}
static void *wait_for_own(void *pid) {
  pid_t got = waitpid((pid_t)(intptr_t)pid, NULL, WNOHANG | __WNOTHREAD);
  note("a thread's own: %s", wait_text(got, (pid_t)(intptr_t)pid));
  return NULL;
}
static void after_denied(void) {
  static char stack[65536] __attribute__((aligned(16)));
  pthread_t thread;
  pid_t plain = fork_pausing(), quiet = clone(pause_only, stack + sizeof stack, 0, NULL);
  MUST(quiet > 1);
  pid_t got = waitpid(plain, NULL, WNOHANG | __WCLONE);
  note("with __WCLONE: %s", wait_text(got, plain));
  got = waitpid(quiet, NULL, 0);
  note("without __WALL: %s", wait_text(got, quiet));
  MUST(pthread_create(&thread, NULL, wait_for_own, (void *)(intptr_t)plain) == 0);
  MUST(pthread_join(thread, NULL) == 0);
  note("living: %s", call_text(kill_ok(plain, 0)));
  note("living: %s", call_text(kill_ok(quiet, SIGKILL)));
  MUST(waitpid(quiet, NULL, __WALL) == quiet);
  finish(plain);
  signal(SIGCHLD, SIG_IGN);
  plain = fork_exiting(0);
  got = waitpid(plain, NULL, 0);
  note("ignored: %s", wait_text(got, plain));
}
/* The first child under a filter from before the exec is a sibling: no wait of this process tells that it lives. */
static void sibling_first(void) {
  int killed = 0, ended = 0;
  pid_t pid = fork_ok();
  if (pid == 0)
    exec_under(SYS_sethostname, SECCOMP_RET_ERRNO | EPERM, "-after-sibling");
  for (int i = 0; i < 2; i++) {
    int status = 0;
    MUST(wait(&status) > 1);
    killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    ended += status == 0;
  }
  note("killed %d, ended %d", killed, ended);
}
static void after_sibling(void) {
  static char stack[65536] __attribute__((aligned(16)));
  pid_t sibling = clone(pause_only, stack + sizeof stack, CLONE_PARENT | SIGCHLD, NULL);
  MUST(sibling > 1);
  note("probe: %s", call_text(kill_ok(sibling, 0)));
  int result = kill(sibling, SIGKILL);
  note("kill: %s", call_text(result));
  if (result != 0)
    raw_call(SYS_kill, sibling, SIGKILL, 0, 0, 0);
}
static void *until_cancelled(void *unused) {
  for (;;)
    pause();
  return unused;
}
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static void *until_unlocked(void *unused) {
  pthread_mutex_lock(&held);
  pthread_mutex_unlock(&held);
  return unused;
}
/* There is a second thread, and it is not cancelled. glibc would open libgcc_s for that, and newer versions call
 * fstat() then. */
static void no_fstat(void) {
  pthread_t thread;
  MUST(pthread_mutex_lock(&held) == 0 && pthread_create(&thread, NULL, until_unlocked, NULL) == 0);
  births_leave_nothing(SYS_fstat);
  MUST(pthread_mutex_unlock(&held) == 0 && pthread_join(thread, NULL) == 0);
}

/* The filter kills for a call that the shim would make and libc does not. */
static void kill_for(unsigned number) { answer_one(number, SECCOMP_RET_KILL_PROCESS); }
static int nothing_at_all(void *unused) {
  (void)unused;
  return 0;
}
static void shared_memory(void) {
  static char stack[16384] __attribute__((aligned(16)));
  int status = 0;
  pid_t early = fork_pausing(), pid = clone(nothing_at_all, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
  pid_t result = waitpid(pid, &status, 0);
  end_of("with our memory", result, pid, status);
  kill_for(SYS_getpid);
  note("%s", call_text(kill_ok(early, SIGTERM)));
  result = waitpid(early, &status, 0);
  end_of("child", result, early, status);
}
static void files_apart(void) {
  pthread_t thread;
  pid_t early = fork_pausing();
  MUST(pthread_create(&thread, NULL, until_cancelled, NULL) == 0);
  kill_for(SYS_prlimit64);
  note("%d", unshare(CLONE_FILES));
  MUST(pthread_cancel(thread) == 0 && pthread_join(thread, NULL) == 0);
  finish(early);
}
static void closes_listed(void) {
  pid_t early = fork_pausing();
  answer_one(SYS_close_range, SECCOMP_RET_ERRNO | ENOSYS);
  kill_for(SYS_prlimit64);
  MUST(dup2(1, 50) == 50);
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
  closefrom(40);
#else
  close(50);
#endif
  note("%d", fcntl(50, F_GETFD));
  finish(early);
}

/* The structure ends where memory ends, and the filter leaves no way to ask how much of it is there. */
static void siginfo_cut_off(void) {
  char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pid_t pid = fork_pausing();
  MUST(pages != MAP_FAILED && munmap(pages + 4096, 4096) == 0);
  kill_for(SYS_pidfd_open);
  note("%s", call_text((int)syscall(SYS_rt_sigqueueinfo, pid, SIGTERM, pages + 4090)));
  finish(pid);
}

/* A handler that signals a child runs at the end of the call that installs the filter. The filter is long, so that the
 * call takes some time. */
static pid_t handlers_child;
static void signal_child(int signo) {
  (void)signo;
  kill_ok(handlers_child, 0);
}
static void in_handler(void) {
  const struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
  bool allowed[BPF_NUMBERS];
  memset(allowed, true, sizeof allowed);
  allowed[SYS_pidfd_send_signal] = false;
  struct sock_fprog program = {(unsigned short)bpf_kill_others(allowed, code), code};
  handlers_child = fork_pausing();
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  signal(SIGALRM, signal_child);
  setitimer(ITIMER_REAL, &often, NULL);
  MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
  setitimer(ITIMER_REAL, &never, NULL);
  int status = 0;
  note("%s", call_text(kill_ok(handlers_child, SIGKILL)));
  pid_t result = waitpid(handlers_child, &status, 0);
  end_of("child", result, handlers_child, status);
}

/* The filter kills for a look at a file. It may be below another filter, of which it is not known yet what it does. */
static void no_stat(void) {
  int status;
#ifdef SYS_newfstatat
  answer_one(SYS_newfstatat, SECCOMP_RET_KILL_PROCESS);
#else
  answer_one(SYS_fstatat64, SECCOMP_RET_KILL_PROCESS);
#endif
  pid_t pid = fork_exiting(3), result = waitpid(pid, &status, 0);
  end_of("child", result, pid, status);
}

/* The next child is the first of a new pid namespace, as after `unshare --pid PROGRAM`. */
static void unshare_and_exec(bool with_proc) {
  char *argv[] = {(char *)"same_filter", (char *)"-after-unshare", NULL};
  char self[4096] = ""; /* a path, because some security modules of the kernel look even a descriptor up in /proc */
  MUST(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  if (raw_call(SYS_unshare, CLONE_NEWPID | (with_proc ? 0 : CLONE_NEWNS), 0, 0, 0, 0) != 0)
    skip("this user cannot make a pid namespace");
  if (!with_proc) {
    MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    while (umount2("/proc", MNT_DETACH) == 0) /* one may hide another */
      ;
    /* What was mounted outside of a user namespace stays there, but it can be covered. */
    if (access("/proc/self", F_OK) == 0 && mount("none", "/proc", "tmpfs", 0, NULL) != 0)
      skip("this user cannot unmount /proc");
    MUST(access("/proc/self", F_OK) != 0);
  }
  errno = (int)-raw_call(SYS_execve, (long)self, (long)argv, (long)environ, 0, 0);
  MUST(!"exec");
}
static void unshared(void) { unshare_and_exec(true); }
static void unshared_no_proc(void) { unshare_and_exec(false); }
static void after_unshare(void) {
  pid_t first = fork_pausing();
  for (int i = 3; i < 6; i++) {
    int status = 0;
    pid_t pid = fork_exiting(i), result = waitpid(pid, &status, 0);
    end_of("child", result, pid, status);
    note("%s", call_text(kill_ok(pid, 0)));
  }
  finish(first);
}

/* A process that has the memory of this one installs a filter, which allows few calls, and makes just those. */
static pid_t filtered_early, filtered_late;
static int few_calls(void *unused) {
  static const unsigned few[] = {SYS_close, SYS_dup3, SYS_kill, SYS_wait4, SYS_getpriority, SYS_exit_group, SYS_exit};
  bool allowed[BPF_NUMBERS] = {false};
  (void)unused;
  for (size_t i = 0; i < sizeof few / sizeof *few; i++)
    allowed[few[i]] = true;
  struct sock_fprog program = {(unsigned short)bpf_kill_others(allowed, code), code};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    _exit(1);
  if (close(77) == 0 || dup3(1, 50, 0) != 50)
    _exit(2);
  if (kill(filtered_early, 0) != 0 || kill(filtered_late, 0) == 0 || kill(-filtered_early, 0) == 0)
    _exit(3);
  if (waitpid(-1, NULL, WNOHANG) != -1 || getpriority(PRIO_PROCESS, (id_t)filtered_early) == -1)
    _exit(4);
  _exit(0);
}
static void guest_filters(int flags) {
  static char stack[65536] __attribute__((aligned(16)));
  int status = 0;
  filtered_early = fork_pausing();
  filtered_late = fork_exiting(3);
  MUST(filtered_early > 1 && filtered_late > 1 && waitpid(filtered_late, &status, 0) == filtered_late);
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  pid_t guest = flags ? clone(few_calls, stack + sizeof stack, flags | SIGCHLD, NULL) : vfork();
  if (guest == 0)
    few_calls(NULL);
  pid_t result = waitpid(guest, &status, 0);
  end_of("guest", result, guest, status);
  finish(filtered_early);
}
static void vfork_child_filters(void) { guest_filters(0); }
static void clone_child_filters(void) { guest_filters(CLONE_VM | CLONE_VFORK); }
static void companion_filters(void) { guest_filters(CLONE_VM); }

/* Other threads are within calls of the shim when a thread installs a filter for all of them. */
static pid_t signalled_by_all;
static atomic_int signals_made, signals_end;
static void *keeps_signalling(void *by_number) {
  while (!signals_end) {
    kill_ok(signalled_by_all, 0);
    if (by_number)
      getpgid(signalled_by_all);
    signals_made++;
  }
  return NULL;
}
static void *installs_for_all(void *unused) {
  struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {1, allow};
  for (int i = 0; i < 100 && !signals_end; i++) /* the kernel limits all filters together */
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  return unused;
}
static void filter_for_all(bool others_install) {
  bool allowed[BPF_NUMBERS];
  pthread_t threads[3];
  memset(allowed, true, sizeof allowed);
  allowed[SYS_pidfd_open] = allowed[SYS_pidfd_send_signal] = false;
  struct sock_fprog program = {(unsigned short)bpf_kill_others(allowed, code), code};
  signalled_by_all = fork_bound();
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  MUST(pthread_create(&threads[0], NULL, keeps_signalling, NULL) == 0);
  MUST(pthread_create(&threads[1], NULL, keeps_signalling, &signals_made) == 0);
  if (others_install)
    MUST(pthread_create(&threads[2], NULL, installs_for_all, NULL) == 0);
  while (signals_made < 100)
    sched_yield();
  MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0);
  signals_end = 1;
  for (int i = 0; i < 2 + others_install; i++)
    MUST(pthread_join(threads[i], NULL) == 0);
  kill_ok(signalled_by_all, SIGKILL);
}
static void signal_beside(bool others_install) {
  int killed = 0;
  if (!RAW_MAY_BE_SEEN)
    skip("nobody sees syscall() here");
  for (int i = 0; i < 100; i++) {
    int status = 0;
    pid_t pid = fork_ok();
    if (pid == 0) {
      filter_for_all(others_install);
      _exit(0);
    }
    MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
    killed += status != 0;
  }
  note("killed %d", killed);
}
static void others_signal(void) { signal_beside(false); }
static void others_install(void) { signal_beside(true); }

/* Threads that install filters of their own at the same moment, as the workers of a server do. */
static atomic_int installers_ready;
static void *installs(void *unused) {
  installers_ready++;
  while (installers_ready < 4) {
  }
  for (int i = 0; i < 25; i++)
    answer_one(SYS_reboot, SECCOMP_RET_ERRNO | EPERM);
  return unused;
}
static void many_install(void) {
  pthread_t threads[4];
  finish(fork_pausing()); /* a filter from before the exec is known from now on */
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  for (int i = 0; i < 4; i++)
    MUST(pthread_create(&threads[i], NULL, installs, NULL) == 0);
  for (int i = 0; i < 4; i++)
    MUST(pthread_join(threads[i], NULL) == 0);
  pid_t pid = fork_pausing();
  note("%s", call_text(kill_ok(pid, 0)));
  finish(pid);
}

/* Processes are made while another thread is busy with a filter. Each makes a child of its own. Prints their PIDs. */
static void make_workers(void) {
  for (int i = 0; i < 8; i++) {
    int status = 0;
    pid_t pid = fork_ok();
    if (pid == 0) {
      finish(fork_pausing());
      _exit(0);
    }
    MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
    printf("%s worker %d\n", status_text(status), pid);
  }
}
static void *installs_slowly(void *installs) {
  static struct sock_filter slow[4000];
  for (int i = 0; i < 4000; i++)
    slow[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
  slow[3999] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {4000, slow};
  pthread_barrier_wait(installs);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  return NULL;
}
static void forked_while_installing(void) {
  pthread_barrier_t barrier;
  pthread_t thread;
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  finish(fork_pausing());
  MUST(pthread_barrier_init(&barrier, NULL, 2) == 0 && pthread_create(&thread, NULL, installs_slowly, &barrier) == 0);
  pthread_barrier_wait(&barrier);
  make_workers();
  MUST(pthread_join(thread, NULL) == 0);
}
static void *makes_the_first(void *barrier) {
  pthread_barrier_wait(barrier);
  finish(fork_pausing());
  return NULL;
}
static void forked_while_finding(void) {
  pthread_barrier_t barrier;
  pthread_t thread;
  MUST(pthread_barrier_init(&barrier, NULL, 2) == 0 && pthread_create(&thread, NULL, makes_the_first, &barrier) == 0);
  pthread_barrier_wait(&barrier);
  make_workers();
  MUST(pthread_join(thread, NULL) == 0);
}

/* Vfork children close all descriptors while another thread tries to install filters. Those are their own descriptors,
 * and the parent's are open as before. */
static atomic_bool vforks_done;
static void *tries_to_install(void *unused) {
  static struct sock_filter endless[4000]; /* the kernel looks at all of it, and refuses it */
  struct sock_fprog program = {4000, endless};
  for (int i = 0; i < 4000; i++)
    endless[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
  while (!vforks_done)
    MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1 && errno == EINVAL);
  return unused;
}
static void vfork_that_closes(void) {
  int status = 0;
  pid_t pid = vfork();
  if (pid == 0) {
    usleep(500); /* the other thread gets on */
    for (int fd = 3; fd < 4096; fd++)
      close(fd);
    _exit(3);
  }
  MUST(pid > 1 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
}
static void vforks_while_installing(void) {
  enum { LEADERS = 8 };
  pthread_t thread;
  pid_t pids[LEADERS];
  int before = count_open_in(0, 4096);
  if (!RAW_MAY_BE_SEEN)
    skip("the shim has no vfork() for this architecture");
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  for (int i = 0; i < LEADERS; i++) {
    pids[i] = fork_pausing();
    MUST(setpgid(pids[i], pids[i]) == 0 && kill(-pids[i], 0) == 0);
  }
  MUST(pthread_create(&thread, NULL, tries_to_install, NULL) == 0);
  for (int i = 0; i < 50; i++)
    vfork_that_closes();
  vforks_done = true;
  MUST(pthread_join(thread, NULL) == 0);
  for (int i = 0; i < LEADERS; i++)
    finish(pids[i]);
  note("descriptors left: %d", count_open_in(0, 4096) - before);
}

/* One thread's calls are logged, for which the shim reads files. The other thread puts a file of its own on the number
 * that such a file has. */
static atomic_bool logs_end;
static void *signals_the_dead(void *pid) {
  while (!logs_end)
    kill_ok(*(pid_t *)pid, 0);
  return NULL;
}
static void yield_often(void) {
  for (int i = 0; i < 10; i++)
    sched_yield();
}
static void dup_beside_log(void) {
  pthread_t thread;
  int lost = 0, low = dup(0);
  pid_t pid = fork_exiting(3);
  MUST(low > 2 && close(low) == 0 && waitpid(pid, NULL, 0) == pid);
  answer_one(SYS_pidfd_open, SECCOMP_RET_KILL_PROCESS);
  MUST(pthread_create(&thread, NULL, signals_the_dead, &pid) == 0);
  for (int i = 0; i < 2000; i++) {
    yield_often();
    MUST(dup2(0, low) == low);
    yield_often();
    lost += close(low) != 0;
  }
  logs_end = true;
  MUST(pthread_join(thread, NULL) == 0);
  note("lost %d", lost);
}

/* The kernel answers with the thread that cannot have the filter. Then no thread has it. */
static void *has_a_filter(void *barrier) {
  answer_one(SYS_reboot, SECCOMP_RET_ERRNO | EPERM);
  pthread_barrier_wait(barrier);
  pthread_barrier_wait(barrier);
  return NULL;
}
static void not_for_all(void) {
  pthread_barrier_t barrier;
  pthread_t thread;
  if (!RAW_MAY_BE_SEEN)
    skip("nobody sees syscall() here");
  finish(fork_pausing());
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  MUST(pthread_barrier_init(&barrier, NULL, 2) == 0 && pthread_create(&thread, NULL, has_a_filter, &barrier) == 0);
  pthread_barrier_wait(&barrier);
  struct sock_filter refuse[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)};
  struct sock_fprog program = {1, refuse};
  MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) > 0);
  pid_t pid = fork_ok();
  if (pid == 0) {
    finish(fork_pausing());
    _exit(0);
  }
  MUST(pid > 1 && waitpid(pid, NULL, 0) == pid);
  printf("worker %d\n", pid);
  pthread_barrier_wait(&barrier);
  MUST(pthread_join(thread, NULL) == 0);
}

/* A handler overwrites the variable in which posix_spawn() returns the PID. A process beside it sends the signals. Only
 * the first birth of a program tries the filter, so each round has a process that the shim does not see the birth of.
 */
static pid_t spawned;
static void no_job(int sig) {
  (void)sig;
  *(volatile pid_t *)&spawned = -1;
}
static void spawn_beside_signals(void) {
  char *argv[] = {"true", NULL};
  pid_t self = (pid_t)raw_call(SYS_getpid, 0, 0, 0, 0, 0);
  if (self <= 1 || signal(SIGUSR1, no_job) == SIG_ERR)
    _exit(1);
  pid_t sender = (pid_t)raw_call(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  while (sender == 0 && raw_call(SYS_getppid, 0, 0, 0, 0, 0) == self)
    raw_call(SYS_kill, self, SIGUSR1, 0, 0, 0);
  if (sender <= 0)
    _exit(sender < 0);
  usleep(1000);
  _exit(posix_spawnp(&spawned, "true", NULL, NULL, argv, environ) != 0);
}
static void spawn_overwritten(void) {
  int wrong = 0;
  for (int i = 0; i < 10; i++) {
    int status = 0;
    pid_t pid = (pid_t)raw_call(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
      spawn_beside_signals();
    MUST(pid > 1 && waitpid(pid, &status, 0) == pid);
    wrong += status != 0;
  }
  note("wrong %d", wrong);
}

/* A filter that kills for a call which only the log needs. */
static void no_gettid(void) {
  MUST(filter_call(SYS_gettid, SECCOMP_RET_KILL_PROCESS));
  finish(fork_exiting(3));
  note("done");
}

const struct test_case cases[] = {
    {"nothing", nothing},
    {"no-birth-at-all", no_birth_at_all},
    {"kill-wait", kill_wait},
    {"wait-only", wait_only},
    {"waitid-only", waitid_only},
    {"fork-wait", fork_wait},
    {"fork-both", fork_both},
    {"vfork-wait", vfork_wait},
    {"vfork-waitid", vfork_waitid},
    {"spawn-wait", spawn_wait},
    {"system", by_system},
    {"popen", by_popen},
    {"ignored", ignored},
    {"group", group},
    {"descriptors", descriptors},
    {"thread", in_thread},
    {"exec", then_exec},
    {"-after-exec", after_exec},
    {"-exact-fork", exact_fork},
    {"-no-stat", no_stat},
    {"-listener", listener},
    {"-signals-refused", signals_refused},
    {"-kill-refused", kill_refused},
    {"-send-refused", send_refused},
    {"-refused-before", refused_before},
    {"-after-send-refused", after_send_refused},
    {"-trapped", trapped},
    {"-after-trap", after_trap},
    {"-no-fstatfs", no_fstatfs},
    {"-no-fstat", no_fstat},
    {"-sibling", sibling_first},
    {"-after-sibling", after_sibling},
    {"-misled", misled},
    {"-after-misled", after_misled},
    {"-waitid-refused", waitid_refused},
    {"-after-forks", after_forks},
    {"-after-vforks", after_vforks},
    {"-feigned", feigned},
    {"-after-feigned", after_feigned},
    {"-denied", denied},
    {"-after-denied", after_denied},
    {"-shared-memory", shared_memory},
    {"-files-apart", files_apart},
    {"-closes-listed", closes_listed},
    {"-siginfo-cut-off", siginfo_cut_off},
    {"-in-handler", in_handler},
    {"-unshared", unshared},
    {"-unshared-no-proc", unshared_no_proc},
    {"-after-unshare", after_unshare},
    {"-vfork-child", vfork_child_filters},
    {"-clone-child", clone_child_filters},
    {"-companion", companion_filters},
    {"-others-signal", others_signal},
    {"-others-install", others_install},
    {"-many-install", many_install},
    {"-forked-while-installing", forked_while_installing},
    {"-forked-while-finding", forked_while_finding},
    {"-vforks-while-installing", vforks_while_installing},
    {"-dup-beside-log", dup_beside_log},
    {"-not-for-all", not_for_all},
    {"-spawn-overwritten", spawn_overwritten},
    {"-no-gettid", no_gettid},
    {NULL, NULL},
};

/* What is learned of the kernel about our descriptors, and of the program, in moments that do not come by themselves. The
 * filter of a child of the test holds a system call up, and something happens meanwhile. */
#include "child/descriptor.h"
#include "kernel/sys.h"
#include "runtime/config.h"
#include "runtime/hot.h"
#include "runtime/ours.h"

#include "../programs/raw.h"
#include "pg_test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <ucontext.h>

#if defined __x86_64__ && !defined __ILP32__
#define ARGUMENT(context, n) ((context)->uc_mcontext.gregs[(const int[]){REG_RDI, REG_RSI, REG_RDX}[n]])
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
#elif defined __aarch64__
#define ARGUMENT(context, n) ((long)(context)->uc_mcontext.regs[n])
#define RESULT(context) ((context)->uc_mcontext.regs[0])
#endif

static int handles(void) { return atomic_load(&pg_hot.handles); }

static pid_t child(pid_t group) {
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
      pause();
  }
  if (pid > 1 && group >= 0)
    setpgid(pid, group);
  return pid;
}

static void end(pid_t pid) {
  if (pid > 1 && kill(pid, SIGKILL) == 0)
    waitpid(pid, NULL, 0);
}

static uint64_t id_of(pid_t pid) {
  uint64_t id = 0;
  int fd = pg_sys_pidfd_open(pid, 0);
  if (fd < 0 || pg_descriptor_identity(fd, &id) < 0)
    id = 0;
  if (fd >= 0)
    pg_sys_close(fd);
  return id;
}

/* Can this process be found by its handle, whatever anybody has learned? */
static bool is_found(uint64_t id) {
  int fd = pg_sys_pidfs_open(PG_FD_PIDFS_ROOT, id, O_CLOEXEC);
  if (fd >= 0)
    pg_sys_close(fd);
  return fd >= 0;
}

static void forget_handles(void) { atomic_store(&pg_hot.handles, PG_HANDLES_UNKNOWN); }

/* Looks for it, as if for the leader of a group. */
static int look(uint64_t id) {
  int fd = pg_descriptor_reopen_leader(id);
  if (fd >= 0)
    pg_sys_close(fd);
  return fd;
}

static bool have_handles(pid_t pid, uint64_t id) {
  if (id && is_found(id))
    return true;
  end(pid);
  pg_test_skip("processes are opened by a handle from Linux 6.17 on");
  return false;
}

static void living(void) {
  pid_t pid = child(-1);
  uint64_t id = id_of(pid);
  if (!have_handles(pid, id))
    return;
  forget_handles();
  PG_CHECK(look(id) >= 0 && handles() == PG_HANDLES_LIVING, "learned %d", handles());
  end(pid);
  PG_CHECK(look(id) < 0 && handles() == PG_HANDLES_LIVING, "learned %d of nobody", handles());
}

static void leader(void) {
  pid_t pid = child(0), member = child(pid);
  uint64_t id = id_of(pid);
  if (!have_handles(pid, id)) {
    end(member);
    return;
  }
  end(pid);
  bool found = is_found(id);
  forget_handles();
  look(id);
  PG_CHECK(handles() == (found ? PG_HANDLES_LEADERS : PG_HANDLES_UNKNOWN), "learned %d where it is %s", handles(),
           found ? "found" : "not found");
  end(member);
}

#ifdef RESULT

enum { LET_PASS = 0x5eed }; /* a fourth argument that the call does not have */
static pid_t victim;

/* It is found, and then it dies, before the caller knows. */
static void found_and_gone(int sig, siginfo_t *info, void *at) {
  ucontext_t *context = at;
  (void)sig, (void)info;
  long fd = raw_call(SYS_open_by_handle_at, (long)ARGUMENT(context, 0), (long)ARGUMENT(context, 1),
                     (long)ARGUMENT(context, 2), LET_PASS, 0);
  end(victim);
  victim = 0;
  RESULT(context) = (__typeof__(RESULT(context)))fd;
}

static bool hold_up_opens(void) {
  struct sigaction action = {.sa_sigaction = found_and_gone, .sa_flags = SA_SIGINFO | SA_NODEFER};
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open_by_handle_at, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LET_PASS, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = PG_ARRAY_LEN(filter), .filter = filter};
  return sigaction(SIGSYS, &action, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum { NO_FILTER = 100, NOT_FOUND = 101, NOBODY_DIED = 102 }; /* and what was learned */
static int learn_of_the_dying(void) {
  victim = child(-1);
  uint64_t id = id_of(victim);
  forget_handles();
  if (!hold_up_opens())
    return NO_FILTER;
  if (look(id) < 0)
    return NOT_FOUND;
  return victim ? NOBODY_DIED : handles();
}

/* A process that dies between the look and the probe was no leader that was found though it was reaped. */
static void dying(void) {
  pid_t probe = child(-1);
  if (!have_handles(probe, id_of(probe)))
    return;
  end(probe);
  int status = 0;
  pid_t pid = fork();
  if (pid == 0)
    _exit(learn_of_the_dying());
  PG_CHECK(pid > 1 && waitpid(pid, &status, 0) == pid && WIFEXITED(status), "the child is lost");
  if (WEXITSTATUS(status) == NO_FILTER)
    pg_test_skip("no filter can be installed");
  else
    PG_CHECK(WEXITSTATUS(status) == PG_HANDLES_LIVING, "learned %d", WEXITSTATUS(status));
}

#else
static void dying(void) { pg_test_skip("this architecture's registers are not known"); }
#endif

/* No descriptors are to be held any more. The first pidfd before Linux 6.9, where a quarter is wanted, comes later. */
static void stop_stays(void) {
  pg_ours_init(-1, false);
  PG_CHECK(pg_ours_budget() > 0, "no budget at first");
  pg_ours_init(-1, true);
  int32_t quarter = pg_ours_budget();
  PG_CHECK(quarter > PG_FD_MAX_DEFAULT || pg_sys_nofile_soft() < 4 * PG_FD_MAX_DEFAULT, "a quarter is %d", quarter);
  pg_ours_stop();
  PG_CHECK(pg_ours_budget() == 0, "%d after the stop", pg_ours_budget());
  pg_ours_init(-1, true);
  PG_CHECK(pg_ours_budget() == 0, "%d after a wish for a quarter", pg_ours_budget());
  pg_ours_place_anew();
  PG_CHECK(pg_ours_budget() == 0, "%d after a change of the limit", pg_ours_budget());
}

void pg_test_plan(int argc, char **argv) {
  (void)argc, (void)argv;
  pg_test_add("descriptor", "living", living);
  pg_test_add("descriptor", "leader", leader);
  pg_test_add("descriptor", "dying", dying);
  pg_test_add("descriptor", "stop-stays", stop_stays);
}

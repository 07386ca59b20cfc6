/* SPDX-License-Identifier: MIT */
/* The interpreter: start, turns, and the loop over steps. The monitor starts it as the root of a program, and steps
 * that exec start it too: pg_diff_interp BOARD LABEL STEP. STEP is the step whose block it runs, or -1 for the whole
 * program. */
#include "interp.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct pgd_board *board;
struct pgd_program program;
struct pgd_ctx *self;
char *interp_path, *board_path;

/* Children that share the memory need a context of their own, one for each nested vfork. A child with a copy of the
 * memory starts again at the first. */
static struct pgd_ctx contexts[8];

struct pgd_ctx *pgd_push_ctx(int label, bool shared) {
  struct pgd_ctx *from = self;
  int chld = from ? from->chld : CHLD_DEFAULT;
  unsigned jumping = from ? from->jumping : 0;
  struct pgd_ctx *c = shared ? &contexts[(from - contexts + 1) % 8] : &contexts[0];
  c->label = label;
  c->entry = &board->entry[label];
  c->up = shared ? from : NULL;
  c->pid = pg_sys_getpid();
  c->shared = shared;
  c->chld = chld;
  c->jumping = jumping;
  c->resumed = atomic_load(&board->round);
  c->events = 0;
  c->jump_tid = 0;
  c->lines_len = 0;
  c->reaped_sure = c->reaped_unsure = c->extras = 0;
  c->child_faults = pgd_child_faults();
  return c;
}

void pgd_turn(const struct pgd_step *step) {
  struct pgd_entry *e = self->entry;
  errno = PGD_ERRNO; /* a vfork child shares errno with its parent, and may be killed while it waits here */
  unsigned go = atomic_load(&e->go);
  atomic_store(&e->want, pgd_step_key(self->label, step));
  atomic_store(&e->ready, 1);
  atomic_fetch_add(&board->bell, 1);
  pg_sys3(SYS_futex, &board->bell, PGD_FUTEX_WAKE, 1);
  while (atomic_load(&e->go) == go)
    pg_sys4(SYS_futex, &e->go, PGD_FUTEX_WAIT, go, NULL);
  pgd_flush();
  pgd_print_events();
  self->resumed = atomic_load(&board->round);
}

static void run_step(int i) {
  const struct pgd_step *s = &program.step[i];
  switch ((enum pgd_op)s->op) {
  case OP_MAKE:
    pgd_do_make(i);
    break;
  case OP_SPAWN:
    pgd_do_spawn(i);
    break;
  case OP_BECOME:
    pgd_do_become(i);
    break;
  case OP_EXECV:
    pgd_do_execv(i);
    break;
  case OP_THREAD:
    pgd_do_thread(i);
    break;
  case OP_DAEMON:
    pgd_do_daemon(i);
    break;
  case OP_EXIT:
    pgd_trace("s%d exit", i);
    pgd_leave(s->arg[0], s->arg[1] == 1);
  case OP_STOP:
  case OP_KILL:
  case OP_KILLPG:
  case OP_QUEUE:
    pgd_do_signal(i);
    break;
  case OP_PAUSE:
    pgd_do_pause(i);
    break;
  case OP_WAIT:
    pgd_do_wait(i);
    break;
  case OP_CANCEL:
    pgd_do_cancel(i);
    break;
  case OP_CHLD:
    pgd_do_chld(i);
    break;
  case OP_DISP:
    pgd_do_disp(i);
    break;
  case OP_MASK:
    pgd_do_mask(i);
    break;
  case OP_TAKE:
    pgd_do_take(i);
    break;
  case OP_SETPGID:
  case OP_SETSID:
  case OP_GETPGID:
  case OP_SUBREAPER:
    pgd_do_group(i);
    break;
  case OP_SYSTEM:
  case OP_POPEN:
  case OP_PTRACE:
  case OP_BURST:
  case OP_TURN:
  case OP_BESIDE:
  case OP_RUSAGE:
    pgd_do_composite(i);
    break;
  default:
    pgd_do_fd(i);
  }
}

void pgd_run(int first, int end) {
  for (int i = first; i < end; i = program.step[i].end) {
    pgd_turn(&program.step[i]);
    run_step(i);
  }
}

void pgd_leave(int code, bool by_exit) {
  struct pgd_ctx *c = self;
  pgd_flush();
  errno = PGD_ERRNO;
  if (c->shared || !by_exit)
    _exit(code);
  exit(code);
}

void pgd_child(int step, bool shared) {
  int label = program.step[step].arg[0];
  self = pgd_push_ctx(label, shared);
  pgd_set_name(self->pid, label, 0);
  atomic_store(&self->entry->tid, 0);
  atomic_store(&self->entry->pid, self->pid);
  atomic_store(&self->entry->state, PGD_ALIVE);
  pgd_run(step + 1, program.step[step].end);
  pgd_turn(NULL);
  pgd_leave(0, false);
}

/* The steps of a program send signals. So nothing may run unless the monitor started it in a namespace made for it. */
static void refuse(const char *why) {
  fprintf(stderr, "pg_diff_interp: %s; it is started by pg_diff\n", why);
  _exit(2);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--loaded") == 0) /* the loader only warns of a preload object that it cannot load */
    return dlopen(argv[2], RTLD_LAZY | RTLD_NOLOAD) == NULL;
  if (argc != 4)
    refuse("wrong arguments");
  int fd = pg_sys_openat(AT_FDCWD, argv[1], O_RDWR | O_CLOEXEC, 0);
  board = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (board == MAP_FAILED || board->magic != PGD_MAGIC)
    refuse("no board");
  pg_sys_close(fd);
  struct stat st;
  if (stat("/proc/self/ns/pid", &st) != 0 || st.st_ino != board->pid_ns)
    refuse("not in the pid namespace of its monitor");
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  if (n <= 0 || pgd_program_parse(&program, board->text) != 0)
    refuse("no program");
  path[n] = '\0';
  interp_path = path;
  board_path = argv[1];
  int label = atoi(argv[2]), step = atoi(argv[3]);
  self = pgd_push_ctx(label, false);
  struct sigaction chld;
  sigaction(SIGCHLD, NULL, &chld); /* an ignored SIGCHLD survives exec, a handler does not */
  self->chld = chld.sa_handler == SIG_IGN ? CHLD_IGNORE : CHLD_DEFAULT;
  pgd_catch(SIGALRM, 0); /* the monitor ends with it a wait that nothing else can end */
  pgd_set_name(self->pid, label, 0);
  atomic_store(&self->entry->in_call, PGD_CALL_NO);
  atomic_store(&self->entry->own_memory, 1);
  atomic_store(&self->entry->pid, self->pid);
  atomic_store(&self->entry->state, PGD_ALIVE);
  if (step >= program.count)
    refuse("no such step");
  pgd_run(step + 1, step < 0 ? program.count : program.step[step].end);
  pgd_turn(NULL);
  pgd_leave(0, true);
}

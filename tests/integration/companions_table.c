/* SPDX-License-Identifier: MIT */
#include "companions.h"

#include <stddef.h>
#include <string.h>

#define LIB "/usr/lib/*-linux-gnu/"
/* The runtime of the compiler that has built the programs. There may be those of others. */
#ifdef __clang__
#define SANITIZER(name) "/usr/lib/gcc/*-linux-gnu/*/lib" name ".so"
#else
#define TEXT_OF(number) #number
#define OF_GCC(version, name) "/usr/lib/gcc/*-linux-gnu/" TEXT_OF(version) "/lib" name ".so"
#define SANITIZER(name) OF_GCC(__GNUC__, name)
#endif
#define BOTH(title, library, ...)                                                                                      \
  {.name = title "-before", .needs = library, .flags = CASES, __VA_ARGS__}, {                                          \
    .name = title "-behind", .needs = library, .flags = CASES | BEHIND, __VA_ARGS__                                    \
  }

static const struct companion preloads[] = {
    BOTH("faketime", LIB "faketime/libfaketime.so.1", .env = {"FAKETIME=+2d"}),
    BOTH("eatmydata", LIB "libeatmydata.so.1", .probe = NULL),
    BOTH("jemalloc", LIB "libjemalloc.so.2", .probe = NULL),
    BOTH("tcmalloc", LIB "libtcmalloc.so.4", .probe = NULL),
    BOTH("profiler", LIB "libprofiler.so.0", .probe = NULL),
    {.name = "asan", .needs = SANITIZER("asan"), .env = {"ASAN_OPTIONS=detect_leaks=0:handle_segv=0"}, .flags = CASES},
    {.name = "asan-program",
     .needs = SANITIZER("asan"),
     .built = "_address",
     .complaint = "Sanitizer",
     .env = {"ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1"},
     .flags = NO_STORY},
    {.name = "asan-program-behind",
     .needs = SANITIZER("asan"),
     .built = "_address",
     .complaint = "Sanitizer",
     .env = {"ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0"},
     .flags = NO_STORY | BEHIND},
    {.name = "ubsan", .needs = SANITIZER("ubsan"), .flags = CASES},
    {.name = "ubsan-program", .built = "_undefined", .complaint = "runtime error", .flags = NO_STORY},
    {.name = "tsan-program", .built = "_thread", .complaint = "Sanitizer", .flags = NO_STORY},
    {.name = "tsan-before",
     .needs = SANITIZER("tsan"),
     .built = "_thread",
     .complaint = "Sanitizer",
     .flags = NO_STORY},
    {.name = "fakeroot",
     .needs = "fakeroot",
     .prefix = {"fakeroot", "--"},
     .probe = "fakeroot -- true",
     .flags = CASES},
    {.name = "stdbuf", .needs = "stdbuf", .prefix = {"stdbuf", "-o0", "-i0"}, .flags = CASES},
    {.name = "unversioned-behind", .needs = UNVERSIONED, .flags = CASES | BEHIND},
    {.name = "starting", .needs = STARTING, .flags = CASES},
    {.name = "starting-behind", .needs = STARTING, .flags = CASES | BEHIND},
    {.name = "audit", .env = {"LD_AUDIT=" AUDITOR}, .flags = CASES},
    {.name = "bind-now", .env = {"LD_BIND_NOW=1"}, .flags = CASES},
    {.name = "bind-not", .env = {"LD_BIND_NOT=1"}, .flags = CASES},
    {.name = NULL}};

/* The program's output does not go through the debugger. cat ends when the last process that writes to it ends. */
#define GDB(options)                                                                                                   \
  .needs = "gdb", .probe = "gdb -nx -q -batch -ex 'python print(1)' -ex run --args true",                              \
  .prefix = {"sh", "-c",                                                                                               \
             "{ gdb -nx -q -batch " options " -x " KEEP_GOING " --args \"$@\" 3>&1 4>&2 >/dev/null 2>&1; } | cat",     \
             "sh"}
#define CHILD "-ex 'set follow-fork-mode child'"
#define KEEP "-ex 'set detach-on-fork off' -ex 'set schedule-multiple on'"
/* Some of these breakpoints stop vfork children, in memory that is their parent's. */
#define BREAKPOINTS                                                                                                    \
  "-ex 'set breakpoint pending on' -ex 'break vfork' -ex 'break _exit' -ex 'break kill' -ex 'break waitpid' "          \
  "-ex 'catch vfork' -ex 'catch fork'"
/* --vgdb=no, because valgrind names its pipes in /tmp by PID, and two pid namespaces have the same PIDs. */
#define VALGRIND(...)                                                                                                  \
  .needs = "valgrind", .prefix = {"valgrind", "-q", "--vgdb=no", __VA_ARGS__}, .probe = "valgrind -q --vgdb=no true"
#define STRACE(...)                                                                                                    \
  .needs = "strace", .probe = "strace true", .prefix = {"strace", "-f", "-qq", "-o", "/dev/null", __VA_ARGS__}

static const struct companion tracers[] = {
    {.name = "gdb", GDB("")},
    {.name = "gdb-follow-child", GDB(CHILD), .flags = NO_STORY},
    {.name = "gdb-keep-both", GDB(KEEP), .flags = RACY},
    {.name = "gdb-keep-both-follow-child", GDB(KEEP " " CHILD), .flags = RACY | NO_STORY},
    {.name = "gdb-breakpoints", GDB(BREAKPOINTS)},
    {.name = "memcheck", VALGRIND("--trace-children=yes"), .complaint = "== ", .flags = NOISY},
    {.name = "helgrind", VALGRIND("--tool=helgrind"), .complaint = "== ", .flags = NOISY},
    {.name = "drd", VALGRIND("--tool=drd"), .complaint = "== ", .flags = NOISY},
    {.name = "strace", STRACE("-e", "trace=all"), .flags = CASES},
    {.name = "strace-no-pidfd", STRACE("-e", "inject=pidfd_open,pidfd_send_signal:error=ENOSYS")},
    {.name = "strace-delays", STRACE("-e", "inject=pidfd_open,waitid,wait4:delay_exit=3000")},
    {.name = "ltrace",
     .needs = "ltrace",
     .probe = "ltrace -o /dev/null true",
     .prefix = {"ltrace", "-f", "-o", "/dev/null"},
     .flags = NOISY},
    {.name = "perf",
     .needs = "perf",
     .probe = "perf stat -o /dev/null true",
     .prefix = {"perf", "stat", "-o", "/dev/null", "--"}},
    {.name = NULL}};

#define NOBODY "65534"

/* A root of its own, with the program, its libraries, and the shim at its old path. */
#define CHROOT                                                                                                         \
  "d=$(mktemp -d) || exit 1; trap 'rm -rf \"$d\"' EXIT; mount -t tmpfs none \"$d\" || exit 1; "                        \
  "p=$LD_PRELOAD; unset LD_PRELOAD; for f in \"$1\" /bin/true $p $(ldd \"$1\" $p | grep -o '/[^ ):]*'); do "           \
  "mkdir -p \"$d/${f%/*}\"; cp -L \"$f\" \"$d/$f\"; done; mkdir \"$d/proc\"; mount --bind /proc \"$d/proc\"; "         \
  "LD_PRELOAD=$p chroot \"$d\" \"$@\"; s=$?; umount \"$d/proc\"; umount \"$d\"; exit $s"

static const struct companion starters[] = {
    {.name = "setarch", .needs = "setarch", .prefix = {"setarch", "-R"}, .probe = "setarch -R true", .flags = CASES},
    {.name = "setsid", .needs = "setsid", .prefix = {"setsid", "-w"}, .probe = "setsid -w true", .flags = CASES},
    {.name = "nohup", .needs = "nohup", .prefix = {"nohup"}},
    {.name = "timeout", .needs = "timeout", .prefix = {"timeout", "60"}},
    {.name = "nice", .needs = "nice", .prefix = {"nice"}},
    {.name = "env-i",
     .needs = "env",
     .prefix = {"sh", "-c", "exec env -i ${LD_PRELOAD+LD_PRELOAD=\"$LD_PRELOAD\"} ${MOMENT+MOMENT=\"$MOMENT\"} \"$@\"",
                "sh"},
     .flags = CASES},
    {.name = "script",
     .needs = "script",
     .probe = "script -qefc true /dev/null",
     .prefix = {"sh", "-c", "script -qefc \"$*\" /dev/null", "sh"},
     .flags = NO_STORY},
    {.name = "su", .needs = "su", .probe = "su root -c true", .prefix = {"sh", "-c", "su -m root -c \"$*\"", "sh"}},
    {.name = "setpriv-no-new-privs",
     .needs = "setpriv",
     .prefix = {"setpriv", "--no-new-privs"},
     .probe = "setpriv --no-new-privs true",
     .flags = CASES},
    {.name = "setpriv-nobody",
     .needs = "setpriv",
     .probe = "setpriv --reuid=" NOBODY " --clear-groups true",
     .prefix = {"setpriv", "--reuid=" NOBODY, "--regid=" NOBODY, "--clear-groups", "--inh-caps=-all"},
     .flags = NO_STORY | OTHER},
    {.name = "unshare-mount",
     .needs = "unshare",
     .probe = "unshare --mount true",
     .prefix = {"unshare", "--mount"},
     .flags = CASES},
    {.name = "unshare-user",
     .needs = "unshare",
     .probe = "unshare --user --map-root-user true",
     .prefix = {"unshare", "--user", "--map-root-user"},
     .flags = NO_STORY},
    {.name = "unshare-pid",
     .needs = "unshare",
     .probe = "unshare --pid --fork --mount-proc true",
     .prefix = {"unshare", "--pid", "--fork", "--mount-proc"},
     .flags = CASES | NO_STORY},
    {.name = "unshare-pid-no-proc",
     .needs = "unshare",
     .probe = "unshare --pid --fork true",
     .prefix = {"unshare", "--pid", "--fork"},
     .flags = CASES | NO_STORY},
    /* The first child is process 1 of the new namespace. After its end the program can have no other child. */
    {.name = "unshare-pid-no-fork",
     .needs = "unshare",
     .probe = "unshare --pid true",
     .prefix = {"unshare", "--pid"},
     .flags = NO_END | NO_STORY},
    {.name = "unshare-pid-shell",
     .needs = "unshare",
     .probe = "unshare --pid true",
     .prefix = {"unshare", "--pid", "sh", "-c", "\"$@\"; exit $?", "sh"},
     .flags = NO_STORY},
    {.name = "nsenter",
     .needs = "nsenter",
     .probe = "nsenter --pid=/proc/self/ns/pid --mount=/proc/self/ns/mnt true",
     .prefix = {"nsenter", "--pid=/proc/self/ns/pid", "--mount=/proc/self/ns/mnt"}},
    {.name = "chroot",
     .needs = "ldd",
     .probe = "unshare --mount chroot / true",
     .prefix = {"unshare", "--mount", "sh", "-c", CHROOT, "sh"}},
    {.name = NULL}};

/* A shell that arranges something and then becomes the program. MOUNTED does it in a mount namespace of its own. */
#define ARRANGED(commands) .needs = "sh", .prefix = {"sh", "-c", commands "; exec \"$@\"", "sh"}
#define MOUNTED(commands, ...)                                                                                         \
  .needs = "unshare", .probe = "unshare --mount sh -c '" commands "'",                                                 \
  .prefix = {"unshare", "--mount", "sh", "-c", commands " && exec \"$@\"", "sh", __VA_ARGS__}
#define AS_NOBODY "setpriv", "--reuid=" NOBODY, "--regid=" NOBODY, "--clear-groups", "--inh-caps=-all"

/* The capabilities of a container, as Docker gives them by default. A process without capabilities goes on as it is. */
#define CAPABILITIES                                                                                                   \
  "--inh-caps=-all --bounding-set=-all,+chown,+dac_override,+fsetid,+fowner,+mknod,+net_raw,+setgid,+setuid,"          \
  "+setfcap,+setpcap,+net_bind_service,+sys_chroot,+kill,+audit_write"
#define CONTAINER                                                                                                      \
  "c=; ! setpriv " CAPABILITIES " true 2>/dev/null || c=\"setpriv " CAPABILITIES "\"; exec $c " FILTER " docker "      \
  "\"$@\""

static const struct companion places[] = {
    /* shells of a case complain about files of /proc, with PIDs in their names */
    {.name = "no-proc", MOUNTED("umount -l /proc", NULL), .flags = CASES | NOISY},
    {.name = "read-only", MOUNTED("mount -o remount,bind,ro /", NULL), .flags = CASES},
    {.name = "hidden-processes",
     .needs = "setpriv",
     .probe = "unshare --mount mount -t proc -o hidepid=2 proc /proc && setpriv --reuid=" NOBODY " --clear-groups true",
     .prefix = {"unshare", "--mount", "sh", "-c", "mount -t proc -o hidepid=2 proc /proc && exec \"$@\"", "sh",
                AS_NOBODY},
     .flags = NO_STORY | OTHER},
    {.name = "no-dev", MOUNTED("mount -t tmpfs none /dev", NULL), .flags = NO_STORY},
    {.name = "docker-filter",
     .needs = "setpriv",
     .probe = FILTER " docker true",
     .prefix = {"sh", "-c", CONTAINER, "sh"},
     .flags = CASES},
    {.name = "service-filter", .probe = FILTER " service true", .prefix = {FILTER, "service"}, .flags = CASES},
    {.name = "service-filter-eperm",
     .probe = FILTER " service-eperm true",
     .prefix = {FILTER, "service-eperm"},
     .flags = CASES},
    {.name = "16-descriptors", ARRANGED("ulimit -n 16"), .flags = CASES},
    {.name = "little-memory", ARRANGED("ulimit -v 60000")},
    {.name = "no-core-no-stack", ARRANGED("ulimit -c 0; ulimit -s 256")},
    {.name = "log-on-a-full-disk",
     MOUNTED("mount -t tmpfs -o size=4k none /mnt && head -c 4096 /dev/zero >/mnt/full", NULL),
     .env = {"PIDGUARD_LOG=/mnt/log", "PIDGUARD_DEBUG=debug"},
     .flags = NOISY}, /* at the end it says that it lost lines */
    {.name = "log-read-only",
     MOUNTED("mount -t tmpfs -o ro none /mnt", NULL),
     .env = {"PIDGUARD_LOG=/mnt/log", "PIDGUARD_DEBUG=debug"},
     .flags = NOISY},
    /* The program's own output may also be a file, so it goes through a pipe. */
    {.name = "log-without-room",
     .needs = "unshare",
     .probe = "unshare --mount mount -t tmpfs none /mnt",
     .prefix = {"unshare", "--mount", "sh", "-c",
                "mount -t tmpfs none /mnt && { (ulimit -f 0; exec \"$@\"); echo \"status $?\"; } | cat", "sh"},
     .env = {"PIDGUARD_LOG=/mnt/log", "PIDGUARD_DEBUG=debug"},
     .flags = NO_STORY | NOISY},
    {.name = "closed-0", ARRANGED("exec <&-"), .flags = CASES | NO_STORY},
    {.name = "closed-1", ARRANGED("exec >&-"), .flags = NO_END | NO_STORY},
    {.name = "closed-2", ARRANGED("exec 2>&-"), .flags = CASES},
    {.name = "closed-all", ARRANGED("exec <&- >&- 2>&-"), .flags = NO_END | NO_STORY},
    {.name = NULL}};

const struct companion *companions_of(const char *list) {
  return strcmp(list, "preloads") == 0   ? preloads
         : strcmp(list, "tracers") == 0  ? tracers
         : strcmp(list, "starters") == 0 ? starters
         : strcmp(list, "places") == 0   ? places
                                         : NULL;
}

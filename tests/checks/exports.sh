#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks the names that the built objects export. The header, the version scripts and the objects must agree. The
# preload object must take exactly the names below from libc. Both objects must be linked as code for signal handlers
# needs.
# Usage: exports.sh BUILD_DIRECTORY [C-COMPILER]
set -u
export LC_ALL=C
root=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P) || exit 1
build=${1:?usage: exports.sh BUILD_DIRECTORY [C-COMPILER]}
cc=${2:-cc}

# Every name that the preload object takes from libc, as a list for reviews. A new wrapper needs its name here. Names
# that this libc does not have are not expected. Names with two leading underscores are glibc's alone.
interposed='
  fork __fork _Fork vfork __vfork clone __clone posix_spawn posix_spawnp forkpty daemon
  kill killpg sigqueue tgkill
  wait __wait waitpid __waitpid wait3 wait4 waitid
  close __close dup2 __dup2 dup3 close_range closefrom
  setpgid __setpgid getpgid __getpgid __bsd_getpgrp getsid setpriority getpriority
  sched_setscheduler sched_getscheduler sched_setparam sched_getparam sched_setaffinity sched_getaffinity
  __sched_setscheduler __sched_getscheduler __sched_getparam sched_rr_get_interval sched_setattr sched_getattr
  tcsetpgrp clock_getcpuclockid capget pidfd_spawn pidfd_spawnp
  prlimit prlimit64 setrlimit setrlimit64 process_vm_readv process_vm_writev ptrace pidfd_open pidfd_getfd
  prctl syscall setns unshare dlopen'
# Expected only if this machine has a trampoline, in NAME_<arch>.S. They are then expected even if this libc lacks the
# name, because an assembler file cannot tell.
trampolines=' vfork __vfork syscall dlopen '
# Wrappers that glibc got late: _Fork, close_range and closefrom in 2.34, pidfd_open in 2.36, pidfd_spawn in 2.39,
# sched_setattr in 2.41. An object that was built with an older glibc must also work for programs that were built with a
# newer one.
glibc_always=' _Fork close_range closefrom tgkill pidfd_open pidfd_getfd pidfd_spawn pidfd_spawnp '
glibc_always+='sched_setattr sched_getattr '
# musl has these for the linker alone. Its headers turn them into other names.
glibc_only=' prlimit64 setrlimit64 '
# The old versions of these take other arguments. The object does not take them.
newest_only=' sched_setaffinity sched_getaffinity '
# This moved from libutil to libc in 2.34, and got a new version. Both versions are the same function. On x86-64 the
# object has both, with any libc.
moved=' forkpty '

failures=0
checks=0
fail() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n' "$*"
}
# same WHAT EXPECTED ACTUAL: lists, one entry a line.
same() {
  checks=$((checks + 1))
  local missing extra
  missing=$(comm -23 <(sort -u <<<"$2") <(sort -u <<<"$3") | tr '\n' ' ')
  extra=$(comm -13 <(sort -u <<<"$2") <(sort -u <<<"$3") | tr '\n' ' ')
  [[ $missing == *[!\ ]* ]] && fail "$1; missing: $missing"
  [[ $extra == *[!\ ]* ]] && fail "$1; unexpected: $extra"
}
contains() { [[ $'\n'$1$'\n' == *$'\n'$2$'\n'* ]]; } # LIST WORD: a list has one word a line
holds() { # WHAT COMMAND…
  checks=$((checks + 1))
  "${@:2}" || fail "$1"
}

api=$build/lib/libpidguard.so.0
preload=$build/lib/libpidguard-preload.so
archive=$build/lib/libpidguard.a
for file in "$api" "$preload" "$archive"; do
  [[ -e $file ]] || { echo "there is no $file" && exit 1; }
done

# Prints NAME@VERSION for everything that an object exports, and NAME if it has no version.
exported() { nm -D --defined-only "$1" | awk '$2 != "A" {sub(/@@/, "@", $3); print $3}' | sort -u; }
names() { sed 's/@.*//' | sort -u; }

# ---- The public functions: header, version script, three libraries ----

declared=$("$cc" -E -P -D_GNU_SOURCE -I"$root/include" -x c "$root/include/pidguard/pidguard.h" |
  grep -oE '\<pidguard_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u)
holds 'the header declares functions' test "$(wc -l <<<"$declared")" -gt 50

node=$(sed -n 's/^\(PIDGUARD_[0-9.]*\) {$/\1/p' "$root/src/api/pidguard.map")
holds 'the version script has one node' test -n "$node"
same 'libpidguard.so.0 beside the header' "${declared//$'\n'/@$node$'\n'}@$node" "$(exported "$api")"
same 'libpidguard-preload.so beside the header' "$declared" "$(exported "$preload" | grep '^pidguard_')"

globals=$(nm -g --defined-only "$archive" 2>/dev/null | awk 'NF == 3 {print $3}' | sort -u)
same 'libpidguard.a beside the header' "$declared" "$(grep '^pidguard_' <<<"$globals")"
same 'libpidguard.a: other names than pidguard_ and pg_' '' "$(grep -vE '^(pidguard|pg)_' <<<"$globals")"

# ---- The names taken from libc ----

machine=$(readelf -hW "$preload" | sed -n 's/^ *Machine: *//p')
# The libc that the object was linked with. If its name leads to a linker script, as with musl, it is the program
# interpreter.
needed=$(readelf -dW "$preload" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
libc=$("$cc" -print-file-name="$(grep '^libc\.' <<<"$needed" | head -n1)")
if ! readelf -hW "$libc" >/dev/null 2>&1; then
  libc=$(echo 'int main(void) { return 0; }' | "$cc" -x c - -o "$build/exports.tmp" &&
    readelf -lW "$build/exports.tmp" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
  rm -f "$build/exports.tmp"
fi
of_libc=$(exported "$libc")
holds "libc has functions ($libc)" grep -qE '^fork(@|$)' <<<"$of_libc"
libutil=$("$cc" -print-file-name=libutil.so.1)
[[ ! -e $libutil ]] || of_libc+=$'\n'$(exported "$libutil")

expected=
for name in $interposed; do
  [[ $glibc_only != *" $name "* || $needed == *libc.so.6* ]] || continue
  if [[ $trampolines == *" $name "* ]]; then
    ! compgen -G "$build/src/CMakeFiles/pidguard_preload.dir/preload/${name#__}_*.S.*" >/dev/null ||
      expected+=$name$'\n'
    continue
  fi
  versions=$(grep -E "^$name(@|\$)" <<<"$of_libc" | grep -v GLIBC_PRIVATE)
  if [[ $moved == *" $name "* && $versions == *@* ]]; then
    [[ $machine != *X86-64* ]] || name+=@GLIBC_2.2.5$'\n'$name@GLIBC_2.34
    expected+=$name$'\n'
    continue
  fi
  case $(grep -c . <<<"$versions") in
  0) [[ $glibc_always != *" $name "* || $needed != *libc.so.6* ]] || expected+=$name$'\n' ;;
  1) expected+=$name$'\n' ;; # a name without a version stands for all versions, including later ones
  *)
    # A program that was linked with an old version must get that version, so each has a function of its own.
    [[ $newest_only != *" $name "* ]] || versions=$(sort -V <<<"$versions" | tail -n1)
    expected+=$versions$'\n'
    ;;
  esac
done
same 'the names that libpidguard-preload.so takes from libc' "${expected%$'\n'}" \
  "$(exported "$preload" | grep -v '^pidguard_')"

# ---- The functions of this glibc, and of newer ones, that take a PID ----

# Functions that are declared with a PID or a process group. The preprocessor includes further headers, so a few are
# enough.
declared_with_numbers() {
  printf '#include <%s>\n' unistd.h signal.h sched.h spawn.h termios.h time.h pty.h sys/wait.h sys/resource.h \
    sys/uio.h sys/ptrace.h sys/mman.h sys/prctl.h sys/pidfd.h |
    sed 's/#include <sys.pidfd.h>/#if __has_include(<sys\/pidfd.h>)\n&\n#endif/' |
    "$cc" -E -P -D_GNU_SOURCE -x c - | tr '\n' ' ' | sed 's/[;{}]/\n/g' | grep -v typedef |
    grep -E '\<(__)?(pid_t|id_t|idtype_t)\>|\<pidfd\w* *\(' | grep -oE '\w+ *\(' | tr -d ' (' | sort -u |
    grep -vxE '__attribute__|__nonnull__|__access__|__nothrow__|__warn_unused_result__|__leaf__'
}
if [[ $needed == *libc.so.6* ]]; then
  table=$(sed '/^#/d' "$root/tests/checks/glibc.table")
  known=$(cut -d' ' -f1 <<<"$table")
  taken=$(awk '$3 == "taken" {print $1}' <<<"$table")
  has=$(names <<<"$of_libc")
  with_numbers=$(comm -12 <(declared_with_numbers) <(sort -u <<<"$has"))
  holds 'this libc declares calls that take PIDs' test "$(wc -l <<<"$with_numbers")" -gt 40
  # The aliases, which are the same names with two underscores in front.
  with_numbers+=$'\n'$(grep -xF -f <(sed 's/^/__/' <<<"$with_numbers") <<<"$has")
  same 'calls of this libc that take a PID, and that tests/checks/glibc.table does not know' '' \
    "$(comm -23 <(sort -u <<<"$with_numbers") <(sort -u <<<"$known"))"
  same 'taken according to tests/checks/glibc.table, and in the list of exports.sh' "$taken" \
    "$(grep -xF -f <(tr -s ' \n' '\n' <<<"$interposed" | grep .) <<<"$taken")"
  same 'taken by glibc.table, in this libc, and exported' "$(comm -12 <(sort -u <<<"$taken") <(sort -u <<<"$has"))" \
    "$(exported "$preload" | names | grep -xF -f <(comm -12 <(sort -u <<<"$taken") <(sort -u <<<"$has")))"
fi
# A test must call each of them before the object is relocated.
called_early=$(sed -n '/^static int signal_child/,/^static void bare(void)/p' "$root/tests/programs/moment.c" |
  grep -oE '[_A-Za-z0-9]+\(' | tr -d '(' | sort -u)
for name in $interposed; do
  # Not dlopen(), because libc itself does not survive that call there. pidfd_spawn and pidfd_spawnp are called if libc
  # has them.
  [[ $name == __* || $name == *64 || $name == dlopen ]] ||
    holds "tests/programs/moment.c does not call $name when it is early" contains "$called_early" "$name"
done

# A test must show for each call of preload/numbers.h that it hits a stranger without the shim.
for row in $(sed -n 's/^  X(\([a-z0-9_]*\), PG_AT.*/\1/p' "$root/src/preload/numbers.h"); do
  case $row in
  prctl) case=set_ptracer ;; # one of its options
  *) case=${row%64} ;;
  esac
  holds "tests/integration/stale.c has no case of $row" \
    grep -qE "\"(syscall-)?$case[\"-]" "$root/tests/integration/stale.c"
done

# Each name of the version script must be exported with that version. No other name has a version.
scripted=
[[ $machine != *X86-64* || $needed != *libc.so.6* ]] || scripted=$(awk '
  /^[A-Z].* \{/ {v = $1}
  /global:/ {gsub(/global:|;/, " "); for (i = 1; i <= NF; i++) print $i "@" v}
  ' "$root/src/preload/preload_x86_64_glibc.map")
same 'the version script of libpidguard-preload.so beside the object' "$scripted" "$(exported "$preload" | grep '@')"

# ---- The libraries and names that the objects need, and how they are linked ----

# Prints the compiled objects that have a constructor, one a line. A constructor is a pointer in .init_array.
constructors() {
  find "$build/src/CMakeFiles/$1" -name '*.o' -exec readelf -rW {} + | awk -v prefix="$1/" '
    /^File: / {file = $2; sub(".*" prefix, "", file); next}
    /^Relocation section/ {on = /\.(init_array|ctors|preinit_array)/; next}
    on && $3 ~ /^R_/ {print file}'
}
same 'constructors of libpidguard.so.0' '' "$(constructors pidguard_shared.dir)"
same 'constructors of libpidguard-preload.so' preload/init.c.o "$(constructors pidguard_preload.dir)"
holds 'libpidguard-preload.so has one constructor' test "$(constructors pidguard_preload.dir | wc -l)" = 1

for object in "$api" "$preload"; do
  name=${object##*/}
  dynamic=$(readelf -dW "$object")
  segments=$(readelf -lW "$object")
  same "$name needs other libraries than libc" '' \
    "$(readelf -dW "$object" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
      grep -vE '^(libc\.so(\.6)?|libdl\.so\.2|libutil\.so\.1|ld-(linux|musl)-.*)$')"
  same "$name needs names that libc does not have" '' \
    "$(nm -D --undefined-only "$object" | awk '$1 == "U" {print $2}' | names |
      grep -vxF -f <(names <<<"$of_libc"; echo 'dlsym dlvsym' | tr ' ' '\n'))"
  holds "$name: bound at start (BIND_NOW)" grep -qE '\(FLAGS(_1)?\).*NOW' <<<"$dynamic"
  holds "$name: stays when it is closed (NODELETE)" grep -qE '\(FLAGS_1\).*NODELETE' <<<"$dynamic"
  # The preload object has no RELRO, which would cost each exec a mapping and an mprotect.
  [[ $object == "$preload" ]] || holds "$name: RELRO" grep -q GNU_RELRO <<<"$segments"
  holds "$name: the stack is not executable" grep -qE 'GNU_STACK .* RW +0x' <<<"$segments"
  same "$name: RPATH, RUNPATH, TEXTREL" '' "$(grep -oE 'RPATH|RUNPATH|TEXTREL' <<<"$dynamic")"
  holds "$name: its SONAME" grep -qE "SONAME.*\[$name(\.0)?\]" <<<"$dynamic"
done

echo "$checks checks, $(wc -l <<<"$declared") public functions, $(grep -c . <<<"$expected") names of libc," \
  "$failures failed"
((failures == 0))

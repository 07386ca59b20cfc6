# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC1091,SC2016
# Tests `pidguard check` on programs, libraries and folders, on programs that go past the shim, and on broken files. See
# check.sh for the arguments.
. "${BASH_SOURCE[0]%/*}/check.sh"
cc=$(type -P "${CC:-cc}" || type -P gcc || type -P clang)

one() { # FILE DEGREE PATTERN
  run "$pidguard" check "$1"
  expect out "$2 *$3*"
}
one bash full ''
expect status 0
run "$pidguard" check no-such-program
expect status 2
expect err 'pidguard: no-such-program: No such file or directory'
[[ ! -u /usr/bin/passwd ]] || ! root_is_mapped || one /usr/bin/passwd none 'is setuid'

mkdir folder folder/deeper
printf 'int main(void) { return 0; }\n' >plain.c
"$cc" -o folder/plain plain.c
printf '#!/bin/sh\n' >folder/script && chmod 755 folder/script
printf '#!/no/such\n' >folder/orphan && chmod 755 folder/orphan
echo data >folder/data
head -c 3000 folder/plain >folder/deeper/cut
"$cc" -static -o folder/deeper/static plain.c 2>/dev/null || skip 'static programs, because cc cannot link statically'
ln -s plain folder/link
run "$pidguard" check folder
expect status 1
expect out '*full     folder/plain*full     folder/script*2 in full, 0 in part, * not, 0 not known'
expect out '*none     folder/orphan: names an interpreter that is not there: /no/such*'
expect out '*none     folder/deeper/cut: is cut short*'
[[ ! -e folder/deeper/static ]] || expect out '*none     folder/deeper/static: is statically linked*'
[[ $out != *folder/link* && $out != *folder/data* ]] || expect out 'neither links nor data'
run "$pidguard" check --quiet folder
[[ $out != *folder/plain* ]] || expect out 'only those that are not protected in full'
if type -P python3 >/dev/null; then
  run sh -c '"$0" check --json folder | python3 -c "import json, sys
d = json.load(sys.stdin)
print(d[\"full\"], [f[\"kind\"] for f in d[\"files\"] if f[\"file\"] == \"folder/deeper/cut\"])"' "$pidguard"
  expect out "2 [[]'cut'[]]"
fi

# What cannot be looked at is not known. The shell can go deeper than one path can tell.
mkdir pit pit/first
cp folder/plain pit/first/
name=$(printf '%0200d' 0)
(
  cd pit || exit
  for ((i = 0; i < 22; i++)); do mkdir "$name" && cd "$name" || exit; done
  cp "$tmp/folder/plain" .
)
run "$pidguard" check pit
expect status 2
expect out '*full     pit/first/plain*1 in full, 0 in part, 0 not, 1 not known'
expect err 'pidguard: pit/000*: File name too long'
if can_be_other; then
  mkdir listed && cp folder/plain listed/ && chmod 744 listed
  run "${as_other[@]}" "$pidguard" check listed
  expect status 2
  expect out '0 in full, 0 in part, 0 not, 1 not known'
  expect err 'pidguard: listed/plain: Permission denied'
fi

# System calls by instructions of its own, functions that the shim also exports, RTLD_DEEPBIND.
case $(uname -m) in
x86_64)
  cat >raw.c <<'END_C'
int main(int argc, char **argv) {
  long r;
  (void)argv;
  if (argc > 100)
    __asm__ volatile("syscall" : "=a"(r) : "a"(62), "D"(0x7fffffffL), "S"(0L) : "rcx", "r11", "memory");
  return argc > 100 ? (int)r : 0;
}
END_C
  "$cc" -O1 -o raw raw.c && one ./raw partial 'makes system calls by instructions of its own: kill'
  expect status 1
  cat >deep.c <<'END_C'
#include <dlfcn.h>
int main(int argc, char **argv) { return argc > 1 ? dlopen(argv[1], RTLD_NOW | FLAGS) == 0 : 0; }
END_C
  for flags in -O0 -O2 '-O2 -fno-plt' '-O2 -fcf-protection=full'; do
    # shellcheck disable=SC2086
    "$cc" $flags -D_GNU_SOURCE -DFLAGS=RTLD_DEEPBIND -o deep deep.c -ldl 2>/dev/null &&
      one ./deep partial 'opens libraries with RTLD_DEEPBIND'
    # shellcheck disable=SC2086
    "$cc" $flags -D_GNU_SOURCE -DFLAGS=RTLD_GLOBAL -o shallow deep.c -ldl 2>/dev/null && one ./shallow full ''
  done
  ;;
*) skip "own system calls, because this test has no program for $(uname -m)" ;;
esac
printf 'int kill(int a, int b);\nint kill(int a, int b) { return a + b; }\n' >own.c
for name in libown.so ldown.so; do # the second is no dynamic linker
  "$cc" -shared -fPIC -o $name own.c && one ./$name partial "exports functions that the shim also exports: kill"
done
# Each name once, also if one is the beginning of another.
names='waitpid wait4 wait dup2 posix_spawnp posix_spawn'
for function in $names; do printf 'int %s(void);\nint %s(void) { return 0; }\n' "$function" "$function"; done >many.c
"$cc" -fno-builtin -shared -fPIC -o libmany.so many.c
run sh -c '"$0" check ./libmany.so | sed -n "s/.*also exports: //p" | tr " " "\n" | sort' "$pidguard"
expect out "$(tr ' ' '\n' <<<"$names" | sort)"

# The program trusts no byte of a file. Single bytes are changed, and the file is cut at many places. The program must
# always answer, and must never be killed by a signal.
cp folder/plain whole
size=$(wc -c <whole)
broken=0
for ((i = 0; i < 45; i++)); do
  cp whole odd
  for ((k = 0; k < 4; k++)); do
    at=$((RANDOM % 2 ? RANDOM % 1000 : (RANDOM * 32768 + RANDOM) % size))
    printf "\\x$(printf %x $((RANDOM % 256)))" | dd of=odd bs=1 seek=$at conv=notrunc status=none
  done
  ((i % 3)) || truncate -s $((RANDOM % size)) odd
  "$pidguard" check ./odd >answer 2>&1
  (($? <= 2)) && [[ -s answer ]] || {
    broken=$((broken + 1))
    cp odd "$tmp/broken.$i"
  }
done
run echo "$broken"
expect out 0
finish

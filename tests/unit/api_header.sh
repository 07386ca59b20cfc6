#!/bin/sh
# SPDX-License-Identifier: MIT
# Compiles the public header alone, as C and C++, with each installed compiler and with warnings as errors. If siginfo_t
# is not declared, the header must tell what it needs. cffi must be able to parse it. Usage: api_header.sh
# INCLUDE_DIRECTORY
set -u
include=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
tried=0 failed=0

cat >"$work/plain.c" <<'END'
#include <pidguard/pidguard.h>
#include <pidguard/pidguard.h>
int use(int fd);
int use(int fd) {
  struct pidguard_info info;
  info.mask = PIDGUARD_INFO_ALL;
  return pidguard_pidfd_get_info(fd, &info, sizeof info) + pidguard_pidfd_wait(fd, NULL, -1);
}
END
cat >"$work/full.c" <<'END'
#include <pidguard/pidguard.h>
int use(int fd);
int use(int fd) {
  siginfo_t info;
  union sigval value;
  value.sival_int = 1;
  return pidguard_pidfd_sigqueue(fd, SIGTERM, value) + pidguard_pidfd_waitid(fd, &info, WEXITED, NULL, 0);
}
END

try() { # COMPILER FILE FLAG...
  compiler=$1 file=$2
  shift 2
  tried=$((tried + 1))
  if ! "$compiler" "$@" -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Wcast-qual -Werror -I"$include" \
    -c "$work/$file" -o "$work/out.o"; then
    echo "FAILED: $compiler $* $file"
    failed=$((failed + 1))
  fi
}

refuses() { # COMPILER FILE FLAG...: the header must fail with its hint, or else declare all functions
  compiler=$1 file=$2
  shift 2
  tried=$((tried + 1))
  if "$compiler" "$@" -I"$include" -c "$work/$file" -o "$work/out.o" 2>"$work/said"; then
    "$compiler" "$@" -I"$include" -c "$work/full.c" -o "$work/out.o" 2>"$work/said" && return
  elif grep -q '_POSIX_C_SOURCE as 200809L' "$work/said"; then
    return
  fi
  echo "FAILED: $compiler $* $file gives no useful error:"
  head -n 5 "$work/said"
  failed=$((failed + 1))
}

has() {
  command -v "$1" >/dev/null 2>&1 || { echo "SKIP: $1 is not installed" && return 1; }
}

for compiler in gcc clang musl-gcc; do
  has $compiler || continue
  echo 'int x;' >"$work/probe.c"
  $compiler -c "$work/probe.c" -o "$work/out.o" 2>/dev/null || { echo "SKIP: $compiler lacks its headers" && continue; }
  for standard in c11 c17; do
    for posix in '' -D_POSIX_C_SOURCE=199309L; do
      refuses $compiler plain.c -std=$standard $posix
    done
    try $compiler plain.c -std=$standard -D_POSIX_C_SOURCE=200809L
    try $compiler full.c -std=$standard -D_POSIX_C_SOURCE=200809L
    try $compiler full.c -std=$standard -D_GNU_SOURCE
  done
  try $compiler full.c -std=gnu11
  try $compiler full.c -std=gnu17
done
for compiler in g++ clang++; do
  has $compiler || continue
  printf '#include <cstddef>\nint x;\n' >"$work/probe.cc"
  $compiler -x c++ -c "$work/probe.cc" -o "$work/out.o" 2>/dev/null ||
    { echo "SKIP: $compiler lacks its headers" && continue; }
  for standard in c++11 c++17 c++20; do
    try $compiler plain.c -x c++ -std=$standard -Wold-style-cast
    try $compiler full.c -x c++ -std=$standard
  done
done

# cffi parses declarations without a preprocessor, so this declares the system's types, and PIDGUARD_API is empty.
if command -v python3 >/dev/null && python3 -c 'import cffi' 2>/dev/null; then
  for name in signal.h stdbool.h stddef.h stdint.h sys/resource.h sys/types.h sys/uio.h sys/wait.h; do
    mkdir -p "$work/fake/sys"
    : >"$work/fake/$name"
  done
  tried=$((tried + 1))
  cc -E -P -nostdinc -I"$work/fake" -I"$include" -DPIDGUARD_API= -DSI_QUEUE -DWEXITED "$include/pidguard/pidguard.h" |
    python3 -c '
import cffi, sys
ffi = cffi.FFI()
ffi.cdef("""typedef int pid_t; typedef unsigned uid_t, gid_t, id_t; typedef int idtype_t;
typedef struct siginfo siginfo_t; typedef struct sigset sigset_t; union sigval { int sival_int; void *sival_ptr; };""")
ffi.cdef(sys.stdin.read())
assert ffi.sizeof("struct pidguard_info") == 96 and ffi.typeof("struct pidguard_spawn_options")
' || {
    echo 'FAILED: cffi cannot parse the header'
    failed=$((failed + 1))
  }
else
  echo 'SKIP: cffi is not installed'
fi

[ $tried -gt 0 ] || { echo "SKIP: no compiler to try"; exit 77; }
echo "$tried compilations, $failed failed"
[ $failed -eq 0 ]

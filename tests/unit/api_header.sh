#!/bin/sh
# Compiles the public header alone, as C and C++, with each compiler that is installed, warnings being errors; and checks
# that what needs siginfo_t is declared where it should be, and only there. Usage: api_header.sh INCLUDE_DIRECTORY
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
  if ! "$compiler" "$@" -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Wcast-qual -Werror -I"$include" -c "$work/$file" -o "$work/out.o"; then
    echo "FAILED: $compiler $* $file"
    failed=$((failed + 1))
  fi
}

has() {
  command -v "$1" >/dev/null 2>&1 || { echo "SKIP: $1 is not installed" && return 1; }
}

for compiler in gcc clang musl-gcc; do
  has $compiler || continue
  echo 'int x;' >"$work/probe.c"
  $compiler -c "$work/probe.c" -o "$work/out.o" 2>/dev/null || { echo "SKIP: $compiler lacks its headers" && continue; }
  for standard in c11 c17; do
    try $compiler plain.c -std=$standard
    for posix in 199309L 200112L 200809L; do
      try $compiler plain.c -std=$standard -D_POSIX_C_SOURCE=$posix
    done
    try $compiler full.c -std=$standard -D_POSIX_C_SOURCE=200809L
    try $compiler full.c -std=$standard -D_GNU_SOURCE
  done
  try $compiler full.c -std=gnu11
  try $compiler full.c -std=gnu17
done
for compiler in g++ clang++; do
  has $compiler || continue
  printf '#include <cstddef>\nint x;\n' >"$work/probe.cc"
  $compiler -x c++ -c "$work/probe.cc" -o "$work/out.o" 2>/dev/null || { echo "SKIP: $compiler lacks its headers" && continue; }
  for standard in c++11 c++17 c++20; do
    try $compiler plain.c -x c++ -std=$standard -Wold-style-cast
    try $compiler full.c -x c++ -std=$standard
  done
done

[ $tried -gt 0 ] || { echo "SKIP: no compiler to try"; exit 77; }
echo "$tried compilations, $failed failed"
[ $failed -eq 0 ]

#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds and runs the examples for other languages and event loops. An example whose needs are not installed is skipped
# by name. Usage: others.sh SOURCE_DIRECTORY LIBRARY_DIRECTORY C_COMPILER
set -u
source=$1 library=$2 cc=$3
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
ran=0 failed=0
LD_LIBRARY_PATH=$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH

expect() { # NAME COMMAND...: the command must print its child's status, which is 7, within 60 seconds
  name=$1
  shift
  ran=$((ran + 1))
  said=$(timeout 60 "$@" 2>&1)
  [ "$said" = 'status 7' ] && return
  failed=$((failed + 1))
  echo "FAILED: $name prints: $said"
}
build() { # NAME COMPILER FLAG...: the flags come last, because they may name further libraries
  name=$1 compiler=$2
  shift 2
  "$compiler" -Wall -Wextra -Werror -I"$source/include" "$source/src/examples/$name" -o "$work/program" -L"$library" \
    -lpidguard "$@" && return
  failed=$((failed + 1))
  echo "FAILED: $name does not compile with $compiler"
  return 1
}

for loop in glib:glib-2.0 sd_event:libsystemd libuv:libuv; do
  name=loop_${loop%:*}.c package=${loop#*:}
  if ! command -v pkg-config >/dev/null || ! pkg-config --exists "$package"; then
    echo "SKIP: $name, because $package is not installed"
    continue
  fi
  # shellcheck disable=SC2046
  build "$name" "$cc" $(pkg-config --cflags --libs "$package") && expect "$name" "$work/program"
done
for compiler in g++ clang++; do
  echo '#include <utility>' >"$work/probe.cc"
  if ! command -v $compiler >/dev/null ||
    ! $compiler -std=c++14 -c "$work/probe.cc" -o "$work/probe.o" 2>/dev/null; then
    echo "SKIP: owner.cc, because $compiler is not installed"
    continue
  fi
  build owner.cc $compiler -std=c++14 && expect "owner.cc by $compiler" "$work/program"
done
if command -v python3 >/dev/null && python3 -c 'import ctypes, os; os.waitstatus_to_exitcode' 2>/dev/null; then
  expect python.py python3 "$source/src/examples/python.py" "$library/libpidguard.so.0"
else
  echo 'SKIP: python.py, because Python 3.9 with ctypes is not installed'
fi

[ $ran -gt 0 ] || exit 77
echo "$ran ran, $failed failed"
[ $failed -eq 0 ]

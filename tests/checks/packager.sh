#!/bin/bash
# Builds the library as a packager may: from sources that cannot be written, in paths with blanks, optimised as far as
# the compiler goes, with CMake's unity build asked for, warnings being errors. Usage: packager.sh SOURCE CMAKE C-COMPILER
set -u
src=$1
cmake=$2
cc=$3
unset LD_PRELOAD LD_LIBRARY_PATH DESTDIR CFLAGS LDFLAGS "${!PIDGUARD_@}"

tmp=$(mktemp -d) || exit 1
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
mkdir "$tmp/the source" && cp -r "$src"/{CMakeLists.txt,include,src,scripts} "$tmp/the source" || exit 1
chmod -R a-w "$tmp/the source"
build() {
  "$cmake" -S "$tmp/the source" -B "$tmp/a build" -DCMAKE_C_COMPILER="$cc" -DPIDGUARD_TESTS=OFF \
    -DPIDGUARD_WERROR=ON -DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON &&
    "$cmake" --build "$tmp/a build" --target pidguard_static && [[ -e "$tmp/a build/lib/libpidguard.a" ]]
}
build >"$tmp/log" 2>&1 || {
  cat "$tmp/log"
  exit 1
}

#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds the library as a packager may. The sources are read-only, and the paths have blanks. It is a release build with
# warnings as errors, and asks for CMake's unity build. Then builds the library as a part of another project.
# Usage: packager.sh SOURCE CMAKE C-COMPILER
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

# As a part of another project pidguard must not build its tests or set the build type.
mkdir "$tmp/parent"
cat >"$tmp/parent/CMakeLists.txt" <<END_CMAKE
cmake_minimum_required(VERSION 3.16)
project(parent C)
add_subdirectory("$tmp/the source" pidguard)
if(TARGET pg_test_support OR CMAKE_BUILD_TYPE OR NOT TARGET pidguard::pidguard)
  message(FATAL_ERROR "pidguard built its tests, set the build type '\${CMAKE_BUILD_TYPE}', or has no library")
endif()
END_CMAKE
"$cmake" -S "$tmp/parent" -B "$tmp/parent/build" -DCMAKE_C_COMPILER="$cc" >"$tmp/log" 2>&1 || {
  cat "$tmp/log"
  exit 1
}

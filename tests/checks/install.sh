#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs into a directory, as a packager would, and as a user of another prefix would. Uses the installation by
# pkg-config, find_package, the launcher and man. Usage: install.sh SOURCE BUILD CMAKE C-COMPILER
set -uf
src=$1
build=$2
cmake=$3
cc=$4
unset LD_PRELOAD LD_LIBRARY_PATH DESTDIR "${!PIDGUARD_@}" "${!PKG_CONFIG_@}"

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
prefix=$tmp/prefix
checks=0
failures=0

# expect WHAT TEXT PATTERN: TEXT must match the shell pattern.
expect() {
  checks=$((checks + 1))
  # shellcheck disable=SC2053
  [[ $2 == $3 ]] && return
  failures=$((failures + 1))
  printf 'FAILED: %s\n  should match: %s\n  is: %s\n' "$1" "$3" "$2"
}
succeeds() { # WHAT COMMAND…: sets out
  checks=$((checks + 1))
  local status
  out=$("${@:2}" 2>&1)
  status=$?
  ((status)) || return 0
  failures=$((failures + 1))
  printf 'FAILED: %s: status %s\n%s\n' "$1" "$status" "$out"
  return 1
}
skip() { printf 'SKIP: %s\n' "$*"; }

succeeds 'install' "$cmake" --install "$build" --prefix "$prefix" || exit 1
version=$(sed -n 's/^project(pidguard VERSION \([0-9.]*\).*/\1/p' "$src/CMakeLists.txt")
libdir=$(find "$prefix" -name libpidguard-preload.so)
libdir=${libdir%/*}
for file in "$libdir"/libpidguard.{so,so.0,a} "$libdir"/libpidguard-preload.so.0 \
  "$prefix"/share/bash-completion/completions/pidguard "$prefix"/share/zsh/site-functions/_pidguard \
  "$prefix"/include/pidguard/pidguard.h "$prefix"/bin/pidguard \
  "$libdir"/pkgconfig/pidguard{,-preload}.pc; do
  expect "$file is there" "$([[ -e $file ]] && echo yes)" yes
done
expect 'one header' "$(find "$prefix/include" -type f | wc -l)" 1

# ---- A user's programs: one that calls the API, and one that knows nothing of it ----

cat >"$tmp/caller.c" <<'END_C'
#define _GNU_SOURCE
#include <pidguard/pidguard.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void) {
  char line[4096], *argv[] = {"sh", "-c", "exit 3", NULL};
  int status = 0, fd = pidguard_spawn("sh", argv, environ, NULL, 0);
  if (fd < 0 || pidguard_pidfd_wait(fd, &status, -1))
    return 1;
  printf("version %s status %d\n", pidguard_version(), WEXITSTATUS(status));
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps && fgets(line, sizeof line, maps))
    if (strstr(line, "libpidguard"))
      printf("uses %s", strchr(line, '/'));
  return 0;
}
END_C
# Signals the PID of a dead child, which no process has. Only the shim's log tells the shim from libc.
cat >"$tmp/plain.c" <<'END_C'
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  if (pid <= 1 || waitpid(pid, NULL, 0) != pid)
    return 1;
  return kill(pid, 0) == -1 ? 0 : 2;
}
END_C

try_programs() { # HOW CALLER PLAIN
  succeeds "$1: the API" env LD_LIBRARY_PATH="$libdir" "$2" && {
    expect "$1: the API" "$out" "version $version status 3*"
    [[ $1 == *static* ]] || expect "$1: the API's library" "$out" "*uses $libdir/libpidguard.so.0*"
    [[ $1 != *static* ]] || expect "$1: no library at all" "$out" "version $version status 3"
  }
  [[ -n ${3-} ]] || return 0
  succeeds "$1: the hardened program" env LD_LIBRARY_PATH="$libdir" PIDGUARD_DEBUG=warn "$3" &&
    expect "$1: the hardened program" "$out" '*event=refused*call=kill*'
}

if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH=$libdir/pkgconfig
  expect 'pkg-config: version' "$(pkg-config --modversion pidguard pidguard-preload | tr '\n' ' ')" "$version $version "
  for name in caller:pidguard plain:pidguard-preload; do
    # shellcheck disable=SC2046
    succeeds "pkg-config ${name#*:}" \
      "$cc" "$tmp/${name%:*}.c" -o "$tmp/pc-${name%:*}" $(pkg-config --cflags --libs "${name#*:}")
  done
  try_programs pkg-config "$tmp/pc-caller" "$tmp/pc-plain"
else
  skip 'pkg-config is not installed'
fi

mkdir "$tmp/project"
cat >"$tmp/project/CMakeLists.txt" <<END_CMAKE
cmake_minimum_required(VERSION 3.16)
project(user C)
find_package(pidguard ${version%.*} REQUIRED)
add_executable(caller ../caller.c)
target_link_libraries(caller PRIVATE pidguard::pidguard)
add_executable(alone ../caller.c)
target_link_libraries(alone PRIVATE pidguard::pidguard_static)
add_executable(plain ../plain.c)
target_link_libraries(plain PRIVATE pidguard::preload)
END_CMAKE
succeeds 'find_package: configure' "$cmake" -S "$tmp/project" -B "$tmp/project/build" -DCMAKE_PREFIX_PATH="$prefix" \
  -DCMAKE_C_COMPILER="$cc" && succeeds 'find_package: build' "$cmake" --build "$tmp/project/build" && {
  try_programs find_package "$tmp/project/build/caller" "$tmp/project/build/plain"
  try_programs 'find_package, static' "$tmp/project/build/alone"
}

# A program that defines names which the library uses internally must link with the archive.
printf '#include <pidguard/pidguard.h>\nint pg_config, pg_count;\n%s\n' \
  'int main(void) { return pidguard_version()[0] != 48; }' >"$tmp/namesake.c"
succeeds 'a program with a pg_config of its own' \
  "$cc" "$tmp/namesake.c" -I"$prefix/include" -o "$tmp/namesake" "$libdir/libpidguard.a" -ldl && "$tmp/namesake"
expect 'it runs' $? 0
expect 'global names of the archive that are not pidguard_' \
  "$(nm -g --defined-only "$libdir/libpidguard.a" | awk 'NF == 3 && $3 !~ /^pidguard_/ { print $3 }')" ''

# Programs that were linked with an older version must still work, so no name of the symbols file may be gone. New names
# must be entered there.
expect 'the names of libpidguard.so.0, as in src/package/symbols' \
  "$(nm -D --defined-only "$libdir/libpidguard.so.0" |
    awk '{ sub(/@@/, "@", $3); print $2 == "A" ? $3 "@" $3 : $3 }' | sort)" \
  "$(sed -n 's/^ \([^ ]*\) .*/\1/p' "$src/src/package/symbols" | sort)"
expect 'SONAMEs' "$(readelf -d "$libdir"/libpidguard.so.0 "$libdir"/libpidguard-preload.so.0 |
  sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p' | tr '\n' ' ')" 'libpidguard.so.0 libpidguard-preload.so.0 '

# ---- The launcher ----

succeeds 'launcher --version' "$prefix/bin/pidguard" --version && expect 'launcher --version' "$out" "pidguard $version"
succeeds 'launcher' "$prefix/bin/pidguard" cat /proc/self/maps && {
  expect 'the launcher uses the installed object' "$out" "*$libdir/libpidguard-preload.so.0*"
  expect 'and no other' "$(grep libpidguard <<<"$out" | grep -vc "$libdir/")" 0
}

# ---- The manual ----

set +f
pages=("$prefix"/share/man/man[1-9]/*)
set -f
expect 'there are pages' "$((${#pages[@]} > 60))" 1
for page in "${pages[@]}"; do
  target=$(sed -n '1s/^\.so //p' "$page")
  [[ -z $target ]] ||
    expect "${page##*/} leads to a page" "$(grep -m 1 "^\.[A-Z]" "$prefix/share/man/$target" 2>&1)" '.TH *'
done
for name in $("$cc" -E -P -D_GNU_SOURCE -x c "$prefix/include/pidguard/pidguard.h" |
  grep -oE '\<pidguard_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u); do
  expect "$name(3) is there" "$([[ -e $prefix/share/man/man3/$name.3 ]] && echo yes)" yes
done
if command -v man >/dev/null; then
  for name in pidguard.1 pidguard.7 pidguard_kill.3; do
    succeeds "man $name" env MANPAGER=cat PAGER=cat MANWIDTH=100 man -M "$prefix/share/man" "${name#*.}" "${name%.*}" &&
      expect "man $name" "$out" '*SEE ALSO*'
  done
else
  skip 'man is not installed'
fi

# ---- Moved as a whole, and removed again ----

mv "$prefix" "$tmp/else"
moved=$tmp/else/${libdir#"$prefix/"}
succeeds 'moved: launcher' "$tmp/else/bin/pidguard" cat /proc/self/maps &&
  expect 'moved: the object beside it' "$out" "*$moved/libpidguard-preload.so.0*"
if command -v pkg-config >/dev/null; then
  # shellcheck disable=SC2046
  succeeds 'moved: pkg-config' "$cc" "$tmp/caller.c" -o "$tmp/moved-caller" \
    $(PKG_CONFIG_PATH=$moved/pkgconfig pkg-config --cflags --libs pidguard) &&
    succeeds 'moved: the API' env LD_LIBRARY_PATH="$moved" "$tmp/moved-caller"
fi
mv "$tmp/else" "$prefix"
cp "$build/install_manifest.txt" "$tmp/manifest" 2>/dev/null
succeeds 'uninstall' "$cmake" -DMANIFEST="$tmp/manifest" -P "$src/src/package/uninstall.cmake"
expect 'files that are left' "$(find "$prefix" \( -type f -o -type l \) | tr '\n' ' ')" ''
expect 'folders of the project that are left' "$(find "$prefix" -name '*pidguard*' | tr '\n' ' ')" ''
cp "$build/install_manifest.txt" "$tmp/manifest" 2>/dev/null
out=$("$cmake" -DMANIFEST="$tmp/manifest" -P "$src/src/package/uninstall.cmake" 2>&1)
expect 'uninstall where nothing is: status' $? 1
expect 'uninstall where nothing is' "$(tr -s '\n ' '  ' <<<"$out")" '*no file that * names exists. If cpack *'
succeeds 'install again' "$cmake" --install "$build" --prefix "$prefix"

# ---- Installed to a path with blanks, where everything works but the preload, which the dynamic linker splits ----

odd="$tmp/it is odd" # without a quote, because pkg-config does not escape one in the folder of its file
succeeds 'install to an odd path' "$cmake" --install "$build" --prefix "$odd"
if command -v pkg-config >/dev/null; then
  flags=$(PKG_CONFIG_PATH=$odd/${libdir#"$prefix/"}/pkgconfig pkg-config --cflags --libs pidguard)
  if [[ $(pkg-config --version) == 0.* ]]; then # not pkgconf
    skip "a path with blanks by pkg-config, because pkg-config $(pkg-config --version) does not quote them"
  else
    succeeds 'pkg-config, odd path' eval "\"$cc\" '$tmp/caller.c' -o '$tmp/pc-odd' $flags" &&
      succeeds 'the API from an odd path' env LD_LIBRARY_PATH="$odd/${libdir#"$prefix/"}" "$tmp/pc-odd"
  fi
  expect 'pkg-config: with the archive' "$(pkg-config --static --libs pidguard)" '*-lpidguard*-ldl*'
fi
out=$("$odd/bin/pidguard" true 2>&1)
expect 'the launcher at an odd path: status' $? 125
expect 'the launcher at an odd path' "$out" "*$odd/*splits LD_PRELOAD*"

# ---- Installed to a stage, as for packages; no installed file may contain the path of the stage ----

succeeds 'install to a stage' env DESTDIR="$tmp/stage" "$cmake" --install "$build" --prefix /opt/pg &&
  expect 'the launcher of a package uses the object beside it' \
    "$("$tmp/stage/opt/pg/bin/pidguard" printenv LD_PRELOAD)" \
    "$tmp/stage/opt/pg/${libdir#"$prefix/"}/libpidguard-preload.so.0"
expect 'paths of this machine in what is installed' \
  "$(grep -rlIF -e "$build" -e "$tmp" "$tmp/stage" | tr '\n' ' ')" ''

echo "$checks checks, $failures failed"
((failures == 0))

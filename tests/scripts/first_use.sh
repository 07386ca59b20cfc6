# shellcheck shell=bash disable=SC2154,SC2034,SC1091
# The launcher in a source tree: builds on first use and when a source is newer, and not otherwise; installs what is
# missing as root and names it as anybody else. cmake and apt-get are stand-ins here that write down how they were
# called. See check.sh for the arguments.
. "${BASH_SOURCE[0]%/*}/check.sh"

mkdir -p tree/scripts tree/src/part tree/include fake
cp "$src/scripts/pidguard" "$src/scripts/setup-lib.sh" tree/scripts/
touch tree/CMakeLists.txt tree/src/part/a.c tree/include/a.h

cat >fake/cmake <<END
#!/bin/bash
echo "cmake \$*" >>"$tmp/called"
cat >/dev/null # what it would eat of the command's standard input
echo noise
if [[ \$1 == --build ]]; then
  [[ -e $tmp/broken ]] && { echo 'error: no semicolon'; exit 2; }
  mkdir -p "\$2/lib" && cp "$lib" "\$2/lib/libpidguard-preload.so"
else
  mkdir -p "\$4" && touch "\$4/CMakeCache.txt"
fi
END
cat >fake/apt-get <<END
#!/bin/bash
echo "apt-get \$*" >>"$tmp/called"
[[ " \$* " == *' install '* ]] && for tool in cmake make cc; do ln -sf "$tmp/fake/\$tool" "$tmp/bare/\$tool"; done
exit 0
END
cat >fake/make <<END
#!/bin/bash
END
cp fake/make fake/cc
chmod 755 fake/*
guard() { PATH=$tmp/fake:$PATH run tree/scripts/pidguard "$@"; }
calls() { out=$(grep -c "$1" called 2>/dev/null) || out=${out:-0}; }

# First use: configured and built, nothing of it on stdout, and the command's stdin is untouched.
PATH=$tmp/fake:$PATH run bash -c 'echo typed | tree/scripts/pidguard cat'
expect status 0
expect out typed
expect err '*building in*'
calls '^cmake -S .*PIDGUARD_TESTS=OFF'
expect out 1
calls '^cmake --build .*--target pidguard_preload'
expect out 1
run grep -c . tree/build/lib/libpidguard-preload.so
expect status 0

# Second use: no cmake at all. A newer source, a removed source: built again, not configured again.
: >called
guard printenv LD_PRELOAD
expect out "$(cd tree && pwd -P)/build/lib/libpidguard-preload.so"
expect err ''
calls cmake
expect out 0
sleep 0.02
touch tree/src/part/a.c
guard true
calls '^cmake --build'
expect out 1
rm tree/src/part/a.c
guard true
calls '^cmake --build'
expect out 2
calls '^cmake -S'
expect out 0

# Through a symbolic link, from elsewhere, with another build directory.
ln -s ../tree/scripts/pidguard fake/guard-link
run fake/guard-link true
expect status 0
PIDGUARD_BUILD_DIR=$tmp/elsewhere guard printenv LD_PRELOAD
expect out "$tmp/elsewhere/lib/libpidguard-preload.so"

# A build that fails says so, shows why, and does not run the command unprotected.
touch broken tree/CMakeLists.txt
guard echo ran
expect status 125
expect out ''
expect err '*error: no semicolon*the build failed*'
rm broken
guard echo ran
expect out ran

# Nothing to build with. A directory of links instead of the system's PATH: everything but cmake, make and cc.
mkdir bare
for dir in /usr/sbin /usr/bin; do
  ln -sf -t bare $dir/*
done
rm -f bare/{cmake,make,cc,gcc,clang,c89,c99,apt-get} bare/{gcc,clang}-*
rm -rf tree/build
chmod 777 tree
user=()
can_be_other && user=("${as_other[@]}")
cp fake/apt-get bare/apt-get
: >called
if can_be_other || ((EUID)); then
  run env -u CC PATH="$tmp/bare" "${user[@]}" tree/scripts/pidguard true
  expect status 125
  expect err '*missing: cmake make gcc libc6-dev (on Debian, as root: apt-get install cmake make gcc libc6-dev)*'
  calls apt-get
  expect out 0
else
  skip 'naming what is missing: this root cannot become an ordinary user'
fi
if ((EUID == 0)); then
  rm -rf tree/build
  run env -u CC PATH="$tmp/bare" tree/scripts/pidguard echo ran
  expect status 0
  expect out ran
  calls '^apt-get install .*cmake make gcc libc6-dev'
  expect out 1
else
  skip 'installing: needs root'
fi
finish

# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC1091
# The launcher in a source tree. It builds on first use and if a source is newer, and not otherwise. As root it installs
# missing packages, and as any other user it names them. cmake and apt-get are stand-ins here, which record their calls.
# See check.sh for the arguments.
. "${BASH_SOURCE[0]%/*}/check.sh"

mkdir -p tree/scripts tree/src/part tree/src/tool tree/include fake
cp "$src/scripts/pidguard" "$src/scripts/setup-lib.sh" tree/scripts/
touch tree/CMakeLists.txt tree/src/part/a.c tree/include/a.h

cat >fake/cmake <<END
#!/bin/bash
echo "cmake \$*" >>"$tmp/called"
cat >/dev/null # reads the command's standard input if the launcher passes it on
echo noise
if [[ \$1 == --build ]]; then
  [[ -e $tmp/broken ]] && { echo 'error: no semicolon'; exit 2; }
  mkdir -p "\$2/lib" "\$2/bin" && cp "$lib" "\$2/lib/libpidguard-preload.so.0" && cp "$pidguard" "\$2/bin/"
else
  mkdir -p "\$4" && printf 'CMAKE_%s\n' "CACHEFILE_DIR:INTERNAL=\$4" "HOME_DIRECTORY:INTERNAL=\$2" >"\$4/CMakeCache.txt"
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

# On first use the launcher configures and builds. It prints nothing on stdout, and leaves the command's stdin alone.
PATH=$tmp/fake:$PATH run bash -c 'echo typed | tree/scripts/pidguard cat'
expect status 0
expect out typed
expect err '*building in*'
calls '^cmake -S .*PIDGUARD_TESTS=OFF'
expect out 1
calls '^cmake --build .*--target pidguard_tool'
expect out 1
run grep -c . tree/build/lib/libpidguard-preload.so.0
expect status 0

# The command gets no variable more than the caller has, even if the caller has none.
run env -i tree/scripts/pidguard env
expect out "LD_PRELOAD=$(cd tree && pwd -P)/build/lib/libpidguard-preload.so.0"

# On second use it does not call cmake at all. After a source was changed or removed, it builds again, but does not
# configure again.
: >called
guard printenv LD_PRELOAD
expect out "$(cd tree && pwd -P)/build/lib/libpidguard-preload.so.0"
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

# Calls the launcher through a symbolic link, from another folder, and with another build directory.
ln -s ../tree/scripts/pidguard fake/guard-link
run fake/guard-link true
expect status 0
PIDGUARD_BUILD_DIR=$tmp/elsewhere guard printenv LD_PRELOAD
expect out "$tmp/elsewhere/lib/libpidguard-preload.so.0"

# A build that fails says so, shows why, and does not run the command unprotected.
touch broken tree/CMakeLists.txt
guard echo ran
expect status 125
expect out ''
expect err '*error: no semicolon*the build failed*'
rm broken
guard echo ran
expect out ran

# The command gets its own environment, descriptors and folder, whatever way and place the launcher is called from.
run env -i PATH="$PATH" a.b=1 PWD=/x SHLVL=7 SHELLOPTS=braceexpand:hashall tree/scripts/pidguard env
expect err ''
for entry in a.b=1 PWD=/x SHLVL=7 SHELLOPTS=braceexpand:hashall "PATH=$PATH"; do
  expect out "*$entry*"
done
run env -i PATH="$PATH" tree/scripts/pidguard env
expect out "PATH=$PATH"$'\n'LD_PRELOAD=*
[[ $(wc -l <<<"$out") == 2 ]] || expect out 'two variables and no more'
run sh tree/scripts/pidguard printenv LD_PRELOAD
expect out "$(cd tree && pwd -P)/build/lib/libpidguard-preload.so.0"
run bash tree/scripts/pidguard sh -c 'echo "$0 $1"' 'a b' '*'
expect out 'a b \*'
# shellcheck disable=SC2016
show='exec 3>&1; "$@" sh -c "for n in 0 1 2; do [ ! -e /proc/self/fd/\$n ] || echo \$n >&3; done"'
for closed in '2>&-' '0<&-' '1>&-' '<&- >&- 2>&-'; do
  plain=$(bash -c "$show $closed" bash)
  run bash -c "$show $closed" bash tree/scripts/pidguard
  expect out "$plain"
done
run bash -c 'ulimit -n 4; exec tree/scripts/pidguard sh -c "exit 9"'
expect status 9
run bash -c 'mkdir gone; cd gone; rmdir ../gone; exec "$0" sh -c "exit 9"' "$tmp/tree/scripts/pidguard"
expect status 9 # bash says something about the folder by itself

# It also builds with an empty environment. The real cmake can only fail here, but not because it lacks a PATH.
run env -i PIDGUARD_BUILD_DIR="$tmp/bare" "$tmp/tree/scripts/pidguard" true
run grep -c CMAKE_ROOT bare/build.log
expect out 0

# The launcher builds a moved tree anew. It refuses a tree whose path cannot be preloaded before it builds anything.
: >called
mv tree moved
PATH=$tmp/fake:$PATH run moved/scripts/pidguard echo ran
expect out ran
touch moved/CMakeLists.txt
PATH=$tmp/fake:$PATH run moved/scripts/pidguard echo ran
expect out ran
expect err '*this tree was moved; building it anew*'
calls '^cmake -S .*PIDGUARD_TESTS=OFF'
expect out 1
: >called
touch moved/CMakeLists.txt
PATH=$tmp/fake:$PATH run moved/scripts/pidguard echo ran
calls '^cmake -S'
expect out 0
mv moved 'a tree' && touch 'a tree/CMakeLists.txt'
: >called
PATH=$tmp/fake:$PATH run 'a tree/scripts/pidguard' echo ran
expect status 125
expect err '*splits LD_PRELOAD at blanks and colons*PIDGUARD_BUILD_DIR=*'
calls cmake
expect out 0
PIDGUARD_BUILD_DIR=$tmp/outside PATH=$tmp/fake:$PATH run 'a tree/scripts/pidguard' echo ran
expect out ran
mv 'a tree' tree

# The script alone, and a tree that lacks a part.
mkdir alone && cp tree/scripts/pidguard alone/
run alone/pidguard true
expect status 125
expect err '*is the launcher of a source tree, but is not in one*'

# Without build tools. PATH is a directory of links to all programs of the system but cmake, make and cc.
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
  skip 'naming missing packages, because this root cannot become an ordinary user'
fi
if ((EUID == 0)); then
  rm -rf tree/build
  run env -u CC PATH="$tmp/bare" tree/scripts/pidguard echo ran
  expect status 0
  expect out ran
  calls '^apt-get install .*cmake make gcc libc6-dev'
  expect out 1
else
  skip 'installing packages, which needs root'
fi
# scripts/test --help installs and builds nothing.
rm -f called
run env PATH="$tmp/fake:$PATH" bash "$src/scripts/test" --help
expect status 0
expect out 'usage: scripts/test *'
[[ ! -e called ]] || err=$(<called)
expect err ''
finish

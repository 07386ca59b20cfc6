#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs inside a root tree of Debian, as root, beside a copy of the source. Prints "@@KEY VALUE" lines for scripts/ports.
#   debian.sh first SOURCE             runs README's first command in the fresh tree
#   debian.sh compilers SOURCE         builds all with every gcc from 10 and clang from 11 of the suite; warnings fail
#   debian.sh tests SOURCE [CTEST…]    runs the tests as root, and as an ordinary user in a copy of the source
#   debian.sh object SOURCE OBJECT     tests an object that was built elsewhere with programs of the tree
set -u
what=$1 source=$2
shift 2
cd "$source" || exit 1
pg_root=$source pg_build=/root/build
# shellcheck source=scripts/setup-lib.sh
. scripts/setup-lib.sh
[[ $what == first || -e /.updated ]] || { apt-get update -q >/dev/null 2>&1 && touch /.updated; }
echo "@@libc $(ldd --version 2>/dev/null | sed -n '1s/.* //p')"

# The shell kills a child, waits for it, and kills it again. The second kill must fail.
first() {
  local said
  # shellcheck disable=SC2016
  said=$(scripts/pidguard bash -c \
    'sleep 9 & kill $!; wait $!; echo "$?"; kill $! 2>/dev/null; echo "$?"; grep -c pidguard /proc/$$/maps' \
    2>/root/first.log | paste -sd' ')
  [[ $said == '143 1 '[1-9]* ]]
  echo "@@first $? \"$said\""
  sed 's/^/first: /' /root/first.log | tail -n 20
}

compilers() {
  local name version log
  pg_require "${pg_build_wants[@]}" libcunit1-dev=CUnit/CUnit.h || exit 1
  for name in $(apt-cache search --names-only '^(gcc|clang)-[0-9]+$' | awk '{ print $1 }' | sort -V); do
    version=${name##*-}
    if [[ $name == gcc-* ]]; then ((version >= 10)) || continue; else ((version >= 11)) || continue; fi
    apt-get install -q -y --no-install-recommends "$name" >/dev/null 2>&1 ||
      { echo "@@compiler $name cannot be installed" && continue; }
    [[ $name != clang-* ]] || # the sanitizers, which older suites have in another package
      apt-get install -q -y --no-install-recommends "libclang-rt-$version-dev" >/dev/null 2>&1
    log=/root/$name.log
    rm -rf "/root/build-$name"
    if cmake -S . -B "/root/build-$name" "-DCMAKE_C_COMPILER=$name" -DPIDGUARD_TESTS=ON -DPIDGUARD_WERROR=ON \
      >"$log" 2>&1 &&
      cmake --build "/root/build-$name" -- -k -j"$(nproc)" >>"$log" 2>&1; then
      echo "@@compiler $name ok"
    else
      echo "@@compiler $name failed"
      grep -E 'error|warning' "$log" | sort -u | head -n 10
    fi
    rm -rf "/root/build-$name"
  done
}

counts() { sed -n 's/^tests: //p' "$1" | tail -n 1; }

tests() {
  local user=tester home=/home/tester
  scripts/test "$@" >/root/tests-root.log 2>&1
  echo "@@root $? $(counts /root/tests-root.log)"
  id "$user" >/dev/null 2>&1 || useradd -m "$user"
  rm -rf "$home/pidguard" && cp -a "$source" "$home/pidguard" && rm -rf "$home/pidguard/build" &&
    chown -R "$user" "$home"
  setpriv --reuid="$user" --regid="$user" --init-groups env HOME="$home" USER="$user" \
    bash -c 'cd && exec pidguard/scripts/test "$@"' bash "$@" >/root/tests-user.log 2>&1
  echo "@@user $? $(counts /root/tests-user.log)"
  local log
  for log in /root/tests-{root,user}.log; do
    grep -hE '\*\*\*|FAILED|  - |^tests:|^skipped|: error:|cannot|missing' "$log" | cut -c1-300 | tail -n 60 |
      sed "s|^|${log##*-}: |"
  done
}

# Runs the tests that depend on the libc, with programs that are built in the tree.
object() {
  local status=0
  pg_build_tree -DPIDGUARD_TESTS=ON || exit 1
  (cd "$pg_build" && PIDGUARD_PRELOAD=$1 ctest --output-on-failure \
    -R '^(moments|same_.*|log|modes|filters|inside_libc|copies)$' -j"$(nproc)") >/root/object.log 2>&1 || status=$?
  echo "@@object $status $(sed -n 's/^\([0-9]*% tests passed.*\)$/\1/p' /root/object.log)"
  ((status == 0)) || grep -E '\*\*\*|FAILED|  - ' /root/object.log | cut -c1-300 | head -n 40
}

"$what" "$@"

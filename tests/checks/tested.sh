#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks that a unit test calls each public function. The table in tests/unit/README.md must name each function, with a
# test that exists. Usage: tested.sh C-COMPILER
set -uf
export LC_ALL=C
root=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P) || exit 1
cc=${1:-cc}
table=$root/tests/unit/README.md
failures=0
fail() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n' "$*"
}

functions=$("$cc" -E -P -D_GNU_SOURCE -I"$root/include" -x c "$root/include/pidguard/pidguard.h" |
  grep -oE '\<pidguard_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u)
(($(wc -l <<<"$functions") > 50)) || fail 'the header declares hardly any functions'

for name in $functions; do
  grep -rqw --include='*.c' -- "$name" "$root/tests/unit" || fail "no unit test calls $name"
  short=${name#pidguard_}
  grep -qE "\`(pidguard_)?${short#pidfd_}\`|\`$short\`" "$table" || fail "the table lacks $name"
done

# The last column has "file: test". Files are separated by ";", and the tests of a file by ",".
while IFS='|' read -r _ _ _ tests _; do
  IFS=';' read -ra parts <<<"$tests"
  for part in "${parts[@]}"; do
    file=$(sed 's/:.*//; s/[` ]//g' <<<"$part")
    [[ -n $file ]] || continue
    [[ -e $root/tests/unit/$file || -e $root/tests/$file ]] || {
      fail "the table names $file, which does not exist"
      continue
    }
    [[ $part == *:* ]] || continue
    for test in $(sed 's/^[^:]*://; s/[`,]/ /g' <<<"$part"); do
      grep -qw -- "$test" "$root/tests/unit/$file" || fail "the table names $test, which is not in $file"
    done
  done
done < <(grep '^| [0-9]' "$table")

echo "$(wc -l <<<"$functions") functions, $(grep -c '^| [0-9]' "$table") lines of the table, $failures failed"
((failures == 0))
